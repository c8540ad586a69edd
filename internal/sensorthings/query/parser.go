package query

import (
	"strings"
	"time"

	"plateau/internal/sensorthings"
)

// Limits against requests that only want to cost: beyond them a request is
// refused with 400 before any row is read.
const (
	maxText      = 64 << 10 // bytes of one option
	maxDepth     = 100      // parentheses, functions and "not" within each other
	maxTerms     = 4096     // values and paths of one expression
	maxVariables = 60       // different relations followed in one expression
)

// expr is a node on its way to becoming part of a filter.
type expr struct {
	n    node
	kind kind   // static type; kindAny when only the row knows
	many uint64 // variables of many it speaks of, one bit for each slot
	con  bool   // a constant
	at   int
	path *pathExpr // set when it is nothing but a path
}

// pathExpr remembers what a path is for bounds and $orderby.
type pathExpr struct {
	relations string // "Datastream/Thing", "" = the row itself
	property  string // "@iot.id" or a property without members, else ""
	id        bool
	lambda    bool
}

type parser struct {
	lexer
	tok   token
	scope *scope
	root  sensorthings.Set
	now   time.Time
	names map[string]int // variables of any()
	depth int
	terms int
}

func newParser(set sensorthings.Set, text string, now time.Time) (*parser, error) {
	if len(text) > maxText {
		return nil, fault(-1, "longer than %d bytes: ask in several requests", maxText)
	}
	p := &parser{lexer: lexer{text: text}, root: set, now: now, names: map[string]int{}}
	p.scope = &scope{vars: []variable{{parent: -1, set: set}}}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) sign(s string) bool { return p.tok.kind == tokSign && p.tok.text == s }

func (p *parser) word(s string) bool { return p.tok.kind == tokName && p.tok.text == s }

func (p *parser) expect(s string) error {
	if !p.sign(s) {
		return fault(p.tok.at, "expected %q, found %s", s, p.found())
	}
	return p.advance()
}

// found names the current token in a message.
func (p *parser) found() string {
	if p.tok.kind == tokEnd {
		return "the end"
	}
	return "\"" + shorten(p.tok.text) + "\""
}

// enter counts depth; the caller leaves again.
func (p *parser) enter() error {
	p.depth++
	if p.depth > maxDepth {
		return fault(p.tok.at, "nested deeper than %d levels", maxDepth)
	}
	return nil
}

func (p *parser) or() (expr, error) {
	if err := p.enter(); err != nil {
		return expr{}, err
	}
	defer func() { p.depth-- }()
	return p.chain("or", p.and, func(terms []condition) condition { return &or{terms} })
}

func (p *parser) and() (expr, error) {
	return p.chain("and", p.not, func(terms []condition) condition { return &and{terms} })
}

// chain reads terms joined by a word. A single one is what it is.
func (p *parser) chain(joint string, term func() (expr, error), join func([]condition) condition) (expr, error) {
	first, err := term()
	if err != nil || !p.word(joint) {
		return first, err
	}
	parts := []expr{first}
	for p.word(joint) {
		if err := p.advance(); err != nil {
			return expr{}, err
		}
		next, err := term()
		if err != nil {
			return expr{}, err
		}
		parts = append(parts, next)
	}
	out := expr{kind: kindBool, con: true, at: first.at}
	terms := make([]condition, len(parts))
	for i, t := range parts {
		if terms[i], err = truthOf(t); err != nil {
			return expr{}, err
		}
		out.many |= t.many
		out.con = out.con && t.con
	}
	out.n = &junction{join(terms), parts}
	return fold(out), nil
}

// truthOf makes a condition of an expression, or says why it is none.
func truthOf(x expr) (condition, error) {
	if x.kind != kindBool && x.kind != kindAny && x.kind != kindNull {
		return nil, fault(x.at, "%s stands where a condition is wanted: compare it, as in \"... eq ...\"", x.kind.name())
	}
	if c, ok := x.n.(condition); ok {
		return c, nil
	}
	return asCondition{x.n}, nil
}

func (p *parser) not() (expr, error) {
	if !p.word("not") {
		return p.comparison()
	}
	at := p.tok.at
	if err := p.enter(); err != nil {
		return expr{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	x, err := p.not()
	if err != nil {
		return expr{}, err
	}
	c, err := truthOf(x)
	if err != nil {
		return expr{}, err
	}
	return fold(expr{n: &not{c}, kind: kindBool, many: x.many, con: x.con, at: at}), nil
}

func (p *parser) comparison() (expr, error) {
	left, err := p.additive()
	if err != nil || p.tok.kind != tokName {
		return left, err
	}
	if p.word("in") {
		return p.in(left)
	}
	op, ok := operators[p.tok.text]
	if !ok || op >= opAdd {
		return left, nil
	}
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	right, err := p.additive()
	if err != nil {
		return expr{}, err
	}
	return fold(compared(op, left, right)), nil
}

// compared builds a comparison, with the constant on its right when there is one.
func compared(op operator, left, right expr) expr {
	out := expr{kind: kindBool, many: left.many | right.many, con: left.con && right.con, at: left.at}
	if left.con && (!right.con || left.kind == kindNull) {
		left, right, op = right, left, op.mirror()
	}
	if right.con {
		v := right.n.(constant).v
		if v.kind == kindNull {
			switch literal := right.kind == kindNull; { // 1 div 0 is null as well, but equals nothing
			case op == opEq && literal:
				out.n = &isNull{left.n, yes}
			case op == opNe && literal:
				out.n = &isNull{left.n, no}
			default:
				out.n = constant{}
			}
			return out
		}
		c := &compareConst{op: op, left: left.n, right: v}
		if v.kind == kindText {
			if n := numberLength(strings.TrimPrefix(v.s, "-")); n > 0 && n == len(strings.TrimPrefix(v.s, "-")) {
				c.numeric = JSON([]byte(v.s))
			}
		}
		out.n = &compareOf{c, left.path}
		return out
	}
	out.n = &comparison{op, left.n, right.n}
	return out
}

// in reads "in (a, b)" behind its left side.
func (p *parser) in(left expr) (expr, error) {
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	if err := p.expect("("); err != nil {
		return expr{}, err
	}
	out := expr{kind: kindBool, many: left.many, con: left.con, at: left.at}
	var terms []condition
	for {
		item, err := p.additive()
		if err != nil {
			return expr{}, err
		}
		one := compared(opEq, left, item)
		c, err := truthOf(one)
		if err != nil {
			return expr{}, err
		}
		terms = append(terms, c)
		out.many |= item.many
		out.con = out.con && item.con
		if !p.sign(",") {
			break
		}
		if err := p.advance(); err != nil {
			return expr{}, err
		}
	}
	out.n = &or{terms}
	return fold(out), p.expect(")")
}

func (p *parser) additive() (expr, error) { return p.left(p.multiplicative, opAdd, opSub) }

func (p *parser) multiplicative() (expr, error) { return p.left(p.unary, opMul, opMod) }

// left reads operands joined by operators of one level, grouped from the left.
func (p *parser) left(operand func() (expr, error), from, to operator) (expr, error) {
	x, err := operand()
	for err == nil && p.tok.kind == tokName {
		op, ok := operators[p.tok.text]
		if !ok || op < from || op > to {
			break
		}
		if err = p.advance(); err != nil {
			break
		}
		var y expr
		if y, err = operand(); err != nil {
			break
		}
		for _, side := range []expr{x, y} {
			if k := side.kind; k == kindBool || k == kindGeo || k == kindText {
				return expr{}, fault(side.at, "cannot reckon with %s", k.name())
			}
		}
		x = fold(expr{n: &arithmetic{op, x.n, y.n}, kind: kindAny, many: x.many | y.many, con: x.con && y.con, at: x.at})
	}
	return x, err
}

func (p *parser) unary() (expr, error) {
	if !p.sign("-") {
		return p.primary()
	}
	at := p.tok.at
	if err := p.enter(); err != nil {
		return expr{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	x, err := p.unary()
	if err != nil {
		return expr{}, err
	}
	if k := x.kind; k != kindNumber && k != kindDuration && k != kindAny && k != kindNull {
		return expr{}, fault(at, "\"-\" stands before %s: it takes a number or a duration", k.name())
	}
	return fold(expr{n: negative{x.n}, kind: x.kind, many: x.many, con: x.con, at: at}), nil
}

func (p *parser) primary() (expr, error) {
	p.terms++
	if p.terms > maxTerms {
		return expr{}, fault(p.tok.at, "more than %d values and paths", maxTerms)
	}
	t := p.tok
	switch {
	case t.kind == tokValue:
		return known(t.value, t.at), p.advance()
	case p.sign("("):
		if err := p.advance(); err != nil {
			return expr{}, err
		}
		x, err := p.or()
		if err != nil {
			return expr{}, err
		}
		x.at = t.at
		return x, p.expect(")")
	case t.kind == tokName:
		return p.named()
	}
	return expr{}, fault(t.at, "expected a value, found %s", p.found())
}

// named reads what begins with a name: a word, a typed literal, a function or a path.
func (p *parser) named() (expr, error) {
	t := p.tok
	next := byte(0)
	if rest := strings.TrimLeft(p.text[p.pos:], " \t\r\n"); rest != "" {
		next = rest[0]
	}
	if next == '\'' {
		return p.typed()
	}
	if next == '(' {
		return p.call()
	}
	if next != '/' {
		switch t.text {
		case "null":
			return known(Value{}, t.at), p.advance()
		case "true", "false":
			return known(Bool(t.text == "true"), t.at), p.advance()
		}
	}
	return p.path()
}

// typed reads geography'POINT(8 51)', geometry'...', duration'P1D', and times in
// quotes with their type before them.
func (p *parser) typed() (expr, error) {
	name, at := p.tok.text, p.tok.at
	if err := p.advance(); err != nil {
		return expr{}, err
	}
	text := p.tok.value.s
	var v Value
	switch name {
	case "geography", "geometry":
		g, err := geoLiteral(text)
		if err != nil {
			return expr{}, fault(at, "%s'...' is not well-known text such as POINT(8 51): %s", name, shorten(err.Error()))
		}
		v = g
	case "duration":
		d, ok := parseDuration(text)
		if !ok {
			return expr{}, fault(at, "duration'%s' is not an ISO 8601 duration such as P1D or PT1H30M", shorten(text))
		}
		v = d
	case "datetime", "datetimeoffset":
		s, err := ParseSpan(text)
		if err != nil {
			return expr{}, fault(at, "%s", err)
		}
		v = Time(s)
	default:
		return expr{}, fault(at, "unknown type of literal %q%s", shorten(name), hint(name, []string{"geography", "geometry", "duration"}))
	}
	return known(v, at), p.advance()
}

// known is a constant.
func known(v Value, at int) expr { return expr{n: constant{v}, kind: v.kind, con: true, at: at} }

// fold computes what needs no row.
func fold(x expr) expr {
	if !x.con {
		return x
	}
	v, err := x.n.eval(&env{})
	if err != nil {
		return x
	}
	out := known(v, x.at)
	if out.kind == kindNull {
		out.kind = x.kind
	}
	return out
}
