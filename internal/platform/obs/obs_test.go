package obs_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plateau/internal/platform/obs"
)

func get(t *testing.T, h http.Handler) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	return w.Code, w.Body.String()
}

// TestProfiles: the index, a profile by its name and one that takes time.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile: total", "/debug/pprof/trace?seconds=0.01": "go 1.",
	} {
		w := httptest.NewRecorder()
		obs.Profiles().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.100q", path, w.Code, w.Body)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	var r obs.Readiness
	if code, body := get(t, &r); code != http.StatusOK || body != "{\"ready\":true}\n" {
		t.Errorf("nothing to wait for: %d %s", code, body)
	}
	r.Hold("history", "12 of 30 days")
	var disk error
	r.Check("store", func() error { return disk })
	if code, body := get(t, &r); code != http.StatusServiceUnavailable || !strings.Contains(body, "12 of 30 days") {
		t.Errorf("held: %d %s", code, body)
	}
	disk = errors.New("disk full")
	r.Release("history")
	if code, body := get(t, &r); code != http.StatusServiceUnavailable || strings.Contains(body, "history") || !strings.Contains(body, "disk full") {
		t.Errorf("failing check: %d %s", code, body)
	}
	disk = nil
	if code, _ := get(t, &r); code != http.StatusOK {
		t.Errorf("recovered: %d", code)
	}
	if code, body := get(t, http.HandlerFunc(obs.Healthy)); code != http.StatusOK || body != "ok\n" {
		t.Errorf("health: %d %q", code, body)
	}
}

func TestMetricsNameTheVersion(t *testing.T) {
	t.Parallel()
	code, body := get(t, obs.MetricsHandler(obs.NewMetrics("1.2.3")))
	if code != http.StatusOK || !strings.Contains(body, `plateau_build_info{version="1.2.3"} 1`) || !strings.Contains(body, "go_goroutines") {
		t.Errorf("%d %s", code, body)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, bad := range [][2]string{{"loud", "text"}, {"info", "xml"}} {
		if _, err := obs.NewLogger(io.Discard, bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	var b strings.Builder
	log, err := obs.NewLogger(&b, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if got := b.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Error(got)
	}
}
