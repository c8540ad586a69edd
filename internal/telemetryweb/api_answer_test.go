package telemetryweb

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

func TestFields(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 2)
	for _, tt := range []struct{ target, want string }{
		{"/api/v1/outlets?fields=id,devices&limit=1", `{"next":"1","outlets":[{"devices":["` + testMN + `"],"id":1}]}`},
		{"/api/v1/areas?fields=names.en&area=541100&limit=1", `{"areas":[{"names":{"en":"Prefecture 1"}}],"next":"541100"}`},
		{"/api/v1/alarms/over1?fields=alarm,outlet", `{"alarm":"over1","outlet":1}`},
		{"/api/v1/outlets/1/records?fields=outlet,series.factor&from=2026-11-23T00:00:00Z&to=2026-11-23T00:01:00Z", `{"outlet":1,"series":[{"factor":"a21002"}]}`},
		{"/api/v1/rules/cems.hour_mean?fields=id,version", ""},
		{"/api/v1/rules?fields=params.min_valid_minutes&limit=1", ""}, // params have any members
	} {
		w := r.ask("operator", "GET", tt.target, nil)
		if w.Code != http.StatusOK || tt.want != "" && w.Body.String() != tt.want {
			t.Errorf("%s: %d %s, want %s", tt.target, w.Code, w.Body, tt.want)
		}
	}
	for _, target := range []string{
		"/api/v1/outlets?fields=nonsense", "/api/v1/outlets?fields=id,", "/api/v1/outlets?fields=id.x", "/api/v1/areas?fields=names.fr", "/api/v1/events?fields=secret.x.y,nonsense%00",
		"/api/v1/outlets/1/records?fields=series.nonsense", "/api/v1/outlets/1/hours?fields=rows",
	} {
		w := r.ask("operator", "GET", target, nil)
		if strings.Contains(target, "/events") { // its members are those of a schema kept by hand: any may be named
			continue
		}
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	w := r.ask("operator", "GET", "/api/v1/outlets?fields=id", nil, "Accept", "application/x-ndjson")
	if w.Body.String() != "{\"id\":1}\n{\"id\":2}\n" {
		t.Errorf("lines: %s", w.Body)
	}
}

func TestETags(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 3)
	first := r.ask("officer", "GET", "/api/v1/outlets", nil)
	tag := first.Header().Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("ETag %q", tag)
	}
	if w := r.ask("officer", "GET", "/api/v1/outlets", nil, "If-None-Match", `"x", `+tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.registry.change(func(s *telemetry.Snapshot) { delete(s.Devices, testMN) })
	if w := r.ask("officer", "GET", "/api/v1/outlets", nil, "If-None-Match", tag); w.Code != http.StatusOK || w.Header().Get("ETag") == tag {
		t.Errorf("after a change: %d %s", w.Code, w.Header().Get("ETag"))
	}
	for since, want := range map[string]int{testNow.UTC().Format(http.TimeFormat): 304, testNow.Add(-time.Hour).UTC().Format(http.TimeFormat): 200, "yesterday": 200} {
		w := r.ask("officer", "GET", "/api/v1/dialogues/"+testDialogue, nil, "If-Modified-Since", since)
		if w.Code != want || w.Header().Get("Last-Modified") == "" {
			t.Errorf("since %s: %d %v", since, w.Code, w.Header())
		}
	}
}

// breaking gives hours until its outlet, then fails.
type breaking struct {
	quality.Queries
	at telemetry.OutletID
}

func (b *breaking) Hours(id telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	if id == b.at {
		return nil, errors.New("disk: password=hunter2")
	}
	return b.Queries.Hours(id, from, to)
}

func TestStreamThatBreaks(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40)
	r.Quality = &breaking{r.quality, 40}
	w := r.ask("officer", "GET", "/api/v1/hours", nil)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	var last struct {
		Error struct {
			Status   int
			Instance string
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || w.Code != http.StatusOK || last.Error.Status != 500 || last.Error.Instance == "" {
		t.Errorf("%d, %d lines, the last %s", w.Code, len(lines), lines[len(lines)-1])
	}
	if len(lines) != 39*24*2+1 || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("%d lines", len(lines))
	}
	// Before the first line it is an error as any other.
	r.Quality = &breaking{r.quality, 1}
	if w := r.ask("officer", "GET", "/api/v1/hours", nil); w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAPIRefusals(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 6)
	for _, tt := range []struct {
		method, target, role, body string
		want                       int
	}{
		{"GET", "/api/v1/outlets?limit=0", "officer", "", 400},
		{"GET", "/api/v1/outlets?cursor=x", "officer", "", 400},
		{"GET", "/api/v1/outlets?state=broken", "officer", "", 400},
		{"GET", "/api/v1/alarms?cursor=1", "officer", "", 400},
		{"GET", "/api/v1/alarms/none", "officer", "", 404},
		{"GET", "/api/v1/alarms/missing3", "enterprise", "", 403},
		{"GET", "/api/v1/enterprises/ent-2", "enterprise", "", 404},
		{"GET", "/api/v1/outlets/5", "enterprise", "", 403},
		{"GET", "/api/v1/rules?on=tomorrow", "officer", "", 400},
		{"GET", "/api/v1/rules/none", "officer", "", 404},
		{"GET", "/api/v1/outlets/1/periods?level=week", "officer", "", 400},
		{"GET", "/api/v1/outlets/1/periods?level=month&date=2026", "officer", "", 400},
		{"GET", "/api/v1/hours?from=2020-01-01T00:00:00Z", "officer", "", 400},
		{"GET", "/api/v1/events?cursor=x", "officer", "", 400},
		{"GET", "/api/v1/events?kinds=x", "officer", "", 400},
		{"GET", "/api/v1/events?wait=61", "officer", "", 400},
		{"GET", "/api/v1/webhooks", "officer", "", 403},
		{"POST", "/api/v1/webhooks", "operator", `{"url":"https://example.org","x":1}`, 400},
		{"POST", "/api/v1/webhooks", "operator", `{"url":"http://example.org"}`, 422},
		{"POST", "/api/v1/webhooks", "operator", strings.Repeat(" ", 70_000), 413},
		{"PATCH", "/api/v1/webhooks/none", "operator", "{}", 404},
		{"POST", "/api/v1/alarms/over1/acknowledgement", "enterprise", "{}", 403},
		{"POST", "/api/v1/alarms/over1/false", "officer", "{}", 422},
		{"PUT", "/api/v1/alarms/over1", "officer", "", 405},
	} {
		w := r.ask(tt.role, tt.method, tt.target, strings.NewReader(tt.body), "Content-Type", "application/json")
		if w.Code != tt.want || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s, want %d", tt.method, tt.target, w.Code, w.Body, tt.want)
		}
	}
}

func TestEnterpriseSeesItsOwn(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 6)
	for target, lacks := range map[string]string{
		"/api/v1/outlets": `"id":3`, "/api/v1/states": `"outlet":3`, "/api/v1/enterprises": "ent-2", "/api/v1/events": `"outlet":3`, "/api/v1/hours": `"outlet":3`, "/api/v1/alarms": `"outlet":3`,
	} {
		w := r.ask("enterprise", "GET", target, nil)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), lacks) || !strings.Contains(w.Body.String(), "1") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body.String()[:min(300, w.Body.Len())])
		}
	}
}

func TestAlarmsInPages(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 6)
	var got []string
	cursor := ""
	for range 10 {
		w := r.ask("officer", "GET", "/api/v1/alarms?limit=1&fields=alarm&cursor="+cursor, nil)
		var page struct {
			Rows []struct{ Alarm string }
			Next string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, a := range page.Rows {
			got = append(got, a.Alarm)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"over1", "warn4", "missing3"}, got); d != "" {
		t.Error(d)
	}
}

// BenchmarkStreamHours streams a day of judged hours of 300 outlets.
func BenchmarkStreamHours(b *testing.B) {
	r := newRig(b, 300)
	lines := 0
	for b.Loop() {
		w := r.ask("officer", "GET", "/api/v1/hours", nil)
		lines = strings.Count(w.Body.String(), "\n")
		if w.Code != http.StatusOK {
			b.Fatal(w.Body.String())
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines*b.N), "ns/line")
}
