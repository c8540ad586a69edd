package auth

import (
	"context"
	"time"

	"plateau/internal/platform/access"
)

// Role is what kind of account it is; which roles that holds stands in the policy
// (access.Policy.Account).
type Role string

// The kinds that the program itself names.
const (
	Officer  Role = "officer"    // duty officer of an authority
	Business Role = "enterprise" // somebody of a discharging unit; sees its own outlets
	Operator Role = "operator"   // runs the installation, keeps registry and loggers
)

// Valid reports whether the policy knows accounts of this kind.
func (r Role) Valid() bool { return access.Default().HasAccount(string(r)) }

// Post is the name of a post in the three languages; Zh is always there.
// People are shown by their post, not by their name.
type Post struct{ Zh, Bo, En string }

// In returns the post in lang (zh, bo, en), in Chinese where that is missing.
func (p Post) In(lang string) string {
	switch {
	case lang == "bo" && p.Bo != "":
		return p.Bo
	case lang == "en" && p.En != "":
		return p.En
	}
	return p.Zh
}

// Principal is who acts. The zero value is nobody.
type Principal struct {
	ID         string // user id; "system" for the program itself
	Login      string
	Post       Post
	Role       Role
	Area       string      // area code whose subtree they are responsible for; "" = all
	Enterprise string      // whose outlets they are for, where the role reaches by organisation
	Token      bool        // came with an API token, not with a session
	Only       access.Only // what the token is for; "" = all that the account may
	Acting     string      // id of the appointment or delegation they act in; "" = by the kind of the account
	OnBehalfOf string      // account id of the holder whose post was delegated to them; "" = nobody
	Unsettled  bool        // must set a second factor up first, and until then opens its own pages only

	until time.Time // end of that appointment or delegation; zero = open
}

// System is the program itself, for changes that no person asked for.
var System = Principal{ID: "system", Post: Post{Zh: "系统", En: "system"}, Role: Operator}

// Grants are what p may do, where; nothing for nobody.
func (p Principal) Grants() access.Grants {
	return access.Default().Account(string(p.Role), p.Area, p.Enterprise).Narrowed(p.Only)
}

// Known reports whether p is anybody.
func (p Principal) Known() bool { return p.ID != "" }

type principalKey struct{}

// With returns ctx carrying p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who acts; the zero Principal when nobody signed in.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
