package access

import (
	"slices"
	"strings"
)

// Permission is something to be allowed, with its system: telemetry.view. Its
// words are the catalogue key "permission."+p. The zero value is held by nobody.
type Permission string

// Open is what needs no permission, not even to be signed in.
const Open Permission = "open"

// Reach is how far a permission of a role goes.
type Reach string

// The reaches.
const (
	InArea         Reach = "area"         // objects within the post's area
	OfOrganisation Reach = "organisation" // objects of the post's organisation, within its area where it names one
	Anywhere       Reach = "any"
)

// Grant is a role that somebody holds, for an area and an organisation.
type Grant struct {
	Role         string // with its system: telemetry.officer
	Area         string // code whose subtree it is held for; "" = all areas
	Organisation string // whose objects it is held for; "" = of none
	Only         Only   // what of it is held; "" = all
}

// Only narrows what is held to the permissions it names: words separated by
// spaces, each a permission (telemetry.view), a system (telemetry) or Reading.
// It adds nothing. Policy.Narrow makes it; "" narrows nothing.
type Only string

// Reading is the word for all permissions that change nothing.
const Reading = "read"

// Grants are all that somebody holds; none is nobody.
type Grants []Grant

// Key is the same for those who may the same; it is for comparing and for maps.
func (g Grants) Key() string {
	var b strings.Builder
	for _, x := range g {
		b.WriteString(x.Role + "\x00" + x.Area + "\x00" + x.Organisation + "\x00" + string(x.Only) + "\x01")
	}
	return b.String()
}

// Object is what a permission is asked for, as far as that decides. The zero
// value is the installation as a whole.
type Object struct {
	Area         string // code; "" = in none
	Organisation string // whose it is; "" = of none
}

// Areas is the tree of areas.
type Areas interface {
	// Within reports whether an area is another one or lies below it.
	Within(code, above string) bool
}

// Scope is a set of objects: those for which somebody holds one permission.
type Scope struct {
	parts []part
	areas Areas
}

// part is what one grant adds to a scope.
type part struct {
	reach        Reach
	area         string
	organisation string
}

// Scope is where a permission is held, to filter a list with. The tree may be nil
// when no grant names an area.
func (p *Policy) Scope(g Grants, perm Permission, areas Areas) Scope {
	s := Scope{areas: areas}
	for _, x := range g {
		reach, ok := p.reach(x.Role, perm)
		if ok && p.allows(x.Only, perm) && (reach != OfOrganisation || x.Organisation != "") {
			s.parts = append(s.parts, part{reach, x.Area, x.Organisation})
		}
	}
	return s
}

// Contains reports whether an object is in the scope.
func (s Scope) Contains(o Object) bool {
	return slices.ContainsFunc(s.parts, func(x part) bool { return x.covers(o, s.areas) })
}

// All reports whether the scope holds everything, the installation included.
func (s Scope) All() bool { return s.Contains(Object{}) }

// None reports whether nothing is in the scope.
func (s Scope) None() bool { return len(s.parts) == 0 }

// Regional reports whether the scope holds whole areas, not objects of some
// organisations only.
func (s Scope) Regional() bool {
	return slices.ContainsFunc(s.parts, func(x part) bool { return x.reach != OfOrganisation })
}

func (x part) covers(o Object, areas Areas) bool {
	switch {
	case x.reach == Anywhere:
		return true
	case x.reach == OfOrganisation && o.Organisation != x.organisation:
		return false
	}
	return x.area == "" || o.Area != "" && areas != nil && areas.Within(o.Area, x.area)
}

// May reports whether a permission is held for an object.
func (p *Policy) May(g Grants, perm Permission, o Object, areas Areas) bool {
	return perm == Open || p.Scope(g, perm, areas).Contains(o)
}

// Opens reports whether an address that asks for a permission is open at all: for
// one about objects it must be held for some, and the address asks again which.
func (p *Policy) Opens(g Grants, perm Permission) bool {
	if perm == Open {
		return true
	}
	s := p.Scope(g, perm, nil)
	if p.OfInstallation(perm) {
		return s.All()
	}
	return !s.None()
}

// Route is an address of the program with the permission that opens it.
type Route struct {
	Method string
	Path   string // as net/http writes patterns
	May    Permission
}
