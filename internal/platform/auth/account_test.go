package auth_test

import (
	"slices"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// TestAccountsOfAll: accounts with what those see who keep them.
func TestAccountsOfAll(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			made := f.now()
			_, p, _, _ := f.withFactor(t)
			if _, err := f.AddUser(ctx, auth.User{Login: "duty1", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer}); err != nil {
				t.Fatal(err)
			}
			all, err := f.Accounts(ctx)
			all = slices.DeleteFunc(all, func(x auth.Account) bool { return x.Login == "clerk" || x.Login == "county" || x.Login == "water" })
			if err != nil || len(all) != 4 || all[0].Login != "duty1" || all[0].Password || !all[0].SignedIn.IsZero() || all[1].Factor || !all[1].Password {
				t.Fatalf("%+v, %v", all, err)
			}
			f.pass(time.Hour)
			signedIn := f.now()
			f.signIn(t, "enterprise")
			for _, want := range []struct {
				login    string
				factor   bool
				sessions int
				signedIn time.Time
			}{{"officer", true, 1, made}, {"enterprise", false, 1, signedIn}, {"operator", false, 0, time.Time{}}} {
				u, err := f.UserByLogin(ctx, want.login)
				if err != nil {
					t.Fatal(err)
				}
				if a, err := f.Account(ctx, u.ID); err != nil || a.Factor != want.factor || a.Sessions != want.sessions || !a.SignedIn.Equal(want.signedIn) || !a.Created.Equal(made) {
					t.Errorf("%s: %+v, %v", want.login, a, err)
				}
			}
			if _, err := f.Account(ctx, "none"); !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
			if err := f.CloseOther(ctx, p, p.ID, true); !errs.Is(err, errs.Conflict) {
				t.Error(err)
			}
		})
	}
}
