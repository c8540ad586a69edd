package telemetryweb

import (
	"net/http"
	"strings"
	"testing"
)

func TestKeepingPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	if w := r.ask("enterprise", http.MethodGet, "/en/keeping", nil); w.Code != http.StatusForbidden {
		t.Errorf("an enterprise: status %d", w.Code)
	}
	for lang, wants := range map[string][]string{
		"en": {"in about 50 days (2027-01-12)", "12 MB", "1.5 MB a day", "5 years", "999 B", "2 files, to group 99, received up to 2026-08-23", "s3://journal/a", "after 90 days", "connection refused", "The disk will soon be full", "none is known", "/en/rules/keeping.retention"},
		"zh": {"约 50 天后", "磁盘不久将写满", "至少保存"},
	} {
		w := r.ask("operator", http.MethodGet, "/"+lang+"/keeping", nil)
		for _, s := range wants {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s lacks %q", lang, s)
			}
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", lang, w.Code)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[float64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_960: "10 kB", 999_600: "1.0 MB", 12_345_678: "12 MB", 5e12: "5.0 TB", -1_500_000: "-1.5 MB"} {
		if got := size(bytes); got != want {
			t.Errorf("%f: %s, want %s", bytes, got, want)
		}
	}
}
