package web

import "testing"

// TestLocal: what leads away from this host, in every spelling that a browser
// would follow, is not an address of it.
func TestLocal(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"/", "/zh/outlets?state=exceed&next=https://evil.example", "/zh/outlets/7#a", "/zh//x"} {
		if got := Local(to); got != to {
			t.Errorf("Local(%q) = %q", to, got)
		}
	}
	for _, to := range []string{
		"", "zh/outlets", "https://evil.example", "HTTPS://evil.example/", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\\evil.example`, `/zh\..\..`,
		"/\t/evil.example", "\t//evil.example", "/\n/evil.example", " //evil.example", "javascript:alert(1)", "data:text/html,x", "http:evil.example", "https:/evil.example", "/%zz", "//evil.example/%2f..", "?x=1", "@evil.example",
	} {
		if got := Local(to); got != "" {
			t.Errorf("Local(%q) = %q leads away", to, got)
		}
	}
}
