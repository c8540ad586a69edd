package accountweb

import (
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

var (
	h1     = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	titles = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	ids    = regexp.MustCompile(` id="([^"]*)"`)
	codes  = regexp.MustCompile(`(?s)<code lang="en">.*?</code>`)
	rawKey = regexp.MustCompile(`>[^<]*\b(account|accounts|people|record|did|did_group|login|done|err|notify|passkey|provider)\.[a-z_]+[^<]*<`)
)

// TestEveryPageInThreeLanguages draws each page in each language; the texts are
// those of the catalogue and ids are given once.
func TestEveryPageInThreeLanguages(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, filepath.Join(t.TempDir(), "plateau.db"), providerOf("http://localhost:1", ""))
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	if missing := engine.MissingKeys(); len(missing) > 0 {
		t.Errorf("keys without words: %v", missing)
	}
	for _, pattern := range Pages() {
		for _, lang := range i18n.Langs() {
			b, query := r.prepared(t, pattern)
			body := b.page("/" + string(lang) + r.example(t, pattern) + query)
			heads := h1.FindAllStringSubmatch(body, -1)
			if m := titles.FindStringSubmatch(body); len(heads) != 1 || m == nil || !strings.HasPrefix(m[1], heads[0][1]) {
				t.Errorf("%s %s: %d h1 %v, title %v", lang, pattern, len(heads), heads, m)
			}
			if m := rawKey.FindString(codes.ReplaceAllString(body, "")); m != "" {
				t.Errorf("%s %s: untranslated %s", lang, pattern, m)
			}
			seen := map[string]bool{}
			for _, m := range ids.FindAllStringSubmatch(body, -1) {
				if seen[m[1]] {
					t.Errorf("%s %s: id %s twice", lang, pattern, m[1])
				}
				seen[m[1]] = true
			}
			if strings.Contains(body, "<script>") || strings.Contains(body, " style=") || strings.Contains(body, " onclick=") {
				t.Errorf("%s %s: the content security policy keeps that from working", lang, pattern)
			}
		}
	}
}

// prepared is a browser that may open a page, and what its address needs.
func (r *rig) prepared(t *testing.T, pattern string) (b *browser, query string) {
	t.Helper()
	switch pattern {
	case "/account/second-factor/set-up":
		b = r.signedIn(t, "officer")
		b.post("/en/account/second-factor/begin", "/en/account/second-factor/set-up")
		return b, ""
	case CodePath:
		u, err := r.UserByLogin(t.Context(), "operator")
		if err != nil {
			t.Fatal(err)
		}
		if f, err := r.Factor(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		} else if !f.On() {
			r.signedIn(t, "operator").setUp()
		}
		return r.waiting(t, "operator", "operator-sample"), ""
	case "/notifications/deliveries":
		const password = "river stone under ice"
		if _, err := r.UserByLogin(t.Context(), "watcher"); err != nil {
			if _, err := r.CreateUser(t.Context(), auth.User{Login: "watcher", Role: "administrator", Post: auth.Post{Zh: "管理员"}}, password); err != nil {
				t.Fatal(err)
			}
		}
		secret, _, err := r.SignIn(t.Context(), "watcher", password, auth.Client{Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		b := r.browser(t)
		b.cookies[auth.CookieName] = secret
		return b, ""
	case "/set-password":
		return r.browser(t), "?key=" + r.linkOf(t, "enterprise")
	}
	for _, rt := range routes() {
		if rt.path == pattern && rt.may() != "platform.account" {
			const password = "river stone under ice"
			if _, err := r.CreateUser(t.Context(), auth.User{Login: "second", Post: auth.Post{Zh: "值班员"}, Role: auth.Operator}, password); err != nil && !errs.Is(err, errs.Conflict) {
				t.Fatal(err)
			}
			b := r.browser(t)
			secret, _, err := r.SignIn(t.Context(), "second", password, auth.Client{Address: "192.0.2.1"})
			if err != nil {
				t.Fatal(err)
			}
			b.cookies[auth.CookieName] = secret
			return b, "" // the first has a second factor by now
		}
	}
	return r.signedIn(t, "officer"), ""
}

// example is an address of a pattern.
func (r *rig) example(t *testing.T, pattern string) string {
	t.Helper()
	u, err := r.UserByLogin(t.Context(), "enterprise")
	if err != nil {
		t.Fatal(err)
	}
	e := r.entries(t, audit.Filter{})[0]
	return strings.NewReplacer("{id}", u.ID, "{chain}", e.Chain, "{seq}", strconv.FormatInt(e.Seq, 10)).Replace(pattern)
}

// TestWhomPagesServe: nobody is sent to sign in and back, a token is refused,
// and what is dangerous asks for the credential when the last proof is old.
func TestWhomPagesServe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody, old, operator := r.browser(t), r.signedIn(t, "officer"), r.signedIn(t, "operator")
	r.pass(auth.ProofLife + time.Second)
	token, err := r.OperatorToken(t.Context(), "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range routes() {
		target := "/en" + r.example(t, rt.path)
		if rt.who == anyone || rt.who == watching {
			continue
		}
		asked := old
		if rt.may() != "platform.account" {
			asked = operator
			if w := old.ask(rt.method, target); w.Code != http.StatusForbidden {
				t.Errorf("an officer: %s %s: %d", rt.method, target, w.Code)
			}
		}
		if w := nobody.ask(rt.method, target); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/en/login?next=%2Fen%2F") {
			t.Errorf("nobody: %s %s: %d to %q", rt.method, target, w.Code, w.Header().Get("Location"))
		}
		req := httptest.NewRequestWithContext(t.Context(), rt.method, target, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		if w := r.browser(t).send(req); w.Code != http.StatusForbidden {
			t.Errorf("a token: %s %s: %d", rt.method, target, w.Code)
		}
		if !rt.fresh() {
			continue
		}
		if w := asked.ask(rt.method, target); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/en/account/confirm?next=%2Fen%2F") {
			t.Errorf("long after the sign-in: %s %s: %d to %q", rt.method, target, w.Code, w.Header().Get("Location"))
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a route that does not say whom it serves was mounted")
		}
	}()
	(&Handler{}).register(http.NewServeMux(), []route{{method: "GET", path: "/account/x"}})
}

// TestFromElsewhere: a form that another site lets the browser send is refused,
// on every address that changes something.
func TestFromElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	for _, rt := range routes() {
		if rt.method != http.MethodPost {
			continue
		}
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			req := httptest.NewRequestWithContext(t.Context(), rt.method, "/en"+r.example(t, rt.path), strings.NewReader("id=others&fresh=x"))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header[0], header[1])
			if w := b.send(req); w.Code != http.StatusForbidden {
				t.Errorf("%s with %s: %d", rt.path, header, w.Code)
			}
		}
	}
}

// TestConfirm: the credential given again makes the session fresh under another
// secret, and leads back to where the reader was, on this host only.
func TestConfirm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	r.pass(auth.ProofLife + time.Second)
	before := b.cookies[auth.CookieName]
	b.page("/en/account/confirm?next=%2Fen%2Faccount%2Fpassword", `value="/en/account/password"`, "Confirm that it is you")
	b.refused(422, "/en/account/confirm", "This is not your present password", "password", "wrong", "next", "/en/account/password")
	if b.cookies[auth.CookieName] != before {
		t.Error("a wrong password changed the session")
	}
	b.post("/en/account/confirm", "/en/account/password", "password", "officer-sample", "next", "/en/account/password")
	if b.cookies[auth.CookieName] == before {
		t.Error("the session kept its secret")
	}
	b.page("/en/account/password")
	stale := r.browser(t)
	stale.cookies[auth.CookieName] = before
	if w := stale.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("the secret of before opens %d", w.Code)
	}
	for _, evil := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)"} {
		b.post("/en/account/confirm", "/en/account", "password", "officer-sample", "next", evil)
	}
	for range 5 {
		b.ask("POST", "/en/account/confirm", "password", "guess")
	}
	b.refused(429, "/en/account/confirm", "Too many failed sign-ins", "password", "officer-sample")
}

func TestPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, other := r.signedIn(t, "officer"), r.signedIn(t, "officer")
	b.page("/en/account/password", `autocomplete="new-password"`, `autocomplete="current-password"`, "At least 10 characters")
	const good = "river stone under ice"
	b.refused(422, "/en/account/password", "The two entries are not the same", "current", "officer-sample", "fresh", good, "again", good+"x")
	b.refused(422, "/en/account/password", "This is not your present password", "current", "x", "fresh", good, "again", good)
	b.refused(422, "/en/account/password", "guessed easily", "current", "officer-sample", "fresh", "password1234", "again", "password1234")
	b.refused(422, "/en/account/password", "at least 10 characters", "current", "officer-sample", "fresh", "short", "again", "short")
	if w := b.ask("POST", "/en/account/password", "current", "officer-sample", "fresh", "secret-short", "again", "x"); strings.Contains(w.Body.String(), "secret-short") {
		t.Error("a password comes back in the page")
	}
	b.post("/en/account/password", "/en/account", "current", "officer-sample", "fresh", good, "again", good)
	b.page("/en/account", "The password is changed")
	if w := other.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("the other session: %d", w.Code)
	}
	for _, secret := range []string{good, "officer-sample", b.cookies[auth.CookieName]} {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other, stranger := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	r.pass(time.Minute)
	b := r.signedIn(t, "officer")
	body := b.page("/en/account/sessions", "Firefox", "192.0.2.1", "2026-11-24 16:30", "2026-11-24 16:31", "this one")
	m := regexp.MustCompile(`name="id" value="([0-9a-f-]{36})"`).FindAllStringSubmatch(body, -1)
	if len(m) != 1 {
		t.Fatalf("%d sessions can be ended, want the other one", len(m))
	}
	if strings.Contains(body, b.cookies[auth.CookieName]) || strings.Contains(body, other.cookies[auth.CookieName]) {
		t.Error("the page holds a secret")
	}
	stranger.post("/en/account/sessions", "/en/account/sessions", "id", m[0][1]) // of somebody else: nothing
	other.page("/en/account")
	b.post("/en/account/sessions", "/en/account/sessions", "id", m[0][1])
	b.page("/en/account/sessions", "The session has ended.")
	if w := other.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("the ended session: %d", w.Code)
	}
	third := r.signedIn(t, "officer")
	b.post("/en/account/sessions", "/en/account/sessions", "id", "others")
	if w := third.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("one of the others: %d", w.Code)
	}
	b.page("/en/account")
	stranger.page("/en/account")
}

func TestOwnTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, stranger := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	b.page("/en/account/tokens", "There are no valid tokens.")
	b.refused(422, "/en/account/tokens", "Enter a value", "label", " ", "days", "90")
	b.refused(422, "/en/account/tokens", "Enter a value", "label", "x", "days", "4000")
	b.refused(422, "/en/account/tokens", "Enter a value", "label", "x", "days", "30", "reach", "more")
	b.refused(422, "/en/account/tokens", "Tick at least one permission", "label", "x", "days", "30", "reach", "chosen")
	b.refused(422, "/en/account/tokens", "Permissions are ticked", "label", "x", "days", "30", "reach", "read", "may.telemetry.alarms", "1")
	b.refused(422, "/en/account/tokens", "Tick at least one permission", "label", "x", "days", "30", "reach", "chosen", "may.telemetry.edit", "1") // an officer does not hold it
	w := b.ask("POST", "/en/account/tokens", "label", "export <b>", "days", "30", "reach", "chosen", "may.telemetry.alarms", "1", "may.telemetry.view", "1")
	m := regexp.MustCompile(`<pre tabindex="0">(plt_[a-z0-9]+)</pre>`).FindStringSubmatch(w.Body.String())
	if w.Code != 200 || m == nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s: %s", w.Code, w.Header(), w.Body)
	}
	p, err := r.Bearer(t.Context(), m[1])
	if err != nil || p.Login != "officer" || p.Only != "telemetry.alarms telemetry.view" {
		t.Errorf("%+v, %v", p, err)
	}
	l := i18n.Default().For(i18n.En)
	body := b.page("/en/account/tokens", html.EscapeString("export <b>"), "2026-12-24 16:30", html.EscapeString(l.T("permission.telemetry.alarms"))+"<br>"+html.EscapeString(l.T("permission.telemetry.view")), "Last used</span> 2026-11-24 16:30")
	if strings.Contains(body, m[1]) || strings.Contains(r.logs.String(), m[1]) {
		t.Error("the token is shown again")
	}
	id := regexp.MustCompile(`name="id" value="([0-9a-f-]{36})"`).FindStringSubmatch(body)
	stranger.post("/en/account/tokens/revoke", "/en/account/tokens", "id", id[1])
	if _, err := r.Bearer(t.Context(), m[1]); err != nil {
		t.Errorf("somebody else revoked it: %v", err)
	}
	b.post("/en/account/tokens/revoke", "/en/account/tokens", "id", id[1])
	if _, err := r.Bearer(t.Context(), m[1]); err == nil {
		t.Error("the revoked token opens")
	}
}

// TestTokenForReading: what is offered first changes nothing.
func TestTokenForReading(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "operator")
	for reach, want := range map[string]access.Only{"read": "read", "all": ""} {
		w := b.ask("POST", "/en/account/tokens", "label", "for "+reach, "days", "1", "reach", reach)
		m := regexp.MustCompile(`<pre tabindex="0">(plt_[a-z0-9]+)</pre>`).FindStringSubmatch(w.Body.String())
		if m == nil {
			t.Fatalf("%s: %s", reach, w.Body)
		}
		if p, err := r.Bearer(t.Context(), m[1]); err != nil || p.Only != want {
			t.Errorf("%s: %+v, %v", reach, p, err)
		}
	}
	b.page("/en/account/tokens", "only reading", "all that I may", `<option value="read" selected>`)
}
