package telemetryweb

import (
	"strings"
	"testing"

	"plateau/internal/telemetry"
)

// TestOriginOfSampleValues: a demonstration's pages tell played values from
// made-up ones; other pages are silent about it.
func TestOriginOfSampleValues(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	const page = "/en/outlets/1?factor=a21002"
	if body := r.ask("officer", "GET", page, nil).Body.String(); strings.Contains(body, "Sample data") || strings.Contains(body, "generated") {
		t.Error("an outlet whose values are measured speaks of sample data")
	}
	from := Origin{Kind: "scaled", Source: "UCI data set 551"}
	r.Origin = func(o telemetry.OutletID, code string) (Origin, bool) { return from, o == 1 && code == "a21002" }
	if body := r.ask("officer", "GET", page, nil).Body.String(); !strings.Contains(body, "a real series is played, scaled to this outlet. Source: <span lang=\"en\">UCI data set 551</span>") || strings.Contains(body, "generated") {
		t.Errorf("no origin of a played series in:\n%s", body)
	}
	from = Origin{Kind: "made"}
	if body := r.ask("officer", "GET", page, nil).Body.String(); !strings.Contains(body, "generated, no real series holds this quantity") || !strings.Contains(body, `<span class="note">generated</span>`) {
		t.Errorf("a made-up value is not called so in:\n%s", body)
	}
}

// TestFilling: pages tell how far a demonstration's history is, until it is there.
func TestFilling(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	done := 42
	r.Filling = func() (int, int) { return done, 100 }
	for lang, want := range map[string]string{"en": "Filling in history: 42 % done", "zh": "正在填充历史数据：已完成 42%", "bo": "བརྒྱ་ཆ་ 42"} {
		if body := r.ask("officer", "GET", "/"+lang+"/", nil).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s: no %q on the overview", lang, want)
		}
	}
	done = 100
	if body := r.ask("officer", "GET", "/en/", nil).Body.String(); strings.Contains(body, "Filling") {
		t.Error("the page still speaks of filling")
	}
}
