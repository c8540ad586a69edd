package outbound_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/outbound"
)

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.Status + " " + string(body), err
}

// TestClient: addresses of this machine are refused behind the resolution of
// names, redirects are not followed, long answers are cut off.
func TestClient(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
	}))
	defer srv.Close()
	guarded := outbound.Client(outbound.Options{Timeout: 5 * time.Second, Setting: "a.setting"})
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)} {
		if _, err := get(t, guarded, url); !errors.Is(err, outbound.ErrPrivate) || !strings.Contains(err.Error(), "a.setting is off") {
			t.Errorf("%s: %v", url, err)
		}
	}
	open := outbound.Client(outbound.Options{Timeout: 5 * time.Second, Private: true, MaxBody: 100})
	if got, err := get(t, open, srv.URL); err != nil || len(got) != len("200 OK ")+100 {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := get(t, open, srv.URL+"/away"); err != nil || !strings.HasPrefix(got, "302") {
		t.Errorf("%q, %v", got, err)
	}
	narrow := outbound.Client(outbound.Options{Timeout: 5 * time.Second, Private: true, MaxBody: 99})
	if got, err := get(t, narrow, srv.URL); err == nil {
		t.Errorf("a long answer was read: %d bytes", len(got))
	}
}
