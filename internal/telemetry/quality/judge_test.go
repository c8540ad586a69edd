package quality

import (
	"math/big"
	"testing"

	"plateau/rules"
)

func testParams(tb testing.TB) *params {
	tb.Helper()
	p, err := readParams(rules.Default(), "2026-11-24")
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestJudgeBounds(t *testing.T) {
	t.Parallel()
	ph := LimitRef{Op: "range", Lo: Some(6), Hi: Some(9)}
	do := LimitRef{Op: ">=", Lo: Some(5)}
	for _, c := range []struct {
		v    float64
		l    LimitRef
		want bool
	}{
		{6, ph, false},
		{9, ph, false},
		{9.01, ph, true},
		{5.99, ph, true},
		{5, do, false},
		{4.99, do, true},
		{50, do, false},
		{0.1 + 0.2, LimitRef{Op: "<=", Hi: Some(0.3)}, false}, // noise of the arithmetic is no exceedance
	} {
		if r := JudgeExceed(c.v, c.l); r.Exceeds != c.want {
			t.Errorf("%v against %s: exceeds %v", c.v, c.l.Text(), r.Exceeds)
		}
	}
	if r := JudgeExceed(9.5, ph); r.Times.OK {
		t.Error("pH has no times over the limit")
	}
}

func TestEveryRuleIsRead(t *testing.T) {
	t.Parallel()
	if p := testParams(t); len(p.order.states) != 7 || p.evidence.sources["municipal waste incinerator"].is("hour") {
		t.Errorf("rules read wrongly: %+v", p.order)
	}
}

// TestDisplay rounds half to even on the decimal text.
func TestDisplay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0.25": "0.2", "0.35": "0.4", "2.45": "2.4", "-0.25": "-0.2", "-0.04": "0.0", "35.04": "35.0", "9.95": "10.0", "1e2": "100.0",
	} {
		r, _ := new(big.Rat).SetString(text)
		if got := DisplayRat(r, 1); got != want {
			t.Errorf("%s shows as %s, want %s", text, got, want)
		}
	}
}
