package quality

import (
	"testing"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// TestGapsByTheirDate: a run of fourteen hours over the day a new version comes
// into force is filled by each version for its own hours, in the month and in
// the year alike; a version announced for later changes nothing.
func TestGapsByTheirDate(t *testing.T) {
	t.Parallel()
	start, change := on(10, 14, 20), on(10, 15, 0)
	rows := gasYear(on(10, 1, 0), on(10, 20, 0), func(h int64, f *FactorHour) bool {
		if h == start-5*hourSeconds {
			f.Rate = Some(7)
		}
		return h < start || h >= start+14*hourSeconds
	})
	o := periodOutlet()
	src := limitSource{rules.Default().Limits()}
	for _, level := range []string{LevelMonth, LevelQuarter, LevelYear} {
		p, err := computePeriod(periodInput{
			outlet: o, level: level, at: start, now: on(10, 20, 0), rows: rows,
			plans: func(day int64) *plan {
				p, err := readParams(rules.Default(), dateOf(day))
				if err != nil {
					t.Fatal(err)
				}
				if s := &p.substitute; day >= change {
					s.version, s.ShortWindow = 2, 1
				}
				if s := &p.substitute; day >= on(10, 25, 0) { // after now
					s.version, s.Low = 3, 100
				}
				return newPlan(p, src, o, dateOf(day))
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		s := p.Substitution
		if len(s) != 2 || s[0].To != change || s[0].Version != 1 || !close9(s[0].Kg, 4*7) || s[1].Version != 2 || !close9(s[1].Kg, 10*1) || s[0].RunHours != 14 || s[1].RunHours != 14 {
			t.Errorf("%s: %+v", level, s)
		}
		if f := p.Factors[0]; !close9(f.Substituted, 38) || f.SubstHours != 14 {
			t.Errorf("%s: %+v", level, f)
		}
	}
}

// TestRunBeforeTheFirstRow: an outlet in service since August whose first data
// come in October has one run of gaps, whatever period is asked for.
func TestRunBeforeTheFirstRow(t *testing.T) {
	t.Parallel()
	first := on(10, 10, 0)
	rows := gasYear(first, on(10, 20, 0), func(int64, *FactorHour) bool { return true })
	o := periodOutlet()
	o.Since = unix(on(8, 1, 0))
	for _, when := range []int64{on(8, 3, 0), on(9, 3, 0), on(10, 3, 0)} {
		s := periodOf(t, o, LevelMonth, when, on(10, 20, 0), rows, nil).Substitution
		if len(s) != 1 || s[0].RunHours != int((first-on(8, 1, 0))/hourSeconds) || s[0].Status != string(SubstituteNoRule) || s[0].Provisional != (when >= on(10, 1, 0)) {
			t.Errorf("%s: %+v", dateOf(when), s)
		}
	}
	none := periodOf(t, o, LevelMonth, on(10, 3, 0), on(10, 20, 0), &memRows{}, nil)
	if s := none.Substitution; len(s) != 1 || s[0].RunHours != int((on(10, 20, 0)-on(8, 1, 0))/hourSeconds) {
		t.Errorf("nothing ever came: %+v", s)
	}
}

// TestNoAmountNoGap: a river emits nothing, and a works whose flow nobody
// measures has no amounts: no day of theirs waits for the regulator.
func TestNoAmountNoGap(t *testing.T) {
	t.Parallel()
	m := &memRows{hours: map[int64]HourRow{}, days: map[int64]DayRow{}}
	for d := on(10, 1, 0); d < on(11, 1, 0); d += daySeconds {
		m.hours[d] = HourRow{Outlet: 2, At: d}
		m.days[d] = DayRow{Outlet: 2, At: d, Factors: []FactorDay{{Code: "w01018", NExpected: 24, NValid: 20, Valid: d != on(10, 5, 0), Mean: Some(12)}}}
	}
	o := works(2)
	o.Factors = []telemetry.OutletFactor{{Code: "w01018"}}
	river := works(2)
	river.Medium, river.SourceType = telemetry.Surface, "surface water"
	for _, x := range []*telemetry.Outlet{o, river} {
		for _, f := range periodOf(t, x, LevelMonth, on(10, 5, 0), on(11, 10, 0), m, nil).Factors {
			if f.NoRule > 0 || f.Substituted.OK || f.Total.OK || f.Code == "w01018" && f.DaysValid != 30 {
				t.Errorf("%s: %+v", x.Medium, f)
			}
		}
	}
}

// TestFlowInAStop: of water Qd is all that was measured, also in hours of a
// declared stop, in which no value is due.
func TestFlowInAStop(t *testing.T) {
	t.Parallel()
	o := works(2)
	o.Stops = []telemetry.Stop{{From: unix(at(22, 12, 40)), To: unix(at(22, 15, 0))}}
	m := newMemStore()
	for hour := range 24 {
		m.add(hourOf(2, at(22, hour, 0), "w01018-Avg=40:N", "w00000-Avg=10:N")...)
	}
	e := newEngine(t, m, registry(o), at(23, 1, 0))
	catchUp(t, e)
	rows, err := e.Days(2, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d days, %v", len(rows), err)
	}
	f := rows[0].Factor("w01018")
	if f.NExpected != 21 || f.NValid != 21 || !close9(f.Flow, 24*36) || !close9(rows[0].Flow, 24*36) || !close9(f.Total, 40*24*36.0/1000) {
		t.Errorf("flow %v, %+v", rows[0].Flow, f)
	}
}

// TestHalfHoursThatCannotBeFolded: they are discarded like others, and a day
// that lost too many has no folded mean to judge.
func TestHalfHoursThatCannotBeFolded(t *testing.T) {
	t.Parallel()
	for bad, want := range map[int]bool{2: true, 3: false} { // hours, two half-hours each; five may be lost
		o := stack()
		o.Intervals = []telemetry.Interval{{Realtime: 30, Minute: 10}}
		m := newMemStore()
		for hour := range 24 {
			oxygen := "a19001-Avg=15:N"
			if hour < bad {
				oxygen = "a19001-Avg=20.9:N"
			}
			m.add(hourOf(1, at(22, hour, 0), "a21002-Avg=30:N", oxygen, "a00000-Avg=50:N")...)
		}
		e := newEngine(t, m, registry(withProfile(o, telemetry.ProfileIED)), at(23, 1, 0))
		catchUp(t, e)
		rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d days, %v", len(rows), err)
		}
		if f := rows[0].Factor("a21002"); !f.Valid || f.Folded.OK != want || f.Judged.OK != want {
			t.Errorf("%d hours: %+v", bad, f)
		}
	}
}
