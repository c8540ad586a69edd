package query

import (
	"math/bits"

	"plateau/internal/sensorthings"
)

// A filter is true of a row when there are rows for all its variables of many
// that make it true. Where a variable is used in one part of "and" or "or" only,
// asking within that part says the same and visits fewer rows; so each variable
// is bound as deep as it can be. Nothing is moved into "not" or a comparison.

// junction keeps the parts of "and" and "or" until variables are placed.
type junction struct {
	condition
	parts []expr
}

// compareOf keeps the path of a comparison with a constant for bounds.
type compareOf struct {
	*compareConst
	path *pathExpr // nil = what is compared is more than a path
}

// follow returns the variable behind a relation; equal prefixes share it.
func (p *parser) follow(slot int, r sensorthings.Relation, at int) (int, error) {
	for i, v := range p.scope.vars {
		if i > 0 && !v.lambda && v.parent == slot && v.relation.Name == r.Name {
			return i, nil
		}
	}
	return p.scope.add(variable{parent: slot, relation: r, set: r.To}, at)
}

func (s *scope) add(v variable, at int) (int, error) {
	if len(s.vars) >= maxVariables {
		return 0, fault(at, "follows more than %d different relations", maxVariables)
	}
	i := len(s.vars)
	s.vars = append(s.vars, v)
	if !v.relation.Many {
		for up := v.parent; up > 0; up = s.vars[up].parent {
			s.vars[up].forget = append(s.vars[up].forget, i)
		}
	}
	return i, nil
}

// manyOf is the set of variables of many on the way to a slot.
func (s *scope) manyOf(slot int) uint64 {
	var out uint64
	for ; slot > 0; slot = s.vars[slot].parent {
		if v := s.vars[slot]; v.relation.Many && !v.lambda {
			out |= 1 << slot
		}
	}
	return out
}

// below is the set of variables reached from a slot, itself included.
func (s *scope) below(slot int) uint64 {
	out := uint64(1) << slot
	for i := slot + 1; i < len(s.vars); i++ {
		if out&(1<<s.vars[i].parent) != 0 {
			out |= 1 << i
		}
	}
	return out
}

// place binds the variables of x that are not bound yet.
func (s *scope) place(x expr, bound uint64) (condition, error) {
	c, err := truthOf(x)
	if err != nil {
		return nil, err
	}
	free := x.many &^ bound
	j, ok := x.n.(*junction)
	if free == 0 {
		if ok {
			return j.condition, nil
		}
		return c, nil
	}
	if !ok {
		return s.wrap(free, c), nil
	}
	groups := groupsOf(j.parts, bound)
	if len(groups) > 1 {
		terms := make([]condition, len(groups))
		for i, g := range groups {
			if terms[i], err = s.place(s.join(j, g), bound); err != nil {
				return nil, err
			}
		}
		return rejoin(j, terms), nil
	}
	var once, shared uint64
	for _, part := range j.parts {
		shared |= once & part.many
		once |= part.many
	}
	shared &= free
	if shared == 0 {
		return s.wrap(free, j.condition), nil
	}
	body, err := s.place(x, bound|shared)
	if err != nil {
		return nil, err
	}
	return s.wrap(shared, body), nil
}

func (s *scope) wrap(vars uint64, body condition) condition {
	out := &exists{scope: s, body: body}
	for ; vars != 0; vars &= vars - 1 {
		out.vars = append(out.vars, bits.TrailingZeros64(vars)) // parents have lower numbers
	}
	return out
}

// join is the junction of some of its parts.
func (s *scope) join(j *junction, parts []expr) expr {
	if len(parts) == 1 {
		return parts[0]
	}
	out := expr{kind: kindBool, at: parts[0].at}
	terms := make([]condition, len(parts))
	for i, p := range parts {
		terms[i], _ = truthOf(p) // was one before
		out.many |= p.many
	}
	out.n = &junction{rejoin(j, terms), parts}
	return out
}

func rejoin(j *junction, terms []condition) condition {
	if _, ok := j.condition.(*and); ok {
		return &and{terms}
	}
	return &or{terms}
}

// groupsOf puts together the parts that share an unbound variable. Those that
// need none come first: they cost least.
func groupsOf(parts []expr, bound uint64) [][]expr {
	type group struct {
		vars  uint64
		parts []expr
	}
	var groups []group
	var plain [][]expr
	for _, p := range parts {
		vars := p.many &^ bound
		if vars == 0 {
			plain = append(plain, []expr{p})
			continue
		}
		merged := group{vars: vars}
		rest := groups[:0:0]
		for _, g := range groups {
			if g.vars&vars != 0 {
				merged.vars |= g.vars
				merged.parts = append(merged.parts, g.parts...)
			} else {
				rest = append(rest, g)
			}
		}
		merged.parts = append(merged.parts, p)
		groups = append(rest, merged)
	}
	out := plain
	for _, g := range groups {
		out = append(out, g.parts)
	}
	return out
}
