package testkit

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// What the provider of tests knows.
const (
	ProviderClient   = "plateau"
	ProviderSecret   = "secret of tests"
	ProviderSubject  = "id1"
	ProviderUser     = "test-user@localhost"
	ProviderPassword = "verysecure"
)

// Provider starts an identity provider of another program, that knows one client
// by its address to come back to. It returns its issuer, and what a person does
// there: signing in, beginning at an address, up to the answer that the browser
// brings back.
func Provider(t *testing.T, redirect string) (issuer string, enter func(to string) url.Values) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	issuer = "http://localhost:" + port
	clients := map[string]*storage.Client{ProviderClient: storage.WebClient(ProviderClient, ProviderSecret, redirect)}
	srv.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorageWithClients(storage.NewUserStore(issuer), clients), nil, false)
	srv.Start()
	t.Cleanup(srv.Close)
	return issuer, func(to string) url.Values {
		t.Helper()
		return signInAt(t.Context(), t, issuer, to, redirect)
	}
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

func signInAt(ctx context.Context, t *testing.T, issuer, to, redirect string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back *url.URL
	c := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	do := func(method, to string, form url.Values) string {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	page := do(http.MethodGet, to, nil)
	id := requestID.FindStringSubmatch(page)
	if id == nil {
		t.Fatalf("the provider shows no form: %s", page)
	}
	page = do(http.MethodPost, issuer+"/login/username", url.Values{"id": {id[1]}, "username": {ProviderUser}, "password": {ProviderPassword}})
	if back == nil {
		t.Fatalf("the provider does not lead back: %s", page)
	}
	return back.Query()
}
