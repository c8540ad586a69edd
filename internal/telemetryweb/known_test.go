package telemetryweb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// judged puts a real engine and a real store behind the pages: outlet 1 sent six
// ten-minute records of the hour from 07:00, all 40, received at 08:05; a
// correction of the first, 80, came at 08:20.
func judged(tb testing.TB) *rig {
	tb.Helper()
	r := newRig(tb, 3)
	s, err := store.Open(tb.TempDir(), store.Options{Now: func() time.Time { return testNow }, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	hour := testNow.Truncate(time.Hour).Add(-time.Hour)
	send := func(at, received time.Time, value string) {
		v := telemetry.NewValue("a21002", "Avg", []byte(value))
		v.Flag = "N"
		o2 := telemetry.NewValue("a19001", "Avg", []byte("15.0"))
		o2.Flag = "N"
		done := make(chan store.Result, 1)
		if err := s.Submit(tb.Context(), &store.Frame{
			MN: testMN, Outlet: 1, Kind: telemetry.KindMinute, At: at.Unix(), Received: received, Raw: fmt.Append(nil, "##0000", at.Unix(), value),
			Verdict: telemetry.Stored, Values: []telemetry.Value{v, o2}, Done: func(r store.Result) { done <- r },
		}); err != nil {
			tb.Fatal(err)
		}
		if r := <-done; r.Err != nil {
			tb.Fatal(r.Err)
		}
	}
	for m := range 6 {
		send(hour.Add(time.Duration(m)*10*time.Minute), hour.Add(65*time.Minute), "40.00")
	}
	send(hour, hour.Add(80*time.Minute), "80.00")
	e, err := quality.New(quality.Options{Store: s, Registry: r.registry, Now: func() time.Time { return testNow }})
	if err != nil {
		tb.Fatal(err)
	}
	if err := e.CatchUp(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	r.Quality, r.Journal = e, s
	return r
}

// TestKnownPages asks pages and exports for what was known before and after a
// correction.
func TestKnownPages(t *testing.T) {
	t.Parallel()
	r := judged(t)
	value := "1-a21002-hour-" + testNow.Truncate(time.Hour).Add(-time.Hour).UTC().Format("20060102T150405Z")
	if id := valueID(1, "a21002", quality.LevelHour, testNow.Truncate(time.Hour).Add(-time.Hour)); id != value {
		value = id
	}
	const before, after = "known=2026-11-23T08:10", "known=2026-11-23+08:25"
	const banner = "As known on 2026-11-23 08:10: later data, corrections and registry changes are not in it."
	for _, c := range []struct {
		path     string
		contains []string
		lacks    []string
	}{
		{"/en/outlets/1/2026-11-23?factor=a21002&view=table", []string{">46.7<", "As known on…", "revised"}, []string{"later data, corrections"}},
		{"/en/outlets/1/2026-11-23?factor=a21002&view=table&" + before, []string{">40<", banner, `href="/en/outlets/1/2026-11-23?factor=a21002&amp;view=table">Back to`, "/en/values/" + value + "?known=2026-11-23T08%3A10"}, []string{">46.7<", "revised", "data-live"}},
		{"/en/outlets/1/2026-11-23?factor=a21002&view=table&" + after, []string{">46.7<", "As known on 2026-11-23 08:25:"}, nil},
		{"/en/outlets/1?" + before, []string{banner, `<div class="tiles">`, ">40<"}, []string{"data-live", "46.7"}},
		{"/en/outlets/1/history?" + before, []string{banner, "/en/outlets/1/history.csv?known=2026-11-23T08%3A10", ">40<"}, []string{"46.7"}},
		{"/en/outlets/1/history?known=2026-11-20", []string{"As known on 2026-11-20 24:00:"}, []string{">40<"}},
		{"/en/outlets/1/history?known=2026-11-23", []string{"2026-11-23 24:00 has not come yet; this is what is known now.", "46.7"}, []string{"later data, corrections"}},
		{"/zh/outlets/1/history?known=" + "２０２６年１１月２０日", []string{"截至 2026-11-20 24:00 已知的内容"}, nil},
		{"/en/values/" + value + "?" + before, []string{banner, ">40<", "The layers of this value", "6 frames, received 2026-11-23 08:05 to 2026-11-23 08:05", "60 valid minutes, 60 received, 60 due"}, []string{"46.7", "of them give different values"}},
		{"/en/values/" + value, []string{"/en/values/" + value + ".csv\""}, []string{"csv?"}},
		{"/en/values/" + value, []string{"46.7", "2 of them give different values", "coverage 100 %", "inputs "}, []string{banner}},
		{"/en/reports/outlet/1/day/2026-11-23", []string{">46.7<"}, []string{"later data, corrections"}},
		{"/en/reports/outlet/1/day/2026-11-23?" + before, []string{">40.0<", banner, "/en/reports/outlet/1/day/2026-11-23.csv?known=2026-11-23T08%3A10", "/en/values/" + value + "?known=2026-11-23T08%3A10"}, []string{">46.7<"}},
		{"/en/reports/outlet/1/day/2026-11-23.csv?" + before, []string{",40,"}, []string{"46.6"}},
		{"/en/reports/enterprise/ent-1/month/2026-11?" + before, []string{banner, "known=2026-11-23T08%3A10"}, nil},
		{"/zh/values/" + value + ".csv?" + before, []string{"40"}, []string{"46.6"}},
		{"/bo/outlets/1?" + before, []string{"2026-11-23 08:10 བར་ཤེས་པ།"}, nil},
		{"/en/outlets/1/2026-11-23/series?factor=a21002&" + before, nil, nil},
		{"/en/outlets/1/2026-11-23.csv?" + before, []string{",40,"}, []string{"46.6"}},
		{"/en/outlets/1/2026-11-23.csv", []string{"46.666"}, nil},
		{"/en/reports/outlet/1/day/2026-11-23", []string{">46.7<", "As known on…"}, []string{banner}},
		{"/en/reports/outlet/1/day/2026-11-23?" + before, []string{banner, ">40.0<", "/en/reports/outlet/1/day/2026-11-23.csv?known=2026-11-23T08%3A10", "/en/reports/outlet/1/month/2026-11?known="}, []string{"46.7"}},
		{"/en/reports/outlet/1/month/2026-11?" + before, []string{banner}, nil},
		{"/en/outlets/1/totals?" + before, []string{banner}, nil},
		{"/en/outlets/1/history.json?" + before, []string{`"known":"2026-11-23T08:10:00+08:00"`}, nil},
	} {
		w := r.ask("officer", http.MethodGet, c.path, nil)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", c.path, w.Code)
			continue
		}
		for _, s := range c.contains {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: lacks %q", c.path, s)
			}
		}
		for _, s := range c.lacks {
			if strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: contains %q", c.path, s)
			}
		}
	}
	for path, says := range map[string]string{
		"/en/outlets/1?known=yesterday":                        "“yesterday” is no time: write a date such as 2026-11-20, or a time such as 2026-11-20 08:30.",
		"/en/values/" + value + "?known=2026-13-01":            "is no time",
		"/en/reports/outlet/1/day/2026-11-23?known=2026-11-20": "This period had not begun at 2026-11-20 24:00",
		"/api/v1/outlets/1/hours?known=x":                      "",
		"/api/v1/outlets/1/records?known=2030-01-01T00:00:00Z": "",
	} {
		if w := r.ask("officer", http.MethodGet, path, nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: status %d, %s", path, w.Code, w.Body)
		}
	}
}

func TestKnownInterfaceAndSheet(t *testing.T) {
	t.Parallel()
	r := judged(t)
	const span = "from=2026-11-22T23:00:00Z&to=2026-11-23T00:00:00Z"
	get := func(path string, into any) {
		t.Helper()
		w := r.ask("operator", http.MethodGet, path, nil, "Authorization", "Bearer operator")
		if err := json.Unmarshal(w.Body.Bytes(), into); w.Code != http.StatusOK || err != nil {
			t.Fatalf("%s: status %d, %v: %s", path, w.Code, err, w.Body)
		}
	}
	var hours struct {
		Known string
		Rows  []struct {
			Factor string
			Mean   float64
		}
	}
	get("/api/v1/outlets/1/hours?"+span+"&known=2026-11-23T00:10:00Z", &hours)
	if hours.Known != "2026-11-23T08:10:00+08:00" || len(hours.Rows) == 0 || hours.Rows[0].Mean != 40 {
		t.Errorf("hours %+v", hours)
	}
	for arg, want := range map[string]float64{"": 80, "&known=2026-11-23T08:10": 40, "&known=2026-11-23T08:20": 80} {
		var recs struct {
			Known  string
			Series []struct {
				Factor string
				Values []float64
			}
		}
		get("/api/v1/outlets/1/records?kind=minute&"+span+arg, &recs)
		if len(recs.Series) == 0 || len(recs.Series[0].Values) != 6 || recs.Series[0].Values[0] != want || (recs.Known == "") != (arg == "") {
			t.Errorf("records with %q: %+v", arg, recs)
		}
	}
	w := r.ask("officer", http.MethodGet, "/en/outlets/1/2026-11-23.xlsx?known=2026-11-23T08:10", nil)
	if name := w.Header().Get("Content-Disposition"); !strings.Contains(name, "-known-20261123-0810-20261123-0830.xlsx") {
		t.Errorf("file name %q", name)
	}
	f, err := excelize.OpenReader(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("about")
	if err != nil || !strings.HasPrefix(rows[len(rows)-1][1], "As known on 2026-11-23 08:10") {
		t.Errorf("about %v, %v", rows, err)
	}
}
