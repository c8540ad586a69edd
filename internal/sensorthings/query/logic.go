package query

// operator is a comparison or an arithmetic operation.
type operator uint8

const (
	opEq operator = iota + 1
	opNe
	opGt
	opGe
	opLt
	opLe
	opAdd
	opSub
	opMul
	opDiv
	opMod
)

var operators = map[string]operator{
	"eq": opEq, "ne": opNe, "gt": opGt, "ge": opGe, "lt": opLt, "le": opLe,
	"add": opAdd, "sub": opSub, "mul": opMul, "div": opDiv, "mod": opMod,
}

// mirror is the operator with its sides exchanged.
func (o operator) mirror() operator {
	switch o {
	case opGt:
		return opLt
	case opGe:
		return opLe
	case opLt:
		return opGt
	case opLe:
		return opGe
	default:
		return o
	}
}

func (o operator) holds(c int) bool {
	switch o {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opGt:
		return c > 0
	case opGe:
		return c >= 0
	case opLt:
		return c < 0
	default:
		return c <= 0
	}
}

// and is true when all terms are, false when one is false.
type and struct{ terms []condition }

func (n *and) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *and) truth(e *env) (tri, error) {
	out := yes
	for _, c := range n.terms {
		t, err := c.truth(e)
		if err != nil {
			return unknown, err
		}
		if t == no {
			return no, nil
		}
		if t == unknown {
			out = unknown
		}
	}
	return out, nil
}

// or is true when one term is, false when all are false.
type or struct{ terms []condition }

func (n *or) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *or) truth(e *env) (tri, error) {
	out := no
	for _, c := range n.terms {
		t, err := c.truth(e)
		if err != nil {
			return unknown, err
		}
		if t == yes {
			return yes, nil
		}
		if t == unknown {
			out = unknown
		}
	}
	return out, nil
}

// not of unknown is unknown.
type not struct{ of condition }

func (n *not) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *not) truth(e *env) (tri, error) {
	t, err := n.of.truth(e)
	switch t {
	case yes:
		return no, err
	case no:
		return yes, err
	default:
		return unknown, err
	}
}

// asCondition reads a value that stands where a condition is wanted; what is no
// boolean is unknown.
type asCondition struct{ node }

func (n asCondition) truth(e *env) (tri, error) {
	v, err := n.eval(e)
	if v.kind != kindBool {
		return unknown, err
	}
	return triOf(v.a != 0), err
}

// isNull is "x eq null", or "x ne null" when want is no: the only comparisons
// that know an answer for a missing value.
type isNull struct {
	of   node
	want tri
}

func (n *isNull) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *isNull) truth(e *env) (tri, error) {
	v, err := n.of.eval(e)
	if err != nil {
		return unknown, err
	}
	if v.IsNull() {
		return n.want, nil
	}
	if n.want == yes {
		return no, nil
	}
	return yes, nil
}

// comparison compares two values of the same kind; of different kinds it is
// unknown, so that "result gt 5" passes over texts without an error.
type comparison struct {
	op          operator
	left, right node
}

func (n *comparison) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *comparison) truth(e *env) (tri, error) {
	x, err := n.left.eval(e)
	if err != nil || x.kind == kindNull {
		return unknown, err
	}
	y, err := n.right.eval(e)
	if err != nil {
		return unknown, err
	}
	return compare(n.op, x, y), nil
}

// compareConst is a comparison with a constant on the right, the usual case.
type compareConst struct {
	op      operator
	left    node
	right   Value
	numeric Value // of a text that is written like a number: kindly compared with numbers
}

func (n *compareConst) eval(e *env) (Value, error) {
	t, err := n.truth(e)
	return t.value(), err
}

func (n *compareConst) truth(e *env) (tri, error) {
	x, err := n.left.eval(e)
	if err != nil {
		return unknown, err
	}
	if x.kind == kindNumber && n.numeric.kind == kindNumber {
		return compare(n.op, x, n.numeric), nil
	}
	return compare(n.op, x, n.right), nil
}

func compare(op operator, x, y Value) tri {
	if x.kind != y.kind {
		switch { // a text of stored JSON may be a time
		case x.kind == kindText && y.kind == kindTime:
			x = timeOf(x)
		case x.kind == kindTime && y.kind == kindText:
			y = timeOf(y)
		}
		if x.kind != y.kind {
			return unknown
		}
	}
	switch x.kind {
	case kindNull, kindJSON, kindGeo, kindAny:
		return unknown
	case kindTime:
		return triOf(compareTimes(op, x, y))
	case kindNumber:
		if !x.exact || !y.exact {
			if a, b := x.float(), y.float(); a != b {
				return triOf(op == opNe || (a < b) == (op == opLt || op == opLe) && op != opEq)
			}
		}
	default:
	}
	return triOf(op.holds(Compare(x, y)))
}
