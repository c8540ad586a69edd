package auth_test

import (
	"crypto/tls"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

var rp = auth.RelyingParty{ID: "plateau.example", Origin: "https://plateau.example"}

// withPasskey registers a passkey of the officer.
func (f *fixture) withPasskey(t *testing.T) (a *testkit.Authenticator, p auth.Principal, cookie string, codes []string) {
	t.Helper()
	ctx := t.Context()
	cookie, _, err := f.SignIn(ctx, "officer", "officer-sample", here)
	if err != nil {
		t.Fatal(err)
	}
	p, session, err := f.Session(ctx, cookie)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := f.AskNewPasskey(ctx, rp, p, session)
	if err != nil {
		t.Fatal(err)
	}
	a = &testkit.Authenticator{Origin: rp.Origin}
	if cookie, codes, err = f.AddPasskey(ctx, rp, p, session, ask.Waiting, a.Create(t, ask.Options), " office key "); err != nil {
		t.Fatal(err)
	}
	return a, p, cookie, codes
}

// byPasskey signs in without a login.
func (f *fixture) byPasskey(t *testing.T, a *testkit.Authenticator) (cookie string, p auth.Principal, err error) {
	t.Helper()
	ask, err := f.AskPasskey(rp)
	if err != nil {
		t.Fatal(err)
	}
	return f.SignInPasskey(t.Context(), rp, ask.Waiting, a.Get(t, ask.Options), here)
}

// saysOf wants an error about the passkey with a key.
func saysOf(t *testing.T, err error, key string) {
	t.Helper()
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != "passkey" || e.Fields[0].Key != key {
		t.Errorf("%v, want %s about the passkey", err, key)
	}
}

// acts lists the audit entries by act.
func (f *fixture) acts(t *testing.T) (all []string) {
	t.Helper()
	if err := f.db.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT act FROM audit_entries WHERE act LIKE 'account.passkey%' ORDER BY chain, seq`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var act string
			if err := rows.Scan(&act); err != nil {
				return err
			}
			all = append(all, act)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPasskey(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			before := f.signIn(t, "officer")
			a, p, cookie, codes := f.withPasskey(t)
			if len(codes) != 10 {
				t.Errorf("%d recovery codes with the first passkey", len(codes))
			}
			if _, _, err := f.Session(ctx, before); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a session of before: %v", err)
			}
			got, session, err := f.Session(ctx, cookie)
			if err != nil || got != p {
				t.Fatalf("%+v, %v", got, err)
			}
			list, err := f.Passkeys(ctx, p.ID)
			if err != nil || len(list) != 1 || list[0].Label != "office key" || list[0].Host != rp.ID || !list[0].Created.Equal(f.now()) || !list[0].Used.IsZero() {
				t.Fatalf("%+v, %v", list, err)
			}

			// Without a login.
			f.pass(time.Minute)
			_, got, err = f.byPasskey(t, a)
			if err != nil || got.Login != "officer" {
				t.Fatalf("%+v, %v", got, err)
			}
			if list, err = f.Passkeys(ctx, p.ID); err != nil || !list[0].Used.Equal(f.now()) {
				t.Errorf("%+v, %v", list, err)
			}

			// Beside the password.
			step := f.password(t)
			if factor, err := f.StepFactor(ctx, step); err != nil || factor.On() || factor.Passkeys != 1 || factor.Remaining != 10 {
				t.Errorf("%+v, %v", factor, err)
			}
			ask, err := f.AskStepPasskey(ctx, rp, step)
			if err != nil {
				t.Fatal(err)
			}
			answer := a.Get(t, ask.Options)
			if _, got, err = f.SignInStepPasskey(ctx, rp, step, ask.Waiting, answer, here); err != nil || got.ID != p.ID {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, _, err = f.SignInStepPasskey(ctx, rp, step, ask.Waiting, answer, here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("the same step again: %v", err)
			}
			if _, _, err = f.SignInCode(ctx, f.password(t), codes[0], here); err != nil {
				t.Errorf("a recovery code: %v", err)
			}

			// Once more before a dangerous act, on the answer of this session only.
			f.pass(auth.ProofLife)
			if ask, err = f.AskProofPasskey(ctx, rp, p, session); err != nil {
				t.Fatal(err)
			}
			answer = a.Get(t, ask.Options)
			other := session
			other.ID = "another"
			_, err = f.ProvePasskey(ctx, rp, p, other, ask.Waiting, answer, here)
			saysOf(t, err, "err.passkey.over")
			fresh, err := f.ProvePasskey(ctx, rp, p, session, ask.Waiting, answer, here)
			if err != nil {
				t.Fatal(err)
			}
			if _, session, err = f.Session(ctx, fresh); err != nil || !session.Fresh(f.now()) {
				t.Errorf("%+v, %v", session, err)
			}
			_, err = f.ProvePasskey(ctx, rp, p, session, ask.Waiting, answer, here)
			saysOf(t, err, "err.passkey.over")

			// The other account's remains its own.
			officer := list[0].ID
			someone, _, err := f.SignIn(ctx, "operator", "operator-sample", here)
			if err != nil {
				t.Fatal(err)
			}
			operator, _, err := f.Session(ctx, someone)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.RemovePasskey(ctx, operator, officer); !errs.Is(err, errs.NotFound) {
				t.Errorf("another one's passkey removed: %v", err)
			}
			if err := f.RemovePasskey(ctx, p, officer); err != nil {
				t.Fatal(err)
			}
			if factor, err := f.Factor(ctx, p.ID); err != nil || factor.Needed() || factor.Remaining != 0 {
				t.Errorf("%+v, %v", factor, err)
			}
			_, _, err = f.byPasskey(t, a)
			saysOf(t, err, "err.passkey.wrong")
			f.signIn(t, "officer") // by the password alone
			if got := f.acts(t); !slices.Equal(got, []string{"account.passkey_add", "account.passkey_remove"}) {
				t.Errorf("entries: %v", got)
			}
			if n, err := audit.Verify(ctx, f.db); err != nil || len(n.Faults) > 0 {
				t.Errorf("%+v, %v", n, err)
			}
		})
	}
}

// TestPasskeyRefused gives answers that must not be taken.
func TestPasskeyRefused(t *testing.T) {
	t.Parallel()
	f := lite(t)
	ctx := t.Context()
	a, p, _, _ := f.withPasskey(t)
	ask := func() auth.Ceremony {
		t.Helper()
		q, err := f.AskPasskey(rp)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	try := func(waiting, answer, key string) {
		t.Helper()
		cookie, who, err := f.SignInPasskey(ctx, rp, waiting, answer, here)
		if cookie != "" || who.Known() {
			t.Fatalf("let in: %+v", who)
		}
		saysOf(t, err, key)
	}
	q := ask()
	answer := a.Get(t, q.Options)
	try(ask().Waiting, answer, "err.passkey.wrong") // of another question
	try("", answer, "err.passkey.over")
	try(q.Waiting[:len(q.Waiting)-4]+"AAAA", answer, "err.passkey.over")
	try(q.Waiting, "", "err.passkey.script")
	try(q.Waiting, "{}", "err.passkey.wrong")
	try(q.Waiting, strings.Replace(answer, `"signature":"`, `"signature":"AAAA`, 1), "err.passkey.wrong")
	f.pass(5 * time.Minute)
	try(q.Waiting, answer, "err.passkey.over")

	elsewhere := *a
	elsewhere.Origin = "https://plateau.example.evil.example"
	q = ask()
	try(q.Waiting, elsewhere.Get(t, q.Options), "err.passkey.wrong")
	careless := *a
	careless.Careless = true
	q = ask()
	try(q.Waiting, careless.Get(t, q.Options), "err.passkey.wrong")
	stranger := &testkit.Authenticator{Origin: rp.Origin}
	cookie, _, err := f.SignIn(ctx, "operator", "operator-sample", here)
	if err != nil {
		t.Fatal(err)
	}
	operator, session, err := f.Session(ctx, cookie)
	if err != nil {
		t.Fatal(err)
	}
	create, err := f.AskNewPasskey(ctx, rp, operator, session)
	if err != nil {
		t.Fatal(err)
	}
	created := stranger.Create(t, create.Options)
	q = ask()
	try(q.Waiting, stranger.Get(t, q.Options), "err.passkey.wrong") // never registered
	if _, _, err := f.AddPasskey(ctx, rp, operator, session, q.Waiting, created, ""); err == nil {
		t.Error("a question to sign in was taken for one to register")
	}
	careless = testkit.Authenticator{Origin: rp.Origin, Careless: true}
	_, _, err = f.AddPasskey(ctx, rp, operator, session, create.Waiting, careless.Create(t, create.Options), "")
	saysOf(t, err, "err.passkey.wrong")
	if _, _, err = f.AddPasskey(ctx, rp, operator, session, create.Waiting, created, ""); err != nil {
		t.Fatal(err)
	}
	// As the second step of the officer the operator's counts for nothing.
	step := f.password(t)
	if q, err = f.AskStepPasskey(ctx, rp, step); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.SignInStepPasskey(ctx, rp, step, q.Waiting, stranger.Get(t, q.Options), here)
	saysOf(t, err, "err.passkey.wrong")

	// The name of the host changed: the passkey is no good there.
	moved := auth.RelyingParty{ID: "other.example", Origin: "https://other.example"}
	if q, err = f.AskPasskey(moved); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.SignInPasskey(ctx, moved, q.Waiting, a.Get(t, q.Options), here)
	saysOf(t, err, "err.passkey.wrong")

	// A closed account.
	if err := f.SetDisabled(ctx, p.ID, true); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.byPasskey(t, a)
	saysOf(t, err, "err.passkey.wrong")
	if err := f.SetDisabled(ctx, p.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err = f.byPasskey(t, a); err != nil {
		t.Error(err)
	}
	// Tries from one address are counted.
	for range 60 {
		q := ask()
		_, _, err = f.SignInPasskey(ctx, rp, q.Waiting, "{}", auth.Client{Address: "192.0.2.99"})
	}
	if !errs.Is(err, errs.Busy) {
		t.Errorf("after sixty tries: %v", err)
	}
}

// TestPasskeyCopied: a count that goes backwards blocks the passkey for good.
func TestPasskeyCopied(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			a, p, _, codes := f.withPasskey(t)
			for _, n := range []uint32{5, 6, 1000} {
				a.Count = n
				if _, _, err := f.byPasskey(t, a); err != nil {
					t.Fatalf("count %d: %v", n, err)
				}
			}
			copied := *a
			copied.Count = 7
			cookie, _, err := f.byPasskey(t, &copied)
			saysOf(t, err, "err.passkey.blocked")
			a.Count = 1001
			if cookie != "" {
				t.Error("the copy was let in")
			}
			_, _, err = f.byPasskey(t, a)
			saysOf(t, err, "err.passkey.blocked")
			if list, err := f.Passkeys(ctx, p.ID); err != nil || list[0].Blocked.IsZero() {
				t.Errorf("%+v, %v", list, err)
			}
			// It still keeps the password from being enough.
			step := f.password(t)
			if _, err := f.AskStepPasskey(ctx, rp, step); !errs.Is(err, errs.NotFound) {
				t.Errorf("a blocked passkey is asked for: %v", err)
			}
			if _, _, err := f.SignInCode(ctx, step, codes[0], here); err != nil {
				t.Error(err)
			}
			if got := f.acts(t); !slices.Equal(got, []string{"account.passkey_add", "account.passkey_block"}) {
				t.Errorf("entries: %v", got)
			}
			// The operator takes a lost device away, with what belongs to it.
			if err := f.RemoveFactors(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			if err := f.RemoveFactors(ctx, p.ID); !errs.Is(err, errs.NotFound) {
				t.Errorf("removed twice: %v", err)
			}
			f.signIn(t, "officer")
		})
	}
}

// TestPasskeyAndCodes: of the two second factors either one may go.
func TestPasskeyAndCodes(t *testing.T) {
	t.Parallel()
	f := lite(t)
	ctx := t.Context()
	d, p, cookie, _ := f.withFactor(t)
	_, session, err := f.Session(ctx, cookie)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := f.AskNewPasskey(ctx, rp, p, session)
	if err != nil {
		t.Fatal(err)
	}
	a := &testkit.Authenticator{Origin: rp.Origin}
	_, codes, err := f.AddPasskey(ctx, rp, p, session, ask.Waiting, a.Create(t, ask.Options), "")
	if err != nil || len(codes) != 0 {
		t.Fatalf("%d further codes, %v", len(codes), err)
	}
	if _, _, err := f.SignInCode(ctx, f.password(t), d.at(t, f.now()), here); err != nil {
		t.Error(err)
	}
	if err := f.RemoveFactor(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	factor, err := f.Factor(ctx, p.ID)
	if err != nil || factor.On() || !factor.Needed() || factor.Remaining != 10 {
		t.Errorf("%+v, %v", factor, err)
	}
	if _, _, err := f.byPasskey(t, a); err != nil {
		t.Error(err)
	}
	users, err := f.Users(ctx)
	if err != nil || !slices.ContainsFunc(users, func(u auth.User) bool { return u.ID == p.ID && u.Factor }) {
		t.Errorf("%+v, %v", users, err)
	}
}

func TestRelyingParty(t *testing.T) {
	t.Parallel()
	f := lite(t)
	for _, c := range []struct {
		url, host string
		secure    bool
		id        string // else the error's key
		origin    string
	}{
		{"https://plateau.example/app", "127.0.0.1:8080", false, "plateau.example", "https://plateau.example"},
		{"https://plateau.example:8443", "x", false, "plateau.example", "https://plateau.example:8443"},
		{"http://localhost:8080", "x", false, "localhost", "http://localhost:8080"},
		{"https://192.0.2.7", "x", false, "err.passkey.address", ""},
		{"https://[2001:db8::1]", "x", false, "err.passkey.address", ""},
		{"http://plateau.example", "x", false, "err.passkey.plain", ""},
		{"", "localhost:8080", false, "localhost", "http://localhost:8080"},
		{"", "localhost", true, "localhost", "https://localhost"},
		{"", "127.0.0.1:8080", false, "err.passkey.address", ""},
		{"", "[::1]:8080", false, "err.passkey.address", ""},
		{"", "plateau.example", true, "err.passkey.unset", ""},
		{"", "localhost.evil.example", true, "err.passkey.unset", ""},
	} {
		o := cheap
		o.URL = c.url
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/zh/account/passkeys", nil)
		r.Host = c.host
		if c.secure {
			r.TLS = &tls.ConnectionState{}
		}
		got, err := auth.New(f.db, f.now, o).RelyingParty(r)
		if e, ok := errors.AsType[*errs.Error](err); ok && e.Key == c.id && c.origin == "" {
			continue
		}
		if err != nil || got.ID != c.id || got.Origin != c.origin {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
}
