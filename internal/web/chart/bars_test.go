package chart

import (
	"strings"
	"testing"
)

// TestBars: each count has a bar, none has none, names do not touch, texts are escaped.
func TestBars(t *testing.T) {
	t.Parallel()
	x := Bars{Label: `"<months>"`, Names: [2]string{"opened", "<closed>"}}
	for range 40 {
		x.Groups = append(x.Groups, BarGroup{"2026-01", [2]int{2, 0}})
	}
	x.Groups[3].Values = [2]int{0, 7}
	got := string(x.SVG(nil))
	for text, want := range map[string]int{"<rect": 40, `fill="none" stroke="currentColor" stroke-width="1.5"/>`: 2, "2026-01": 10, "&lt;closed&gt;": 1, "&lt;months&gt;": 1, ">7<": 0} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q stands there %d times, want %d", text, n, want)
		}
	}
	if got := string(Bars{}.SVG(nil)); strings.Contains(got, "NaN") || strings.Contains(got, "Inf") || strings.Contains(got, "<rect") {
		t.Error(got)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	if got := string(Share{Value: 10, Part: 5, Most: 20}.SVG()); !strings.Contains(got, `d="M0 4h16v6H0z"`) || !strings.Contains(got, `d="M16 4h16v6h-16z"`) {
		t.Error(got)
	}
	if got := string(Share{}.SVG()); got != "" {
		t.Error(got)
	}
}
