package publicweb

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// FuzzQuery sends any query to the pages for residents. Each is answered, below 500.
func FuzzQuery(f *testing.F) {
	paths := []string{"/en/public", "/zh/public/outlets/1", "/en/public/outlets/1/history", "/bo/public/counties/540124", "/en/public/data", "/public", "/en/public/outlets/4/history"}
	for i, query := range []string{
		"factor=a21002&from=2026-11-01&to=2026-11-23", "factor=%00&month=2026-13", "date=9999-12-31", "&&;=%zz", "from=2026-11-23&to=2026-11-01", "county=540124&q=%FF", "page=-1&sort=x", "month=0000-00",
	} {
		f.Add(uint8(i), query)
		f.Add(uint8(i+2), query)
	}
	r := newRig(f)
	for _, path := range paths {
		if w := r.ask(path); w.Code >= http.StatusBadRequest {
			f.Errorf("%s: %d", path, w.Code)
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, query string) {
		path := paths[int(at)%len(paths)]
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.URL.RawQuery = query
		req.Header.Set("Accept", "text/html,*/*")
		w := httptest.NewRecorder()
		r.edge.ServeHTTP(w, req)
		if w.Code >= 500 || w.Code < 200 {
			t.Errorf("%s?%q: %d %.300s", path, query, w.Code, w.Body)
		}
	})
}
