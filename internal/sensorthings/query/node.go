package query

import "plateau/internal/sensorthings"

// node computes a value for a row.
type node interface {
	eval(e *env) (Value, error)
}

// condition is a node that is true, false or unknown. Its eval says the same as
// a value, null for unknown.
type condition interface {
	node
	truth(e *env) (tri, error)
}

// tri is a truth of three-valued logic.
type tri uint8

const (
	unknown tri = iota
	no
	yes
)

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) value() Value {
	if t == unknown {
		return Value{}
	}
	return Bool(t == yes)
}

// env is what one evaluation works on: the rows that variables stand for, and
// the arguments of functions that are being computed.
type env struct {
	slots []slot
	args  []Value
}

// slot holds the row of a variable; nil is the row that is not there.
type slot struct {
	row    Row
	loaded bool
}

// constant is a value known before any row.
type constant struct{ v Value }

func (n constant) eval(*env) (Value, error) { return n.v, nil }

// property reads a property of the row of a variable, and digs into it.
type property struct {
	slot  int
	scope *scope
	name  string
	steps []step
	timed bool // an instant or period, whose text form is read as such
}

func (n *property) eval(e *env) (Value, error) {
	row, err := n.scope.row(e, n.slot)
	if err != nil || row == nil {
		return Value{}, err
	}
	v, err := row.Property(n.name)
	if err != nil {
		return Value{}, err
	}
	if n.steps != nil {
		if v.kind != kindJSON {
			return Value{}, nil
		}
		return jsonOf(dig(v.s, n.steps)), nil
	}
	if n.timed && v.kind == kindText {
		return timeOf(v), nil
	}
	return v, nil
}

// timeOf reads a text as a time, null when it is none.
func timeOf(v Value) Value {
	if len(v.s) < 16 || v.s[0] < '0' || v.s[0] > '9' {
		return Value{}
	}
	s, err := ParseSpan(v.s)
	if err != nil {
		return Value{}
	}
	return Time(s)
}

// identifier is the identifier of the row of a variable.
type identifier struct {
	slot  int
	scope *scope
}

func (n *identifier) eval(e *env) (Value, error) {
	row, err := n.scope.row(e, n.slot)
	if err != nil || row == nil {
		return Value{}, err
	}
	return Integer(row.ID()), nil
}

// scope lists the variables of one expression: slot 0 is the row itself, the
// others are reached by relations. Equal prefixes of paths share a variable.
type scope struct {
	vars []variable
}

type variable struct {
	parent   int
	relation sensorthings.Relation
	set      sensorthings.Set
	lambda   bool  // of any(): bound by it alone
	forget   []int // single relations below, to be followed anew for another row
}

// row returns the row of a variable; it follows single relations when first asked.
func (s *scope) row(e *env, i int) (Row, error) {
	if e.slots[i].loaded {
		return e.slots[i].row, nil
	}
	v := &s.vars[i]
	parent, err := s.row(e, v.parent)
	if err != nil {
		return nil, err
	}
	var row Row
	if parent != nil {
		if row, err = parent.One(v.relation); err != nil {
			return nil, err
		}
	}
	e.slots[i] = slot{row, true}
	return row, nil
}

// bind lets a variable of many stand for a row.
func (s *scope) bind(e *env, i int, row Row) {
	e.slots[i] = slot{row, true}
	for _, j := range s.vars[i].forget {
		e.slots[j] = slot{}
	}
}

// exists is true when some row of each variable makes the body true. A relation
// that leads nowhere offers the missing row, all of whose properties are null.
type exists struct {
	scope *scope
	vars  []int // parents first
	body  condition
}

func (n *exists) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *exists) truth(e *env) (tri, error) { return n.from(e, 0) }

func (n *exists) from(e *env, k int) (tri, error) {
	if k == len(n.vars) {
		return n.body.truth(e)
	}
	i := n.vars[k]
	v := &n.scope.vars[i]
	parent, err := n.scope.row(e, v.parent)
	if err != nil {
		return unknown, err
	}
	found, empty := no, true
	try := func(row Row) (bool, error) {
		n.scope.bind(e, i, row)
		t, err := n.from(e, k+1)
		if t == yes {
			found = yes
		}
		return t != yes, err
	}
	if parent != nil {
		if err := parent.Many(v.relation, func(row Row) (bool, error) {
			empty = false
			return try(row)
		}); err != nil {
			return unknown, err
		}
	}
	if empty {
		if _, err := try(nil); err != nil {
			return unknown, err
		}
	}
	return found, nil
}

// anyOf is path/any(x: body): false when there is no row.
type anyOf struct {
	scope *scope
	slot  int
	body  condition
}

func (n *anyOf) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *anyOf) truth(e *env) (tri, error) {
	v := &n.scope.vars[n.slot]
	parent, err := n.scope.row(e, v.parent)
	if err != nil || parent == nil {
		return no, err
	}
	found := no
	err = parent.Many(v.relation, func(row Row) (bool, error) {
		n.scope.bind(e, n.slot, row)
		t, err := n.body.truth(e)
		if t == yes {
			found = yes
		}
		return t != yes, err
	})
	return found, err
}
