package quality

import (
	"slices"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// memRows are rows in memory.
type memRows struct {
	hours map[int64]HourRow
	days  map[int64]DayRow
}

func (m *memRows) Hours(from, to int64) (out []HourRow, _ error) {
	for h := from; h < to; h += hourSeconds {
		if r, ok := m.hours[h]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memRows) Days(from, to int64) (out []DayRow, _ error) {
	for d := from; d < to; d += daySeconds {
		if r, ok := m.days[d]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memRows) First() (first int64, ok bool, _ error) {
	for h := range m.hours {
		if !ok || h < first {
			first, ok = h, true
		}
	}
	return first, ok, nil
}

// gasYear fills every hour of [from, to) of outlet 1 with a valid rate of 1 kg/h
// of nitrogen oxides, save where change says something else.
func gasYear(from, to int64, change func(h int64, f *FactorHour) (there bool)) *memRows {
	m := &memRows{hours: map[int64]HourRow{}, days: map[int64]DayRow{}}
	for h := from; h < to; h += hourSeconds {
		f := FactorHour{Code: "a21002", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, InTime: true, Mean: Some(10), Rate: Some(1)}
		if !change(h, &f) {
			continue
		}
		if !f.Valid {
			f.Rate, f.NValid = Opt{}, 0
		}
		o2 := FactorHour{Code: "a19001", Flag: "N", NExpected: 60, NSeen: 60, NValid: 60, Valid: true, InTime: true}
		m.hours[h] = HourRow{Outlet: 1, At: h, Source: SourceMinute, Flow: Some(100000), FlowBy: FlowReported, Factors: []FactorHour{f, o2}}
		d := dayStart(h)
		row := m.days[d]
		if len(row.Factors) == 0 {
			row = DayRow{Outlet: 1, At: d, Factors: []FactorDay{{Code: "a21002"}, {Code: "a19001", NExpected: 24, NValid: 24, Valid: true}}}
		}
		x := &row.Factors[0]
		if f.NExpected > 0 {
			x.NExpected++
		}
		if f.Valid {
			x.NValid++
			x.Total = Some(x.Total.V + f.Rate.V)
			x.Mean = Some(10)
		}
		x.Valid = x.NValid >= 20
		row.Flow = Some(row.Flow.V + 100000)
		m.days[d] = row
	}
	return m
}

func periodOutlet() *telemetry.Outlet {
	o := stack()
	o.Factors = []telemetry.OutletFactor{{Code: "a21002"}, {Code: "a19001"}, {Code: "a00000"}}
	return o
}

func periodOf(tb testing.TB, o *telemetry.Outlet, level string, when, now int64, rows PeriodRows, checks Checks) PeriodRow {
	tb.Helper()
	src := limitSource{rules.Default().Limits()}
	p, err := computePeriod(periodInput{
		outlet: o, level: level, at: when, now: now, rows: rows, checks: checks,
		plans: func(day int64) *plan {
			p, err := readParams(rules.Default(), dateOf(day))
			if err != nil {
				tb.Fatal(err)
			}
			return newPlan(p, src, o, dateOf(day))
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// on is an hour of a day of Beijing time, month 13 being January 2027.
func on(month time.Month, day, hour int) int64 {
	return time.Date(2026, month, day, hour, 0, 0, 0, chinaTime).Unix()
}

func TestPeriodBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level        string
		at, from, to int64
	}{
		{LevelMonth, on(2, 28, 23), on(2, 1, 0), on(3, 1, 0)},
		{LevelMonth, on(12, 31, 23), on(12, 1, 0), on(13, 1, 0)},
		{LevelQuarter, on(12, 31, 23), on(10, 1, 0), on(13, 1, 0)},
		{LevelQuarter, on(4, 1, 0), on(4, 1, 0), on(7, 1, 0)},
		{LevelYear, on(13, 1, 0) - 1, on(1, 1, 0), on(13, 1, 0)},
	} {
		if from, to, err := PeriodBounds(c.level, c.at); from != c.from || to != c.to || err != nil {
			t.Errorf("%s of %s: %s to %s, %v", c.level, unix(c.at), unix(from), unix(to), err)
		}
	}
	if _, _, err := PeriodBounds(LevelDay, 0); err == nil {
		t.Error("a day is no longer period")
	}
}

// TestSubstitutionByTable6 walks the windows of the tables. Every hour emits
// 1 kg, with peaks at known distances before 10 November 00:00.
func TestSubstitutionByTable6(t *testing.T) {
	t.Parallel()
	start := on(11, 10, 0)
	back := func(n int64) int64 { return start - n*hourSeconds }
	for _, c := range []struct {
		name     string
		now      int64
		change   func(h int64, f *FactorHour) bool
		checks   Checks
		method   string
		rate     float64
		hours    int
		run      int
		alpha    float64
		kind     string
		noRule   int
		stopped  int
		measured float64
	}{
		// October and November up to the 21st: 744 + 480 hours, 10 of them invalid. The 180th hour back has 7, the 181st 9.
		// November: 480 − 10 hours of 1 kg, and 6 more in the hour of 7 kg, which is 2 November 12:00; 9 kg at 11:00.
		{"ten hours", on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch {
			case h == back(180):
				f.Rate = Some(7)
			case h == back(181):
				f.Rate = Some(9)
			case h >= start && h < start+10*hourSeconds:
				f.Valid, f.Flag = false, "M"
			}
			return true
		}, nil, "T6-180", 7, 10, 10, 100 * 1214.0 / 1224, "maintenance", 0, 0, 470 + 6 + 8},
		// The window counts valid hours: twenty of those before are missing, so that it reaches 200 hours back.
		{"gaps are walked over", on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch {
			case h == back(200):
				f.Rate = Some(7)
			case h == back(201):
				f.Rate = Some(9)
			case h >= back(30) && h < back(10):
				f.NExpected, f.Valid, f.Flag = 0, false, "F"
			case h >= start && h < start+24*hourSeconds:
				return false // nothing came
			}
			return true
		}, nil, "T6-180", 7, 24, 24, 100 * 1180.0 / 1204, "other", 0, 20, 480 - 20 - 24 + 6 + 8},
		{"twenty-five hours", on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch {
			case h == back(720):
				f.Rate = Some(7)
			case h == back(721):
				f.Rate = Some(9)
			case h >= start && h < start+25*hourSeconds:
				f.Valid, f.Flag = false, "C"
			}
			return true
		}, nil, "T6-720", 7, 25, 25, 100 * 1199.0 / 1224, "calibration", 0, 0, 455},
		// 200 of 1224 hours are lost: 83.7 %.
		{"lower capture rate", on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch {
			case h == back(960): // 1 October 00:00: all there is, fewer than 2160
				f.Rate = Some(7)
			case h >= start && h < start+200*hourSeconds:
				f.Valid, f.Flag = false, "D"
			}
			return true
		}, nil, "T6-2160", 7, 200, 200, 100 * 1024.0 / 1224, "other", 0, 0, 280},
		// 310 of 1224: 74.7 %.
		{"no rule", on(11, 23, 0), func(h int64, f *FactorHour) bool {
			if h >= start-1008*hourSeconds && h >= start && h < start+312*hourSeconds || h < on(10, 1, 0)+20*hourSeconds {
				f.Valid, f.Flag = false, "D"
			}
			return true
		}, nil, "", 0, 0, 312, 100 * (1272 - 332) / 1272.0, "other", 312, 0, 528 - 312},
		// Out of control since 9 November 00:00: hours after the last passed check, one of them with 9 kg, are not looked at.
		{"table 5", on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch {
			case h == back(12):
				f.Rate = Some(9)
			case h == back(25):
				f.Rate = Some(7)
			case h >= start && h < start+10*hourSeconds:
				f.Valid, f.Flag = false, "D"
			}
			return true
		}, func(string, int64) (string, int64, bool) { return "out_of_control", back(24), true }, "T5-180", 7, 10, 10, 100 * 1214.0 / 1224, "out_of_control", 0, 0, 470 + 6 + 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := periodOf(t, periodOutlet(), LevelMonth, start, c.now, gasYear(on(10, 1, 0), c.now, c.change), c.checks)
			f := p.Factors[0]
			if len(p.Substitution) != 1 {
				t.Fatalf("%d substitutions: %+v", len(p.Substitution), p.Substitution)
			}
			s := p.Substitution[0]
			if s.Method != c.method || s.RunHours != c.run || s.Kind != c.kind || !close9(s.Alpha, c.alpha) || !s.Provisional {
				t.Errorf("substitution %+v", s)
			}
			if f.SubstHours != c.hours || f.NoRule != c.noRule || f.HoursStopped != c.stopped || !close9(f.Measured, c.measured) {
				t.Errorf("factor %+v", f)
			}
			if c.noRule > 0 {
				if s.Status != "no_rule" || f.Substituted.OK || !close9(f.Total, c.measured) {
					t.Errorf("without a rule: %+v, %+v", s, f)
				}
				return
			}
			if !close9(s.Rate, c.rate) || !close9(s.Kg, c.rate*float64(c.hours)) || !close9(f.Total, c.measured+c.rate*float64(c.hours)) {
				t.Errorf("%v kg/h, %v kg, total %v", s.Rate, s.Kg, f.Total)
			}
			if p.Profile != telemetry.ProfileHJ75 || !p.Provisional || p.Factors[1].Total.OK {
				t.Errorf("period %+v", p)
			}
		})
	}
}

// TestRunOverTheBounds: a run of 20 hours of October and 10 of November is one
// of 30 hours, and each month gets its part of it; over the turn of a quarter
// each part goes by the capture rate of its own.
func TestRunOverTheBounds(t *testing.T) {
	t.Parallel()
	lost := func(from, to int64) func(h int64, f *FactorHour) bool {
		return func(h int64, f *FactorHour) bool { return h < from || h >= to }
	}
	rows := gasYear(on(9, 1, 0), on(11, 21, 0), lost(on(11, 1, 0)-20*hourSeconds, on(11, 1, 10)))
	for month, hours := range map[time.Month]int{10: 20, 11: 10} {
		p := periodOf(t, periodOutlet(), LevelMonth, on(month, 5, 0), on(11, 21, 0), rows, nil)
		if s := p.Substitution; len(s) != 1 || s[0].Hours != hours || s[0].RunHours != 30 || s[0].Method != "T6-720" {
			t.Errorf("month %d: %+v", month, s)
		}
	}
	// 9 months of data, 30 hours lost over the end of September: two pieces of the year.
	rows = gasYear(on(9, 1, 0), on(11, 21, 0), lost(on(10, 1, 0)-20*hourSeconds, on(10, 1, 10)))
	p := periodOf(t, periodOutlet(), LevelYear, on(11, 5, 0), on(11, 21, 0), rows, nil)
	s := p.Substitution
	if len(s) != 2 || s[0].Hours != 20 || s[1].Hours != 10 || s[0].RunHours != 30 || s[0].Provisional || !s[1].Provisional {
		t.Fatalf("year: %+v", s)
	}
	if !close9(s[0].Alpha, 100*700.0/720) || !close9(s[1].Alpha, 100*1214.0/1224) {
		t.Errorf("capture rates %v and %v", s[0].Alpha, s[1].Alpha)
	}
	if f := p.Factors[0]; !close9(f.Total, 720+1224) || f.HoursDue != 720+1224 {
		t.Errorf("year: %+v", f)
	}
}

// TestMonthOfGas: 25 valid days make a month, 24 do not; totals are held against
// the amount the permit allows.
func TestMonthOfGas(t *testing.T) {
	t.Parallel()
	o := periodOutlet()
	o.Limits = []telemetry.Limit{
		{ID: "m", Standard: "permit", Factor: "a21002", Statistic: "month", Op: "<=", Hi: new(0.7), Unit: "t", EffectiveFrom: "2026-01-01"},
		{ID: "y", Standard: "permit", Factor: "a21002", Statistic: "year", Op: "<=", Hi: new(9000.0), Unit: "kg", EffectiveFrom: "2026-01-01"},
	}
	for valid, want := range map[int]bool{25: true, 24: false} {
		rows := gasYear(on(10, 1, 0), on(11, 1, 0), func(h int64, f *FactorHour) bool {
			if (h-on(10, 1, 0))/daySeconds >= int64(valid) { // four hours of the day are left
				f.Valid = mod(h+beijing, daySeconds) < 4*hourSeconds
				f.Flag = map[bool]string{true: "N", false: "D"}[f.Valid]
			}
			return true
		})
		p := periodOf(t, o, LevelMonth, on(10, 3, 0), on(11, 10, 0), rows, nil)
		f := p.Factors[0]
		if f.Valid != want || f.DaysValid != valid || f.DaysDue != 31 || !close9(f.Mean, 10) || p.Until != p.To {
			t.Errorf("%d valid days: %+v", valid, f)
		}
		// 31 × 24 hours of 1 kg, measured or filled: 744 kg of 700 allowed. Without rule under 75 %, whatever came counts.
		if !close9(f.Limit.Hi, 700) {
			t.Errorf("limit %+v", f.Limit)
		}
	}
	full := gasYear(on(10, 1, 0), on(11, 1, 0), func(int64, *FactorHour) bool { return true })
	p := periodOf(t, o, LevelMonth, on(10, 3, 0), on(13, 10, 0), full, nil)
	if f := p.Factors[0]; !f.Over || !close9(f.Total, 744) || !close9(f.Measured, 744) || f.Substituted.OK {
		t.Errorf("month: %+v", f)
	}
	if !close9(p.Flow, 744*100000) || len(p.Substitution) > 0 {
		t.Errorf("flow %v, %+v", p.Flow, p.Substitution)
	}
	if tx := p.Transmission; !close9(tx.Transmission, 100*2.0/3) { // no hour has the flow factor by itself
		t.Errorf("transmission %+v", tx)
	}
	y := periodOf(t, o, LevelYear, on(10, 3, 0), on(11, 1, 0), full, nil)
	if f := y.Factors[0]; f.Over || !close9(f.Limit.Hi, 9000) || !close9(f.Total, 744) || f.HoursDue != 744 || !y.Provisional {
		t.Errorf("year, in service since October: %+v", f)
	}
}

// TestInputsAreHashed: equal rows give the same period, another row another hash.
func TestInputsAreHashed(t *testing.T) {
	t.Parallel()
	rows := gasYear(on(10, 1, 0), on(11, 1, 0), func(int64, *FactorHour) bool { return true })
	a := periodOf(t, periodOutlet(), LevelMonth, on(10, 3, 0), on(11, 10, 0), rows, nil)
	b := periodOf(t, periodOutlet(), LevelMonth, on(10, 20, 0), on(11, 10, 0), rows, nil)
	if a.Inputs != b.Inputs || len(a.Inputs) != 16 {
		t.Errorf("inputs %q and %q", a.Inputs, b.Inputs)
	}
	r := rows.hours[on(10, 7, 7)]
	r.Factors = slices.Clone(r.Factors)
	r.Factors[0].Rate = Some(1.5)
	rows.hours[on(10, 7, 7)] = r
	if c := periodOf(t, periodOutlet(), LevelMonth, on(10, 3, 0), on(11, 10, 0), rows, nil); c.Inputs == a.Inputs {
		t.Error("another row, the same hash")
	}
}

// TestMonthOfWater: days without a valid total take the largest of the 30 days
// before; dry days nothing.
func TestMonthOfWater(t *testing.T) {
	t.Parallel()
	m := &memRows{hours: map[int64]HourRow{}, days: map[int64]DayRow{}}
	for d := on(9, 1, 0); d < on(11, 1, 0); d += daySeconds {
		m.hours[d] = HourRow{Outlet: 2, At: d}
		cod := FactorDay{Code: "w01018", NExpected: 24, NValid: 24, Valid: true, Mean: Some(40), Flow: Some(1000), Total: Some(40)}
		ph := FactorDay{Code: "w01001", NExpected: 24, NValid: 24, Valid: true, Mean: Some(7), Min: Some(6.5), Max: Some(7.5)}
		switch d {
		case on(9, 10, 0):
			cod.Total = Some(90) // 30 days before 10 October, so it is looked at then, and not on the 11th
		case on(9, 20, 0):
			cod.Total = Some(70)
			ph.Max = Some(9.1) // not of October
		case on(10, 5, 0):
			ph.Min = Some(5.9)
		case on(10, 10, 0), on(10, 11, 0):
			cod.Valid, cod.NValid, cod.Total = false, 3, Opt{}
		case on(10, 12, 0):
			cod = FactorDay{Code: "w01018", Flow: Some(0)}
		}
		m.days[d] = DayRow{Outlet: 2, At: d, Flow: cod.Flow, Factors: []FactorDay{ph, cod}}
	}
	o := works(2)
	o.Factors = []telemetry.OutletFactor{{Code: "w01001"}, {Code: "w01018"}}
	p := periodOf(t, o, LevelMonth, on(10, 5, 0), on(11, 10, 0), m, nil)
	cod, ph := p.Factors[1], p.Factors[0]
	if len(p.Substitution) != 2 || !close9(p.Substitution[0].Kg, 90) || !close9(p.Substitution[1].Kg, 70) || p.Substitution[0].Method != "largest-day" {
		t.Fatalf("%+v", p.Substitution)
	}
	if !close9(cod.Measured, 28*40) || !close9(cod.Substituted, 160) || !close9(cod.Total, 28*40+160) || cod.DaysDue != 30 || cod.DaysValid != 28 || !cod.Valid || cod.SubstHours != 2 {
		t.Errorf("COD: %+v", cod)
	}
	if ph.Total.OK || !close9(ph.Min, 5.9) || !close9(ph.Max, 7.5) || !close9(ph.Mean, 7) {
		t.Errorf("pH: %+v", ph)
	}
	if !close9(p.Flow, 30*1000) || p.Provisional || p.Profile != telemetry.ProfileHJ356 {
		t.Errorf("period: %+v", p)
	}
	checked := func(string, int64) (string, int64, bool) { return "other", on(10, 8, 0), true }
	if p := periodOf(t, o, LevelMonth, on(10, 5, 0), on(11, 10, 0), m, checked); !close9(p.Factors[1].Substituted, 80) {
		t.Errorf("since the check of 8 October: %+v", p.Substitution)
	}
	o.Factors = append(o.Factors, telemetry.OutletFactor{Code: "w21003"}) // never came: one stretch for the regulator, with the dry day cut out
	p = periodOf(t, o, LevelMonth, on(10, 5, 0), on(11, 10, 0), m, nil)
	if f := p.Factors[2]; f.NoRule != 30 || f.Total.OK || len(p.Substitution) != 4 || p.Substitution[2].Hours != 11*24 || p.Substitution[3].Hours != 19*24 {
		t.Errorf("a factor that never came: %+v, %+v", f, p.Substitution[2:])
	}
}

// TestPeriodOfEngine: the engine's own rows, kept until a closed hour changes.
func TestPeriodOfEngine(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for hour := range 24 {
		m.add(hourOf(1, at(22, hour, 0), "a21002-Avg=30:N", "a19001-Avg=12:N", "a00000-Avg=50:N")...)
	}
	e := newEngine(t, m, registry(stack()), at(23, 0, 30))
	catchUp(t, e)
	total := func() Opt {
		p, err := e.Period(t.Context(), 1, LevelMonth, unix(at(3, 0, 0)))
		if err != nil || p.From != at(1, 0, 0) {
			t.Fatalf("%+v, %v", p, err)
		}
		return p.Factors[0].Total
	}
	if v := total(); !close9(v, 24*5.4) {
		t.Errorf("total %v", v)
	}
	e.periods.rows[periodKey{1, LevelMonth, at(1, 0, 0)}] = periodEntry{}
	if v := total(); !close9(v, 24*5.4) {
		t.Errorf("total from a stale entry: %v", v)
	}
	late := rec(1, telemetry.KindMinute, at(22, 7, 0), "a21002-Avg=90:N", "a19001-Avg=12:N", "a00000-Avg=50:N")
	m.add(late) // a revision: the hour's mean is 40
	catchUp(t, e)
	if v := total(); !close9(v, 23*5.4+7.2) {
		t.Errorf("total after a revision: %v", v)
	}
	if _, err := e.Period(t.Context(), 9, LevelMonth, unix(at(3, 0, 0))); err == nil {
		t.Error("a period of no outlet")
	}
	if _, err := e.Period(t.Context(), 1, LevelHour, unix(at(3, 0, 0))); err == nil {
		t.Error("an hour is no period")
	}
}
