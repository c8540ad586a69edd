package rules

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Value is a parameter of a rule, or one of those inside a table.
type Value struct {
	Keys []string // the parameter, then the keys inside its tables
	Item any      // number, text, flag or list
}

// Path names the value in one word: breakpoints/O3_8h.
func (v Value) Path() string { return strings.Join(v.Keys, "/") }

// Text writes the value as a person reads it.
func (v Value) Text() string { return valueText(v.Item) }

// List gives the items of a list as texts; of a single value, itself.
func (v Value) List() []string {
	list, ok := v.Item.([]any)
	if !ok {
		return []string{v.Text()}
	}
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = valueText(x)
	}
	return out
}

func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return strings.Join(Value{Item: v}.List(), ", ")
	case map[string]any:
		return "a table"
	}
	if n, ok := number(v); ok {
		return Number(n)
	}
	return "?"
}

// Number writes a parameter with all its digits and no more.
func Number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Values lists the parameters, sorted by path.
func (r *Rule) Values() []Value { return flatten(nil, nil, r.Params) }

func flatten(out []Value, keys []string, table map[string]any) []Value {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		at := append(slices.Clone(keys), key)
		if inner, ok := table[key].(map[string]any); ok {
			out = flatten(out, at, inner)
		} else {
			out = append(out, Value{at, table[key]})
		}
	}
	return out
}

// Delta is a parameter that differs between two versions; From or To is nil
// where a version has none.
type Delta struct {
	Keys     []string
	From, To *Value
}

// Diff lists the parameters in which two versions differ, by path.
func Diff(a, b *Rule) []Delta {
	from, to := byPath(a), byPath(b)
	paths := slices.Collect(maps.Keys(from))
	for p := range to {
		if from[p] == nil {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var out []Delta
	for _, p := range paths {
		x, y := from[p], to[p]
		switch {
		case x == nil:
			out = append(out, Delta{y.Keys, nil, y})
		case y == nil:
			out = append(out, Delta{x.Keys, x, nil})
		case !slices.Equal(x.List(), y.List()):
			out = append(out, Delta{x.Keys, x, y})
		}
	}
	return out
}

func byPath(r *Rule) map[string]*Value {
	out := map[string]*Value{}
	for _, v := range r.Values() {
		out[v.Path()] = &v
	}
	return out
}
