package ruleeval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/telemetry/quality"
)

// fields reads a JSON object. The first thing that does not fit is kept, for
// the object and all that are inside it; what is read after it means nothing.
type fields struct {
	path  string // of the object, with the dot that a field's name follows
	raw   map[string]json.RawMessage
	asked []string
	fault *error
}

func newFields(raw json.RawMessage) *fields {
	f := &fields{fault: new(error)}
	f.object(raw, "input")
	return f
}

func (f *fields) object(raw json.RawMessage, path string) {
	if len(raw) == 0 {
		f.fail("%s: missing; expected an object", path)
	} else if err := json.Unmarshal(raw, &f.raw); err != nil || f.raw == nil {
		f.fail("%s: expected an object, got %s", path, shown(raw))
	}
}

func (f *fields) fail(format string, args ...any) {
	if *f.fault == nil {
		*f.fault = fmt.Errorf(format, args...)
	}
}

func (f *fields) wrong(name, expected string, raw json.RawMessage) {
	if raw == nil {
		f.fail("%s%s: missing; expected %s", f.path, name, expected)
		return
	}
	f.fail("%s%s: expected %s, got %s", f.path, name, expected, shown(raw))
}

// shown is the beginning of a value, for an error.
func shown(raw json.RawMessage) string {
	s := strings.Join(strings.Fields(string(raw)), " ")
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// get gives a field; nil where it is missing.
func (f *fields) get(name string) json.RawMessage {
	f.asked = append(f.asked, name)
	return f.raw[name]
}

func isNull(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// remarks are fields that say nothing a rule asks for, but something to a reader.
var remarks = []string{"note", "notes", "comment", "remark", "description", "source", "unit", "name", "id"}

// end tells whether all fitted. A field that no rule asks for is passed over
// when it is a remark, or when nothing that was asked for is missing; else it
// is refused, as it may be a misspelt optional one, taken for a missing value.
func (f *fields) end() bool {
	missing := slices.ContainsFunc(f.asked, func(name string) bool { return f.raw[name] == nil })
	for _, name := range slices.Sorted(maps.Keys(f.raw)) {
		if missing && !slices.Contains(f.asked, name) && !slices.Contains(remarks, name) {
			f.fail("%s%s: no such field; expected %s", f.path, name, strings.Join(f.asked, ", "))
		}
	}
	return *f.fault == nil
}

// bound is what a number must keep; expected says it in words.
type bound struct {
	expected string
	ok       func(float64) bool
}

func above(lo float64) bound {
	return bound{"a number above " + quality.Num(lo), func(v float64) bool { return v > lo }}
}

func between(lo, hi float64) bound {
	return bound{"a number from " + quality.Num(lo) + " to " + quality.Num(hi), func(v float64) bool { return v >= lo && v <= hi }}
}

var (
	anyNumber = bound{"a number", func(float64) bool { return true }}
	amount    = bound{"a number of 0 or more", func(v float64) bool { return v >= 0 }}
	fraction  = bound{"a fraction of 0 or more and below 1", func(v float64) bool { return v >= 0 && v < 1 }}
)

// maxDigits is how long a number may be written; exact arithmetic with longer
// ones would take more time than anybody needs.
const maxDigits = 400

var errNoNumber = errors.New("not a number")

// parse takes the decimal text of a JSON number.
func parse(raw json.RawMessage) (float64, error) {
	if len(raw) == 0 || len(raw) > maxDigits || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, errNoNumber
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, err // beyond the range of float64
	}
	mantissa, _, _ := bytes.Cut(bytes.ToLower(raw), []byte("e"))
	if v == 0 && bytes.ContainsAny(mantissa, "123456789") {
		return 0, errNoNumber // smaller than any float64, but not zero
	}
	return v, nil
}

func (f *fields) num(name string, b bound) float64 {
	raw := f.get(name)
	v, err := parse(raw)
	if err != nil || !b.ok(v) {
		f.wrong(name, b.expected, raw)
	}
	return v
}

// opt takes null, and a field that is not there, for a missing number.
func (f *fields) opt(name string, b bound) quality.Opt {
	if isNull(f.raw[name]) {
		f.get(name)
		return quality.Opt{}
	}
	b.expected += " or null"
	return quality.Some(f.num(name, b))
}

// exact gives a number with every digit it is written with.
func (f *fields) exact(name string, b bound) *big.Rat {
	if f.num(name, b) != 0 {
		if r, ok := new(big.Rat).SetString(string(f.raw[name])); ok {
			return r
		}
	}
	return new(big.Rat)
}

func (f *fields) whole(name string, hi int64) int64 {
	v := f.num(name, bound{
		fmt.Sprintf("a whole number from 0 to %d", hi),
		func(v float64) bool { return v == math.Trunc(v) && v >= 0 && v <= float64(hi) },
	})
	return int64(v)
}

// hour is a number of an hour, counted from any one origin.
func (f *fields) hour(name string) int64 {
	v := f.num(name, bound{"the whole number of an hour", func(v float64) bool { return v == math.Trunc(v) && math.Abs(v) <= 1e12 }})
	return int64(v)
}

// month takes a number from 1 to 12, or a month with its year: "2026-02".
func (f *fields) month(name string) time.Month {
	raw := f.get(name)
	text, err := strconv.Unquote(string(raw))
	month, err2 := time.Parse("2006-01", text)
	if err == nil && err2 == nil {
		return month.Month()
	}
	n, err := parse(raw)
	if err != nil || n != math.Trunc(n) || n < 1 || n > 12 {
		f.wrong(name, `a month: a number from 1 to 12, or "2026-02"`, raw)
	}
	return time.Month(n)
}

// texts takes a list of texts.
func (f *fields) texts(name string) []string {
	var out []string
	for i, raw := range f.list(name, "a list of texts") {
		s := ""
		if isNull(raw) || json.Unmarshal(raw, &s) != nil {
			f.fail("%s%s[%d]: expected a text, got %s", f.path, name, i, shown(raw))
		}
		out = append(out, s)
	}
	return out
}

func (f *fields) yesNo(name string) bool {
	raw := f.get(name)
	if s := string(raw); s != "true" && s != "false" {
		f.wrong(name, "true or false", raw)
	}
	return string(raw) == "true"
}

// optYesNo takes null, and a field that is not there, for the given answer.
func (f *fields) optYesNo(name string, otherwise bool) bool {
	if isNull(f.raw[name]) {
		f.get(name)
		return otherwise
	}
	return f.yesNo(name)
}

// text takes one of the allowed texts, or any where none are given.
func (f *fields) text(name string, allowed ...string) string {
	raw := f.get(name)
	expected := "a text"
	if len(allowed) > 0 {
		expected = either(allowed)
	}
	s := ""
	if isNull(raw) || json.Unmarshal(raw, &s) != nil || len(allowed) > 0 && !slices.Contains(allowed, s) {
		f.wrong(name, expected, raw)
	}
	return s
}

// label is a text, also one of digits that was given as a number: 2026, 2.0.
func label(raw json.RawMessage) string {
	if text, err := strconv.Unquote(string(raw)); err == nil {
		return text
	}
	if v, err := parse(raw); err == nil {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return string(raw)
}

// label takes one of the allowed texts.
func (f *fields) label(name string, allowed ...string) string {
	raw := f.get(name)
	s := label(raw)
	if isNull(raw) || !slices.Contains(allowed, s) {
		f.wrong(name, either(allowed), raw)
	}
	return s
}

// either lists what is allowed: "a, b or c".
func either(allowed []string) string {
	if last := len(allowed) - 1; last > 0 {
		return strings.Join(allowed[:last], ", ") + " or " + allowed[last]
	}
	return strings.Join(allowed, "")
}

// list gives the items of a list with their names for errors.
func (f *fields) list(name, expected string) []json.RawMessage {
	raw := f.get(name)
	var items []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &items) != nil {
		f.wrong(name, expected, raw)
	}
	return items
}

// each calls fn with every object of a list.
func (f *fields) each(name, expected string, fn func(*fields)) {
	for i, raw := range f.list(name, expected) {
		path := fmt.Sprintf("%s%s[%d]", f.path, name, i)
		item := &fields{path: path + ".", fault: f.fault}
		item.object(raw, path)
		fn(item)
		if !item.end() {
			return
		}
	}
}

// inner reads an object inside this one.
func (f *fields) inner(name string) *fields {
	in := &fields{path: f.path + name + ".", fault: f.fault}
	in.object(f.get(name), f.path+name)
	return in
}
