package accountweb

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
)

// TestSecondFactor sets one up, signs in with it, and removes it.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	b.page("/en/account/second-factor", "Not set up")
	if w := b.ask("GET", "/en/account/second-factor/set-up"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/account/second-factor" {
		t.Errorf("nothing was begun: %d", w.Code)
	}
	b.post("/en/account/second-factor/begin", "/en/account/second-factor/set-up")
	w := b.ask("GET", "/en/account/second-factor/set-up")
	if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), `<svg class="qr"`) || strings.Contains(w.Body.String(), "otpauth:") {
		t.Errorf("%v: %s", w.Header(), w.Body)
	}
	b.refused(422, "/en/account/second-factor/set-up", "This code is wrong", "code", "123")
	key, codes := b.setUp()
	b.page("/en/account/second-factor", "In force since 2026-11-24 16:30", "10 recovery codes are left")
	if body := b.page("/en/account/second-factor"); strings.Contains(body, codes[0]) || strings.Contains(body, key) {
		t.Error("the page shows a secret again")
	}
	if w := b.ask("POST", "/en/account/second-factor/begin"); w.Code != http.StatusConflict {
		t.Errorf("a second one: %d", w.Code)
	}

	in := r.waiting(t, "officer", "officer-sample")
	in.page("/en/sign-in/code?next=%2Fen%2Faccount", `value="/en/account"`, `autocomplete="one-time-code"`)
	in.refused(422, "/en/sign-in/code", "This code is wrong", "code", "000000", "next", "/en/account")
	if in.cookies[auth.CookieName] != "" {
		t.Fatal("a wrong code opens a session")
	}
	code := in.codeOf(key)
	in.post("/en/sign-in/code", "/en/account", "code", code, "next", "/en/account")
	in.page("/en/account")
	if in.cookies[auth.StepCookie] != "" {
		t.Error("the step is left in the browser")
	}
	again := r.waiting(t, "officer", "officer-sample")
	again.refused(422, "/en/sign-in/code", "This code is wrong or was used already", "code", code)
	again.post("/en/sign-in/code", "/en/", "code", codes[0], "next", "//evil.example")

	// The password alone is no proof any more.
	r.pass(auth.ProofLife)
	again.page("/en/account/confirm?next=/en/account/password", `name="code"`)
	again.refused(422, "/en/account/confirm", "This code is wrong", "password", "officer-sample")
	again.post("/en/account/confirm", "/en/account/second-factor", "password", "officer-sample", "code", codes[1], "next", "/en/account/second-factor")
	w = again.ask("POST", "/en/account/second-factor/codes")
	if w.Code != http.StatusOK || strings.Count(w.Body.String(), "<li><code>") != 10 || strings.Contains(w.Body.String(), codes[2]) {
		t.Errorf("new codes: %d", w.Code)
	}
	again.post("/en/account/second-factor/remove", "/en/account/second-factor")
	again.page("/en/account/second-factor", "The second factor is removed.", "Not set up")
	if w := again.ask("POST", "/en/account/second-factor/codes"); w.Code != http.StatusSeeOther || strings.Contains(w.Body.String(), "<li>") {
		t.Errorf("codes without a factor: %d", w.Code)
	}
	r.signedIn(t, "officer")
	for _, secret := range append(codes, key, code, "officer-sample", in.cookies[auth.CookieName]) {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestStepIsBoundToItsBrowser: without the cookie of the first step a code opens
// nothing, in no state of the account.
func TestStepIsBoundToItsBrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, _ := r.signedIn(t, "officer").setUp()
	in, other := r.waiting(t, "officer", "officer-sample"), r.browser(t)
	if w := other.ask("GET", "/en/sign-in/code?next=/en/x"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/login?next=%2Fen%2Fx" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	other.post("/en/sign-in/code", "/en/login?next=", "code", in.codeOf(key))
	if other.cookies[auth.CookieName] != "" {
		t.Error("a code without a password opens a session")
	}
	r.pass(6 * time.Minute)
	in.post("/en/sign-in/code", "/en/login?next=", "code", in.codeOf(key))
	if in.cookies[auth.CookieName] != "" || in.cookies[auth.StepCookie] != "" {
		t.Error("a step outlives its five minutes")
	}
}

// TestCodeReplacesPlantedSession: the session after the code has a new secret,
// and the one that was in the browser before ends.
func TestCodeReplacesPlantedSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, _ := r.signedIn(t, "officer").setUp()
	attacker := r.signedIn(t, "enterprise")
	planted := attacker.cookies[auth.CookieName]
	in := r.waiting(t, "officer", "officer-sample")
	in.cookies[auth.CookieName] = planted
	in.post("/en/sign-in/code", "/en/", "code", in.codeOf(key))
	if in.cookies[auth.CookieName] == planted {
		t.Fatal("the planted secret is kept")
	}
	if w := attacker.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("the planted session lives: %d", w.Code)
	}
}

// TestLink sets a password by a link: looking spends nothing, a form does, once,
// and the key is in no log.
func TestLink(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, b := r.linkOf(t, "officer"), r.browser(t)
	for range 3 {
		if w := b.ask("GET", "/en/set-password?key="+key); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "same-origin" || !strings.Contains(w.Body.String(), "officer") {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	}
	if w := b.ask("GET", "/set-password?key="+key); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/zh/set-password?key="+key {
		t.Errorf("without a language: %d to %q", w.Code, w.Header().Get("Location"))
	}
	const good = "river stone under ice"
	b.refused(422, "/en/set-password", "The two entries are not the same", "key", key, "fresh", good, "again", "x")
	b.refused(422, "/en/set-password", "guessed easily", "key", key, "fresh", "password1234", "again", "password1234")
	b.post("/en/set-password", "/en/login", "key", key, "fresh", good, "again", good)
	b.refused(404, "/en/set-password", "This link was used already", "key", key, "fresh", good+"2", "again", good+"2")
	for _, bad := range []string{"", "?key=", "?key=abc", "?key=" + key} {
		if w := b.ask("GET", "/en/set-password"+bad); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	if _, _, err := r.SignIn(t.Context(), "officer", good, auth.Client{}); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{key, good} {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
