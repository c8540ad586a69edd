package csvcell

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "总排口": "总排口", "a=1": "a=1", "=1+1": "'=1+1", "+1": "'+1", "-x": "'-x", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "'=1": "''=1", "'": "''",
	} {
		if got := Safe(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
	if got := Plain("'x"); got != "'x" {
		t.Errorf("an apostrophe that Safe did not put is gone: %q", got)
	}
}

func TestWayBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("=+-@\t\r'ab总"))).Draw(t, "text")
		if got := Plain(Safe(s)); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}
