package access

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

// File is the name of the policy in messages.
const File = "policy.toml"

//go:embed policy.toml
var text []byte

// Default is the policy that comes with the program.
var Default = sync.OnceValue(func() *Policy {
	p, err := Parse(text)
	if err != nil {
		panic(err) // the file is embedded, and a test reads it
	}
	return p
})

// Policy is a policy that has been checked. It does not change.
type Policy struct {
	systems  map[string]*system
	accounts map[string][]string
	appoints map[string][]string // kind of account → kinds of posts
}

type system struct {
	permissions map[string]string           // name → object or installation
	roles       map[string]map[string]Reach // name → permission → reach
	seats       map[string]string           // role → level of the area it must name
	reading     map[string]bool             // permissions that change nothing
}

const installation = "installation"

// Known reports whether the policy has a permission.
func (p *Policy) Known(perm Permission) bool {
	if perm == Open {
		return true
	}
	sys, name, _ := strings.Cut(string(perm), ".")
	s := p.systems[sys]
	return s != nil && s.permissions[name] != ""
}

// Declared panics unless a route says which permission of the policy opens it:
// the program does not start with one that does not.
func (p *Policy) Declared(method, path string, perm Permission) {
	if !p.Known(perm) {
		panic(fmt.Sprintf("route %s %s asks for %q; declare a permission of %s, or access.Open", method, path, perm, File))
	}
}

// OfInstallation reports whether a permission is about the installation as a whole.
func (p *Policy) OfInstallation(perm Permission) bool {
	sys, name, _ := strings.Cut(string(perm), ".")
	s := p.systems[sys]
	return s != nil && s.permissions[name] == installation
}

func (p *Policy) reach(role string, perm Permission) (Reach, bool) {
	sys, name, _ := strings.Cut(role, ".")
	permSys, permName, _ := strings.Cut(string(perm), ".")
	s := p.systems[sys]
	if s == nil || sys != permSys {
		return "", false
	}
	r, ok := s.roles[name][permName]
	return r, ok
}

// Accounts lists what an account may be, in the order of the alphabet.
func (p *Policy) Accounts() []string { return slices.Sorted(maps.Keys(p.accounts)) }

// HasAccount reports whether there are accounts of a kind.
func (p *Policy) HasAccount(kind string) bool { return p.accounts[kind] != nil }

// ForPerson reports whether an account of a kind is somebody's. A kind without the
// role platform.person is for services: nobody signs in there.
func (p *Policy) ForPerson(kind string) bool {
	return slices.Contains(p.accounts[kind], "platform.person")
}

// Account is what an account of a kind holds, for an area and an organisation;
// nothing when there is no such kind.
func (p *Policy) Account(kind, area, organisation string) Grants {
	var g Grants
	for _, role := range p.accounts[kind] {
		g = append(g, Grant{Role: role, Area: area, Organisation: organisation})
	}
	return g
}

// MayAppoint reports whether an account of a kind may appoint to posts of another
// one; where, is asked by May.
func (p *Policy) MayAppoint(kind, post string) bool { return slices.Contains(p.appoints[kind], post) }

// Appoints lists the kinds of posts that an account of a kind may appoint to.
func (p *Policy) Appoints(kind string) []string { return slices.Clone(p.appoints[kind]) }

// NeedsOrganisation reports whether an account of a kind must name the
// organisation it is for.
func (p *Policy) NeedsOrganisation(kind string) bool {
	return slices.ContainsFunc(p.accounts[kind], func(role string) bool {
		sys, name, _ := strings.Cut(role, ".")
		return slices.Contains(slices.Collect(maps.Values(p.systems[sys].roles[name])), OfOrganisation)
	})
}

// Seat is the level of the area that an account of a kind must name; "" when it
// need not name one.
func (p *Policy) Seat(kind string) string {
	for _, role := range p.accounts[kind] {
		if level := p.SeatOf(role); level != "" {
			return level
		}
	}
	return ""
}

// SeatOf is the level of the area that a post of a role must name; "" when it need
// not name one.
func (p *Policy) SeatOf(role string) string {
	sys, name, _ := strings.Cut(role, ".")
	if s := p.systems[sys]; s != nil {
		return s.seats[name]
	}
	return ""
}

// Systems lists the systems in the order of the alphabet.
func (p *Policy) Systems() []string { return slices.Sorted(maps.Keys(p.systems)) }

// Permissions lists those of a system.
func (p *Policy) Permissions(sys string) []Permission {
	var out []Permission
	for _, name := range slices.Sorted(maps.Keys(p.systems[sys].permissions)) {
		out = append(out, Permission(sys+"."+name))
	}
	return out
}

// Roles lists the roles of a system, with it: telemetry.officer.
func (p *Policy) Roles(sys string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.systems[sys].roles)) {
		out = append(out, sys+"."+name)
	}
	return out
}

// Reach is how far a permission of a role goes; "" when the role does not hold it.
func (p *Policy) Reach(role string, perm Permission) Reach {
	r, _ := p.reach(role, perm)
	return r
}

// Parse reads a policy strictly. The error names every fault by line, with what
// to do about it.
func Parse(text []byte) (*Policy, error) {
	var tree map[string]map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, fmt.Errorf("%s:%d: is no TOML: %s", File, at.Position.Line, at.Message)
		}
		return nil, fmt.Errorf("%s:1: %w; write tables only", File, err)
	}
	r := &reader{text: strings.Split(string(text), "\n"), p: &Policy{systems: map[string]*system{}, accounts: map[string][]string{}, appoints: map[string][]string{}}}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if name != "accounts" && name != "appoints" {
			r.permissions(name, tree[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if name != "accounts" && name != "appoints" {
			r.system(name, tree[name])
		}
	}
	r.accounts(tree["accounts"])
	r.appoints(tree["appoints"])
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b fault) int { return a.line - b.line })
		var all []error
		for _, f := range r.faults {
			all = append(all, fmt.Errorf("%s:%d: %s", File, f.line, f.text))
		}
		return nil, errors.Join(all...)
	}
	return r.p, nil
}

type fault struct {
	line int
	text string
}

type reader struct {
	text   []string
	p      *Policy
	faults []fault
}

// add notes a fault at a key of a table; key "" is the table itself.
func (r *reader) add(table, key, format string, args ...any) {
	r.faults = append(r.faults, fault{r.line(table, key), fmt.Sprintf(format, args...)})
}

// line is where a key of a table stands, counted from 1.
func (r *reader) line(table, key string) int {
	in, at := "", 1
	for i, l := range r.text {
		l, _, _ = strings.Cut(l, "#")
		l = strings.TrimSpace(l)
		if head, ok := strings.CutPrefix(l, "["); ok {
			in = strings.Trim(head, "[] ")
			if in == table || at == 1 && strings.HasPrefix(in, table+".") {
				at = i + 1
			}
			continue
		}
		name, _, ok := strings.Cut(l, "=")
		if ok && in == table && key != "" && strings.Trim(strings.TrimSpace(name), `"`) == key {
			return i + 1
		}
	}
	return at
}

// table gives a part of a system as a table.
func (r *reader) table(name string, v any) map[string]any {
	t, ok := v.(map[string]any)
	if !ok && v != nil {
		r.add(name, "", "%s is no table; write [%s]", name, name)
	}
	return t
}

func (r *reader) permissions(sys string, t map[string]any) {
	s := &system{permissions: map[string]string{}, roles: map[string]map[string]Reach{}, seats: map[string]string{}, reading: map[string]bool{}}
	r.p.systems[sys] = s
	table := sys + ".permissions"
	list := r.table(table, t["permissions"])
	if len(list) == 0 {
		r.add(sys, "", "system %s has no permissions; list them under [%s]", sys, table)
	}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		switch about := list[name]; about {
		case "object", installation:
			s.permissions[name] = about.(string)
		default:
			r.add(table, name, "%s is about %v; write \"object\" or \"installation\"", name, about)
		}
	}
}

func (r *reader) system(sys string, t map[string]any) {
	for _, part := range slices.Sorted(maps.Keys(t)) {
		table := sys + "." + part
		switch part {
		case "permissions": // read before
		case "roles":
			roles := r.table(table, t[part])
			for _, name := range slices.Sorted(maps.Keys(roles)) {
				r.role(sys, name, r.table(table+"."+name, roles[name]))
			}
		case "reading":
			r.reading(sys, r.table(table, t[part]))
		case "seats", "apart": // below, when the roles are known
		default:
			r.add(table, "", "%s is no part of a system; it has permissions, roles, seats, apart, reading", part)
		}
	}
	r.seats(sys, r.table(sys+".seats", t["seats"]))
	r.apart(sys, r.table(sys+".apart", t["apart"]))
	for _, name := range slices.Sorted(maps.Keys(r.p.systems[sys].permissions)) {
		held := false
		for _, role := range r.p.systems[sys].roles {
			held = held || role[name] != ""
		}
		if !held {
			r.add(sys+".permissions", name, "no role holds %s; give it to one, or take it out", name)
		}
	}
}

func (r *reader) role(sys, role string, t map[string]any) {
	s, table := r.p.systems[sys], sys+".roles."+role
	held := map[string]Reach{}
	s.roles[role] = held
	if len(t) == 0 {
		r.add(table, "", "role %s may do nothing; give it a permission, or take it out", role)
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		about := s.permissions[name]
		if about == "" {
			r.unknown(sys, role, name)
			continue
		}
		text, _ := t[name].(string)
		switch reach := Reach(text); {
		case reach == OfOrganisation && about == installation:
			r.add(table, name, "%s is about the installation, which is of no organisation; write \"area\" or \"any\"", name)
		case reach != InArea && reach != OfOrganisation && reach != Anywhere:
			r.add(table, name, "%s reaches %v; write \"area\", \"organisation\" or \"any\"", name, t[name])
		default:
			held[name] = reach
		}
	}
}

// unknown tells of a name that is no permission of the role's system.
func (r *reader) unknown(sys, role, name string) {
	table := sys + ".roles." + role
	for _, other := range slices.Sorted(maps.Keys(r.p.systems)) {
		short := strings.TrimPrefix(name, other+".")
		if other != sys && r.p.systems[other].permissions[short] != "" {
			r.add(table, name, "role %s names %s, a permission of system %s; a role belongs to one system: make a role of %s that holds it", sys+"."+role, short, other, other)
			return
		}
	}
	r.add(table, name, "%s is no permission of %s; it has %s", name, sys, strings.Join(slices.Sorted(maps.Keys(r.p.systems[sys].permissions)), ", "))
}

// reading reads which permissions change nothing.
func (r *reader) reading(sys string, t map[string]any) {
	s := r.p.systems[sys]
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if s.permissions[name] == "" || t[name] != true {
			r.add(sys+".reading", name, "%s = %v; write a permission of %s that changes nothing, with true", name, t[name], sys)
			continue
		}
		s.reading[name] = true
	}
}

func (r *reader) seats(sys string, t map[string]any) {
	levels := []string{"prefecture", "county", "township", "village"}
	for _, role := range slices.Sorted(maps.Keys(t)) {
		level, _ := t[role].(string)
		switch {
		case r.p.systems[sys].roles[role] == nil:
			r.add(sys+".seats", role, "%s is no role of %s; it has %s", role, sys, strings.Join(slices.Sorted(maps.Keys(r.p.systems[sys].roles)), ", "))
		case !slices.Contains(levels, level):
			r.add(sys+".seats", role, "%s sits at %v; write one of %s", role, t[role], strings.Join(levels, ", "))
		default:
			r.p.systems[sys].seats[role] = level
		}
	}
}

// apart reads which permission checks what another one changes: nobody may hold
// both by one role.
func (r *reader) apart(sys string, t map[string]any) {
	s, table := r.p.systems[sys], sys+".apart"
	for _, check := range slices.Sorted(maps.Keys(t)) {
		edit, _ := t[check].(string)
		if s.permissions[check] == "" || s.permissions[edit] == "" {
			r.add(table, check, "%s = %v names what is no permission of %s; write checking = \"changing\"", check, t[check], sys)
			continue
		}
		for _, role := range slices.Sorted(maps.Keys(s.roles)) {
			if s.roles[role][check] != "" && s.roles[role][edit] != "" {
				r.add(sys+".roles."+role, check, "role %s may change (%s) and check (%s); make two roles of it", sys+"."+role, edit, check)
			}
		}
	}
}

func (r *reader) accounts(t map[string]any) {
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		list, _ := t[kind].([]any)
		if len(list) == 0 {
			r.add("accounts", kind, "account %s holds no roles; write a list of them", kind)
		}
		for _, v := range list {
			role, _ := v.(string)
			sys, name, _ := strings.Cut(role, ".")
			if s := r.p.systems[sys]; s == nil || s.roles[name] == nil {
				r.add("accounts", kind, "%v is no role; write it with its system, such as telemetry.officer", v)
				continue
			}
			r.p.accounts[kind] = append(r.p.accounts[kind], role)
		}
	}
}

// appoints reads which kinds of accounts appoint to posts of which kinds.
func (r *reader) appoints(t map[string]any) {
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		list, _ := t[kind].([]any)
		if r.p.accounts[kind] == nil {
			r.add("appoints", kind, "%s is no kind of account; write one of %s", kind, strings.Join(r.p.Accounts(), ", "))
		}
		if len(list) == 0 {
			r.add("appoints", kind, "%s appoints nobody; write a list of kinds, or take it out", kind)
		}
		for _, v := range list {
			post, _ := v.(string)
			if r.p.accounts[post] == nil {
				r.add("appoints", kind, "%v is no kind of account; write one of %s", v, strings.Join(r.p.Accounts(), ", "))
				continue
			}
			r.p.appoints[kind] = append(r.p.appoints[kind], post)
		}
	}
}
