package read

import (
	"encoding/json"
	"slices"
	"strconv"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// shape is which members an entity is answered with.
type shape struct {
	set      sensorthings.Set
	id, self bool
	fields   []field
	links    []string // relations with a navigationLink
	expand   []expansion
}

type field struct {
	sensorthings.Property
	paths [][]string // members of it that are asked for; nil = all of it
}

// expansion is one relation that is inlined.
type expansion struct {
	relation sensorthings.Relation
	options  *query.Options
	shape    *shape
}

// shapeOf works out what $select and $expand leave (clauses 9.3.2.1, 9.3.2.2).
func shapeOf(s sensorthings.Set, o *query.Options) *shape {
	sh := &shape{set: s, id: o.Select == nil, self: o.Select == nil}
	for _, p := range s.Properties() {
		f := field{Property: p}
		wanted, whole := o.Select == nil, false
		for _, sel := range o.Select {
			if sel.Name != p.Name {
				continue
			}
			wanted = true
			whole = whole || len(sel.Path) == 0
			f.paths = append(f.paths, sel.Path)
		}
		if whole {
			f.paths = nil
		}
		if wanted {
			sh.fields = append(sh.fields, f)
		}
	}
	for _, sel := range o.Select {
		sh.id = sh.id || sel.Name == "@iot.id"
		sh.self = sh.self || sel.Name == "@iot.selfLink"
	}
	for i := range o.Expand {
		x := &o.Expand[i]
		sh.expand = append(sh.expand, expansion{x.Relation, &x.Options, shapeOf(x.Relation.To, &x.Options)})
	}
	for _, r := range s.Relations() {
		named := o.Select == nil || slices.ContainsFunc(o.Select, func(sel query.Selected) bool { return sel.Relation && sel.Name == r.Name })
		inlined := slices.ContainsFunc(sh.expand, func(x expansion) bool { return x.relation.Name == r.Name })
		if named && !inlined {
			sh.links = append(sh.links, r.Name)
		}
	}
	return sh
}

// toMany reports whether anything of many is inlined at any depth.
func (sh *shape) toMany() bool {
	return slices.ContainsFunc(sh.expand, func(x expansion) bool { return x.relation.Many || x.shape.toMany() })
}

// appendAddress appends the address of an entity without quotes.
func (e *env) appendAddress(b []byte, s sensorthings.Set, id sensorthings.ID) []byte {
	b = append(b, e.base...)
	b = append(b, '/')
	b = append(b, s.String()...)
	b = append(b, '(')
	b = strconv.AppendInt(b, id, 10)
	return append(b, ')')
}

// appendNavigation appends the link to a relation of an entity.
func (e *env) appendNavigation(b []byte, it item, name string) []byte {
	b = e.appendAddress(append(member(b, name+"@iot.navigationLink"), '"'), it.set(), it.id())
	return append(append(append(b, '/'), name...), '"')
}

// appendItem appends an entity. budget is how many entities may be inlined; used
// tells how many were.
func (e *env) appendItem(b []byte, sh *shape, it item, budget int) (_ []byte, used int, err error) {
	begin := len(b)
	b = append(b, '{')
	if sh.id {
		b = append(b, `"@iot.id":`...)
		b = strconv.AppendInt(b, it.id(), 10)
	}
	if sh.self {
		b = append(e.appendAddress(append(member(b, "@iot.selfLink"), '"'), sh.set, it.id()), '"')
	}
	for i := range sh.fields {
		if it.e != nil && sh.fields[i].Name == timeOfObservations {
			if it.e, err = e.spanned(it.e); err != nil {
				return b[:begin], 0, err
			}
		}
		b = appendField(b, it, &sh.fields[i])
	}
	for _, name := range sh.links {
		if r, _ := sh.set.Relation(name); !r.Many && it.to(name) == 0 {
			continue
		}
		b = e.appendNavigation(b, it, name)
	}
	for i := range sh.expand {
		var n int
		if b, n, err = e.appendExpansion(b, &sh.expand[i], it, budget-used); err != nil {
			return b[:begin], 0, err
		}
		used += n
	}
	return append(b, '}'), used, nil
}

// appendField appends a property. One that is not set is left out unless the
// standard wants it in every answer.
func appendField(b []byte, it item, f *field) []byte {
	begin := len(b)
	b = member(b, f.Name)
	at := len(b)
	b, ok := it.appendProperty(b, f.Name)
	switch {
	case !ok && (f.Mandatory || f.Name == "resultTime" && it.o != nil):
		return append(b, "null"...)
	case !ok:
		return b[:begin]
	case f.paths == nil:
		return b
	}
	part := pick(json.RawMessage(b[at:]), f.paths)
	return append(b[:at], part...)
}

// pick returns an object with only the members at the paths.
func pick(raw json.RawMessage, paths [][]string) json.RawMessage {
	b := []byte{'{'}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // what is no object has no members
	var done []string
	for _, p := range paths {
		value, ok := members[p[0]]
		if !ok || slices.Contains(done, p[0]) {
			continue
		}
		done = append(done, p[0])
		var below [][]string
		whole := false
		for _, other := range paths {
			if other[0] != p[0] {
				continue
			}
			whole = whole || len(other) == 1
			below = append(below, other[1:])
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(AppendString(b, p[0]), ':')
		if whole {
			b = append(b, value...)
		} else {
			b = append(b, pick(value, below)...)
		}
	}
	return append(b, '}')
}
