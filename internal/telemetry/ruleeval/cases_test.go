package ruleeval

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"plateau/internal/testkit"
	"plateau/rules"
)

func readCases(tb testing.TB, file string) []rules.Case {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := rules.ParseCases(text)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func evaluatorAt(tb testing.TB, date string) *Evaluator {
	tb.Helper()
	e, err := New(rules.Default(), date)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// withoutFormula names the rules whose steps are written by those who know
// more than the input: the explanation of a day, and of a limit.
var withoutFormula = map[string]bool{"cems.day_mean": true, "wpms.day": true, "wpms.ph_mean": true, "limit.nh3_by_temperature": true}

// checkCases runs cases and counts them by rule.
func checkCases(t *testing.T, cases []rules.Case) map[string]int {
	t.Helper()
	n := map[string]int{}
	at := map[string]*Evaluator{}
	for _, c := range cases {
		n[c.Rule]++
		date := cmp.Or(c.Date, "2026-11-24")
		if at[date] == nil {
			at[date] = evaluatorAt(t, date)
		}
		e := at[date]
		result, trace, err := e.Eval(c.Rule, c.Input)
		if err != nil {
			t.Errorf("%s %s: %v", c.ID, c.Rule, err)
			continue
		}
		var got any
		if err := json.Unmarshal(result, &got); err != nil {
			t.Fatal(err)
		}
		if !Same(got, c.Expected, c.Tol) {
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
	n := checkCases(t, rules.Cases())
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
	if n := len(Rules()); n != 33 {
		t.Errorf("%d rules, want the eighteen of the common form and fifteen of our own", n)
	}
}
