package quality

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The formulas once more in exact fractions of decimal numbers, drawn at random
// with their edges. What float64 makes of them may differ by 1e-12 of its size.

// exactly is a decimal number as a fraction.
func exactly(coef int64, scale int) *big.Rat {
	r := new(big.Rat).SetInt64(coef)
	for range scale {
		r.Quo(r, big.NewRat(10, 1))
	}
	return r
}

// decimal draws a number of [lo, hi] ten-to-the-minus-scales.
func decimal(t *rapid.T, name string, lo, hi int64, scale int) (float64, *big.Rat) {
	c := rapid.Int64Range(lo, hi).Draw(t, name)
	r := exactly(c, scale)
	f, _ := r.Float64()
	return f, r
}

func rat(a int64) *big.Rat { return big.NewRat(a, 1) }
func mul(a *big.Rat, b ...*big.Rat) *big.Rat {
	r := new(big.Rat).Set(a)
	for _, x := range b {
		r.Mul(r, x)
	}
	return r
}
func quo(a, b *big.Rat) *big.Rat { return new(big.Rat).Quo(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func sum(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }

// closeTo compares with an exact result; size is of the numbers it came of.
func closeTo(t *rapid.T, what string, got float64, want *big.Rat, size float64) {
	w, _ := want.Float64()
	if math.Abs(got-w) > 1e-12*math.Max(math.Abs(w), size) {
		t.Errorf("%s: %v, exactly %v", what, got, w)
	}
}

// TestMarksOfHours is section 2.2 of the reference as it is written there.
func TestMarksOfHours(t *testing.T) {
	t.Parallel()
	rule := testRules(t).Hour
	rapid.Check(t, func(t *rapid.T) {
		n := map[string]int{}
		var runs []Run
		for _, m := range []string{"N", "F", "St", "Sd", "B", "C", "M", "D", "T", "Md"} {
			n[m] = rapid.SampledFrom([]int{0, 0, 0, 0, 1, 7, 15, 16, 20, 30, 44, 45, 46, 60}).Draw(t, m)
			if n[m] > 0 {
				runs = append(runs, Run{Flag: m, Minutes: float64(n[m]), Value: Some(1)})
			}
		}
		want := ""
		for _, m := range []string{"N", "F", "St", "Sd", "B"} { // 1 and 2
			if want == "" && n[m] >= 45 {
				want = m
			}
		}
		most := func(above int, marks ...string) {
			for _, m := range marks {
				if n[m] > above && (want == "" || n[m] > n[want]) {
					want = m
				}
			}
		}
		if want == "" {
			most(15, "D", "M", "C") // 3
		}
		if want == "" {
			most(0, "D", "M", "C", "T", "B", "Sd", "St", "F") // 4
		}
		if want == "" {
			want = "Md" // 5
		}
		r := HourMean(&rule, runs)
		if r.Flag != want || r.Valid != (n["N"] >= 45) || r.NValid != float64(n["N"]) {
			t.Errorf("%v: %q valid %v, want %q", n, r.Flag, r.Valid, want)
		}
	})
}

// TestExactGas is section 4 in fractions: flow, dry concentration, nitrogen
// oxides, folding, emission rate.
func TestExactGas(t *testing.T) {
	t.Parallel()
	r := testRules(t)
	rapid.Check(t, func(t *rapid.T) {
		area, areaR := decimal(t, "area", 1, 5000, 2)
		kv, kvR := decimal(t, "kv", 50, 150, 2)
		vp, vpR := decimal(t, "velocity", 0, 4000, 2)
		ts, tsR := decimal(t, "temperature", -300, 4000, 1)
		ba, baR := decimal(t, "ambient", 50_000, 105_000, 0)
		ps, psR := decimal(t, "static", -5000, 5000, 0)
		xsw, xswR := decimal(t, "water", 0, 500, 3)
		got := FlowStdDry(&r.Flow, Duct{area, kv, vp, ts, ba, ps, xsw})
		qs := mul(rat(3600), areaR, kvR, vpR)
		dry := sub(rat(1), xswR)
		qsn := mul(qs, quo(rat(273), sum(rat(273), tsR)), quo(sum(baR, psR), rat(101325)), dry)
		closeTo(t, "wet flow", got.Qs, qs, 0)
		closeTo(t, "dry flow", got.Qsn, qsn, 0)

		c, cR := decimal(t, "concentration", -50, 100_000, 2)
		closeTo(t, "dry concentration", WetToDry(c, xsw), quo(cR, dry), 0)
		no, noR := decimal(t, "NO", 0, 10_000, 1)
		no2, no2R := decimal(t, "NO2", 0, 5000, 1)
		closeTo(t, "NOx as NO2", NOxAsNO2(&r.NOx, no, no2), mul(sum(noR, no2R), quo(rat(46), exactly(224, 1))), 0)
		q, qR := decimal(t, "flow", 0, 100_000_000, 1)
		closeTo(t, "emission rate", EmissionRate(&r.Emission, c, q), mul(cR, qR, exactly(1, 6)), 0)

		ref := rapid.SampledFrom([]int64{3, 6, 8, 9, 10, 11, 15, 16}).Draw(t, "reference oxygen")
		o2, o2R := decimal(t, "oxygen", -20, 2200, 2)
		missing := rapid.IntRange(0, 9).Draw(t, "missing") == 0
		fold := FoldO2(&r.Fold, c, Opt{o2, !missing}, Some(float64(ref)))
		switch {
		case missing || o2R.Sign() < 0:
			if fold.Status != FoldO2Missing || fold.Folded.OK {
				t.Errorf("oxygen %v missing %v: %+v", o2, missing, fold)
			}
		case o2R.Cmp(exactly(205, 1)) >= 0:
			if fold.Status != FoldO2Range || fold.Folded.OK {
				t.Errorf("oxygen %v: %+v", o2, fold)
			}
		default:
			// C × alpha ÷ alpha_s with alpha = 21 ÷ (21 − O2), the form of standards that state alpha_s.
			alpha, alphaS := quo(rat(21), sub(rat(21), o2R)), quo(rat(21), rat(21-ref))
			closeTo(t, "folded", fold.Folded.V, quo(mul(cR, alpha), alphaS), 0)
		}
	})
}

// TestExactDays is sections 3, 6.3 in fractions: the mean of valid hours of gas,
// of which there must be 20, and the mean of waste water by its flow, valid with
// 75 % of the periods that had water, with the total of all its flow.
func TestExactDays(t *testing.T) {
	t.Parallel()
	r := testRules(t)
	rapid.Check(t, func(t *rapid.T) {
		var hours []Opt
		all, n := new(big.Rat), 0
		valid := rapid.SampledFrom([]int{0, 1, 19, 20, 21, 24}).Draw(t, "valid hours")
		for range valid {
			v, vR := decimal(t, "hour", 0, 1_000_000, 3)
			hours, all, n = append(hours, Some(v)), sum(all, vR), n+1
		}
		for len(hours) < 24 {
			hours = append(hours, Opt{})
		}
		day := DayMean(&r.Day, rapid.Permutation(hours).Draw(t, "order"))
		if day.Valid != (n >= 20) || day.NValid != n || day.Mean.OK != (n > 0) {
			t.Errorf("%d hours: %+v", n, day)
		}
		if n > 0 {
			closeTo(t, "day mean", day.Mean.V, quo(all, rat(int64(n))), 0)
		}

		var rows []WaterRow
		cq, weight, flow := new(big.Rat), new(big.Rat), new(big.Rat)
		due, good := 0, 0
		for range rapid.IntRange(0, 24).Draw(t, "periods") {
			c, cR := decimal(t, "c", 0, 100_000, 2)
			q, qR := decimal(t, "q", 0, 3, 0)
			if q > 0 && rapid.Bool().Draw(t, "odd flow") {
				q, qR = decimal(t, "q exactly", 1, 1_000_000, 2)
			}
			ok := rapid.IntRange(0, 3).Draw(t, "invalid") > 0
			rows = append(rows, WaterRow{C: Some(c), Q: q, Valid: ok})
			flow = sum(flow, qR)
			if qR.Sign() == 0 {
				continue
			}
			if due++; ok {
				good++
				cq, weight = sum(cq, mul(cR, qR)), sum(weight, qR)
			}
		}
		water := WaterDay(&r.WaterDay, rows)
		wantValid := due > 0 && 4*good >= 3*due
		if water.Valid != wantValid || water.Expected != due || water.NValid != good {
			t.Errorf("%d of %d: %+v", good, due, water)
		}
		if good > 0 {
			mean := quo(cq, weight)
			closeTo(t, "water mean", water.Mean.V, mean, 0)
			if wantValid {
				closeTo(t, "water total", WaterTotal(water.Mean.V, water.Flow.V), quo(mul(mean, flow), rat(1000)), 0)
			}
		}
	})
}

// TestPHOfDay: the mean of pH lies between the extremes, nearer to the lower one
// than the arithmetic mean, and is what a tenth of the acid makes of it.
func TestPHOfDay(t *testing.T) {
	t.Parallel()
	rule := &testRules(t).WaterDay
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(t, "periods")
		var rows, shifted []WaterRow
		plain, flow := 0.0, 0.0
		for range n {
			ph, _ := decimal(t, "pH", 500, 1000, 2)
			q, _ := decimal(t, "q", 1, 1000, 0)
			rows, shifted = append(rows, WaterRow{C: Some(ph), Q: q, Valid: true}), append(shifted, WaterRow{C: Some(ph + 1), Q: q, Valid: true})
			plain, flow = plain+ph*q, flow+q
		}
		m, up := PHMean(rule, rows), PHMean(rule, shifted)
		if m.Mean.V < m.Min.V-1e-9 || m.Mean.V > plain/flow+1e-9 || math.Abs(up.Mean.V-m.Mean.V-1) > 1e-9 {
			t.Errorf("mean %v of %v to %v (arithmetic %v); one more %v", m.Mean, m.Min, m.Max, plain/flow, up.Mean)
		}
	})
	half := PHMean(rule, []WaterRow{{C: Some(6), Q: 1, Valid: true}, {C: Some(8), Q: 1, Valid: true}})
	if want := 6 - math.Log10(1.01/2); math.Abs(half.Mean.V-want) > 1e-12 { // (1e-6 + 1e-8) ÷ 2
		t.Errorf("6 and 8 have mean %v, want %v", half.Mean.V, want)
	}
}

// TestExactRates is sections 5 and 8 in fractions: the capture rate, and the
// valid rate of transmission; nothing due gives no rate.
func TestExactRates(t *testing.T) {
	t.Parallel()
	r := testRules(t)
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.Int64Range(0, 2208).Draw(t, "hours")
		stop := rapid.Int64Range(0, hours).Draw(t, "stopped")
		bad := rapid.Int64Range(0, hours-stop).Draw(t, "invalid")
		c := CaptureRate(&r.Capture, float64(hours), float64(bad), float64(stop))
		if c.Alpha.OK != (hours > stop) {
			t.Fatalf("%d − %d: %+v", hours, stop, c)
		}
		if c.Alpha.OK {
			alpha := mul(quo(rat(hours-bad-stop), rat(hours-stop)), rat(100))
			closeTo(t, "capture rate", c.Alpha.V, alpha, 0)
			if exact := alpha.Cmp(rat(75)) >= 0; c.Enough != exact {
				t.Errorf("%v %%: enough %v", c.Alpha.V, c.Enough)
			}
		}
		factors := rapid.Int64Range(0, 10).Draw(t, "factors")
		values := rapid.Int64Range(0, max((hours-stop)*factors, 0)).Draw(t, "values")
		groups := rapid.Int64Range(0, hours-stop).Draw(t, "groups")
		x := TxValidRate(&r.Transmission, Received{float64(hours), float64(stop), float64(factors), float64(values), float64(groups)})
		if due := (hours - stop) * factors; due == 0 {
			if x.Transmission.OK || x.Valid.OK || x.TxValid.OK {
				t.Errorf("nothing was due: %+v", x)
			}
		} else {
			tx, valid := quo(rat(100*values), rat(due)), quo(rat(100*groups), rat(hours-stop))
			closeTo(t, "transmission", x.Transmission.V, tx, 0)
			closeTo(t, "valid", x.Valid.V, valid, 0)
			closeTo(t, "transmission valid", x.TxValid.V, quo(mul(tx, valid), rat(100)), 0)
		}
	})
}

// TestExactVerdict is section 9: full values, equality complies, times over is
// value ÷ limit − 1.
func TestExactVerdict(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit, limitR := decimal(t, "limit", 1, 100_000, 2)
		by := rapid.SampledFrom([]int64{0, 0, 1, -1, 4, 1000, -1000}).Draw(t, "more")
		vR := sum(limitR, exactly(by, 6))
		v, _ := vR.Float64()
		j := JudgeExceed(v, LimitRef{Op: "<=", Hi: Some(limit)})
		if j.Exceeds != (by > 0) {
			t.Errorf("%v against %v: %+v", v, limit, j)
		}
		if by > 0 {
			// The multiple is small beside 1, so its error is that of 1.
			closeTo(t, "times", j.Times.V, sub(quo(vR, limitR), rat(1)), 1)
		}
	})
	j := JudgeExceed(81.5, LimitRef{Op: "<=", Hi: Some(50)})
	if !j.Exceeds || math.Abs(j.Times.V-0.63) > 1e-12 {
		t.Errorf("81.5 against 50 is %v times over, official texts say 0.63", j.Times.V)
	}
}

// TestMonthsOfYear is section 3: 25 valid days, in February 23.
func TestMonthsOfYear(t *testing.T) {
	t.Parallel()
	rule := &testRules(t).Month
	for m := time.January; m <= time.December; m++ {
		least := map[bool]int{true: 23, false: 25}[m == time.February]
		if MonthValid(rule, m, least-1) || !MonthValid(rule, m, least) || !slices.Contains([]int{23, 25}, least) {
			t.Errorf("%s: needs not %d days", m, least)
		}
	}
}
