package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unsafe"

	"plateau/internal/sensorthings"
)

// kind is the type of a value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindTime     // instant or period
	kindDate     // a day
	kindClock    // a time of day
	kindDuration // a length of time
	kindGeo
	kindJSON // an object or a list
	kindAny  // of a static type only: not known before the row is seen
)

// name is how messages call a kind.
func (k kind) name() string {
	return [...]string{"null", "a condition", "a number", "a text", "a time", "a date", "a time of day", "a duration", "a geometry", "an object", "a value"}[k]
}

// Value is a value of an expression: null, boolean, number, text, instant,
// period, geometry or other JSON. Numbers, times and booleans need no memory of
// their own. A text or an object made by JSON shares the bytes it was made from
// and lives only as long as they do; Keep makes it last.
type Value struct {
	kind  kind
	exact bool  // of a number: a is the whole number itself
	a     int64 // bool 0/1; whole number; start; day; microseconds
	b     int64 // bits of the float64; end; months of a duration
	s     string
	g     *shape
}

// Null is the missing value.
func Null() Value { return Value{} }

// Bool makes a condition's value.
func Bool(b bool) Value {
	if b {
		return Value{kind: kindBool, a: 1}
	}
	return Value{kind: kindBool}
}

// Number makes a number; NaN and infinities are null, for JSON has none.
func Number(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: kindNumber, b: int64(math.Float64bits(f))}
}

// Integer makes a whole number that compares exactly with others of its kind.
func Integer(i int64) Value {
	return Value{kind: kindNumber, exact: true, a: i, b: int64(math.Float64bits(float64(i)))}
}

// Text makes a text value.
func Text(s string) Value { return Value{kind: kindText, s: s} }

// Time makes an instant or a period.
func Time(s sensorthings.Span) Value { return Value{kind: kindTime, a: s.Start, b: s.End} }

// JSON is a property's value as it is stored: scalars become typed values,
// GeoJSON stays usable by geo functions, other JSON by member paths. What is
// not JSON is null. See Value for how long it lives.
func JSON(raw []byte) Value {
	if n := len(raw); n > 0 && (raw[0] <= ' ' || raw[n-1] <= ' ') {
		raw = bytes.Trim(raw, " \t\r\n")
	}
	if len(raw) == 0 {
		return Value{}
	}
	switch c := raw[0]; {
	case c == '-' || c >= '0' && c <= '9':
		return number(raw)
	case c == '"':
		if len(raw) < 2 || raw[len(raw)-1] != '"' {
			return Value{}
		}
		if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
			return Value{kind: kindText, s: view(inner)}
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return Value{}
		}
		return Text(s)
	case c == 't':
		return Bool(true)
	case c == 'f':
		return Bool(false)
	case c == '{' || c == '[':
		return Value{kind: kindJSON, s: view(raw)}
	}
	return Value{}
}

// number reads a JSON number. Whole ones keep all their digits.
func number(raw []byte) Value {
	if v, ok := shortNumber(raw); ok {
		return v
	}
	s := view(raw)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Value{}
	}
	v := Number(f)
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Integer(n)
		}
		v.s = s // beyond int64: the digits decide between neighbours
	}
	return v
}

// shortNumber reads numbers of up to 15 digits, without an exponent: nearly all
// there are. Their digits and the power of ten are both exact in a float64, so
// that the quotient is rounded once, as it should be.
func shortNumber(raw []byte) (Value, bool) {
	digits, negative := raw, raw[0] == '-'
	if negative {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '.' {
		return Value{}, false
	}
	var n int64
	point := -1
	for i, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && i+1 < len(digits):
			point = i
		default:
			return Value{}, false
		}
	}
	if negative {
		n = -n
	}
	if point < 0 {
		return Integer(n), true
	}
	return Number(float64(n) / tens[len(digits)-1-point]), true
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// Keep returns the value with memory of its own.
func (v Value) Keep() Value {
	v.s = strings.Clone(v.s)
	return v
}

// IsNull reports whether the value is missing.
func (v Value) IsNull() bool { return v.kind == kindNull }

// Float returns a number's value.
func (v Value) Float() (float64, bool) { return v.float(), v.kind == kindNumber }

// Str returns the value of a text.
func (v Value) Str() (string, bool) { return v.s, v.kind == kindText }

func (v Value) float() float64 { return math.Float64frombits(uint64(v.b)) }

// Compare orders values for $orderby: null < boolean < number < text < others,
// periods by start, then end.
func Compare(a, b Value) int {
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	switch a.kind {
	case kindNumber:
		return compareNumbers(a, b)
	case kindText, kindJSON:
		return strings.Compare(a.s, b.s)
	case kindDuration:
		return cmp.Compare(a.length(), b.length())
	case kindGeo:
		return strings.Compare(a.g.text(), b.g.text())
	default:
	}
	if c := cmp.Compare(a.a, b.a); c != 0 {
		return c
	}
	return cmp.Compare(a.b, b.b)
}

// compareNumbers compares as floating-point unless both are whole numbers.
func compareNumbers(a, b Value) int {
	if a.exact && b.exact {
		return cmp.Compare(a.a, b.a)
	}
	x, y := a.float(), b.float()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	if (a.exact || a.s != "") && (b.exact || b.s != "") { // equal in 53 bits only
		return a.whole().Cmp(b.whole())
	}
	return 0
}

func (v Value) whole() *big.Int {
	if v.exact {
		return big.NewInt(v.a)
	}
	n, ok := new(big.Int).SetString(v.s, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// view is b as a string without a copy.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b)) //nolint:gosec // the life of the bytes is part of Value's contract
}

// bytesOf is s as bytes that nobody may write to.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // only read
}
