package gateway

import (
	"strings"
	"testing"
)

// FuzzDamaged takes any bytes for a damaged frame: what is named as its logger
// can serve as a name and stands in it.
func FuzzDamaged(f *testing.F) {
	f.Add([]byte("##0022QN=1;MN=010000A8900016F000169DC0;CP=&&"))
	f.Add([]byte("##0009MN=;MN=A;"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		mn := mnOf(raw)
		if mn != "" && (readable([]byte(mn)) != mn || !strings.Contains(string(raw), "MN="+mn+";")) {
			t.Errorf("%q in %q", mn, raw)
		}
		if identityOf("x", raw) == "" {
			t.Error("no identity")
		}
	})
}
