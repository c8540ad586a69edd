package ruleeval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"plateau/internal/testkit"
	"plateau/rules"
)

// testCase is a worked case in the common form of the rule cases.
type testCase struct {
	ID       string          `json:"id"`
	Rule     string          `json:"rule"`
	Input    json.RawMessage `json:"input"`
	Expected any             `json:"expected"`
	Tol      float64         `json:"tol"`
	Source   string          `json:"source"`
}

func readCases(tb testing.TB, file string) []testCase {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var out []testCase
	seen := map[string]bool{}
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var c testCase
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		if seen[c.ID] || c.Source == "" {
			tb.Errorf("%s: case %q is there twice, or has no source", file, c.ID)
		}
		seen[c.ID] = true
		out = append(out, c)
	}
	return out
}

func projectCases(tb testing.TB) []testCase {
	tb.Helper()
	return readCases(tb, filepath.Join(testkit.Root(), "rules", "testdata", "cases.jsonl"))
}

func evaluatorAt(tb testing.TB, date string) *Evaluator {
	tb.Helper()
	e, err := New(rules.Default(), date)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// same compares results: numbers within tol, everything else exactly, and no
// field more or less.
func same(got, want any, tol float64) bool {
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
			if _, there := g[k]; !there || !same(g[k], w[k], tol) {
				return false
			}
		}
		return true
	}
	return got == want
}

// withoutFormula names the rules whose steps are written by those who know
// more than the input: the explanation of a day, and of a limit.
var withoutFormula = map[string]bool{"cems.day_mean": true, "wpms.day": true, "wpms.ph_mean": true, "limit.nh3_by_temperature": true}

// checkCases runs cases and counts them by rule.
func checkCases(t *testing.T, cases []testCase) map[string]int {
	t.Helper()
	e := evaluatorAt(t, "2026-11-24")
	n := map[string]int{}
	for _, c := range cases {
		n[c.Rule]++
		result, trace, err := e.Eval(c.Rule, c.Input)
		if err != nil {
			t.Errorf("%s %s: %v", c.ID, c.Rule, err)
			continue
		}
		var got any
		if err := json.Unmarshal(result, &got); err != nil {
			t.Fatal(err)
		}
		if !same(got, c.Expected, c.Tol) {
			t.Errorf("%s %s: %s, want %v", c.ID, c.Rule, result, c.Expected)
		}
		if len(trace) == 0 != withoutFormula[c.Rule] {
			t.Errorf("%s: %d steps", c.ID, len(trace))
		}
		for _, s := range trace {
			if s.Rule != c.Rule || s.Hash == "" || s.Clause == "" || s.ClauseZh == "" {
				t.Errorf("%s: step cites %+v", c.ID, s)
			}
		}
	}
	return n
}

func TestCases(t *testing.T) {
	t.Parallel()
	n := checkCases(t, projectCases(t))
	for _, rule := range Rules() {
		if n[rule] < 4 {
			t.Errorf("%s has only %d worked cases", rule, n[rule])
		}
	}
}

func TestSharedCases(t *testing.T) {
	t.Parallel()
	cases := readCases(t, filepath.Join(testkit.Shared(t), "testdata", "rules", "examples.jsonl"))
	if checkCases(t, cases); len(cases) < 15 {
		t.Errorf("only %d examples", len(cases))
	}
}

// TestRulesAreNamed: what can be applied is a rule of the set, and nothing that
// computes is left out.
func TestRulesAreNamed(t *testing.T) {
	t.Parallel()
	for _, rule := range Rules() {
		if _, ok := rules.Default().At(rule, "2026-11-24"); !ok {
			t.Errorf("%s is no rule of the set", rule)
		}
	}
	if n := len(Rules()); n != 19 {
		t.Errorf("%d rules, want the eighteen of the common form and water.tli", n)
	}
}
