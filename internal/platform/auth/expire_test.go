package auth_test

import (
	"testing"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// TestExpire: what has served is dropped, and nothing that still opens.
func TestExpire(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			_, p, _, codes := f.withFactor(t)
			if _, _, err := f.SignInCode(ctx, f.password(t), codes[0], here); err != nil {
				t.Fatal(err)
			}
			if _, err := f.MakeLink(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			day := 24 * time.Hour
			short, _, err := f.CreateToken(ctx, p.ID, "short", "", f.now().Add(day))
			if err != nil {
				t.Fatal(err)
			}
			long, _, err := f.CreateToken(ctx, p.ID, "long", "", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			count := func() (n [4]int) {
				t.Helper()
				for i, table := range []string{"sessions", "password_links", "recovery_codes", "api_tokens"} {
					if err := f.db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n[i]); err != nil {
						t.Fatal(err)
					}
				}
				return n
			}
			expire := func(n int64, want [4]int) {
				t.Helper()
				if got, err := f.Expire(ctx, f.now().Add(-184*day)); err != nil || got != n || count() != want {
					t.Errorf("%d rows went, %v are left, want %d and %v; %v", got, count(), n, want, err)
				}
			}
			expire(1, [4]int{2, 1, 9, 2}) // the code that was used
			f.pass(25 * time.Hour)
			fresh := f.signIn(t, "operator")
			expire(1, [4]int{1, 0, 9, 2}) // the link; signing in has dropped the idle sessions
			if _, _, err := f.Session(ctx, fresh); err != nil {
				t.Error(err)
			}
			f.pass(8 * day)
			expire(1, [4]int{0, 0, 9, 2})
			f.pass(180 * day)
			expire(1, [4]int{0, 0, 9, 1})
			if _, err := f.Bearer(ctx, short); !errs.Is(err, errs.Unauthenticated) {
				t.Error(err)
			}
			if _, err := f.Bearer(ctx, long); err != nil {
				t.Error(err)
			}
		})
	}
}
