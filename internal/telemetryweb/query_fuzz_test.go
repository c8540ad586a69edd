package telemetryweb

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// fuzzed are addresses whose queries are read: pages and the interface.
var fuzzed = []string{
	"/en/", "/en/outlets", "/en/outlets/1", "/en/outlets/1/history", "/en/devices", "/en/alarms", "/en/gaps", "/en/registry/changes", "/en/compare", "/en/completeness", "/en/reports",
	"/en/rules", "/en/rules/limits", "/en/things",
	"/api/v1/outlets", "/api/v1/areas", "/api/v1/states", "/api/v1/hours", "/api/v1/alarms", "/api/v1/rules", "/api/v1/outlets/1/records", "/api/v1/outlets/1/hours",
	"/api/v1/outlets/1/days", "/api/v1/outlets/1/periods", "/api/v1/devices/" + testMN + "/frames",
}

// FuzzQuery sends any query to pages and to the interface. Each is answered, below
// 500; a refusal of the interface is a problem document that says what is wrong.
func FuzzQuery(f *testing.F) {
	for i, query := range []string{
		"fields=id,devices&limit=1&cursor=1", "from=2026-11-23T00:00:00Z&to=2026-11-23T00:01:00Z&fields=outlet,series.factor", "on=2026-13-41&level=month&date=2026-02", "state=over&area=541100&q=%00%FF",
		"known=2026-11-20&sort=-state&page=2", "limit=99999999999999999999&cursor=-1", "from=0000-01-01T00:00:00+14:00&to=9999-12-31T23:59:59Z", "date=2026-11-23&period=day&outlet=1&outlet=2", "filter=a&sort=&page=0&page=-1",
		"&&;=%zz&from", "fields=" + strings.Repeat("a.", 50), "known=9999-99-99T99", "kinds=alarm.raised&outlet=1", "cursor=zzz.zzz&from=2026-11-23T08:00:00+08:00",
	} {
		f.Add(uint8(i), query)
		f.Add(uint8(i+len(fuzzed)/2), query)
	}
	r := judged(f)
	for _, path := range fuzzed {
		if w := r.ask("officer", http.MethodGet, path, nil); w.Code >= http.StatusBadRequest && !strings.HasSuffix(path, "/periods") { // it wants a level
			f.Errorf("%s: %d", path, w.Code)
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, query string) {
		if v, err := url.ParseQuery(query); err != nil && len(v) == 0 || v.Has("wait") {
			return // it would be waited for
		}
		path := fuzzed[int(at)%len(fuzzed)]
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.URL.RawQuery = query
		req.Header.Set("X-Role", "officer")
		req.Header.Set("Accept", "text/html,*/*")
		w := httptest.NewRecorder()
		r.edge.ServeHTTP(w, req)
		if w.Code >= 500 || w.Code < 200 {
			t.Errorf("%s?%q: %d %.300s", path, query, w.Code, w.Body)
		}
		if w.Code < 400 || !strings.HasPrefix(path, "/api/") {
			return
		}
		var problem struct{ Title, Detail string }
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Title == "" && problem.Detail == "" {
			t.Errorf("%s?%q: %d without a reason: %.300s", path, query, w.Code, w.Body)
		}
	})
}
