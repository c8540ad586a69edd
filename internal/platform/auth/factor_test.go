package auth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// device is what gives codes for an account.
type device struct{ secret string }

func (d device) at(t *testing.T, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(d.secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// withFactor puts a second factor in force for the officer.
func (f *fixture) withFactor(t *testing.T) (d device, p auth.Principal, cookie string, codes []string) {
	t.Helper()
	ctx := t.Context()
	p, session, err := f.Session(ctx, f.signIn(t, "officer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.BeginFactor(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	if d.secret, err = f.PendingFactor(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	if cookie, codes, err = f.ConfirmFactor(ctx, p, session, d.at(t, f.now()), here); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Minute)
	return d, p, cookie, codes
}

// password gives the officer's password and returns the step that is left.
func (f *fixture) password(t *testing.T) string {
	t.Helper()
	secret, p, err := f.SignIn(t.Context(), "officer", "officer-sample", here)
	step, ok := errors.AsType[*auth.StepNeeded](err)
	if !ok || secret != "" || p.Known() {
		t.Fatalf("%q, %+v, %v", secret, p, err)
	}
	return step.Secret
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			before := f.signIn(t, "officer")
			p, _, err := f.Session(ctx, before)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.BeginFactor(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			if factor, err := f.Factor(ctx, p.ID); err != nil || factor.On() {
				t.Errorf("in force before it is confirmed: %v", err)
			}
			f.signIn(t, "officer") // the password alone still is enough
			d, p, cookie, codes := f.withFactor(t)
			if factor, err := f.Factor(ctx, p.ID); err != nil || !factor.On() || factor.Remaining != 10 || len(codes) != 10 {
				t.Errorf("%+v, %v, %d codes", factor, err, len(codes))
			}
			if _, _, err := f.Session(ctx, before); err == nil {
				t.Error("a session from before the second factor lives on")
			}
			if _, _, err := f.Session(ctx, cookie); err != nil {
				t.Errorf("the own session: %v", err)
			}
			if err := f.BeginFactor(ctx, p.ID); !errs.Is(err, errs.Conflict) {
				t.Errorf("another one beside it: %v", err)
			}
			var stored string
			if err := f.db.QueryRow(ctx, `SELECT secret FROM second_factors`).Scan(&stored); err != nil || strings.Contains(stored, d.secret) {
				t.Errorf("the secret is stored as it is: %v", err)
			}

			code := d.at(t, f.now())
			if _, _, err := f.SignInCode(ctx, f.password(t), "000000", here); !errs.Is(err, errs.Invalid) {
				t.Errorf("a wrong code: %v", err)
			}
			step := f.password(t)
			secret, q, err := f.SignInCode(ctx, step, code[:3]+" "+code[3:], here)
			if err != nil || q.ID != p.ID {
				t.Fatal(err)
			}
			if _, _, err := f.Session(ctx, secret); err != nil {
				t.Error(err)
			}
			if _, _, err := f.SignInCode(ctx, step, d.at(t, f.now().Add(30*time.Second)), here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a step that is done: %v", err)
			}
			if _, _, err := f.SignInCode(ctx, f.password(t), code, here); !errs.Is(err, errs.Invalid) {
				t.Errorf("the same code again: %v", err)
			}
			if _, _, err := f.SignInCode(ctx, f.password(t), d.at(t, f.now().Add(-30*time.Second)), here); !errs.Is(err, errs.Invalid) {
				t.Errorf("a code from before the one that was taken: %v", err)
			}

			// A recovery code, once, however it is written.
			loud := strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))
			if _, _, err := f.SignInCode(ctx, f.password(t), loud, here); err != nil {
				t.Errorf("recovery code: %v", err)
			}
			if _, _, err := f.SignInCode(ctx, f.password(t), codes[3], here); !errs.Is(err, errs.Invalid) {
				t.Errorf("recovery code again: %v", err)
			}
			if factor, err := f.Factor(ctx, p.ID); err != nil || factor.Remaining != 9 {
				t.Errorf("%+v, %v", factor, err)
			}
			if _, err := f.NewRecoveryCodes(ctx, p.ID); err != nil {
				t.Error(err)
			}
			if _, _, err := f.SignInCode(ctx, f.password(t), codes[4], here); !errs.Is(err, errs.Invalid) {
				t.Errorf("a replaced recovery code: %v", err)
			}
			users, err := f.Users(ctx)
			has := map[string]bool{}
			for _, u := range users {
				has[u.Login] = u.Factor
			}
			if err != nil || !has["officer"] || has["enterprise"] {
				t.Errorf("%+v, %v", users, err)
			}
			if err := f.RemoveFactor(ctx, p.ID); err != nil {
				t.Error(err)
			}
			f.signIn(t, "officer")
			if err := f.RemoveFactor(ctx, p.ID); !errs.Is(err, errs.NotFound) {
				t.Errorf("removed twice: %v", err)
			}
		})
	}
}

// TestDrift: a clock may be off by one step of thirty seconds, not by two.
func TestDrift(t *testing.T) {
	t.Parallel()
	for off, taken := range map[time.Duration]bool{-60 * time.Second: false, -30 * time.Second: true, 0: true, 30 * time.Second: true, 60 * time.Second: false} {
		f := lite(t)
		d, _, _, _ := f.withFactor(t)
		f.pass(time.Hour)
		if _, _, err := f.SignInCode(t.Context(), f.password(t), d.at(t, f.now().Add(off)), here); (err == nil) != taken {
			t.Errorf("off by %s: %v", off, err)
		}
	}
}

// TestCodeAtOnce: of many that come with the same code, or the same recovery
// code, one is let in.
func TestCodeAtOnce(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, database.URL(t))
			d, _, _, codes := f.withFactor(t)
			for _, code := range []string{d.at(t, f.now()), codes[0]} {
				var wg sync.WaitGroup
				var in atomic.Int32
				for range 4 {
					step := f.password(t)
					wg.Go(func() {
						if _, _, err := f.SignInCode(t.Context(), step, code, here); err == nil {
							in.Add(1)
						}
					})
				}
				wg.Wait()
				if in.Load() != 1 {
					t.Errorf("%d were let in with one code", in.Load())
				}
				f.pass(time.Hour)
			}
		})
	}
}

// TestCodesAreGuessedSlowly: who has the password, and as many addresses and
// steps as they like, has twenty guesses in a quarter of an hour.
func TestCodesAreGuessedSlowly(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	d, p, _, _ := f.withFactor(t)
	wrong := 0
	for i := range 60 {
		from := auth.Client{Address: fmt.Sprintf("203.0.113.%d", i)}
		_, _, err := f.SignIn(ctx, "officer", "officer-sample", from)
		step, ok := errors.AsType[*auth.StepNeeded](err)
		if !ok {
			t.Fatal(err)
		}
		switch _, _, err := f.SignInCode(ctx, step.Secret, "12345", from); {
		case errs.Is(err, errs.Invalid):
			wrong++
		case !errs.Is(err, errs.Busy):
			t.Fatal(err)
		}
	}
	if wrong != 20 {
		t.Errorf("%d codes were tried, want 20", wrong)
	}
	f.pass(16 * time.Minute)
	if _, q, err := f.SignInCode(ctx, f.password(t), d.at(t, f.now()), here); err != nil || q.ID != p.ID {
		t.Errorf("a quarter of an hour later: %v", err)
	}
}

// TestStepEnds: what waits for a code lives five minutes, and not beyond a new
// password or a closed account; another browser has no part in it.
func TestStepEnds(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	d, p, _, _ := f.withFactor(t)
	over := func(name, step string) {
		t.Helper()
		if _, _, err := f.SignInCode(ctx, step, d.at(t, f.now()), here); !errs.Is(err, errs.Unauthenticated) || f.StepOpen(step) {
			t.Errorf("%s: %v", name, err)
		}
	}
	step := f.password(t)
	f.pass(5 * time.Minute)
	over("five minutes later", step)
	over("without one", "")
	over("a made-up one", "abc")
	step = f.password(t)
	if err := f.SetDisabled(ctx, p.ID, true); err != nil {
		t.Fatal(err)
	}
	over("closed meanwhile", step)
	if err := f.SetDisabled(ctx, p.ID, false); err != nil {
		t.Fatal(err)
	}
	step = f.password(t)
	if err := f.SetPassword(ctx, p.ID, "river stone under ice"); err != nil {
		t.Fatal(err)
	}
	over("another password meanwhile", step)
}

// TestProveWithFactor: where there is a second factor, the password alone proves
// nothing.
func TestProveWithFactor(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	d, p, cookie, _ := f.withFactor(t)
	f.pass(time.Hour)
	_, session, err := f.Session(ctx, cookie)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"", "000000", "abcdefghijklmnop"} {
		if _, err := f.Prove(ctx, p, session, "officer-sample", code, here); !errs.Is(err, errs.Invalid) {
			t.Errorf("with code %q: %v", code, err)
		}
	}
	if _, err := f.Prove(ctx, p, session, "wrong", d.at(t, f.now()), here); !errs.Is(err, errs.Invalid) {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := f.Prove(ctx, p, session, "officer-sample", d.at(t, f.now()), here); err != nil {
		t.Error(err)
	}
}

// TestKeyFile: the key lies beside the database, for its owner only; with another
// one, or in another account's row, secrets are not read, and recovery codes work.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, key := filepath.Join(dir, "plateau.db"), filepath.Join(dir, auth.KeyFile)
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	open := func(path string) *fixture {
		t.Helper()
		f := &fixture{db: d, at: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)}
		o := cheap
		if o.Sealer, err = auth.OpenSealer(path); err != nil {
			t.Fatal(err)
		}
		f.Service = auth.New(d, f.now, o)
		return f
	}
	f := open(key)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := f.EnsureSamples(t.Context(), "E1", "", ""); err != nil {
		t.Fatal(err)
	}
	dev, p, _, codes := f.withFactor(t)
	again := open(key)
	again.pass(time.Hour)
	if _, _, err := again.SignInCode(t.Context(), again.password(t), dev.at(t, again.now()), here); err != nil {
		t.Errorf("after another start: %v", err)
	}
	stranger := open(filepath.Join(dir, "other.key"))
	stranger.pass(2 * time.Hour)
	if _, _, err := stranger.SignInCode(t.Context(), stranger.password(t), dev.at(t, stranger.now()), here); err == nil || errs.Is(err, errs.Invalid) {
		t.Errorf("with another key: %v", err)
	}
	if _, _, err := stranger.SignInCode(t.Context(), stranger.password(t), codes[0], here); err != nil {
		t.Errorf("a recovery code with another key: %v", err)
	}
	another, err := f.UserByLogin(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), `UPDATE second_factors SET user_id = $2, confirmed_at = NULL WHERE user_id = $1`, p.ID, another.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.PendingFactor(t.Context(), another.ID); err == nil {
		t.Error("a secret is read in another account's row")
	}
	if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.OpenSealer(key); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("a damaged key: %v", err)
	}
}

// TestLinks: a link sets the password once, within a day, and is not spent by
// being looked at or by a password that is not taken.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			d, p, cookie, _ := f.withFactor(t)
			key, err := f.MakeLink(ctx, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if u, err := f.LinkUser(ctx, key); err != nil || u.ID != p.ID {
					t.Fatalf("%+v, %v", u, err)
				}
			}
			if err := f.SpendLink(ctx, key, "password1234"); !errs.Is(err, errs.Invalid) {
				t.Errorf("a known password: %v", err)
			}
			var wg sync.WaitGroup
			var set atomic.Int32
			for range 5 {
				wg.Go(func() {
					if err := f.SpendLink(ctx, key, "river stone under ice"); err == nil {
						set.Add(1)
					} else if !errs.Is(err, errs.NotFound) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if set.Load() != 1 {
				t.Errorf("one link was spent %d times", set.Load())
			}
			if _, _, err := f.Session(ctx, cookie); err == nil {
				t.Error("a session outlives the password")
			}
			_, _, err = f.SignIn(ctx, "officer", "river stone under ice", here)
			step, ok := errors.AsType[*auth.StepNeeded](err)
			if !ok {
				t.Fatalf("the link took the second factor away: %v", err)
			}
			if _, _, err := f.SignInCode(ctx, step.Secret, d.at(t, f.now()), here); err != nil {
				t.Error(err)
			}
			old, err := f.MakeLink(ctx, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			late, err := f.MakeLink(ctx, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			gone := func(name, key string) {
				t.Helper()
				if _, err := f.LinkUser(ctx, key); !errs.Is(err, errs.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
				if err := f.SpendLink(ctx, key, "another good phrase"); !errs.Is(err, errs.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			gone("a link with a newer one", old)
			gone("a made-up link", "abc")
			gone("no link", "")
			if err := f.SetDisabled(ctx, p.ID, true); err != nil {
				t.Fatal(err)
			}
			gone("of a closed account", late)
			if err := f.SetDisabled(ctx, p.ID, false); err != nil {
				t.Fatal(err)
			}
			f.pass(auth.LinkLife)
			gone("a day later", late)
		})
	}
}
