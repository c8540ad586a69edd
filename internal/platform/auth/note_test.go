package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// entries are those of a filter, the oldest first.
func (f *fixture) entries(t *testing.T, filter audit.Filter) (out []audit.Entry) {
	t.Helper()
	if err := audit.List(t.Context(), f.db, filter, func(e *audit.Entry) bool { out = append([]audit.Entry{*e}, out...); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

// detail is what an entry says beside its fields.
func detail(t *testing.T, e audit.Entry) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.Detail), &out); err != nil {
		t.Fatalf("%s: %q: %v", e.Act, e.Detail, err)
	}
	return out
}

// TestActsAreRecorded: every act on an account leaves one entry with who did it,
// from where and to whom, and none holds a secret.
func TestActsAreRecorded(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, database.URL(t))
			web := audit.WithAddress(t.Context(), "192.0.2.1")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			operator, err := f.UserByLogin(web, "operator")
			must(err)
			by := auth.With(web, auth.Principal{ID: operator.ID, Post: operator.Post})
			u, err := f.AddUser(by, auth.User{Login: "duty1", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer})
			must(err)
			var secrets, got []string
			from := len(f.entries(t, audit.Filter{}))
			act := func(ctx context.Context, fn func(ctx context.Context) error) {
				t.Helper()
				must(fn(ctx))
				f.pass(time.Second)
			}
			keep := func(s ...string) { secrets = append(secrets, s...) }
			act(by, func(ctx context.Context) error { key, err := f.MakeLink(ctx, u.ID); keep(key); return err })
			act(web, func(ctx context.Context) error { return f.SpendLink(ctx, secrets[0], "river stone under ice") })
			var cookie string
			var p auth.Principal
			var session auth.Session
			again := func() {
				t.Helper()
				p, session, err = f.Session(web, cookie)
				must(err)
				keep(cookie, "river stone under ice", "another good phrase")
			}
			act(web, func(ctx context.Context) error {
				cookie, _, err = f.SignIn(ctx, "duty1", "river stone under ice", here)
				return err
			})
			again()
			own := auth.With(web, p)
			act(own, func(ctx context.Context) error {
				cookie, err = f.Prove(ctx, p, session, "river stone under ice", "", here)
				return err
			})
			again()
			act(own, func(ctx context.Context) error {
				cookie, err = f.ChangePassword(ctx, p, session, "river stone under ice", "another good phrase", here)
				return err
			})
			again()
			act(own, func(ctx context.Context) error { return f.BeginFactor(ctx, p.ID) })
			key, err := f.PendingFactor(web, p.ID)
			must(err)
			keep(key)
			var codes []string
			act(own, func(ctx context.Context) error {
				cookie, codes, err = f.ConfirmFactor(ctx, p, session, device{key}.at(t, f.now()), here)
				return err
			})
			keep(codes...)
			again()
			act(own, func(ctx context.Context) error {
				codes, err = f.NewRecoveryCodes(ctx, p.ID)
				keep(codes...)
				return err
			})
			_, _, err = f.SignIn(web, "duty1", "another good phrase", here) // the step between is no sign-in
			step, ok := errors.AsType[*auth.StepNeeded](err)
			if !ok {
				t.Fatal(err)
			}
			var second string
			act(web, func(ctx context.Context) error {
				second, _, err = f.SignInCode(ctx, step.Secret, codes[0], here)
				keep(second, step.Secret)
				return err
			})
			act(own, func(ctx context.Context) error { return f.EndOthers(ctx, p.ID, session.ID) })
			act(own, func(ctx context.Context) error { return f.EndOthers(ctx, p.ID, session.ID) }) // nothing to end: no entry
			act(by, func(ctx context.Context) error { return f.RemoveFactor(ctx, p.ID) })
			act(web, func(ctx context.Context) error {
				second, _, err = f.SignIn(ctx, "duty1", "another good phrase", here)
				keep(second)
				return err
			})
			_, other, err := f.Session(web, second)
			must(err)
			act(own, func(ctx context.Context) error { return f.EndSession(ctx, p.ID, other.ID) })
			act(own, func(ctx context.Context) error { return f.SignOut(ctx, cookie) })
			act(own, func(ctx context.Context) error { return f.SignOut(ctx, cookie) }) // it is over already
			var token, id string
			act(own, func(ctx context.Context) error {
				token, id, err = f.CreateToken(ctx, p.ID, "export", "", time.Time{})
				keep(token)
				return err
			})
			shell := audit.WithShell(t.Context(), "root")
			act(shell, func(ctx context.Context) error { return f.RevokeToken(ctx, id) })
			act(shell, func(ctx context.Context) error { return f.SetPassword(ctx, p.ID, "a third good phrase") })
			act(shell, func(ctx context.Context) error { return f.SetDisabled(ctx, p.ID, true) })
			act(shell, func(ctx context.Context) error { return f.SetDisabled(ctx, p.ID, false) })
			// What is refused or fails leaves none.
			if err := f.RevokeToken(shell, id); !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
			if err := f.RemoveFactor(shell, p.ID); !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
			if err := f.SetDisabled(shell, "nobody", true); !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
			if _, err := f.AddUser(by, auth.User{Login: "duty1", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer}); !errs.Is(err, errs.Conflict) {
				t.Error(err)
			}

			all := f.entries(t, audit.Filter{})[from:]
			for _, e := range all {
				who := e.Who
				switch who {
				case operator.ID:
					who = "operator"
				case u.ID:
					who = "own"
				}
				if e.System != "platform" || e.Kind != "account" || e.Ref != u.ID || len(e.Subjects) != 1 || e.Subjects[0] != u.ID {
					t.Errorf("%+v", e)
				}
				if who == "system" {
					if d := detail(t, e); d["shell"] != "root" || e.Address != "" {
						t.Errorf("%+v", e)
					}
				} else if e.Address != "192.0.2.1" || e.Post == "" {
					t.Errorf("%+v", e)
				}
				for _, s := range append(secrets, "a third good phrase") {
					if strings.Contains(fmt.Sprintf("%+v", e), s) {
						t.Errorf("%s holds a secret: %s", e.Act, e.Detail)
					}
				}
				got = append(got, who+" "+e.Act)
			}
			if d := cmp.Diff([]string{
				"operator account.link", "own account.password", "own account.sign_in", "own account.prove", "own account.password", "own account.factor_begin",
				"own account.factor_confirm", "own account.codes", "own account.code_used", "own account.sign_in", "own account.sessions_end", "operator account.factor_remove",
				"own account.sign_in", "own account.session_end", "own account.sign_out", "own account.token_make",
				"system account.token_revoke", "system account.password", "system account.close", "system account.open",
			}, got); d != "" {
				t.Error(d)
			}
			made := f.entries(t, audit.Filter{Act: "account.create", Ref: u.ID})
			if len(made) != 1 || made[0].Who != operator.ID || detail(t, made[0])["login"] != "duty1" || detail(t, made[0])["role"] != "officer" {
				t.Errorf("%+v", made)
			}
			if r, err := audit.Verify(t.Context(), f.db); err != nil || !r.OK() {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestFailedSignIns: tries are counted by account and written now and then, so
// that whoever tries cannot fill the record; logins that there are not share one.
func TestFailedSignIns(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			officer, err := f.UserByLogin(ctx, "officer")
			if err != nil {
				t.Fatal(err)
			}
			try := func(login, address string) {
				t.Helper()
				if _, _, err := f.SignIn(ctx, login, "a wrong one", auth.Client{Address: address}); !errs.Is(err, errs.Unauthenticated) {
					t.Fatal(err)
				}
			}
			failed := func() []audit.Entry { return f.entries(t, audit.Filter{Act: "account.sign_in_failed"}) }
			if err := f.NoteFailures(ctx); err != nil || len(failed()) != 0 {
				t.Fatalf("%v, %+v", err, failed())
			}
			for i := range 30 {
				try("officer", fmt.Sprintf("192.0.2.%d", i/4))
				try(fmt.Sprintf("nobody%d", i), fmt.Sprintf("198.51.100.%d", i))
				f.pass(time.Second)
			}
			if n := len(failed()); n != 0 {
				t.Errorf("%d entries before it is time", n)
			}
			drop := `ALTER TABLE audit_entries RENAME TO gone`
			if _, err := f.db.Exec(ctx, drop); err != nil {
				t.Fatal(err)
			}
			if err := f.NoteFailures(ctx); err == nil {
				t.Error("what could not be written was taken for written")
			}
			if _, err := f.db.Exec(ctx, `ALTER TABLE gone RENAME TO audit_entries`); err != nil {
				t.Fatal(err)
			}
			try("officer", "192.0.2.200")
			if err := f.NoteFailures(ctx); err != nil {
				t.Fatal(err)
			}
			got := failed()
			if len(got) != 2 {
				t.Fatalf("%+v", got)
			}
			for _, e := range got {
				d := detail(t, e)
				switch e.Ref {
				case officer.ID:
					if e.Who != "system" || d["n"] != 31.0 || d["codes"] != 0.0 || d["addresses"] != 9.0 || !strings.HasPrefix(e.Address, "192.0.2.0 192.0.2.1 ") || e.Subjects[0] != officer.ID {
						t.Errorf("%+v", e)
					}
				case "":
					if d["n"] != 30.0 || len(e.Subjects) != 0 || len(strings.Fields(e.Address)) != 30 {
						t.Errorf("%+v", e)
					}
				default:
					t.Errorf("%+v", e)
				}
			}
			if err := f.NoteFailures(ctx); err != nil || len(failed()) != 2 {
				t.Errorf("%v: written twice: %+v", err, failed())
			}
			_, p, _, _ := f.withFactor(t)
			if _, _, err := f.SignInCode(ctx, f.password(t), "123456", here); !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			if err := f.NoteFailures(ctx); err != nil {
				t.Fatal(err)
			}
			if last := failed()[2]; last.Ref != p.ID || detail(t, last)["codes"] != 1.0 {
				t.Errorf("%+v", last)
			}
		})
	}
}
