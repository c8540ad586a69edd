package app

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// TestSessionCookies: a sign-in always gives a new secret, ends the session it
// replaces, and signing out ends it on the server, not only in the browser.
func TestSessionCookies(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "plateau.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	accounts := auth.New(d, time.Now, auth.Options{})
	if _, err := accounts.EnsureSamples(t.Context(), "ent-1", "", ""); err != nil {
		t.Fatal(err)
	}
	s := &sessions{accounts}
	signIn := func(cookie string) *http.Cookie {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/zh/login", nil)
		r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: cookie})
		w := httptest.NewRecorder()
		if next, err := s.SignIn(w, r, "officer", "officer-sample"); err != nil || next != "" {
			t.Fatal(err)
		}
		return w.Result().Cookies()[0]
	}
	who := func(cookie string) (id string) {
		r := httptest.NewRequest(http.MethodGet, "/zh/", nil)
		r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: cookie})
		accounts.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			a, _ := s.Actor(r)
			id = a.Post
		})).ServeHTTP(httptest.NewRecorder(), r)
		return id
	}
	const planted = "a-secret-that-somebody-planted"
	first := signIn(planted)
	if first.Value == planted || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || who(planted) != "" {
		t.Errorf("cookie %+v, the planted one is %q", first, who(planted))
	}
	second := signIn(first.Value)
	if second.Value == first.Value || who(second.Value) != "值班员（示例）" || who(first.Value) != "" {
		t.Errorf("after the second sign-in: the first opens %q, the second %q", who(first.Value), who(second.Value))
	}
	r := httptest.NewRequest(http.MethodPost, "/zh/sign-out", nil)
	r.AddCookie(second)
	w := httptest.NewRecorder()
	if err := s.SignOut(w, r); err != nil {
		t.Fatal(err)
	}
	if who(second.Value) != "" || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signed out, but %q; %s", who(second.Value), w.Header().Get("Set-Cookie"))
	}
}
