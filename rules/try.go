package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Misfit is a value that a parameter cannot have, and what to write instead.
type Misfit struct{ Path, Text string }

// Try gives a version of a rule with other values, written as texts by the paths
// of Values: a number, a word, or a list with commas. Nothing is stored. What
// does not fit is listed instead.
func (s *Set) Try(r *Rule, values map[string]string) (*Rule, []Misfit) {
	out := *r
	out.Params = cloneTable(r.Params)
	var faults []Misfit
	for _, v := range r.Values() {
		text, given := values[v.Path()]
		if !given || text == v.Text() {
			continue
		}
		item, err := parseLike(v.Item, text)
		if err != nil {
			faults = append(faults, Misfit{v.Path(), err.Error()})
			continue
		}
		set(out.Params, v.Keys, item)
	}
	for _, m := range s.Shape(r.ID).misfit(&out) {
		path, _, _ := strings.Cut(m.param, "[")
		faults = append(faults, Misfit{path, m.text})
	}
	sum := sha256.Sum256([]byte(r.Hash + fmt.Sprint(out.Params)))
	out.Hash = hex.EncodeToString(sum[:6]) // another basis, so never taken for the stored version
	return &out, faults
}

func cloneTable(t map[string]any) map[string]any {
	out := maps.Clone(t)
	for k, v := range out {
		if inner, ok := v.(map[string]any); ok {
			out[k] = cloneTable(inner)
		}
	}
	return out
}

func set(t map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		t, _ = t[k].(map[string]any) // the keys are those of a value that is there
	}
	t[keys[len(keys)-1]] = v
}

// parseLike reads a text as a value of the kind that old is of.
func parseLike(old any, text string) (any, error) {
	text = strings.TrimSpace(text)
	switch old := old.(type) {
	case string:
		return text, nil
	case bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("is %q; write true or false", text)
		}
		return v, nil
	case []any:
		var like any = ""
		if len(old) > 0 {
			like = old[0]
		}
		out := []any{}
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '，' || r == '、' }) {
			item, err := parseLike(like, part)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("is %q; write a number", text)
	}
	return v, nil
}

// Number reports whether the value is a number or a list of them.
func (v Value) Number() bool {
	item := v.Item
	if list, ok := item.([]any); ok {
		return len(list) > 0 && !slices.ContainsFunc(list, func(x any) bool { _, is := number(x); return !is })
	}
	_, is := number(item)
	return is
}
