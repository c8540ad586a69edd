package accountweb

import (
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/oidc"
	"plateau/internal/testkit"
)

const callback = here + "/sign-in/provider/callback"

// providerOf is a provider's entry in the configuration.
func providerOf(issuer, claim string) *Provider {
	return &Provider{Issuer: issuer, NameZh: "省级身份平台（示例）", NameEn: "Sample ID", Client: oidc.New(oidc.Options{
		Issuer: issuer, ClientID: testkit.ProviderClient, Secret: testkit.ProviderSecret, Redirect: callback, Private: true, LoginClaim: claim, Now: time.Now,
	})}
}

// goThere follows a page of this program to the provider, signs in there, and
// returns the address that the browser is led back to.
func (b *browser) goThere(path string, enter func(string) url.Values) string {
	b.t.Helper()
	w := b.at("GET", path)
	to := w.Header().Get("Location")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(to, "http://localhost:") || b.cookies[providerCookie] == "" {
		b.t.Fatalf("%d to %q: %s", w.Code, to, w.Body)
	}
	return "/en/sign-in/provider/callback?" + enter(to).Encode()
}

func TestProvider(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			issuer, enter := testkit.Provider(t, callback)
			r := newRigOn(t, database.URL(t), providerOf(issuer, ""))

			// Nobody is linked: a page that says what to do, and no account.
			in := r.browser(t)
			w := in.at("GET", in.goThere("/en/sign-in/provider?next=/en/account", enter))
			in.says(w, "You are signed in at Sample ID, but no account here is linked with you.", "To link your account, sign in here first", `href="/en/login?next=%2fen%2faccount%2fprovider"`)
			if w.Code != http.StatusForbidden || in.cookies[auth.CookieName] != "" {
				t.Fatalf("%d, %v", w.Code, in.cookies)
			}

			// Linking, after it was said with whom.
			b := r.signedIn(t, "officer")
			b.says(b.at("GET", "/en/account/provider"), "This account is not linked.", "Link with Sample ID")
			w = b.at("GET", b.goThere("/en/account/provider/link", enter))
			b.says(w, "At Sample ID you are “"+testkit.ProviderUser+"”")
			kept := html.UnescapeString(regexp.MustCompile(`name="kept" value="([^"]+)"`).FindStringSubmatch(w.Body.String())[1])
			other := r.signedIn(t, "operator")
			if w = other.at("POST", "/en/account/provider/link", "kept", kept); w.Code != http.StatusBadRequest {
				t.Errorf("another session took the identity: %d to %q", w.Code, w.Header().Get("Location"))
			}
			w = b.at("POST", "/en/account/provider/link", "kept", kept)
			if w.Header().Get("Location") != "/en/account/provider" {
				t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
			}
			b.says(b.at("GET", "/en/account/provider"), "The identity is linked.", testkit.ProviderUser, "never")

			// The same identity belongs to one account.
			w = other.at("GET", other.goThere("/en/account/provider/link", enter))
			kept = html.UnescapeString(regexp.MustCompile(`name="kept" value="([^"]+)"`).FindStringSubmatch(w.Body.String())[1])
			w = other.at("POST", "/en/account/provider/link", "kept", kept)
			if other.says(w, "This identity is linked with another account"); w.Code != http.StatusConflict {
				t.Errorf("%d", w.Code)
			}

			// Signing in, to where one wanted; the answer is good for once and for
			// the browser that asked.
			in = r.browser(t)
			back := in.goThere("/en/sign-in/provider?next=/en/account", enter)
			stolen := r.browser(t)
			if w = stolen.at("GET", back); w.Code != http.StatusBadRequest || stolen.cookies[auth.CookieName] != "" {
				t.Errorf("another browser was let in: %d", w.Code)
			}
			w = in.at("GET", back)
			if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/account" || in.cookies[auth.CookieName] == "" {
				t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
			}
			in.says(in.at("GET", "/en/account"), "officer")
			if w := in.at("GET", "/en/account/passkeys/new"); w.Header().Get("Location") != "/en/account/confirm?next=%2Fen%2Faccount%2Fpasskeys%2Fnew" {
				t.Errorf("the provider's word was taken as proof: %d to %q", w.Code, w.Header().Get("Location"))
			}
			if w = in.at("GET", back); w.Code != http.StatusBadRequest {
				t.Errorf("the answer was taken again: %d", w.Code)
			}
			away := r.browser(t)
			w = away.at("GET", away.goThere("/en/sign-in/provider?next=//evil.example", enter))
			if w.Header().Get("Location") != "/en/" {
				t.Errorf("led away to %q", w.Header().Get("Location"))
			}

			// Too late, and refused there.
			late := r.browser(t)
			back = late.goThere("/en/sign-in/provider", enter)
			r.pass(5 * time.Minute)
			late.says(late.at("GET", back), "too much time has passed")
			no := r.browser(t)
			to, err := url.Parse(no.at("GET", "/en/sign-in/provider").Header().Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			no.says(no.at("GET", "/en/sign-in/provider/callback?"+url.Values{"state": {to.Query().Get("state")}, "error": {"access_denied"}}.Encode()), "was cancelled there")

			// A closed account stays closed.
			if err := r.SetDisabled(t.Context(), mustUser(t, r, "officer").ID, true); err != nil {
				t.Fatal(err)
			}
			shut := r.browser(t)
			w = shut.at("GET", shut.goThere("/en/sign-in/provider", enter))
			if shut.says(w, "Your account here is closed."); shut.cookies[auth.CookieName] != "" {
				t.Error("a closed account was opened")
			}
			if err := r.SetDisabled(t.Context(), mustUser(t, r, "officer").ID, false); err != nil {
				t.Fatal(err)
			}

			// Ending the link, with the acts on record.
			b = r.signedIn(t, "officer")
			id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(b.at("GET", "/en/account/provider").Body.String())[1]
			other.at("POST", "/en/account/provider/unlink", "id", id)
			b.says(b.at("GET", "/en/account/provider"), testkit.ProviderUser)
			b.pass(auth.ProofLife)
			if w = b.at("POST", "/en/account/provider/unlink", "id", id); !strings.HasPrefix(w.Header().Get("Location"), "/en/account/confirm?") {
				t.Errorf("nobody was asked who it is: %d to %q", w.Code, w.Header().Get("Location"))
			}
			b = r.signedIn(t, "officer")
			b.at("POST", "/en/account/provider/unlink", "id", id)
			b.says(b.at("GET", "/en/account/provider"), "The link has ended.", "This account is not linked.")
			var acts []string
			rows, err := r.db.Query(t.Context(), `SELECT act FROM audit_entries WHERE act LIKE 'account.identity%' ORDER BY chain, seq`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var act string
				if err := rows.Scan(&act); err != nil {
					t.Fatal(err)
				}
				acts = append(acts, act)
			}
			if err := rows.Err(); err != nil || !slices.Equal(acts, []string{"account.identity_link", "account.identity_unlink"}) {
				t.Errorf("%v, %v", acts, err)
			}
		})
	}
}

// TestProviderNamesLogin: where the operator trusts a claim, it links at the first
// sign-in, and never an account that has somebody else of the provider.
func TestProviderNamesLogin(t *testing.T) {
	t.Parallel()
	issuer, enter := testkit.Provider(t, callback)
	r := newRigOn(t, filepath.Join(t.TempDir(), "plateau.db"), providerOf(issuer, "preferred_username"))
	in := r.browser(t)
	in.says(in.at("GET", in.goThere("/en/sign-in/provider", enter)), "no account here is linked")
	u, err := r.AddUser(t.Context(), auth.User{Login: testkit.ProviderUser, Role: auth.Officer, Post: auth.Post{Zh: "示例"}})
	if err != nil {
		t.Fatal(err)
	}
	someone := oidc.Identity{Issuer: issuer, Subject: "another", Label: "x"}
	if err := r.LinkIdentity(t.Context(), auth.Principal{ID: u.ID}, someone); err != nil {
		t.Fatal(err)
	}
	in.says(in.at("GET", in.goThere("/en/sign-in/provider", enter)), "no account here is linked")
	list, err := r.Identities(t.Context(), u.ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := r.UnlinkIdentity(t.Context(), auth.Principal{ID: u.ID}, list[0].ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		in = r.browser(t)
		if w := in.at("GET", in.goThere("/en/sign-in/provider", enter)); w.Header().Get("Location") != "/en/" || in.cookies[auth.CookieName] == "" {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	if list, err = r.Identities(t.Context(), u.ID); err != nil || len(list) != 1 || list[0].Used.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestNoProvider: without one there are no pages of it; one that does not answer
// is told.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	b := newRig(t).signedIn(t, "officer")
	for _, path := range []string{"/en/sign-in/provider", "/en/sign-in/provider/callback", "/en/account/provider"} {
		if w := b.at("GET", path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if strings.Contains(b.at("GET", "/en/account").Body.String(), "/account/provider") {
		t.Error("a tab leads to a provider that is none")
	}
	r := newRigOn(t, filepath.Join(t.TempDir(), "plateau.db"), providerOf("http://localhost:1", ""))
	in := r.browser(t)
	w := in.at("GET", "/zh/sign-in/provider")
	if in.says(w, "目前无法连接 省级身份平台（示例）"); w.Code != http.StatusBadGateway {
		t.Errorf("%d", w.Code)
	}
}
