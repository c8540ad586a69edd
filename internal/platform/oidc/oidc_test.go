package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"plateau/internal/platform/oidc"
	"plateau/internal/platform/outbound"
	"plateau/internal/testkit"
)

const redirect = "http://localhost:9/sign-in/provider/callback"

// TestRealProvider signs in at another program's provider.
func TestRealProvider(t *testing.T) {
	t.Parallel()
	issuer, enter := testkit.Provider(t, redirect)
	c := oidc.New(oidc.Options{Issuer: issuer, ClientID: testkit.ProviderClient, Secret: testkit.ProviderSecret, Redirect: redirect, Private: true, Now: time.Now})
	to, a, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"response_type": "code", "code_challenge_method": "S256", "state": a.State, "nonce": a.Nonce, "redirect_uri": redirect, "scope": "openid profile"} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	answer := enter(to)
	id, err := c.Finish(t.Context(), a, answer)
	if err != nil {
		t.Fatal(err)
	}
	if id.Issuer != issuer || id.Subject != testkit.ProviderSubject || id.Label != testkit.ProviderUser || id.Login != "" {
		t.Errorf("%+v", id)
	}

	// The same code again, and with what is not of this sign-in.
	if _, err = c.Finish(t.Context(), a, answer); err == nil {
		t.Error("a code was taken twice")
	} else if e, ok := errors.AsType[*oidc.RefusedError](err); !ok {
		t.Errorf("a code again: %v", err)
	} else if e.Code != "invalid_grant" && e.Code != "server_error" && e.Code != "invalid_request" {
		t.Errorf("a code again: %v", err)
	}
	for name, spoil := range map[string]func(a *oidc.Attempt, answer url.Values){
		"state":    func(_ *oidc.Attempt, answer url.Values) { answer.Set("state", "another") },
		"no state": func(a *oidc.Attempt, answer url.Values) { a.State = ""; answer.Del("state") },
		"nonce":    func(a *oidc.Attempt, _ url.Values) { a.Nonce = "another" },
		"verifier": func(a *oidc.Attempt, _ url.Values) { a.Verifier = strings.Repeat("x", 43) },
		"issuer":   func(_ *oidc.Attempt, answer url.Values) { answer.Set("iss", "https://evil.example") },
	} {
		to, a, err := c.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answer := enter(to)
		spoil(&a, answer)
		if id, err := c.Finish(t.Context(), a, answer); err == nil {
			t.Errorf("%s: taken as %+v", name, id)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	guarded := oidc.New(oidc.Options{Issuer: issuer, ClientID: testkit.ProviderClient, Redirect: redirect, Now: time.Now})
	if _, _, err := guarded.Begin(t.Context()); !errors.Is(err, oidc.ErrUnreachable) || !errors.Is(err, outbound.ErrPrivate) {
		t.Errorf("a provider on this machine: %v", err)
	}
	wrong := oidc.New(oidc.Options{Issuer: issuer, ClientID: testkit.ProviderClient, Secret: "another", Redirect: redirect, Private: true, Now: time.Now})
	to, a, err = wrong.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Finish(t.Context(), a, enter(to)); err == nil {
		t.Error("a wrong secret was taken")
	}
}

// feigned is a provider whose tokens say what a test wants.
type feigned struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any
	answer func(w http.ResponseWriter) // instead of a token; nil: a token
	info   string                      // JSON that it tells of the owner of a token; "" = nothing
}

func newFeigned(t *testing.T) *feigned {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &feigned{key: key}
	o := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: "RS256"}}}
	mux := http.NewServeMux()
	mux.Handle("/", o)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		if f.info == "" {
			o.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys", "userinfo_endpoint": f.URL + "/info",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "authorization_response_iss_parameter_supported": true,
		})
	})
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, f.info)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		if f.answer != nil {
			f.answer(w)
			return
		}
		claims, _ := json.Marshal(f.claims)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": oidctest.SignIDToken(f.key, "k", "RS256", string(claims))})
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	o.SetIssuer(f.URL)
	return f
}

// TestToken holds tokens that a provider signed against what may be taken.
func TestToken(t *testing.T) {
	t.Parallel()
	f := newFeigned(t)
	now := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	c := oidc.New(oidc.Options{Issuer: f.URL, ClientID: "plateau", Secret: "s", Redirect: redirect, Private: true, LoginClaim: "email", Now: func() time.Time { return now }})
	try := func(change map[string]any) (oidc.Identity, error) {
		t.Helper()
		_, a, err := c.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.claims = map[string]any{"iss": f.URL, "aud": "plateau", "sub": "s1", "nonce": a.Nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		maps.Copy(f.claims, change)
		return c.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}})
	}
	for name, change := range map[string]map[string]any{
		"as it should be":            {},
		"a clock that is slow":       {"iat": now.Add(-90 * time.Second).Unix(), "exp": now.Add(-90 * time.Second).Unix()},
		"a clock that is fast":       {"iat": now.Add(90 * time.Second).Unix()},
		"several audiences, for us":  {"aud": []string{"plateau", "other"}, "azp": "plateau"},
		"its own name for the owner": {"name": "N", "preferred_username": "post1"},
	} {
		if id, err := try(change); err != nil || id.Subject != "s1" || id.Login != "" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	for name, change := range map[string]map[string]any{
		"over":                            {"exp": now.Add(-3 * time.Minute).Unix()},
		"of the future":                   {"iat": now.Add(5 * time.Minute).Unix()},
		"of another audience":             {"aud": "other"},
		"several audiences, for another":  {"aud": []string{"plateau", "other"}, "azp": "other"},
		"several audiences, for nobody":   {"aud": []string{"plateau", "other"}},
		"of another issuer":               {"iss": "https://evil.example"},
		"of another sign-in":              {"nonce": "another"},
		"without a nonce":                 {"nonce": nil},
		"of nobody":                       {"sub": ""},
		"of somebody beyond all measures": {"sub": strings.Repeat("x", 256)},
	} {
		if id, err := try(change); !errors.Is(err, oidc.ErrToken) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	for want, change := range map[string]map[string]any{
		"":                  {"email": "a@plateau.example"},
		"b@plateau.example": {"email": "b@plateau.example", "email_verified": true},
	} {
		if id, err := try(change); err != nil || id.Login != want {
			t.Errorf("%v: %+v, %v", change, id, err)
		}
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	right := f.key
	f.key = other
	if id, err := try(nil); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("signed by another: %+v, %v", id, err)
	}
	f.key = right

	// What comes instead of a token.
	for want, answer := range map[string]func(http.ResponseWriter){
		"refused": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		},
		"unreachable": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"token": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"x","token_type":"Bearer"}`)
		},
	} {
		f.answer = answer
		_, err := try(nil)
		e, refused := errors.AsType[*oidc.RefusedError](err)
		if refused != (want == "refused") || refused && e.Code != "invalid_grant" || errors.Is(err, oidc.ErrUnreachable) != (want == "unreachable") || errors.Is(err, oidc.ErrToken) != (want == "token") {
			t.Errorf("%s: %v", want, err)
		}
	}
	f.answer = nil
	_, a, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{"access_denied": "access_denied", "<script>": "unknown"} {
		_, err := c.Finish(t.Context(), a, url.Values{"state": {a.State}, "error": {code}, "error_description": {"<b>x</b>"}})
		if e, ok := errors.AsType[*oidc.RefusedError](err); !ok || e.Code != want {
			t.Errorf("%s: %v", code, err)
		}
	}
	gone := oidc.New(oidc.Options{Issuer: f.URL + "/other", ClientID: "x", Redirect: redirect, Private: true, Now: time.Now})
	if _, _, err := gone.Begin(t.Context()); !errors.Is(err, oidc.ErrUnreachable) {
		t.Errorf("an issuer that is none: %v", err)
	}
	impostor := newFeigned(t)
	impostor.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = ""
		f.Config.Handler.ServeHTTP(w, r)
	})
	if _, _, err := oidc.New(oidc.Options{Issuer: impostor.URL, ClientID: "x", Redirect: redirect, Private: true, Now: time.Now}).Begin(t.Context()); !errors.Is(err, oidc.ErrUnreachable) {
		t.Errorf("a provider that says it is another: %v", err)
	}
}

// TestMoreOfTheOwner: what the token does not say is asked for, and believed of
// its owner only; a provider that always names itself in answers must do so.
func TestMoreOfTheOwner(t *testing.T) {
	t.Parallel()
	f := newFeigned(t)
	now := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	for info, want := range map[string]string{
		`{"sub":"s1","preferred_username":"post1"}`:       "post1",
		`{"sub":"s2","preferred_username":"post1"}`:       "",
		`{"sub":"s1","nonce":"x","preferred_username":1}`: "s1",
	} {
		f.info = info
		c := oidc.New(oidc.Options{Issuer: f.URL, ClientID: "plateau", Redirect: redirect, Private: true, Now: func() time.Time { return now }})
		_, a, err := c.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.claims = map[string]any{"iss": f.URL, "aud": "plateau", "sub": "s1", "nonce": a.Nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		id, err := c.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}, "iss": {f.URL}})
		if id.Label != want || (want == "") != errors.Is(err, oidc.ErrToken) {
			t.Errorf("%s: %+v, %v", info, id, err)
		}
		if _, err = c.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}}); !errors.Is(err, oidc.ErrNotOurs) {
			t.Errorf("an answer without its issuer: %v", err)
		}
	}
}
