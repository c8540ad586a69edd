package query

import (
	"math"
	"strconv"
	"time"
)

// function is one function of the language.
type function struct {
	params   []kind // what it takes; kindTime also takes a text of stored JSON that is a time
	optional int    // so many of the last may be left out
	result   kind
	call     func(args []Value) Value
}

// functions lists them by name (OGC 18-088, table 23, and what FROST adds).
// Any argument that is missing or of another kind makes the result null.
var functions = map[string]*function{
	"substringof": {[]kind{kindText, kindText}, 0, kindBool, func(a []Value) Value { return contains(a[1], a[0]) }},
	"contains":    {[]kind{kindText, kindText}, 0, kindBool, func(a []Value) Value { return contains(a[0], a[1]) }},
	"startswith":  {[]kind{kindText, kindText}, 0, kindBool, startsWith},
	"endswith":    {[]kind{kindText, kindText}, 0, kindBool, endsWith},
	"length":      {[]kind{kindText}, 0, kindNumber, length},
	"indexof":     {[]kind{kindText, kindText}, 0, kindNumber, indexOf},
	"substring":   {[]kind{kindText, kindNumber, kindNumber}, 1, kindText, substring},
	"tolower":     {[]kind{kindText}, 0, kindText, toLower},
	"toupper":     {[]kind{kindText}, 0, kindText, toUpper},
	"trim":        {[]kind{kindText}, 0, kindText, trim},
	"concat":      {[]kind{kindText, kindText}, 0, kindText, func(a []Value) Value { return Text(a[0].s + a[1].s) }},

	"round":   {[]kind{kindNumber}, 0, kindNumber, rounding(math.Round)},
	"floor":   {[]kind{kindNumber}, 0, kindNumber, rounding(math.Floor)},
	"ceiling": {[]kind{kindNumber}, 0, kindNumber, rounding(math.Ceil)},

	"year":               {[]kind{kindTime}, 0, kindNumber, calendar(func(t time.Time) int { return t.Year() }, true, false)},
	"month":              {[]kind{kindTime}, 0, kindNumber, calendar(func(t time.Time) int { return int(t.Month()) }, true, false)},
	"day":                {[]kind{kindTime}, 0, kindNumber, calendar(time.Time.Day, true, false)},
	"hour":               {[]kind{kindTime}, 0, kindNumber, calendar(time.Time.Hour, false, true)},
	"minute":             {[]kind{kindTime}, 0, kindNumber, calendar(time.Time.Minute, false, true)},
	"second":             {[]kind{kindTime}, 0, kindNumber, calendar(time.Time.Second, false, true)},
	"fractionalseconds":  {[]kind{kindTime}, 0, kindNumber, fractionalSeconds},
	"date":               {[]kind{kindTime}, 0, kindDate, dateOf},
	"time":               {[]kind{kindTime}, 0, kindClock, clockOf},
	"totaloffsetminutes": {[]kind{kindTime}, 0, kindNumber, offsetMinutes},
	"mindatetime":        {nil, 0, kindTime, func([]Value) Value { return Value{kind: kindTime, a: minTime, b: minTime} }},
	"maxdatetime":        {nil, 0, kindTime, func([]Value) Value { return Value{kind: kindTime, a: maxTime, b: maxTime} }},
	"now":                {nil, 0, kindTime, nil}, // of the request: see parser.apply

	"before":   {[]kind{kindTime, kindTime}, 0, kindBool, func(a []Value) Value { return Bool(compareTimes(opLt, a[0], a[1])) }},
	"after":    {[]kind{kindTime, kindTime}, 0, kindBool, func(a []Value) Value { return Bool(compareTimes(opGt, a[0], a[1])) }},
	"meets":    {[]kind{kindTime, kindTime}, 0, kindBool, func(a []Value) Value { return Bool(a[0].b == a[1].a || a[0].a == a[1].b) }},
	"during":   {[]kind{kindTime, kindTime}, 0, kindBool, during},
	"overlaps": {[]kind{kindTime, kindTime}, 0, kindBool, overlaps},
	"starts":   {[]kind{kindTime, kindTime}, 0, kindBool, func(a []Value) Value { return Bool(a[0].a == a[1].a) }},
	"finishes": {[]kind{kindTime, kindTime}, 0, kindBool, func(a []Value) Value { return Bool(a[0].b == a[1].b) }},

	"geo.distance":   {[]kind{kindGeo, kindGeo}, 0, kindNumber, geoDistance},
	"geo.length":     {[]kind{kindGeo}, 0, kindNumber, geoLength},
	"geo.intersects": {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(intersects)},
	"st_equals":      {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(equals)},
	"st_disjoint":    {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(disjoint)},
	"st_touches":     {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(touches)},
	"st_within":      {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(inside)},
	"st_overlaps":    {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(overlapping)},
	"st_crosses":     {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(crosses)},
	"st_intersects":  {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(intersects)},
	"st_contains":    {[]kind{kindGeo, kindGeo}, 0, kindBool, spatial(func(a, b *shape) tri { return inside(b, a) })},
	"st_relate":      {[]kind{kindGeo, kindGeo, kindText}, 0, kindBool, relate},
}

// call is a function with its arguments.
type call struct {
	fn   *function
	args []node
}

func (n *call) eval(e *env) (Value, error) {
	base := len(e.args)
	defer func() { e.args = e.args[:base] }()
	for i, a := range n.args {
		v, err := a.eval(e)
		if err != nil {
			return Value{}, err
		}
		if v = fit(v, n.fn.params[i]); v.kind == kindNull {
			return Value{}, nil
		}
		e.args = append(e.args, v)
	}
	return n.fn.call(e.args[base:]), nil
}

// truth lets a function stand alone as a condition.
func (n *call) truth(e *env) (tri, error) { return asCondition{n}.truth(e) }

// fit makes a value of the kind that a parameter wants, null when it cannot be.
func fit(v Value, want kind) Value {
	switch {
	case want == kindTime && v.kind == kindText:
		return timeOf(v)
	case want == kindTime && (v.kind == kindTime || v.kind == kindDate || v.kind == kindClock):
		return v
	case want == kindGeo && v.kind == kindJSON:
		return geoJSON(v.s)
	case v.kind == want:
		return v
	}
	return Value{}
}

// idText is an identifier as text, where a function wants one.
type idText struct{ node }

func (n idText) eval(e *env) (Value, error) {
	v, err := n.node.eval(e)
	if err != nil || v.kind != kindNumber {
		return v, err
	}
	return Text(strconv.FormatInt(v.a, 10)), nil
}

func rounding(f func(float64) float64) func([]Value) Value {
	return func(a []Value) Value {
		if a[0].exact {
			return a[0]
		}
		return Number(f(a[0].float()))
	}
}

// calendar computes a part of a time, in UTC, of a period's start. Dates have
// no hours, times of day no years.
func calendar(f func(time.Time) int, ofDate, ofClock bool) func([]Value) Value {
	return func(a []Value) Value {
		us := a[0].a
		switch a[0].kind {
		case kindDate:
			if !ofDate {
				return Value{}
			}
			us *= day
		case kindClock:
			if !ofClock {
				return Value{}
			}
		default:
		}
		return Integer(int64(f(time.UnixMicro(us).UTC())))
	}
}

func floorMod(a, b int64) int64 { return ((a % b) + b) % b }

func fractionalSeconds(a []Value) Value {
	if a[0].kind == kindDate {
		return Value{}
	}
	return Number(float64(floorMod(a[0].a, second)) / float64(second))
}

func dateOf(a []Value) Value {
	switch a[0].kind {
	case kindDate:
		return a[0]
	case kindClock:
		return Value{}
	default:
		return Value{kind: kindDate, a: (a[0].a - floorMod(a[0].a, day)) / day}
	}
}

func clockOf(a []Value) Value {
	switch a[0].kind {
	case kindClock:
		return a[0]
	case kindDate:
		return Value{}
	default:
		return Value{kind: kindClock, a: floorMod(a[0].a, day)}
	}
}

// offsetMinutes is 0: times are kept and answered in UTC.
func offsetMinutes(a []Value) Value {
	if a[0].kind != kindTime {
		return Value{}
	}
	return Integer(0)
}

// during: the first lies within the second, whose end is not part of it.
func during(a []Value) Value {
	x, y := a[0], a[1]
	if x.a == x.b && y.a != y.b {
		return Bool(x.a >= y.a && x.a < y.b)
	}
	return Bool(x.a >= y.a && x.b <= y.b)
}

// overlaps: the two share an instant.
func overlaps(a []Value) Value {
	x, y := a[0], a[1]
	switch xi, yi := x.a == x.b, y.a == y.b; {
	case xi && yi:
		return Bool(x.a == y.a)
	case xi:
		return Bool(x.a >= y.a && x.a < y.b)
	case yi:
		return Bool(y.a >= x.a && y.a < x.b)
	}
	return Bool(x.a < y.b && y.a < x.b)
}
