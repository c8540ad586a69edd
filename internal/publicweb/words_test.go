package publicweb

import (
	"strings"
	"testing"

	"plateau/internal/platform/i18n"
)

// TestCountyLine: the line of a county speaks of the state that its shape
// shows, and of no other place.
func TestCountyLine(t *testing.T) {
	t.Parallel()
	c := &call{lang: i18n.En, l: i18n.Default().For(i18n.En), now: testNow, cut: testNow}
	states := func(words string) (out []finding) {
		for s := range strings.FieldsSeq(words) {
			out = append(out, finding{State: s})
		}
		return out
	}
	for _, tt := range []struct{ states, line, box string }{
		{"normal", "1 monitored place, within its limits", "ok"},
		{"normal normal", "all 2 within their limits", "ok"},
		{"normal exceed offline exceed", "2 of 4 over the limit", "exceed"},
		{"offline warn normal", "1 of 3 with an early warning", "warn"},
		{"offline suspect", "1 of 2 with doubtful figures", "warn"},
		{"offline unknown", "1 of 2 without data", "warn"},
		{"unknown", "1 of 1 without a figure to compare", "warn"},
		{"maint stopped", "1 of 2 with an instrument in maintenance", ""},
		{"stopped", "1 of 1 stopped", ""},
	} {
		list := states(tt.states)
		sum := c.sum(list)
		if got := c.countyLine(sum, list); got != tt.line || sum.Box() != tt.box {
			t.Errorf("%s: %q in box %q, want %q in %q", tt.states, got, sum.Box(), tt.line, tt.box)
		}
	}
}
