package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"html"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// serviceKey is a key of a service, in a certificate that it issued itself.
func serviceKey(t *testing.T) (pair tls.Certificate, text string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 6, 0)}
	der, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestServices: the platform of another authority asks with its own key at the
// address of services, from an account that a command made: what the policy gives it
// and no more, until the key is revoked, and then not on the open connection either.
// A token does not count there, and a certificate nowhere else.
func TestServices(t *testing.T) {
	t.Parallel()
	cert, certKey := testkit.Certificate(t, t.TempDir(), "server", 1, time.Now().Add(24*time.Hour))
	var out bytes.Buffer
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = &out, io.Discard
	o.Flags["hj212.adopt_unknown"] = "false"
	o.Flags["http.tls.cert"], o.Flags["http.tls.key"] = cert, certKey
	o.Flags["services.addr"] = "127.0.0.1:0"
	a := running(t, o)
	if want := "services: https://" + a.servicesAddr + "\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not printed:\n%s", want, out.String())
	}
	order := func(x AccountsOrder) AccountsAnswer {
		t.Helper()
		got, err := Accounts(t.Context(), Options{Flags: map[string]string{"data": o.Flags["data"]}}, x)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := order(AccountsOrder{Act: "add", Login: "province", Post: "省平台", Role: "platform"}); got.Link != "" {
		t.Error("a service got a link")
	}
	pair, text := serviceKey(t)
	roots, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	asking := func(pairs ...tls.Certificate) *http.Client {
		tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: pairs, MinVersion: tls.VersionTLS12}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	client, base := asking(pair), "https://"+a.servicesAddr
	status := func(client *http.Client, base, path string, header ...string) int {
		t.Helper()
		return ask(t, client, http.MethodGet, base+path, "", header...).status
	}

	if got := ask(t, client, http.MethodGet, base+"/api/v1/outlets", ""); got.status != http.StatusUnauthorized || !strings.Contains(got.body, `"code":"key"`) || !strings.Contains(got.body, "=") {
		t.Errorf("an unknown key: %d %s", got.status, got.body)
	}
	id := order(AccountsOrder{Act: "add-key", Login: "province", Label: "key of 2026", Key: text}).ID
	for path, want := range map[string]int{
		"/api/v1/outlets": 200, "/sta/v1.1/Things": 200, "/api/v1/webhooks": 403, "/zh/accounts": 403, "/zh/account": 403,
	} {
		if got := status(client, base, path); got != want {
			t.Errorf("%s is %d, want %d", path, got, want)
		}
	}
	if got := ask(t, client, http.MethodPost, base+"/sta/v1.1/Things", `{"name":"x","description":"x"}`, "Content-Type", "application/json").status; got != http.StatusForbidden {
		t.Errorf("writing is %d", got)
	}

	// Who keeps accounts sees its keys, and nothing that only a person has.
	if err := a.auth.SpendLink(t.Context(), a.firstKey, samplePassword); err != nil {
		t.Fatal(err)
	}
	people := trusting(t, cert)
	session := signedIn(t, people, "https://"+a.httpAddr).cookies[0]
	u, err := a.auth.UserByLogin(t.Context(), "province")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := auth.ParseKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	page := ask(t, people, http.MethodGet, "https://"+a.httpAddr+"/en/accounts/"+u.ID, "", "Cookie", session.Name+"="+session.Value)
	if page.status != http.StatusOK || !strings.Contains(html.UnescapeString(page.body), parsed.Fingerprint) || !strings.Contains(page.body, "key of 2026") || strings.Contains(page.body, "/link\"") || strings.Contains(page.body, "second factor</dt>") {
		t.Errorf("the account's page: %d\n%s", page.status, page.body)
	}

	token, err := a.operatorToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := status(client, base, "/api/v1/webhooks", "Authorization", "Bearer "+token); got != http.StatusForbidden {
		t.Errorf("somebody else's token beside the key: %d", got)
	}
	other, _ := serviceKey(t)
	if got := status(asking(other), base, "/api/v1/outlets", "Authorization", "Bearer "+token); got != http.StatusUnauthorized {
		t.Errorf("a token with an unknown key: %d", got)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/outlets", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := asking().Do(r); err == nil {
		_ = resp.Body.Close()
		t.Errorf("without a certificate: %d", resp.StatusCode)
	}
	if got := status(client, "https://"+a.httpAddr, "/api/v1/outlets"); got != http.StatusUnauthorized {
		t.Errorf("a key at the address of people: %d", got)
	}

	order(AccountsOrder{Act: "revoke-token", ID: id})
	if got := status(client, base, "/api/v1/outlets"); got != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d", got)
	}
	_, err = Accounts(t.Context(), Options{Flags: map[string]string{"data": o.Flags["data"]}}, AccountsOrder{Act: "add-key", Login: "province", Label: "x", Key: text})
	if err == nil || errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "added before") {
		t.Errorf("a revoked key comes back: %v", err)
	}
}
