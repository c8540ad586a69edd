package near_test

import (
	"testing"

	"plateau/internal/platform/near"
)

func TestOf(t *testing.T) {
	t.Parallel()
	known := []string{"states", "start", "actions", "clocks"}
	for word, want := range map[string]string{
		"state": "states", "action": "actions", "clock": "clocks", "actions": "actions",
		"severities": "", "": "", "x": "", "天": "",
	} {
		if got := near.Of(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
