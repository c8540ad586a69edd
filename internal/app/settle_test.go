package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"plateau/internal/platform/auth"
)

// TestSecondFactorDemanded: an account of a kind that needs a second factor reaches
// its own pages only, by session and by token, and is led to where one is set up;
// with one in force everything opens at once.
func TestSecondFactorDemanded(t *testing.T) {
	t.Parallel()
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["hj212.adopt_unknown"], o.Flags["session.second_factor"] = "false", "operator"
	a := running(t, o)
	ctx := t.Context()
	if err := a.auth.SpendLink(ctx, a.firstKey, samplePassword); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	base := "http://" + a.httpAddr
	cookie := signedIn(t, client, base).cookies[0]
	get := func(path string) reply {
		t.Helper()
		return ask(t, client, http.MethodGet, base+path, "", "Cookie", cookie.Name+"="+cookie.Value, "Accept", "text/html")
	}
	p, session, err := a.auth.Session(ctx, cookie.Value)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := a.auth.CreateToken(ctx, p.ID, "x", "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	byToken := func() int {
		t.Helper()
		return ask(t, client, http.MethodGet, base+"/api/v1/outlets", "", "Authorization", "Bearer "+token).status
	}
	for _, path := range []string{"/en/outlets", "/en/accounts", "/en/posts"} {
		if got := get(path); got.status != http.StatusSeeOther || got.header.Get("Location") != "/en/account/second-factor" {
			t.Errorf("%s before: %d to %q", path, got.status, got.header.Get("Location"))
		}
	}
	if got := get("/en/account/second-factor"); got.status != http.StatusOK || !strings.Contains(got.body, "needs a second factor before anything else opens") {
		t.Errorf("the page that sets it up: %d", got.status)
	}
	if got := byToken(); got != http.StatusForbidden {
		t.Errorf("a token before: %d", got)
	}

	if err := a.auth.BeginFactor(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	secret, err := a.auth.PendingFactor(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if cookie.Value, _, err = a.auth.ConfirmFactor(ctx, p, session, code, auth.Client{Address: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/en/outlets", "/en/accounts", "/en/posts"} {
		if got := get(path); got.status != http.StatusOK {
			t.Errorf("%s after: %d", path, got.status)
		}
	}
	for end := time.Now().Add(10 * time.Second); byToken() != http.StatusOK; time.Sleep(100 * time.Millisecond) { // it is remembered for a second
		if time.Now().After(end) {
			t.Fatal("the token still opens nothing")
		}
	}
}
