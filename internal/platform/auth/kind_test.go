package auth_test

import (
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// TestKindsNameWhatTheyAreFor: an account of a kind that the policy binds to an
// area or an enterprise is not made without one, and what it names is what it
// holds.
func TestKindsNameWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	for _, tt := range []struct {
		kind, area, enterprise string
		good                   bool
	}{
		{"supervisor_county", "", "", false},
		{"supervisor_county", "540121", "", true},
		{"supervisor_city", "", "", false},
		{"supervisor_region", "", "", true},
		{"maintainer", "540121", "", false},
		{"maintainer", "", "E1", true},
		{"auditor", "", "", true},
		{"platform.operator", "", "", false}, // a role, not a kind of account
	} {
		u, err := f.CreateUser(ctx, auth.User{Login: tt.kind + tt.area, Post: auth.Post{Zh: tt.kind}, Role: auth.Role(tt.kind), Area: tt.area, Enterprise: tt.enterprise}, "long enough")
		if good := err == nil; good != tt.good || !good && !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %v", tt, err)
		}
		if err != nil {
			continue
		}
		if _, p, err := f.SignIn(ctx, u.Login, "long enough", auth.Client{Address: "192.0.2.1"}); err != nil || len(p.Grants()) == 0 || p.Grants()[0].Area != tt.area || p.Grants()[0].Organisation != tt.enterprise {
			t.Errorf("%+v: %+v, %v", tt, p.Grants(), err)
		}
	}
	if len(auth.Principal{ID: "x"}.Grants()) != 0 || len((auth.Principal{}).Grants()) != 0 {
		t.Error("nobody holds something")
	}
}
