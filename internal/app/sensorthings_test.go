package app

import (
	"net/http"
	"testing"
)

// A script of another site can read why its token is refused.
func TestRefusedTokenCanBeRead(t *testing.T) {
	t.Parallel()
	a, end := serving(t, t.TempDir())
	defer end()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.httpAddr+"/sta/v1.1/Things", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer nothing")
	r.Header.Set("Origin", "https://example.org")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if h := res.Header; res.StatusCode != http.StatusUnauthorized || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("WWW-Authenticate") == "" {
		t.Errorf("%s %v", res.Status, h)
	}
}
