package quality

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plateau/rules"
)

func testRules(tb testing.TB) *Rules {
	tb.Helper()
	r, err := ReadRules(rules.Default(), "2026-11-24")
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// TestHourOfRuns: an hour does not depend on the order of its runs, nor on how
// they are cut.
func TestHourOfRuns(t *testing.T) {
	t.Parallel()
	rule := &testRules(t).Hour
	rapid.Check(t, func(t *rapid.T) {
		var whole, cut []Run
		for left := 60; left > 0; {
			r := Run{
				Flag:    rapid.SampledFrom(marks[:]).Draw(t, "flag"),
				Minutes: float64(rapid.IntRange(1, left).Draw(t, "minutes")),
				Value:   Opt{float64(rapid.IntRange(-50, 5000).Draw(t, "value")) / 10, rapid.Bool().Draw(t, "has value")},
			}
			whole = append(whole, r)
			left -= int(r.Minutes)
			for rest := r.Minutes; rest > 0; {
				r.Minutes = float64(rapid.IntRange(1, int(rest)).Draw(t, "part"))
				cut = append(cut, r)
				rest -= r.Minutes
			}
		}
		a, b := HourMean(rule, whole), HourMean(rule, rapid.Permutation(cut).Draw(t, "order"))
		if a.Valid != b.Valid || a.Flag != b.Flag || a.NValid != b.NValid || a.Mean.OK != b.Mean.OK || math.Abs(a.Mean.V-b.Mean.V) > 1e-9 {
			t.Errorf("%+v\nand, cut and in another order,\n%+v", a, b)
		}
	})
}

// TestFoldRises: more of the pollutant, or more air let in, never folds to less.
func TestFoldRises(t *testing.T) {
	t.Parallel()
	rule := &testRules(t).Fold
	rapid.Check(t, func(t *rapid.T) {
		ref := Some(rapid.Float64Range(0, 20).Draw(t, "reference"))
		c, more := rapid.Float64Range(0, 1e4).Draw(t, "c"), rapid.Float64Range(0, 1e4).Draw(t, "more")
		o2 := rapid.Float64Range(0, 20.4).Draw(t, "o2")
		higher := rapid.Float64Range(o2, 20.4).Draw(t, "higher")
		a, b, d := FoldO2(rule, c, Some(o2), ref), FoldO2(rule, c+more, Some(o2), ref), FoldO2(rule, c, Some(higher), ref)
		if a.Folded.V > b.Folded.V || a.Folded.V > d.Folded.V {
			t.Errorf("%v at %v %%: %v, with more %v, at %v %% %v", c, o2, a.Folded.V, b.Folded.V, higher, d.Folded.V)
		}
	})
}

// TestSubstituteWindow holds the walk back over runs against taking the hours
// one by one; a longer window never gives less.
func TestSubstituteWindow(t *testing.T) {
	t.Parallel()
	rule := testRules(t).Substitute
	rapid.Check(t, func(t *rapid.T) {
		rule := rule
		rule.ShortWindow, rule.LongWindow, rule.LowWindow = 5, 12, 30
		var history []RateRun
		hours := map[int64]float64{}
		for h := int64(0); h < 60; {
			r := RateRun{From: h + int64(rapid.IntRange(0, 3).Draw(t, "gap")), Valid: rapid.Bool().Draw(t, "valid"), KgH: float64(rapid.IntRange(-5, 99).Draw(t, "rate"))}
			r.To = r.From + int64(rapid.IntRange(0, 9).Draw(t, "length"))
			history = append(history, r)
			for x := r.From; r.Valid && x <= r.To; x++ {
				hours[x] = r.KgH
			}
			h = r.To + 1
		}
		history = rapid.Permutation(history).Draw(t, "order")
		gap := Gap{Kind: "other", Anchor: int64(rapid.IntRange(-2, 70).Draw(t, "anchor"))}
		last := SubstituteResult{}
		for _, c := range []struct {
			alpha, hours float64
			window       int
		}{{95, 24, 5}, {95, 25, 12}, {80, 1, 30}} {
			gap.Alpha, gap.Hours = c.alpha, c.hours
			got := SubstituteRate(&rule, gap, history)
			want := SubstituteResult{Status: SubstituteNoRule}
			for h := gap.Anchor - 1; h >= 0 && want.Hours < c.window; h-- {
				v, ok := hours[h]
				if !ok {
					continue
				}
				if want.Status, want.From = SubstituteOK, h; want.Hours == 0 {
					want.To, want.Window, want.Method = h, c.window, got.Method
				}
				if want.Hours++; !want.Value.OK || v > want.Value.V {
					want.Value = Some(v)
				}
			}
			if got != want {
				t.Fatalf("window of %d: %+v, hour by hour %+v", c.window, got, want)
			}
			if last.Value.OK && got.Value.V < last.Value.V {
				t.Errorf("a window of %d gives %v, a shorter one %v", c.window, got.Value.V, last.Value.V)
			}
			last = got
		}
	})
}

// TestSubstituteOverlap: an hour that history holds twice counts once.
func TestSubstituteOverlap(t *testing.T) {
	t.Parallel()
	rule := testRules(t).Substitute
	rule.ShortWindow = 4
	got := SubstituteRate(&rule, Gap{Kind: "other", Alpha: 95, Hours: 1, Anchor: 11}, []RateRun{
		{1, 6, true, 50}, {7, 10, true, 3}, {8, 9, true, 7}, {9, 9, true, 5}, {10, 10, false, 99},
	})
	if want := (SubstituteResult{SubstituteOK, Some(7), 4, "t6-4", 4, 7, 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestQuotaIsKept: whatever the marks, no more is exempt in a year than the
// quota holds, and no hour twice.
func TestQuotaIsKept(t *testing.T) {
	t.Parallel()
	rule := &testRules(t).Quota
	rapid.Check(t, func(t *rapid.T) {
		var marks []FurnaceMark
		exempt := 0.0
		for range rapid.IntRange(1, 12).Draw(t, "marks") {
			m := FurnaceMark{
				Mark:  rapid.SampledFrom(append(rule.Others, rule.Marks...)).Draw(t, "mark"),
				Hours: float64(rapid.IntRange(0, 30).Draw(t, "hours")),
				PM:    Opt{float64(rapid.IntRange(0, 300).Draw(t, "pm")), rapid.Bool().Draw(t, "pm known")},
			}
			q := Quota60(rule, marks, m)
			if q.UsedBefore != exempt || q.Exempt > m.Hours {
				t.Fatalf("%+v after %v exempt hours, of %v", q, exempt, m.Hours)
			}
			exempt += q.Exempt
			marks = append(marks, m)
		}
		if exempt > 60 {
			t.Errorf("%v hours exempt", exempt)
		}
	})
}
