package auth_test

import (
	"errors"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// TestTokenReach: a token is for what it names, ends within the longest life, and
// tells when it was used; one of before keeps what it had.
func TestTokenReach(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			u, err := f.UserByLogin(ctx, "operator")
			if err != nil {
				t.Fatal(err)
			}
			token, id, err := f.CreateToken(ctx, u.ID, "reader", "read", f.now().Add(24*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			list, err := f.Tokens(ctx, u.ID)
			if err != nil || len(list) != 1 || list[0].ID != id || list[0].Only != "read" || !list[0].Used.IsZero() {
				t.Fatalf("%+v, %v", list, err)
			}
			for _, wait := range []time.Duration{0, time.Minute, 5 * time.Minute} {
				f.pass(wait)
				p, err := f.Bearer(ctx, token)
				if err != nil || p.Only != "read" || !p.Token || p.Login != "operator" {
					t.Fatalf("%+v, %v", p, err)
				}
			}
			if list, err = f.Tokens(ctx, u.ID); err != nil || !list[0].Used.Equal(f.now()) {
				t.Errorf("last used %s, now %s, %v", list[0].Used, f.now(), err)
			}
			year := 365 * 24 * time.Hour
			for _, life := range []time.Duration{-time.Hour, year + time.Second} {
				_, _, err := f.CreateToken(ctx, u.ID, "x", "", f.now().Add(life))
				if e, ok := errors.AsType[*errs.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Name != "days" || e.Fields[0].Key != "err.auth.token_life" {
					t.Errorf("a life of %s: %v", life, err)
				}
			}
			if _, _, err := f.CreateToken(ctx, u.ID, "x", "", time.Time{}); err != nil {
				t.Fatal(err)
			}
			if list, err = f.Tokens(ctx, u.ID); err != nil || !list[0].Expires.Equal(f.now().Add(year)) {
				t.Errorf("%+v, %v", list, err)
			}
			short := auth.New(f.db, f.now, auth.Options{Cost: cheap.Cost, Most: 48 * time.Hour})
			if _, _, err := short.CreateToken(ctx, u.ID, "x", "", f.now().Add(49*time.Hour)); !errs.Is(err, errs.Invalid) {
				t.Errorf("longer than the installation allows: %v", err)
			}

			// A row as it was written before tokens had a reach and an end.
			if _, err := f.db.Exec(ctx, `UPDATE api_tokens SET expires_at = NULL, scope = '', used_at = NULL WHERE id = $1`, id); err != nil {
				t.Fatal(err)
			}
			f.pass(2 * year)
			if p, err := f.Bearer(ctx, token); err != nil || p.Only != "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}
