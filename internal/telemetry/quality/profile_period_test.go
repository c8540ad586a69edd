package quality

import (
	"cmp"
	"slices"
	"testing"

	"plateau/internal/telemetry"
)

func withProfile(o *telemetry.Outlet, profile string) *telemetry.Outlet {
	o.Setups = []telemetry.Setup{{From: "2026-01-01", Profile: profile}}
	return o
}

// TestProfilesOfGas fills the same ten hours by each profile: 3 kg/h before,
// 5 kg/h after, 9 kg/h a hundred hours before.
func TestProfilesOfGas(t *testing.T) {
	t.Parallel()
	start := on(11, 10, 0)
	rows := func(hours int64) *memRows {
		return gasYear(on(10, 1, 0), on(11, 21, 0), func(h int64, f *FactorHour) bool {
			switch h {
			case start - hourSeconds:
				f.Rate = Some(3)
			case start + hours*hourSeconds:
				f.Rate = Some(5)
			case start - 100*hourSeconds:
				f.Rate = Some(9)
			}
			return h < start || h >= start+hours*hourSeconds
		})
	}
	for _, c := range []struct {
		profile string
		hours   int64
		method  string
		rate    float64 // 0 = none
		rule    string
	}{
		{"", 10, "T6-180", 9, "cems.substitute_rate"},
		{telemetry.ProfileHJ75Old, 10, "HJT75-mean", 4, "hjt75.substitute"},
		{telemetry.ProfileHJ75Old, 25, "", 0, "hjt75.substitute"},
		// Fewer than 2160 valid hours before: the hour before and after.
		{telemetry.ProfilePart75, 10, "MODC-07", 4, "part75.substitute"},
		{telemetry.ProfileIED, 10, "", 0, ""},
	} {
		p := periodOf(t, withProfile(periodOutlet(), c.profile), LevelMonth, start, on(11, 21, 0), rows(c.hours), nil)
		f := p.Factors[0]
		if want := cmp.Or(c.profile, telemetry.ProfileHJ75); p.Profile != want {
			t.Errorf("profile %q, want %q", p.Profile, want)
		}
		if c.rule == "" {
			if len(p.Substitution) > 0 || f.Substituted.OK || f.NoRule > 0 {
				t.Errorf("%s: %+v", c.profile, p.Substitution)
			}
			continue
		}
		s := p.Substitution[0]
		if s.Method != c.method || s.Rule != c.rule || s.Rate.OK != (c.rate > 0) || c.rate > 0 && (!close9(s.Rate, c.rate) || !close9(f.Substituted, c.rate*float64(c.hours))) {
			t.Errorf("%s, %d h: %+v", c.profile, c.hours, s)
		}
		if c.rate == 0 && f.NoRule != int(c.hours) {
			t.Errorf("%s: %d hours without a rule", c.profile, f.NoRule)
		}
	}
}

// TestPart75Window: SO2 looks back over 720 valid hours. 30 of the 1734
// hours before are missing: availability 98.3 %; 25 hours take the larger of the 90th
// percentile, 2 kg/h, and the mean of the hours beside, 1 kg/h.
func TestPart75Window(t *testing.T) {
	t.Parallel()
	start := on(11, 10, 0)
	rows := gasYear(on(8, 29, 18), on(11, 21, 0), func(h int64, f *FactorHour) bool {
		back := (start - h) / hourSeconds
		if back >= 2 && back <= 81 { // 80 of the 720 last ones
			f.Rate = Some(2)
		}
		return (h < start || h >= start+25*hourSeconds) && (back <= 1000 || back > 1030)
	})
	for h, r := range rows.hours { // the same of SO2
		r.Factors = slices.Clone(r.Factors)
		r.Factors[0].Code = "a21026"
		rows.hours[h] = r
	}
	o := withProfile(periodOutlet(), telemetry.ProfilePart75)
	o.Factors[0].Code = "a21026"
	p := periodOf(t, o, LevelMonth, start, on(11, 21, 0), rows, nil)
	s := p.Substitution[0]
	if s.Method != "MODC-08" || !close9(s.Rate, 2) || s.SourceHours != 720 || s.Window != 720 || !close9(s.Alpha, 100*(1734.0-30)/1734) {
		t.Errorf("%+v", s)
	}
}

// TestPrecedingDays: two days without a total take the mean of the two before.
func TestPrecedingDays(t *testing.T) {
	t.Parallel()
	m := &memRows{hours: map[int64]HourRow{}, days: map[int64]DayRow{}}
	for d := on(9, 1, 0); d < on(11, 1, 0); d += daySeconds {
		m.hours[d] = HourRow{Outlet: 2, At: d}
		cod := FactorDay{Code: "w01018", NExpected: 24, NValid: 24, Valid: true, Mean: Some(40), Flow: Some(1000), Total: Some(40)}
		switch d {
		case on(10, 9, 0):
			cod.Total = Some(50)
		case on(10, 8, 0):
			cod.Total = Some(70)
		case on(10, 10, 0), on(10, 11, 0):
			cod.Valid, cod.Total = false, Opt{}
		}
		m.days[d] = DayRow{Outlet: 2, At: d, Flow: cod.Flow, Factors: []FactorDay{cod}}
	}
	o := withProfile(works(2), telemetry.ProfileHJ356Old)
	o.Factors = []telemetry.OutletFactor{{Code: "w01018"}}
	p := periodOf(t, o, LevelMonth, on(10, 5, 0), on(11, 10, 0), m, nil)
	f := p.Factors[0]
	if len(p.Substitution) != 1 || p.Substitution[0].Method != "HJT356-mean" || !close9(p.Substitution[0].Rate, 60) || !close9(f.Substituted, 120) || !close9(f.Measured, 27*40+50+70) {
		t.Errorf("%+v, %+v", p.Substitution, f)
	}
}

// TestHoursByProfile judges the same hour by each profile.
func TestHoursByProfile(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	items := func(mark string) []string {
		return []string{"a21002-Avg=30:" + mark, "a19001-Avg=15:N", "a00000-Avg=50:N"}
	}
	// 00–20 and 30–60 measured, ten minutes of fault between: 50 minutes, all four quarters (the second from 15 to 20),
	// both half-hours (20 and 30 minutes).
	broken := func(from, to int) []telemetry.Record {
		var out []telemetry.Record
		for m := 0; m < 60; m += 5 {
			mark := "N"
			if m >= from && m < to {
				mark = "D"
			}
			out = append(out, rec(1, telemetry.KindMinute, h+int64(m)*60, items(mark)...))
		}
		return out
	}
	for _, c := range []struct {
		name, profile string
		recs          []telemetry.Record
		valid         bool
		parts         int
		judged        float64
	}{
		{"in force", "", broken(20, 30), true, 0, 30},
		{"quarters", telemetry.ProfilePart75, broken(20, 30), true, 4, 30},
		{"a quarter lost", telemetry.ProfilePart75, broken(15, 30), false, 3, 0},
		// 20 % of 50 mg/m3 are taken off.
		{"half-hours", telemetry.ProfileIED, broken(20, 30), true, 2, 20},
		{"a half-hour lost", telemetry.ProfileIED, broken(15, 30), true, 1, 20},
	} {
		o := stack()
		o.Intervals = []telemetry.Interval{{Realtime: 30, Minute: 5}}
		o.Limits = []telemetry.Limit{{ID: "d", Standard: "permit", Factor: "a21002", Statistic: "day", Op: "<=", Hi: new(50.0), Unit: "mg/m3", EffectiveFrom: "2026-01-01"}}
		m := newMemStore()
		m.add(c.recs...)
		e := newEngine(t, m, registry(withProfile(o, c.profile)), h+hourSeconds)
		catchUp(t, e)
		row := oneHour(t, e, 1, h)
		f := row.Factor("a21002")
		if f.Valid != c.valid || f.Parts != c.parts || f.Judged.OK != (c.judged > 0) || c.judged > 0 && !close9(f.Judged, c.judged) || (f.Flag == "N") != c.valid {
			t.Errorf("%s: %+v", c.name, f)
		}
		b := AppendHour(nil, &row)
		if back, err := ReadHour(1, h, b); err != nil || back.Factor("a21002").Parts != c.parts || !back.Factor("a21002").InTime {
			t.Errorf("%s: parts are not kept: %v", c.name, err)
		}
		if x, err := e.Explain(1, "a21002", LevelHour, unix(h)); err != nil || c.profile != "" && x.Steps[1].Rule == "cems.hour_mean" {
			t.Errorf("%s: explained by %s, %v", c.name, x.Steps[1].Rule, err)
		}
	}
}
