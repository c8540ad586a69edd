package query

import "plateau/internal/sensorthings"

// Bounds are conditions that every matching row fulfils: an index may use them
// to pass over the others. The zero value excludes nothing.
type Bounds struct {
	ID *sensorthings.ID // the identifier itself
	// Parent maps a path of relations to the identifier at its end: "Datastream"
	// of Datastream/id eq 1, "Datastream/Thing", also over relations to many
	// ("Locations"), where it says that this one is among them.
	Parent   map[string]sensorthings.ID
	From, To *int64 // phenomenonTime starts in [From, To), Unix microseconds
	Never    bool   // nothing can match
}

// Bounds returns what every matching row fulfils.
func (f *Filter) Bounds() Bounds { return f.bounds }

func boundsOf(x expr) Bounds {
	var b Bounds
	b.require(x)
	if b.From != nil && b.To != nil && *b.From >= *b.To {
		b.Never = true
	}
	return b
}

// require narrows the bounds by a condition that must be true.
func (b *Bounds) require(x expr) {
	switch n := x.n.(type) {
	case *junction:
		if _, ok := n.condition.(*and); ok {
			for _, part := range n.parts {
				b.require(part)
			}
		}
	case constant:
		if n.v.kind != kindBool || n.v.a == 0 {
			b.Never = true
		}
	case *compareOf:
		path := n.path
		if path == nil || path.lambda {
			return
		}
		switch v := n.right; {
		case path.id && n.op == opEq:
			b.identifier(path.relations, v, n.numeric)
		case path.relations == "" && path.property == "phenomenonTime" && v.kind == kindTime:
			b.time(n.op, v)
		}
	case *call:
		b.function(n)
	}
}

// identifier notes that an identifier equals v.
func (b *Bounds) identifier(path string, v, numeric Value) {
	if v.kind == kindText {
		v = numeric
	}
	if v.kind != kindNumber {
		b.Never = true // identifiers are numbers
		return
	}
	id := v.a
	if !v.exact {
		id = int64(v.float())
		if float64(id) != v.float() {
			b.Never = true
			return
		}
	}
	if path == "" {
		if b.ID != nil && *b.ID != id {
			b.Never = true
		}
		b.ID = &id
		return
	}
	if old, ok := b.Parent[path]; ok && old != id {
		b.Never = true
	}
	if b.Parent == nil {
		b.Parent = map[string]sensorthings.ID{}
	}
	b.Parent[path] = id
}

// time notes a comparison of phenomenonTime with a constant; what it means for
// the start of an instant or a period follows from compareTimes.
func (b *Bounds) time(op operator, v Value) {
	instant := v.a == v.b
	switch op {
	case opEq:
		b.from(v.a)
		b.to(v.a + 1)
	case opGt:
		if instant {
			b.from(v.a + 1)
		} else {
			b.from(v.b)
		}
	case opGe:
		b.from(v.a)
	case opLt:
		b.to(v.a)
	case opLe:
		b.to(v.a + 1)
	default: // says nothing of a range
	}
}

func (b *Bounds) from(at int64) {
	if b.From == nil || *b.From < at {
		b.From = &at
	}
}

func (b *Bounds) to(at int64) {
	if b.To == nil || *b.To > at {
		b.To = &at
	}
}

// function notes functions of phenomenonTime and a constant that stand alone.
func (b *Bounds) function(c *call) {
	if len(c.args) != 2 {
		return
	}
	p, ok := c.args[0].(*property)
	k, fixed := c.args[1].(constant)
	if !ok || !fixed || p.slot != 0 || p.name != "phenomenonTime" || p.steps != nil || k.v.kind != kindTime {
		return
	}
	switch c.fn {
	case functions["before"]:
		b.time(opLt, k.v)
	case functions["after"]:
		b.time(opGt, k.v)
	case functions["starts"]:
		b.time(opEq, k.v)
	case functions["during"]:
		b.from(k.v.a)
		b.to(k.v.b + 1)
	case functions["overlaps"]:
		b.to(k.v.b + 1)
	}
}
