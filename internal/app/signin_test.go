package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pquerna/otp/totp"

	"plateau/internal/platform/auth"
)

// TestSignInFromOutside attacks the sign-in of the whole program as a browser
// would reach it: forms of other sites, addresses that lead away, and secrets in
// the log.
func TestSignInFromOutside(t *testing.T) {
	t.Parallel()
	o := victimOptions(t.TempDir())
	log := &lockedLog{}
	o.Stdout, o.Stderr = io.Discard, log
	o.Flags["log.level"] = "debug"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	const password = "river stone under ice"
	if err := a.auth.SpendLink(ctx, a.firstKey, password); err != nil {
		t.Fatal(err)
	}
	post := func(path string, form url.Values, cookies []*http.Cookie, header ...string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.httpAddr+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		for _, c := range cookies {
			r.AddCookie(c)
		}
		got, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, got.Body)
		_ = got.Body.Close()
		return answer{got.StatusCode, got.Header.Get("Location"), got.Cookies()}
	}
	right := url.Values{"name": {"admin"}, "password": {password}}
	for _, path := range []string{"/en/login", "/en/sign-out", "/en/sign-in/code", "/en/set-password", "/en/account/password"} {
		for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			if res := post(path, right, nil, h...); res.status != http.StatusForbidden || len(res.cookies) > 0 {
				t.Errorf("%s with %v: %d, %v", path, h, res.status, res.cookies)
			}
		}
	}
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)"} {
		form := url.Values{"name": right["name"], "password": right["password"], "next": {next}}
		if res := post("/en/login", form, nil); res.status != http.StatusSeeOther || res.to != "/en/" {
			t.Errorf("next=%q: %d to %q", next, res.status, res.to)
		}
	}
	res := post("/en/login", right, nil)
	if len(res.cookies) != 1 || !res.cookies[0].HttpOnly || res.cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("%d, %v", res.status, res.cookies)
	}
	session := res.cookies[0].Value

	// With a second factor the password leads to the code, and nowhere else.
	p, s, err := a.auth.Session(ctx, session)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.auth.BeginFactor(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	secret, err := a.auth.PendingFactor(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, a.now())
	if err != nil {
		t.Fatal(err)
	}
	_, codes, err := a.auth.ConfirmFactor(ctx, p, s, code, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	res = post("/en/login", url.Values{"name": right["name"], "password": right["password"], "next": {"/en/account"}}, nil)
	if res.to != "/en/sign-in/code?next=%2Fen%2Faccount" || len(res.cookies) != 1 || res.cookies[0].Name != auth.StepCookie || res.cookies[0].SameSite != http.SameSiteStrictMode || !res.cookies[0].HttpOnly {
		t.Fatalf("%q, %v", res.to, res.cookies)
	}
	step := res.cookies
	res = post("/en/sign-in/code", url.Values{"code": {codes[0]}, "next": {"/en/account"}}, step)
	if res.to != "/en/account" {
		t.Fatalf("%d to %q", res.status, res.to)
	}
	for _, secret := range []string{password, session, a.firstKey, secret, codes[0], step[0].Value} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !strings.Contains(log.String(), "/en/sign-in/code") {
		t.Error("the log was not looked at")
	}
}

// answer is what a form was answered with.
type answer struct {
	status  int
	to      string
	cookies []*http.Cookie
}

// lockedLog is a log that several goroutines write.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
