package accountweb

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/testkit"
)

const here = "http://localhost"

// at is a page of the machine's own name, where passkeys work.
func (b *browser) at(method, path string, fields ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, here+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return b.send(r)
}

var (
	optionsIn = regexp.MustCompile(`data-options="([^"]*)"`)
	waitingIn = regexp.MustCompile(`name="waiting" value="([^"]*)"`)
)

// question is what a page asks a device.
func (b *browser) question(w *httptest.ResponseRecorder) (options, waiting string) {
	b.t.Helper()
	o, q := optionsIn.FindStringSubmatch(w.Body.String()), waitingIn.FindStringSubmatch(w.Body.String())
	if o == nil || q == nil || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), "passkey.js") {
		b.t.Fatalf("%d, no question: %s", w.Code, w.Body)
	}
	return html.UnescapeString(o[1]), html.UnescapeString(q[1])
}

// register makes a passkey through the pages and returns the page behind it.
func (b *browser) register(label string) (*testkit.Authenticator, *httptest.ResponseRecorder) {
	b.t.Helper()
	options, waiting := b.question(b.at("GET", "/en/account/passkeys/new"))
	a := &testkit.Authenticator{Origin: here}
	return a, b.at("POST", "/en/account/passkeys/new", "waiting", waiting, "label", label, "answer", a.Create(b.t, options))
}

func TestPasskeyPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	b.says(b.at("GET", "/en/account/passkeys"), "There are no passkeys.", "New passkey")
	a, w := b.register("Office key <1>")
	b.says(w, "Recovery codes of officer")
	b.says(b.at("GET", "/en/account/passkeys"), "Office key &lt;1&gt;", "never", "10 recovery codes are left.")
	b.says(b.at("GET", "/en/account"), "1 passkey<")
	if _, w = b.register(""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/account/passkeys" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	b.says(b.at("GET", "/en/account/passkeys"), "The passkey is registered.", "Firefox")

	// Without a login, to where one wanted.
	in := r.browser(t)
	options, waiting := in.question(in.at("GET", "/zh/sign-in/passkey?next=/zh/account"))
	w = in.at("POST", "/zh/sign-in/passkey", "waiting", waiting, "answer", a.Get(t, options), "next", "/zh/account")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/zh/account" || in.cookies[auth.CookieName] == "" {
		t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	in.says(in.at("GET", "/zh/account"), "officer")

	// The question with a sentence about what is wrong, and a fresh question.
	out := r.browser(t)
	w = out.at("POST", "/en/sign-in/passkey", "waiting", waiting, "answer", "", "next", "/en/account")
	out.says(w, "The browser sent no passkey.", `aria-describedby="passkey-error"`, `name="next" value="/en/account"`, "<noscript>")
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}

	// Beside the password.
	step := r.waiting(t, "officer", "officer-sample")
	w = step.at("GET", "/en/sign-in/code?next=/en/account")
	step.says(w, "Now use a passkey, or one of your recovery codes", `name="code"`)
	_, waiting = step.question(w)
	w = step.at("POST", "/en/sign-in/code/passkey", "waiting", waiting, "answer", "{}")
	step.says(w, "This passkey was not accepted")
	options, waiting = step.question(w)
	w = step.at("POST", "/en/sign-in/code/passkey", "waiting", waiting, "answer", a.Get(t, options), "next", "/en/account")
	if w.Header().Get("Location") != "/en/account" || step.cookies[auth.CookieName] == "" || step.cookies[auth.StepCookie] != "" {
		t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if w = step.at("POST", "/en/sign-in/code/passkey", "waiting", waiting, "answer", "{}"); w.Header().Get("Location") != "/en/login?next=" {
		t.Errorf("a step that is over: %d to %q", w.Code, w.Header().Get("Location"))
	}

	// Removing one asks who it is; the passkey says so.
	b = step
	b.pass(auth.ProofLife)
	id := regexp.MustCompile(`name="id" value="([^"]*)"`).FindStringSubmatch(b.at("GET", "/en/account/passkeys").Body.String())[1]
	w = b.at("POST", "/en/account/passkeys/remove", "id", id)
	confirm := w.Header().Get("Location")
	if confirm != "/en/account/confirm?next=%2Fen%2Faccount%2Fpasskeys" {
		t.Fatalf("%d to %q", w.Code, confirm)
	}
	w = b.at("GET", confirm)
	b.says(w, "Present password", "Use a passkey")
	_, waiting = b.question(w)
	w = b.at("POST", "/en/account/confirm/passkey", "waiting", waiting, "answer", "{}", "next", "/en/account/passkeys")
	b.says(w, "This passkey was not accepted")
	options, waiting = b.question(w)
	w = b.at("POST", "/en/account/confirm/passkey", "waiting", waiting, "answer", a.Get(t, options), "next", "/en/account/passkeys")
	if w.Header().Get("Location") != "/en/account/passkeys" {
		t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if w = b.at("POST", "/en/account/passkeys/remove", "id", id); w.Header().Get("Location") != "/en/account/passkeys" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	b.says(b.at("GET", "/en/account/passkeys"), "The passkey is removed.")
	b.says(b.at("GET", "/en/account"), "1 passkey<")

	// One that was removed opens nothing.
	options, waiting = in.question(in.at("GET", "/en/sign-in/passkey"))
	in.says(in.at("POST", "/en/sign-in/passkey", "waiting", waiting, "answer", a.Get(t, options)), "This passkey was not accepted")
}

// TestPasskeyCopyIsTold: its owner reads on the page that a passkey was blocked.
func TestPasskeyCopyIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	a, _ := b.register("Phone")
	for _, n := range []uint32{9, 3} {
		a.Count = n
		in := r.browser(t)
		options, waiting := in.question(in.at("GET", "/en/sign-in/passkey"))
		w := in.at("POST", "/en/sign-in/passkey", "waiting", waiting, "answer", a.Get(t, options))
		if n == 3 {
			in.says(w, "its counter went backwards")
		} else if w.Code != http.StatusSeeOther {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	b.says(b.at("GET", "/en/account/passkeys"), "Phone", "Blocked since")
}

// TestNoPasskeysHere: under an address in numbers every page says why there is
// none, and everything else goes on.
func TestNoPasskeysHere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	b.register("Phone")
	for _, path := range []string{"/en/account/passkeys", "/en/account/passkeys/new", "/en/sign-in/passkey"} {
		q := httptest.NewRequestWithContext(t.Context(), "GET", "http://192.0.2.7:8080"+path, nil)
		w := b.send(q)
		b.says(w, "192.0.2.7 is an address in numbers", "http.url")
		if strings.Contains(w.Body.String(), "data-passkey") {
			t.Errorf("%s asks a device", path)
		}
	}
	step := r.waiting(t, "officer", "officer-sample")
	w := step.send(httptest.NewRequestWithContext(t.Context(), "GET", "http://192.0.2.7:8080/en/sign-in/code", nil))
	step.says(w, "192.0.2.7 is an address in numbers", `name="code"`)
}
