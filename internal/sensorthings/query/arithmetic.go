package query

import "math"

// arithmetic is add, sub, mul, div or mod of numbers, and add and sub of times
// and durations. Everything else, a division by zero too, is null.
type arithmetic struct {
	op          operator
	left, right node
}

func (n *arithmetic) eval(e *env) (Value, error) {
	x, err := n.left.eval(e)
	if err != nil || x.kind == kindNull {
		return Value{}, err
	}
	y, err := n.right.eval(e)
	if err != nil {
		return Value{}, err
	}
	return compute(n.op, x, y), nil
}

func compute(op operator, x, y Value) Value {
	if x.kind == kindNumber && y.kind == kindNumber {
		return computeNumbers(op, x, y)
	}
	if x.kind == kindText && y.kind == kindDuration {
		x = timeOf(x)
	}
	sign := int64(1)
	if op == opSub {
		sign = -1
	}
	switch {
	case op != opAdd && op != opSub:
		if x.kind == kindDuration && y.kind == kindNumber && x.b == 0 {
			if v := computeNumbers(op, Integer(x.a), y); v.kind == kindNumber && math.Abs(v.float()) <= mostMicros {
				return duration(int64(math.Round(v.float())), 0)
			}
		}
		return Value{}
	case x.kind == kindTime && y.kind == kindDuration:
		return shift(x, y, sign)
	case x.kind == kindDuration && y.kind == kindTime && op == opAdd:
		return shift(y, x, 1)
	case x.kind == kindTime && y.kind == kindTime && op == opSub:
		return duration(x.a-y.a, 0)
	case x.kind == kindDuration && y.kind == kindDuration:
		if us, months := x.a+sign*y.a, x.b+sign*y.b; max(us, -us) <= mostMicros && max(months, -months) <= mostMonths {
			return duration(us, months)
		}
	}
	return Value{}
}

func computeNumbers(op operator, x, y Value) Value {
	const safe = 1 << 53
	if x.exact && y.exact && max(x.a, y.a) < safe && min(x.a, y.a) > -safe {
		switch op {
		case opAdd:
			return Integer(x.a + y.a)
		case opSub:
			return Integer(x.a - y.a)
		case opMod:
			if y.a == 0 {
				return Value{}
			}
			return Integer(x.a % y.a)
		default: // may leave the whole numbers
		}
	}
	a, b := x.float(), y.float()
	switch op {
	case opAdd:
		return Number(a + b)
	case opSub:
		return Number(a - b)
	case opMul:
		return Number(a * b)
	case opDiv:
		return Number(a / b) // by zero: infinite or NaN, which is null
	case opMod:
		return Number(math.Mod(a, b))
	default:
		return Value{}
	}
}

// negative is unary minus, of numbers and durations.
type negative struct{ of node }

func (n negative) eval(e *env) (Value, error) {
	v, err := n.of.eval(e)
	if err != nil {
		return Value{}, err
	}
	switch {
	case v.kind == kindDuration:
		return duration(-v.a, -v.b), nil
	case v.kind != kindNumber:
		return Value{}, nil
	case v.exact && v.a != math.MinInt64:
		return Integer(-v.a), nil
	}
	out := Number(-v.float())
	if v.s != "" {
		if v.s[0] == '-' {
			out.s = v.s[1:]
		} else {
			out.s = "-" + v.s
		}
	}
	return out, nil
}
