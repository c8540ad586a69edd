package ruleeval

import (
	"encoding/json"
	"math"

	"plateau/rules"
)

// Try applies a rule to the input of a worked case and tells whether the result
// is the expected one. The error says what of the input does not fit.
func (e *Evaluator) Try(c rules.Case) (result json.RawMessage, ok bool, err error) {
	result, _, err = e.Eval(c.Rule, c.Input)
	if err != nil {
		return nil, false, err
	}
	var got any
	if err := json.Unmarshal(result, &got); err != nil {
		return nil, false, err
	}
	return result, Same(got, c.Expected, c.Tol), nil
}

// Same compares results read from JSON: numbers within tol, everything else
// exactly, and no field more or less.
func Same(got, want any, tol float64) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		return ok && math.Abs(g-w) <= tol
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if _, there := g[k]; !there || !Same(g[k], w[k], tol) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !Same(g[i], w[i], tol) {
				return false
			}
		}
		return true
	}
	return got == want
}
