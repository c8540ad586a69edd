package query

import (
	"maps"
	"slices"
	"strconv"

	"plateau/internal/sensorthings"
)

// call reads a function and its arguments.
func (p *parser) call() (expr, error) {
	name, at := p.tok.text, p.tok.at
	fn := functions[name]
	if fn == nil {
		if _, op := operators[name]; op || name == "and" || name == "or" || name == "in" {
			return expr{}, fault(at, "%q needs a value before it", name)
		}
		return expr{}, fault(at, "unknown function %q%s", shorten(name), hint(name, slices.Sorted(maps.Keys(functions))))
	}
	if err := p.enter(); err != nil {
		return expr{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	if err := p.expect("("); err != nil {
		return expr{}, err
	}
	var args []expr
	for !p.sign(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return expr{}, err
			}
		}
		x, err := p.or()
		if err != nil {
			return expr{}, err
		}
		args = append(args, x)
	}
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	return p.apply(name, fn, args, at)
}

func (p *parser) apply(name string, fn *function, args []expr, at int) (expr, error) {
	if least, most := len(fn.params)-fn.optional, len(fn.params); len(args) < least || len(args) > most {
		want := strconv.Itoa(most)
		if least < most {
			want = strconv.Itoa(least) + " or " + want
		}
		return expr{}, fault(at, "%s is given %d arguments, it takes %s", name, len(args), want)
	}
	if name == "now" {
		us := p.now.UnixMicro()
		return known(Value{kind: kindTime, a: us, b: us}, at), nil
	}
	out := expr{kind: fn.result, con: true, at: at}
	c := &call{fn: fn}
	for i, a := range args {
		want := fn.params[i]
		if want == kindText && a.path != nil && a.path.id {
			a.n, a.kind = idText{a.n}, kindText
		}
		if !takes(want, a.kind) {
			return expr{}, fault(a.at, "argument %d of %s must be %s, not %s", i+1, name, want.name(), a.kind.name())
		}
		if name == "st_relate" && i == 2 && a.con && badPattern(a.n.(constant).v.s) {
			return expr{}, fault(a.at, "st_relate takes a pattern of nine of T F * 0 1 2, such as 'T*F**F***'")
		}
		c.args = append(c.args, a.n)
		out.many |= a.many
		out.con = out.con && a.con
	}
	out.n = c
	return fold(out), nil
}

// takes reports whether an argument of a static type may be what is wanted.
func takes(want, have kind) bool {
	switch {
	case have == want || have == kindAny || have == kindNull:
		return true
	case want == kindTime:
		return have == kindDate || have == kindClock || have == kindText
	case want == kindGeo:
		return have == kindJSON
	}
	return false
}

// path reads a path over relations and properties, which may end in any(...).
func (p *parser) path() (expr, error) {
	at := p.tok.at
	set, slot := p.root, 0
	info := &pathExpr{}
	if i, ok := p.names[p.tok.text]; ok {
		set, slot = p.scope.vars[i].set, i
		info.lambda = true
		if err := p.advance(); err != nil {
			return expr{}, err
		}
		if !p.sign("/") {
			return expr{}, fault(p.tok.at, "expected \"/\" and a property behind the variable, found %s", p.found())
		}
		if err := p.advance(); err != nil {
			return expr{}, err
		}
	}
	for {
		t := p.tok
		if t.kind != tokName {
			return expr{}, fault(t.at, "expected a property or relation of %s, found %s", set, p.found())
		}
		if t.text == "any" && p.pos < len(p.text) && p.text[p.pos] == '(' && slot > 0 {
			return p.any(slot, at)
		}
		if r, ok := set.Relation(t.text); ok {
			next, err := p.follow(slot, r, t.at)
			if err != nil {
				return expr{}, err
			}
			slot, set = next, r.To
			if info.relations != "" {
				info.relations += "/"
			}
			info.relations += r.Name
			if err := p.advance(); err != nil {
				return expr{}, err
			}
			if !p.sign("/") {
				return expr{}, fault(t.at, "%s is a relation: name a property behind it, such as %s/@iot.id", t.text, t.text)
			}
			if err := p.advance(); err != nil {
				return expr{}, err
			}
			continue
		}
		return p.member(set, slot, info, at)
	}
}

// member reads the property at the end of a path.
func (p *parser) member(set sensorthings.Set, slot int, info *pathExpr, at int) (expr, error) {
	t := p.tok
	out := expr{kind: kindAny, many: p.scope.manyOf(slot), at: at, path: info}
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	if t.text == "id" || t.text == "@iot.id" {
		if p.sign("/") {
			return expr{}, fault(p.tok.at, "the identifier has no members")
		}
		info.id, info.property = true, "@iot.id"
		out.n, out.kind = &identifier{slot, p.scope}, kindNumber
		return out, nil
	}
	prop, ok := set.Property(t.text)
	if !ok {
		if operators[t.text] != 0 || t.text == "and" || t.text == "or" || t.text == "in" {
			return expr{}, fault(t.at, "%q needs a value before it", t.text)
		}
		return expr{}, fault(t.at, "%s have no property or relation %q%s", set, shorten(t.text), hint(t.text, namesOf(set)))
	}
	n := &property{slot: slot, scope: p.scope, name: prop.Name}
	var names []string
	for p.sign("/") {
		name, err := p.memberName()
		if err != nil {
			return expr{}, err
		}
		names = append(names, name)
	}
	if names != nil {
		if !prop.Kind.HasMembers() {
			return expr{}, fault(t.at, "%s of %s has no members", prop.Name, set)
		}
		n.steps = makeSteps(names)
	} else {
		info.property = prop.Name
		out.kind, n.timed = kindOf(prop.Kind)
	}
	out.n = n
	return out, nil
}

// memberName reads the next member behind a "/": a name, or a place in a list.
func (p *parser) memberName() (string, error) {
	i := p.pos
	for i < len(p.text) {
		k := namePart(p.text[i:])
		if k == 0 {
			if p.text[i] != '@' {
				break
			}
			k = 1
		}
		i += k
	}
	name := p.text[p.pos:i]
	if name == "" {
		return "", fault(p.pos, "expected the name of a member behind \"/\"")
	}
	p.pos = i
	return name, p.advance()
}

func kindOf(k sensorthings.Kind) (static kind, timed bool) {
	switch k {
	case sensorthings.Text:
		return kindText, false
	case sensorthings.Object:
		return kindJSON, false
	case sensorthings.Instant, sensorthings.Period, sensorthings.Moment:
		return kindTime, true
	default:
		return kindAny, false
	}
}

// any reads any(x: condition) behind a path to many.
func (p *parser) any(slot, at int) (expr, error) {
	v := p.scope.vars[slot]
	if v.lambda || !v.relation.Many {
		return expr{}, fault(p.tok.at, "any() follows a relation to many")
	}
	i := p.pos + 1
	for i < len(p.text) && isBlank(p.text[i]) {
		i++
	}
	from := i
	for i < len(p.text) && p.text[i] != ':' && namePart(p.text[i:]) > 0 {
		i += namePart(p.text[i:])
	}
	name := p.text[from:i]
	for i < len(p.text) && isBlank(p.text[i]) {
		i++
	}
	if name == "" || i == len(p.text) || p.text[i] != ':' {
		return expr{}, fault(p.pos, "expected any(x: condition)")
	}
	if _, taken := p.names[name]; taken {
		return expr{}, fault(from, "variable %q is already in use", shorten(name))
	}
	lambda, err := p.scope.add(variable{parent: v.parent, relation: v.relation, set: v.set, lambda: true}, p.tok.at)
	if err != nil {
		return expr{}, err
	}
	p.names[name] = lambda
	defer delete(p.names, name)
	p.pos = i + 1
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	x, err := p.or()
	if err != nil {
		return expr{}, err
	}
	if _, err := truthOf(x); err != nil {
		return expr{}, err
	}
	below := p.scope.below(lambda)
	body, err := p.scope.place(x, ^below)
	if err != nil {
		return expr{}, err
	}
	out := expr{n: &anyOf{p.scope, lambda, body}, kind: kindBool, many: x.many&^below | p.scope.manyOf(v.parent), at: at}
	return out, p.expect(")")
}
