package quality

import (
	"testing"
	"time"

	"plateau/internal/telemetry"
)

// TestHoursByInterval: a valid hour takes 45 valid minutes however they are
// cut; a sender denser than its setting is not credited with the setting.
func TestHoursByInterval(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	for _, c := range []struct {
		name    string
		setting telemetry.Interval
		kind    telemetry.Kind
		step    int64 // seconds
		n       int   // valid records, the first at the start of the hour; it then falls silent
		valid   bool
		minutes int
	}{
		{"1 min, 45", telemetry.Interval{Realtime: 30, Minute: 1}, telemetry.KindMinute, 60, 45, true, 45},
		{"1 min, 44", telemetry.Interval{Realtime: 30, Minute: 1}, telemetry.KindMinute, 60, 44, false, 44},
		{"5 min, 9", telemetry.Interval{Realtime: 30, Minute: 5}, telemetry.KindMinute, 300, 9, true, 45},
		{"5 min, 8", telemetry.Interval{Realtime: 30, Minute: 5}, telemetry.KindMinute, 300, 8, false, 40},
		{"10 min, 5", telemetry.Interval{Realtime: 30, Minute: 10}, telemetry.KindMinute, 600, 5, true, 50},
		{"10 min, 4", telemetry.Interval{Realtime: 30, Minute: 10}, telemetry.KindMinute, 600, 4, false, 40},
		{"60 min, 1", telemetry.Interval{Realtime: 30, Minute: 60}, telemetry.KindMinute, 3600, 1, true, 60},
		{"1 min under a setting of 10, 45", telemetry.Interval{Realtime: 30, Minute: 10}, telemetry.KindMinute, 60, 45, true, 45},
		{"1 min under a setting of 10, 44", telemetry.Interval{Realtime: 30, Minute: 10}, telemetry.KindMinute, 60, 44, false, 44},
		{"5 min under a setting of 10, 8", telemetry.Interval{Realtime: 30, Minute: 10}, telemetry.KindMinute, 300, 8, false, 40},
		{"20 s, 135", telemetry.Interval{Realtime: 20}, telemetry.KindRealtime, 20, 135, true, 45}, // thirds of a minute
		{"20 s, 134", telemetry.Interval{Realtime: 20}, telemetry.KindRealtime, 20, 134, false, 44},
		{"30 s under a setting of 60, 89", telemetry.Interval{Realtime: 60}, telemetry.KindRealtime, 30, 89, false, 44},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := turbine(1)
			o.Intervals = []telemetry.Interval{c.setting}
			suffix := "Avg"
			if c.kind == telemetry.KindRealtime {
				suffix = "Rtd"
			}
			m := newMemStore()
			for i := range c.n {
				m.add(rec(1, c.kind, h+int64(i)*c.step, "a21002-"+suffix+"=20:N", "a19001-"+suffix+"=15:N"))
			}
			e := newEngine(t, m, registry(o), h+hourSeconds)
			catchUp(t, e)
			row := oneHour(t, e, 1, h)
			if f := row.Factor("a21002"); f.Valid != c.valid || f.NValid != c.minutes {
				t.Errorf("valid %v with %d minutes, want %v with %d", f.Valid, f.NValid, c.valid, c.minutes)
			}
		})
	}
}

// TestSamplesWithinTheHour: where in the hour a sparse sampler samples does not
// matter.
func TestSamplesWithinTheHour(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	for _, c := range []struct {
		interval int
		minutes  []int64
		valid    int
	}{
		{1800, []int64{20, 50}, 60}, {1800, []int64{0, 30}, 60}, {1800, []int64{29}, 30}, {3600, []int64{59}, 60}, {14400, []int64{40}, 60},
	} {
		o := turbine(1)
		o.Intervals = []telemetry.Interval{{Realtime: c.interval}}
		m := newMemStore()
		for _, x := range c.minutes {
			m.add(rec(1, telemetry.KindRealtime, h+60*x, "a21002-Rtd=20:N", "a19001-Rtd=15:N"))
		}
		e := newEngine(t, m, registry(o), h+hourSeconds)
		catchUp(t, e)
		row := oneHour(t, e, 1, h)
		if f := row.Factor("a21002"); f.NValid != c.valid {
			t.Errorf("every %d s, at %v: %d valid minutes, want %d", c.interval, c.minutes, f.NValid, c.valid)
		}
	}
}

// TestUnusableMinutes: only numbers with mark N make a mean.
func TestUnusableMinutes(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	good := []string{"a21002-Avg=20:N", "a19001-Avg=15:N"}
	for item, flag := range map[string]string{
		"a21002-Avg=900:T": "T", "a21002-Avg=900:S": "S", "a21002-Avg=900:B": "B", "a21002-Avg=900:Td": "?", "a21002-Avg=900:n": "?",
		"a21002-Avg=NaN:N": "Md", "a21002-Avg=-:N": "Md", "a21002-Avg=:N": "Md",
	} {
		m := newMemStore()
		m.add(hourOf(1, h, good...)[:4]...)
		for _, ten := range []int64{4, 5} {
			m.add(rec(1, telemetry.KindMinute, h+ten*600, item, "a19001-Avg=15:N"))
		}
		e := newEngine(t, m, registry(turbine(1)), h+hourSeconds)
		catchUp(t, e)
		row := oneHour(t, e, 1, h)
		if f := row.Factor("a21002"); f.Valid || f.NValid != 40 || f.Flag != flag || !near(f.Mean, 20) || f.Over {
			t.Errorf("%s: %+v", item, f)
		}
	}
}

// TestDaysAreBeijing: days begin at 16:00 UTC whatever the month, the year or
// the summer-time rules of the past.
func TestDaysAreBeijing(t *testing.T) {
	t.Parallel()
	for _, day := range []string{"2026-11-23", "2028-02-29", "2026-12-31", "1988-07-01", "2026-03-01"} {
		start, err := time.Parse(time.RFC3339, day+"T00:00:00+08:00")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []int64{0, 1, 3600*16 - 1, 3600 * 16, daySeconds - 1} {
			if x := start.Unix() + s; dayStart(x) != start.Unix() || dateOf(x) != day {
				t.Errorf("%s + %d s lies in the day %s of %s", day, s, unix(dayStart(x)), dateOf(x))
			}
		}
		if dayStart(start.Unix()-1) == start.Unix() {
			t.Errorf("the second before %s belongs to it", day)
		}
	}
}

// TestNoWater: without flow nothing is due and nothing is judged
// (HJ 356-2019 chapter 6).
func TestNoWater(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	m := newMemStore()
	m.add(hourOf(1, h, "w01018-Avg=400:N", "w01001-Avg=9.5:N", "w00000-Avg=0:N", "w01010-Avg=15:N")...)
	m.add(rec(1, telemetry.KindHour, h, "w01018-Avg=200:N"))
	m.add(rec(1, telemetry.KindRealtime, h+3590, "w01001-Rtd=9.9:N", "w00000-Rtd=0:N"))
	e := newEngine(t, m, registry(works(1)), h+hourSeconds)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	cod := row.Factor("w01018")
	if cod.Valid || cod.Over || cod.Mismatch || cod.NExpected != 0 || len(cod.Reasons) != 1 || cod.Reasons[0] != "reason.no_flow" {
		t.Errorf("COD without water: %+v", cod)
	}
	if q := row.Factor("w00000"); !q.Valid {
		t.Errorf("the flow itself: %+v", q)
	}
	if s, err := e.State(1, unix(h+hourSeconds)); err != nil || s.State != Normal {
		t.Errorf("state %s because of %s, %v", s.State, s.Reason.Key, err)
	}
	x, err := e.Explain(1, "w01018", LevelHour, unix(h))
	if err != nil || x.Valid || x.Steps[4].Result != "not_judged" || len(x.Steps[1].Notes) != 1 || x.Steps[1].Notes[0].Key != "reason.no_flow" {
		t.Errorf("explanation: %+v, %v", x.Steps, err)
	}
	// An amount that says otherwise keeps the value.
	m.add(rec(1, telemetry.KindHour, h+hourSeconds, "w00000-Cou=50:N"))
	m.add(hourOf(1, h+hourSeconds, "w01018-Avg=40:N", "w00000-Avg=0:N")...)
	catchUp(t, e)
	row = oneHour(t, e, 1, h+hourSeconds)
	if f := row.Factor("w01018"); !f.Valid {
		t.Errorf("COD with an amount of water: %+v", f)
	}
}

// TestWaterDaysDue: what a day owes are the samples due while water flows.
func TestWaterDaysDue(t *testing.T) {
	t.Parallel()
	day := func(o *telemetry.Outlet, feed func(m *memStore)) *FactorDay {
		m := newMemStore()
		feed(m)
		e := newEngine(t, m, registry(o), at(24, 0, 30))
		catchUp(t, e)
		rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d days, %v", len(rows), err)
		}
		return rows[0].Factor("w01018")
	}
	twoHourly := works(1)
	twoHourly.Intervals = []telemetry.Interval{{Realtime: 7200}}
	sampled := func(n int) func(*memStore) {
		return func(m *memStore) {
			for i := range n {
				m.add(rec(1, telemetry.KindRealtime, at(22, 2*i, 20), "w01018-Rtd=40:N", "w00000-Rtd=100:N"))
			}
		}
	}
	if f := day(twoHourly, sampled(9)); f.NExpected != 12 || f.NValid != 9 || !f.Valid || !near(f.Mean, 40) || f.Flow.V != 9*2*360 {
		t.Errorf("nine samples of twelve: %+v", f)
	}
	if f := day(twoHourly, sampled(8)); f.NExpected != 12 || f.NValid != 8 || f.Valid {
		t.Errorf("eight samples of twelve: %+v", f)
	}
	// A sample marked F without water says of its whole period that the source stood still.
	still := day(twoHourly, func(m *memStore) {
		for i := range 12 {
			items := []string{"w01018-Rtd=40:N", "w00000-Rtd=100:N"}
			if i >= 8 {
				items = []string{"w01018-Rtd=40:F", "w00000-Rtd=0:F"}
			}
			m.add(rec(1, telemetry.KindRealtime, at(22, 2*i, 20), items...))
		}
	})
	if still.NExpected != 8 || still.NValid != 8 || !still.Valid {
		t.Errorf("eight samples, then a source that stood still: %+v", still)
	}
	// Hours without water are not due; an analyser marked F while water runs is.
	f := day(works(1), func(m *memStore) {
		for h := range 24 {
			cod, flow := "w01018-Avg=40:N", "w00000-Avg=100:N"
			if h >= 8 {
				flow = "w00000-Avg=0:N"
			}
			if h < 2 {
				cod = "w01018-Avg=40:F"
			}
			m.add(hourOf(1, at(22, h, 0), cod, flow)...)
		}
	})
	if f.NExpected != 8 || f.NValid != 6 || !f.Valid || f.Flow.V != 8*360 {
		t.Errorf("eight hours with water, six of them measured: %+v", f)
	}
}

// TestShortRunning: a plant that ran six hours and was measured in all of them
// has no valid day, and the row says why.
func TestShortRunning(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for h := range 24 {
		items := []string{"a21002-Avg=20:N", "a19001-Avg=15:N"}
		if h >= 6 {
			items = []string{"a21002-Avg=0:F", "a19001-Avg=20.9:F"}
		}
		m.add(hourOf(1, at(22, h, 0), items...)...)
	}
	e := newEngine(t, m, registry(turbine(1)), at(23, 0, 30))
	catchUp(t, e)
	rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d days, %v", len(rows), err)
	}
	f := rows[0].Factor("a21002")
	if f.Valid || f.NValid != 6 || f.NExpected != 6 || len(f.Reasons) != 2 || f.Reasons[1] != "reason.short_running" {
		t.Errorf("day: %+v", f)
	}
	x, err := e.Explain(1, "a21002", LevelDay, unix(at(22, 5, 0)))
	if err != nil || x.Steps[2].Formula != "Σ Cf ÷ n = 120 ÷ 6 = 20" || x.Steps[4].Notes[0].Key != "reason.no_limit" {
		t.Errorf("explanation: %+v, %v", x.Steps, err)
	}
}

// TestUnfoldableDay: a day whose hours could not be folded is not held against
// a limit that asks for it, neither in its row nor in its explanation.
func TestUnfoldableDay(t *testing.T) {
	t.Parallel()
	o := turbine(1)
	o.Limits = []telemetry.Limit{{ID: "own", Standard: "permit", EffectiveFrom: "2026-01-01", Factor: "a21002", Statistic: "day", Op: "<=", Hi: new(10.0), RefO2: new(15.0)}}
	m := newMemStore()
	for h := range 24 {
		m.add(hourOf(1, at(22, h, 0), "a21002-Avg=20:N", "a19001-Avg=20.5:N")...)
	}
	e := newEngine(t, m, registry(o), at(22, 23, 59))
	catchUp(t, e)
	x, err := e.Explain(1, "a21002", LevelDay, unix(at(22, 5, 0)))
	if err != nil || !x.Valid || x.Over || x.Value.OK || x.Steps[4].Result != "not_judged" || x.Steps[2].Result != "o2_missing" {
		t.Errorf("explanation: %+v, %v", x, err)
	}
	h, err := e.Explain(1, "a21002", LevelHour, unix(at(22, 5, 0)))
	if err != nil || h.Value.OK || h.Steps[2].Result != "o2_out_of_range" || h.Steps[4].Result != "not_judged" || h.Limit.Hi.V != 50 {
		t.Errorf("explanation of an hour: %+v, %v", h, err)
	}
	if s, err := e.State(1, unix(at(22, 23, 59))); err != nil || s.State == Warn || s.State == Exceed {
		t.Errorf("state %s because of %s, %v", s.State, s.Reason.Key, err)
	}
}

// TestUnits: metals come in ug/L by the national table, their limits stand in
// mg/L; other loggers are registered with other units.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit  string // of the registry; "" = ug/L
		value string
		hi    float64
		over  bool
		kg    float64
	}{
		{"", "10", 10, false, 0.0864},
		{"", "10.1", 10, true, 0.087264},
		{"mg/L", "0.01", 0.01, false, 0.0864},
		{"mg/L", "0.011", 0.01, true, 0.09504},
		{"µg/L", "10.1", 10, true, 0.087264},
		{"ng/l", "10000", 10000, false, 0.0864},
	} {
		o := works(1)
		o.Level = "" // table 2 binds every level
		o.Factors = []telemetry.OutletFactor{{Code: "w20115", Unit: c.unit}, {Code: "w00000", Unit: "m3/h"}}
		m := newMemStore()
		for h := range 24 {
			m.add(hourOf(1, at(22, h, 0), "w20115-Avg="+c.value+":N", "w00000-Avg=360:N")...)
		}
		e := newEngine(t, m, registry(o), at(23, 0, 30))
		catchUp(t, e)
		rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d days, %v", len(rows), err)
		}
		f := rows[0].Factor("w20115")
		if !f.Valid || !near(f.Limit.Hi, c.hi) || f.Over != c.over || !near(f.Total, c.kg) || f.Flow.V != 8640 {
			t.Errorf("cadmium %s %q: %+v", c.value, c.unit, f)
		}
		x, err := e.Explain(1, "w20115", LevelDay, unix(at(22, 0, 0)))
		if want := "0.01 mg/L = 10 ug/L"; err != nil || c.unit == "" && (x.Steps[3].Formula != want || x.Steps[3].Inputs[0] != (Input{"limit", "10", "ug/L"})) {
			t.Errorf("limit step: %+v, %v", x.Steps[3], err)
		}
	}
}

// TestRegisteredByOldCodes: an outlet whose factors carry the codes of 2005, as
// a logger of that time sends them, is folded and judged like any other.
func TestRegisteredByOldCodes(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	o := turbine(1)
	o.Factors = []telemetry.OutletFactor{{Code: "03"}, {Code: "S01"}}
	m := newMemStore()
	m.add(hourOf(1, h, "03-Avg=66.1:N", "S01-Avg=14.64:N")...)
	m.add(hourOf(1, h+hourSeconds, "a21002-Avg=66.1:N", "a19001-Avg=14.64:N")...) // a new logger
	e := newEngine(t, m, registry(o), h+2*hourSeconds)
	catchUp(t, e)
	for _, at := range []int64{h, h + hourSeconds} {
		row := oneHour(t, e, 1, at)
		f := row.Factor("03")
		if f == nil || !f.Over || f.Fold != FoldOK || f.Limit.Hi.V != 50 || len(row.Factors) != 2 {
			t.Fatalf("%s: %+v", unix(at), row.Factors)
		}
		x, err := e.Explain(1, "03", LevelHour, unix(at))
		if err != nil || !x.Over || x.Steps[2].Formula == "" || len(x.Frames) != 6 {
			t.Errorf("explanation: %+v, %v", x, err)
		}
	}
}
