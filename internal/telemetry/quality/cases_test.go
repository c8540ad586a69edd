package quality

import (
	"bufio"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"plateau/internal/telemetry"
	"plateau/internal/testkit"
	"plateau/rules"
)

// testCase is a worked case in the common form of the rule cases.
type testCase struct {
	ID       string          `json:"id"`
	Rule     string          `json:"rule"`
	Input    json.RawMessage `json:"input"`
	Expected map[string]any  `json:"expected"`
	Tol      float64         `json:"tol"`
}

func readCases(t *testing.T, file string) []testCase {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []testCase
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var c testCase
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, c)
	}
	return out
}

func testParams(tb testing.TB) *params {
	tb.Helper()
	p, err := readParams(rules.Default(), "2026-11-24")
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func orNull(o Opt, valid bool) any {
	if !o.OK || !valid {
		return nil
	}
	return o.V
}

func opt(f *float64) Opt { return ptr(f) }

// apply runs the rule of a case; nil for a rule this package does not hold.
func apply(t *testing.T, p *params, c testCase) map[string]any {
	t.Helper()
	var in struct {
		Runs []struct {
			Flag    string
			Minutes float64
			Value   *float64
		}
		Conc  float64
		O2    *float64 `json:"o2_pct"`
		Ref   *float64 `json:"ref_o2_pct"`
		Hours []*float64
		Rows  []struct {
			C, PH *float64
			Q     float64 `json:"q_m3"`
			Valid *bool
		}
		Value, Limit json.Number
		Level        string
		Temp         *float64 `json:"water_temp_c"`
	}
	switch c.Rule {
	case "cems.hour_mean", "cems.fold_o2", "cems.day_mean", "wpms.day", "wpms.ph_mean", "judge.exceed", "limit.nh3_by_temperature":
	default:
		return nil
	}
	if err := json.Unmarshal(c.Input, &in); err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	rows := make([]WaterRow, len(in.Rows))
	for i, r := range in.Rows {
		rows[i] = WaterRow{C: opt(r.C), Q: r.Q, Valid: r.Valid == nil || *r.Valid}
		if r.PH != nil {
			rows[i].C = opt(r.PH)
		}
	}
	switch c.Rule {
	case "cems.hour_mean":
		var runs []Run
		for _, r := range in.Runs {
			runs = append(runs, Run{r.Flag, r.Minutes, opt(r.Value)})
		}
		r := HourMean(&p.gasHour, runs)
		if s := r.Step(&p.gasHour, runs); s.Rule != c.Rule || s.Formula == "" {
			t.Errorf("%s: step says %+v", c.ID, s)
		}
		return map[string]any{"valid": r.Valid, "flag": r.Flag, "n_valid": r.NValid, "mean": orNull(r.Mean, r.Valid)}
	case "cems.fold_o2":
		r := FoldO2(&p.fold, in.Conc, opt(in.O2), opt(in.Ref))
		return map[string]any{"folded": orNull(r.Folded, true), "status": string(r.Status)}
	case "cems.day_mean":
		var hours []Opt
		for _, h := range in.Hours {
			hours = append(hours, opt(h))
		}
		r := DayMean(&p.gasDay, hours)
		return map[string]any{"valid": r.Valid, "n_valid": float64(r.NValid), "mean": orNull(r.Mean, r.Valid)}
	case "wpms.day":
		r := WaterDay(&p.waterDay, rows)
		return map[string]any{
			"valid": r.Valid, "expected": float64(r.Expected), "n_valid": float64(r.NValid), "mean": orNull(r.Mean, r.Valid),
			"flow_m3": orNull(r.Flow, true), "total_kg": orNull(r.Total, true),
		}
	case "wpms.ph_mean":
		r := PHMean(&p.waterDay, rows)
		return map[string]any{"ph": orNull(r.Mean, true), "min": orNull(r.Min, true), "max": orNull(r.Max, true)}
	case "judge.exceed":
		v, _ := in.Value.Float64()
		l, _ := in.Limit.Float64()
		r := JudgeExceed(v, LimitRef{Op: "<=", Hi: Some(l)})
		exact, _ := new(big.Rat).SetString(in.Value.String())
		if Display(v, 1) != DisplayRat(exact, 1) {
			t.Errorf("%s: Display and DisplayRat differ", c.ID)
		}
		return map[string]any{"exceeds": r.Exceeds, "times": orNull(r.Times, true), "display": Display(v, 1)}
	}
	o := &telemetry.Outlet{Medium: telemetry.Water, SourceType: p.nh3.onlySourceType, Level: in.Level}
	l, ok := limitSource{rules.Default().Limits()}.find(p, o, "w21003", "day", "2026-11-24", opt(in.Temp))
	if !ok {
		return map[string]any{"limit": nil}
	}
	return map[string]any{"limit": *l.Hi}
}

func checkCases(t *testing.T, file string) (run int) {
	t.Helper()
	p := testParams(t)
	for _, c := range readCases(t, file) {
		got := apply(t, p, c)
		if got == nil {
			continue
		}
		run++
		for name, want := range c.Expected {
			have, ok := got[name]
			if w, num := want.(float64); num {
				h, isNum := have.(float64)
				if !isNum || math.Abs(h-w) > c.Tol {
					t.Errorf("%s %s: %s = %v, want %v", c.ID, c.Rule, name, have, want)
				}
			} else if !ok || have != want {
				t.Errorf("%s %s: %s = %v, want %v", c.ID, c.Rule, name, have, want)
			}
		}
	}
	return run
}

func TestCases(t *testing.T) {
	t.Parallel()
	if n := checkCases(t, filepath.Join(testkit.Root(), "rules", "testdata", "cases.jsonl")); n < 65 {
		t.Errorf("only %d cases were run", n)
	}
}

func TestSharedCases(t *testing.T) {
	t.Parallel()
	if n := checkCases(t, filepath.Join(testkit.Shared(t), "testdata", "rules", "examples.jsonl")); n < 6 {
		t.Errorf("only %d cases were run", n)
	}
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
