package quality

import (
	"math"
	"slices"
	"testing"

	"plateau/internal/telemetry"
)

// stack is a turbine that reports a flow.
func stack(more ...string) *telemetry.Outlet {
	o := turbine(1)
	for _, c := range append([]string{"a00000"}, more...) {
		o.Factors = append(o.Factors, telemetry.OutletFactor{Code: c})
	}
	return o
}

func close9(a Opt, b float64) bool { return a.OK && math.Abs(a.V-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// TestHourRate: 30 mg/m3 × 50 m3/s × 3600 s/h × 1e-6 = 5.4 kg/h, of the mean
// that is not folded.
func TestHourRate(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	good := []string{"a21002-Avg=30:N", "a19001-Avg=12:N", "a00000-Avg=50:N"}
	for _, c := range []struct {
		name  string
		items []string
		o     *telemetry.Outlet
		flow  Opt
		by    FlowSource
		rate  Opt
	}{
		{"measured", good, stack(), Some(180000), FlowReported, Some(5.4)},
		{"drifted zero", []string{"a21002-Avg=-3:N", "a19001-Avg=12:N", "a00000-Avg=50:N"}, stack(), Some(180000), FlowReported, Some(0)},
		{"more than drift", []string{"a21002-Avg=-16:N", "a19001-Avg=12:N", "a00000-Avg=50:N"}, stack(), Some(180000), FlowReported, Opt{}},
		{"flow in calibration", []string{"a21002-Avg=30:N", "a19001-Avg=12:N", "a00000-Avg=50:C"}, stack(), Opt{}, FlowNone, Opt{}},
		{"concentration in calibration", []string{"a21002-Avg=30:C", "a19001-Avg=12:N", "a00000-Avg=50:N"}, stack(), Some(180000), FlowReported, Opt{}},
		{"no flow at all", good[:2], turbine(1), Opt{}, FlowNone, Opt{}},
		{"other units", []string{"a21002-Avg=30000:N", "a00000-Avg=18:N"}, func() *telemetry.Outlet {
			o := stack()
			o.Factors[0].Unit, o.Factors[3].Unit = "ug/m3", "m3/h"
			return o
		}(), Some(18), FlowReported, Some(0.00054)},
		{"declared stop", good, func() *telemetry.Outlet {
			o := stack()
			o.Stops = []telemetry.Stop{{From: unix(h), To: unix(h + 7200)}}
			return o
		}(), Some(180000), FlowReported, Opt{}},
	} {
		m := newMemStore()
		m.add(hourOf(1, h, c.items...)...)
		e := newEngine(t, m, registry(c.o), h+hourSeconds)
		catchUp(t, e)
		row := oneHour(t, e, 1, h)
		f := row.Factor("a21002")
		if row.FlowBy != c.by || row.Flow.OK != c.flow.OK || c.flow.OK && !close9(row.Flow, c.flow.V) || f.Rate.OK != c.rate.OK || c.rate.OK && !close9(f.Rate, c.rate.V) {
			t.Errorf("%s: flow %v by %d, rate %v", c.name, row.Flow, row.FlowBy, f.Rate)
		}
	}
}

// TestComputedFlow: 3600 × 2 × 0.9 × 10 = 64800 m3/h; × 273 ÷ (273 + 273) = 32400;
// × (91325 + −1000) ÷ 101325; × (1 − 0.1).
func TestComputedFlow(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	o := turbine(1)
	o.Factors = append(o.Factors, telemetry.OutletFactor{Code: "a01011", RangeHi: new(40.0)}, telemetry.OutletFactor{Code: "a01013"}, telemetry.OutletFactor{Code: "a01014"})
	area, kv, ba := 2.0, 0.9, 91325.0
	o.Setups = []telemetry.Setup{{From: "2026-11-01", AreaM2: &area, Kv: &kv, AmbientPa: &ba}}
	want := 32400 * (91325.0 - 1000) / 101325 * 0.9
	items := []string{"a21002-Avg=10:N", "a19001-Avg=12:N", "a01011-Avg=10:N", "a01012-Avg=273:N", "a01013-Avg=-1:N", "a01014-Avg=10:N"}
	m := newMemStore()
	m.add(hourOf(1, h, items...)...)
	m.add(hourOf(1, at(22, 7, 0), slices.Replace(slices.Clone(items), 3, 4, "a01012-Avg=273:M")...)...)
	earlier := at(1, 0, 0) - hourSeconds // the setup is not in force yet
	m.add(hourOf(1, earlier, items...)...)
	e := newEngine(t, m, registry(o), h+hourSeconds)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	if row.FlowBy != FlowComputed || !close9(row.Flow, want) || !close9(row.Factor("a21002").Rate, 10*want*1e-6) {
		t.Errorf("flow %v by %d, rate %v; want %v", row.Flow, row.FlowBy, row.Factor("a21002").Rate, want)
	}
	for _, at := range []int64{at(22, 7, 0), earlier} {
		if row := oneHour(t, e, 1, at); row.Flow.OK {
			t.Errorf("flow %v without all it needs", row.Flow)
		}
	}
}

// TestWetGas: 27 mg/m3 in gas of 10 % water are 30 in dry gas; folded from 12 to
// 15 % oxygen (30 × 6 ÷ 9) 20.
func TestWetGas(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	o := stack("a01014")
	o.Setups = []telemetry.Setup{{From: "2026-01-01", Wet: []string{"a21002"}}}
	m := newMemStore()
	m.add(hourOf(1, h, "a21002-Avg=27:N", "a19001-Avg=12:N", "a01014-Avg=10:N", "a00000-Avg=50:N")...)
	m.add(rec(1, telemetry.KindHour, h, "a21002-Avg=27:N", "a21002-ZsAvg=20:N"))
	m.add(hourOf(1, h-hourSeconds, "a21002-Avg=27:N", "a19001-Avg=12:N", "a01014-Avg=10:D", "a00000-Avg=50:N")...)
	e := newEngine(t, m, registry(o), h+hourSeconds)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	if f := row.Factor("a21002"); !close9(f.Wet, 27) || !close9(f.Mean, 30) || !close9(f.Max, 30) || !close9(f.Folded, 20) || f.Mismatch || !close9(f.Rate, 5.4) {
		t.Errorf("%+v", f)
	}
	before := oneHour(t, e, 1, h-hourSeconds)
	if f := before.Factor("a21002"); f.Valid || f.Mean.OK || !close9(f.Wet, 27) || f.Judged.OK || !slices.Contains(f.Reasons, "reason.moisture_missing") {
		t.Errorf("without moisture: %+v", f)
	}
}

// TestComputedNOx: 30 mg/m3 NO × 46 ÷ 30 + 14 mg/m3 NO2 = 60; and (10 + 5) ppm
// × 46 ÷ 22.4.
func TestComputedNOx(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	o := stack("a21003", "a21004")
	o.Factors = o.Factors[1:] // no nitrogen oxides
	m := newMemStore()
	m.add(hourOf(1, h, "a21003-Avg=30:N", "a21004-Avg=14:N", "a19001-Avg=15:N", "a00000-Avg=50:N")...)
	m.add(hourOf(1, h-hourSeconds, "a21003-Avg=30:N", "a21004-Avg=14:C", "a19001-Avg=15:N", "a00000-Avg=50:N")...)
	e := newEngine(t, m, registry(o), h+hourSeconds)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	f := row.Factor("a21002")
	if f == nil || !f.Valid || !close9(f.Mean, 60) || !f.Over || f.Limit.Hi.V != 50 || !close9(f.Rate, 60*180000e-6) || !f.InTime {
		t.Fatalf("%+v", f)
	}
	before := oneHour(t, e, 1, h-hourSeconds)
	if f := before.Factor("a21002"); f == nil || f.Valid || f.Flag != "C" {
		t.Errorf("NO2 in calibration: %+v", f)
	}
	for i := range o.Factors {
		if c := o.Factors[i].Code; c == "a21003" || c == "a21004" {
			o.Factors[i].Unit = "ppm"
		}
	}
	m = newMemStore()
	m.add(hourOf(1, h, "a21003-Avg=10:N", "a21004-Avg=5:N", "a19001-Avg=15:N")...)
	e = newEngine(t, m, registry(o), h+hourSeconds)
	catchUp(t, e)
	row = oneHour(t, e, 1, h)
	if f := row.Factor("a21002"); f == nil || !close9(f.Mean, 15*46/22.4) {
		t.Errorf("from ppm: %+v", f)
	}
}

// TestDayTotals: gas sums its hours; water takes all that flowed, by the
// totaliser where one is sent and did not go back.
func TestDayTotals(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	w := works(2)
	back := works(3)
	for hour := range int64(24) {
		h := at(22, int(hour), 0)
		mark := "N"
		if hour < 4 {
			mark = "D"
		}
		m.add(hourOf(1, h, "a21002-Avg=30:"+mark, "a19001-Avg=12:N", "a00000-Avg=50:N")...)
		total := 1000 + 40*hour // first reading 1000, last 1000 + 40 × 23 + 35
		for ten := range int64(6) {
			m.add(rec(2, telemetry.KindMinute, h+600*ten, "w01018-Avg=40:"+mark, "w00000-Avg=10:N", "w00001-Avg="+num(float64(total+7*ten))+":N"))
		}
		if hour == 12 {
			total = 0
		}
		m.add(hourOf(3, h, "w01018-Avg=40:N", "w00000-Avg=10:N", "w00001-Avg="+num(float64(total))+":N")...)
	}
	e := newEngine(t, m, registry(stack(), w, back), at(23, 1, 0))
	catchUp(t, e)
	day := func(id telemetry.OutletID) DayRow {
		rows, err := e.Days(id, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d days, %v", len(rows), err)
		}
		return rows[0]
	}
	gas := day(1)
	if !close9(gas.Factor("a21002").Total, 20*5.4) || !close9(gas.Flow, 24*180000) || gas.FlowBy != FlowReported || gas.Factor("a19001").Total.OK {
		t.Errorf("gas: %v of %v by %d", gas.Factor("a21002").Total, gas.Flow, gas.FlowBy)
	}
	if d := day(2); !close9(d.Flow, 955) || d.FlowBy != FlowTotaliser || !close9(d.Factor("w01018").Total, 40*955.0/1000) {
		t.Errorf("totaliser: %v by %d, %v", d.Flow, d.FlowBy, d.Factor("w01018").Total)
	}
	if d := day(3); !close9(d.Flow, 24*36) || d.FlowBy != FlowReported || !close9(d.Factor("w01018").Total, 40*24*36.0/1000) {
		t.Errorf("totaliser that went back: %v by %d, %v", d.Flow, d.FlowBy, d.Factor("w01018").Total)
	}
}

// TestInTime: what is marked as sent again counts as received for ten days.
func TestInTime(t *testing.T) {
	t.Parallel()
	h := at(10, 7, 0)
	m := newMemStore()
	for i, days := range []int64{10, 11, 11} {
		for _, r := range hourOf(1, h+int64(i)*hourSeconds, "a21002-Avg=30:N") {
			r.Received = (h + int64(i+1)*hourSeconds + days*daySeconds) * 1e6
			r.RF = i < 2
			m.add(r)
		}
	}
	e := newEngine(t, m, registry(turbine(1)), at(24, 0, 0))
	catchUp(t, e)
	in, late, unmarked := oneHour(t, e, 1, h), oneHour(t, e, 1, h+hourSeconds), oneHour(t, e, 1, h+2*hourSeconds)
	if !in.Factor("a21002").InTime || late.Factor("a21002").InTime || !unmarked.Factor("a21002").InTime || !late.Factor("a21002").Valid {
		t.Error("ten days are in time, eleven are not; both are valid data")
	}
}

// TestExplainEmission writes the way from a frame to a mass down.
func TestExplainEmission(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	o := stack("a21003", "a21004", "a21026", "a01014")
	o.Factors = o.Factors[1:] // no nitrogen oxides
	o.Setups = []telemetry.Setup{{From: "2026-01-01", Wet: []string{"a21026", "a00000"}}}
	m := newMemStore()
	m.add(hourOf(1, h, "a21003-Avg=30:N", "a21004-Avg=14:N", "a21026-Avg=27:N", "a19001-Avg=12:N", "a01014-Avg=10:N", "a00000-Avg=50:N")...)
	e := newEngine(t, m, registry(o), h+hourSeconds)
	catchUp(t, e)
	for code, want := range map[string][]string{
		"a21002": {"(22.4 + 6.8174) × 46 ÷ 22.4 = 60", "50 × (1 − 0.1) × 3600 = 162000", "60 × 162000 × 1e-06 = 9.72"},
		"a21026": {"27 ÷ (1 − 0.1) = 30", "50 × (1 − 0.1) × 3600 = 162000", "30 × 162000 × 1e-06 = 4.86"},
	} {
		x, err := e.Explain(1, code, LevelHour, unix(h))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range x.Steps {
			if s.Name == StepFlow || s.Name == StepEmission || s.Name == StepConversion && s.Rule != "cems.fold_o2" {
				got = append(got, s.Formula)
			}
			if s.Rule == "" && s.Name != StepFrame || s.Name == StepEmission && s.Clause == "" {
				t.Errorf("%s: step %+v cites nothing", code, s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", code, got)
		}
		if n := len(x.Steps); n < 2 || x.Steps[n-2].Name != StepFlow || x.Steps[n-2].Inputs[0] != (Input{"Qr", "50", "m3/s"}) || !slices.Contains(x.Steps[n-1].Inputs, Input{"G", x.Steps[n-1].Result, "kg/h"}) {
			t.Errorf("%s: the steps to the mass are %+v", code, x.Steps[max(0, n-2):])
		}
	}
	x, err := e.Explain(1, "a21026", LevelDay, unix(h))
	if s := x.Steps[len(x.Steps)-1]; err != nil || s.Name != StepEmission || s.Formula != "Σ G = 4.86" {
		t.Errorf("day: %+v, %v", s, err)
	}
}
