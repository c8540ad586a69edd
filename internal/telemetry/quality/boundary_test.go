package quality

import (
	"fmt"
	"testing"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// TestOfflineBounds: three expected intervals, at least ten minutes, counted
// from the last frame received, whatever its DataTime says.
func TestOfflineBounds(t *testing.T) {
	t.Parallel()
	last := at(23, 8, 0)
	for _, c := range []struct {
		setting telemetry.Interval
		seconds int64
		offline bool
	}{
		{telemetry.Interval{Realtime: 30, Minute: 1}, 599, false},
		{telemetry.Interval{Realtime: 30, Minute: 1}, 600, true},
		{telemetry.Interval{Realtime: 199, Minute: 1}, 599, false},
		{telemetry.Interval{Realtime: 199, Minute: 1}, 600, true},
		{telemetry.Interval{Realtime: 300}, 899, false},
		{telemetry.Interval{Realtime: 300}, 900, true},
		{telemetry.Interval{Minute: 10}, 1799, false},
		{telemetry.Interval{Minute: 10}, 1800, true},
		{telemetry.Interval{}, 3*3600 - 1, false}, // hours only
		{telemetry.Interval{}, 3 * 3600, true},
		{telemetry.Interval{Realtime: 4 * 3600}, 11 * 3600, false},
	} {
		for _, clock := range []int64{0, 20 * 3600, -5 * 3600} { // a logger's clock that is right, ahead, behind
			o := turbine(1)
			o.Intervals = []telemetry.Interval{c.setting}
			m := newMemStore()
			r := rec(1, telemetry.KindRealtime, last+clock, "a21002-Rtd=20:N", "a19001-Rtd=15:N")
			r.Received = last * 1e6
			m.add(r)
			e := newEngine(t, m, registry(o), last+c.seconds)
			catchUp(t, e)
			if s, err := e.State(1, unix(last+c.seconds)); err != nil || (s.State == Offline) != c.offline {
				t.Errorf("%+v, silent for %d s, clock %+d s: %s, %v", c.setting, c.seconds, clock, s.State, err)
			}
		}
	}
}

// TestClockSetRight: records from the future of a clock that ran ahead neither
// hide what comes after it was set right nor push the hours of today out.
func TestClockSetRight(t *testing.T) {
	t.Parallel()
	now := at(23, 8, 30)
	m := newMemStore()
	history(m, 1, 0, until, until830(gas(func(h, _ int) float64 {
		if h == 7 {
			return 60
		}
		return 20
	})))
	wrong := rec(1, telemetry.KindRealtime, now+23*hourSeconds, "a21002-Rtd=0:F", "a19001-Rtd=20.9:F")
	wrong.Received = (now - 300) * 1e6
	m.add(wrong)
	e := newEngine(t, m, registry(turbine(1)), now)
	catchUp(t, e)
	if s, err := e.State(1, unix(now)); err != nil || s.State != Stopped {
		t.Errorf("while the clock runs ahead: %s, %v", s.State, err)
	}
	right := rec(1, telemetry.KindRealtime, now-20, "a21002-Rtd=20:N", "a19001-Rtd=15:N")
	right.Received = (now - 20) * 1e6
	m.add(right)
	for name, e := range map[string]*Engine{"going on": e, "started again": newEngine(t, m, registry(turbine(1)), now)} {
		catchUp(t, e)
		if s, err := e.State(1, unix(now)); err != nil || s.State != Exceed || s.Latest != now-20 {
			t.Errorf("%s: %s because of %s, latest %s, %v", name, s.State, s.Reason.Key, unix(s.Latest), err)
		}
		if sp := e.Spark(1, "a21002", unix(now)); sp.Valid != 8 {
			t.Errorf("%s: %d valid hours, want 8", name, sp.Valid)
		}
	}
}

// TestClosedPeriods: the last closed hour and day count, those before do not.
func TestClosedPeriods(t *testing.T) {
	t.Parallel()
	over := func(hour int) func(*memStore) {
		return func(m *memStore) {
			history(m, 1, -4, 12, gas(func(h, _ int) float64 {
				if h == hour {
					return 60
				}
				return 20
			}))
		}
	}
	day := func(m *memStore) { // 60 mg/L on the 22nd and before, 20 since
		history(m, 1, -48, 24, func(h, ten int) []string {
			cod := 20
			if h < 0 {
				cod = 60
			}
			return []string{fmt.Sprintf("w01018-Avg=%d.%d:N", cod, ten), fmt.Sprintf("w00000-Avg=10.%d:N", ten)}
		})
	}
	for _, c := range []struct {
		name  string
		o     *telemetry.Outlet
		feed  func(*memStore)
		now   int64
		state State
	}{
		{"45 minutes into the hour", turbine(1), over(8), at(23, 8, 50), Exceed},
		{"hour just closed", turbine(1), over(8), at(23, 9, 0), Exceed},
		{"end of the hour after", turbine(1), over(8), at(23, 9, 59), Exceed},
		{"two hours later", turbine(1), over(8), at(23, 10, 0), Normal},
		{"hour before midnight", turbine(1), over(-1), at(23, 0, 5), Exceed},
		{"day just closed", works(1), day, at(23, 0, 0), Exceed},
		{"end of the day after", works(1), day, at(23, 23, 59), Exceed},
		{"two days later", works(1), day, at(24, 0, 0), Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := newMemStore()
			c.feed(all)
			m := newMemStore() // what had come by then
			for _, rs := range all.recs {
				for _, r := range rs {
					if r.At+600 <= c.now { // sent when its ten minutes are over
						r.Received = (r.At + 600) * 1e6
						m.add(r)
					}
				}
			}
			e := newEngine(t, m, registry(c.o), c.now)
			catchUp(t, e)
			if s, err := e.State(1, unix(c.now)); err != nil || s.State != c.state {
				t.Errorf("%s because of %s %v, want %s, %v", s.State, s.Reason.Key, s.Reason.Args, c.state, err)
			}
		})
	}
}

// TestPrecedence lets everything hold at once and takes the first away in turn.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	now := at(23, 8, 30)
	for missing, want := range []State{Stopped, Offline, Exceed, Warn, Suspect, Maintenance, Normal} {
		holds := func(s State) bool { return int(s) > missing }
		o := turbine(1)
		if holds(Stopped) {
			o.Stops = []telemetry.Stop{{From: unix(now - 60)}}
		}
		m := newMemStore()
		history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
			switch {
			case h == 7 && holds(Exceed), h == 8 && holds(Warn):
				return 60
			}
			return 20
		})))
		if holds(Suspect) {
			m.add(rec(1, telemetry.KindHour, at(23, 7, 0), "a19001-Avg=15:N", "a01012-Avg=90:N", "a21002-Avg=20.1:N", "a21002-ZsAvg=49:N"))
			if holds(Exceed) { // judged by what was reported; so report the excess
				m.add(rec(1, telemetry.KindHour, at(23, 7, 0), "a21002-ZsAvg=90:N"))
			}
		}
		mark, last := "N", now-20
		if holds(Maintenance) {
			mark = "M"
		}
		if holds(Offline) {
			last = now - 700
			for _, rs := range m.recs {
				for i := range rs {
					rs[i].Received = min(rs[i].Received, last*1e6)
				}
			}
			for i := range m.groups {
				for k := range m.groups[i].Entries {
					x := &m.groups[i].Entries[k]
					x.Received = min(x.Received, last*1e6)
				}
			}
		}
		r := rec(1, telemetry.KindRealtime, now-20, "a21002-Rtd=20.3:"+mark, "a19001-Rtd=15.1:N")
		r.Received = last * 1e6
		m.add(r)
		e := newEngine(t, m, registry(o), now)
		catchUp(t, e)
		if s, err := e.State(1, unix(now)); err != nil || s.State != want {
			t.Errorf("without the first %d: %s because of %s %v, want %s, %v", missing, s.State, s.Reason.Key, s.Reason.Args, want, err)
		}
	}
}

// TestLimitRanks: the permit's own limit, then local, industry, general; of the
// same rank the stricter; dates include both ends.
func TestLimitRanks(t *testing.T) {
	t.Parallel()
	p := testParams(t)
	table := func(ls ...telemetry.Limit) limitSource {
		for i := range ls {
			l := &ls[i]
			l.ID, l.SourceType, l.Factor, l.Statistic, l.Op = fmt.Sprint(i), "kiln", "a21002", "hour", "<="
			if l.EffectiveFrom == "" {
				l.EffectiveFrom = "2020-01-01"
			}
		}
		return limitSource{rules.NewLimits(ls)}
	}
	l := func(standard string, hi float64) telemetry.Limit {
		return telemetry.Limit{Standard: standard, Hi: new(hi)}
	}
	own := func(ls ...telemetry.Limit) *telemetry.Outlet {
		o := &telemetry.Outlet{SourceType: "kiln"}
		o.Limits = table(ls...).standards.All()
		return o
	}
	doubtful := l("GB 4915-2013", 10)
	doubtful.Certainty = "conflicting"
	dated := l("permit", 5)
	dated.EffectiveFrom, dated.EffectiveTo = "2026-11-23", "2026-11-24"
	for _, c := range []struct {
		name string
		o    *telemetry.Outlet
		src  limitSource
		date string
		want float64
	}{
		{"industry before general", own(), table(l("GB 16297-1996", 100), l("GB 4915-2013", 400)), "2026-11-24", 400},
		{"local before industry", own(), table(l("GB 4915-2013", 100), l("DB54/ 1-2020", 200)), "2026-11-24", 200},
		{"stricter of the same rank", own(), table(l("GB 4915-2013", 100), l("GB 13271-2014", 50)), "2026-11-24", 50},
		{"permit before local", own(l("DB54/ 1-2020", 30), l("permit", 60)), table(l("GB 4915-2013", 20)), "2026-11-24", 60},
		{"permit by its Chinese name", own(l("GB 4915-2013", 30), l("排污许可证 2026", 60)), table(), "2026-11-24", 60},
		{"stricter of two permits", own(l("permit", 60), l("permit", 50)), table(), "2026-11-24", 50},
		{"entered for the outlet before the table", own(l("GB 4915-2013", 300)), table(l("GB 4915-2013", 20)), "2026-11-24", 300},
		{"two sources differ", own(), table(doubtful, l("GB 4915-2013", 100)), "2026-11-24", 100},
		{"day before", own(dated), table(l("GB 4915-2013", 100)), "2026-11-22", 100},
		{"first day", own(dated), table(l("GB 4915-2013", 100)), "2026-11-23", 5},
		{"last day", own(dated), table(l("GB 4915-2013", 100)), "2026-11-24", 5},
		{"day after", own(dated), table(l("GB 4915-2013", 100)), "2026-11-25", 100},
	} {
		if got, ok := c.src.find(p, c.o, "a21002", "hour", c.date, Opt{}); !ok || *got.Hi != c.want {
			t.Errorf("%s: %+v, want %v", c.name, got, c.want)
		}
	}
}

// TestConditionsAssumed: only of an outlet that names none.
func TestConditionsAssumed(t *testing.T) {
	t.Parallel()
	p := testParams(t)
	src := limitSource{rules.Default().Limits()}
	for _, c := range []struct {
		o                 telemetry.Outlet
		factor, statistic string
		want              float64
	}{
		{telemetry.Outlet{SourceType: "municipal sewage works outlet", Level: "1A"}, "w21011", "day", 0.5},
		{telemetry.Outlet{SourceType: "municipal sewage works outlet", Level: "1A", Condition: "built before 2006-01-01"}, "w21011", "day", 1},
		{telemetry.Outlet{SourceType: "municipal sewage works outlet", Level: "1A", Condition: "built before 2006-01-01"}, "w21003", "day", 5},
		{telemetry.Outlet{SourceType: "surface water", Level: "III"}, "w21011", "evaluation", 0.2},
		{telemetry.Outlet{SourceType: "surface water", Level: "III", Condition: "lake or reservoir"}, "w21011", "evaluation", 0.05},
		{telemetry.Outlet{SourceType: "municipal waste incinerator"}, "a21005", "day", 80},
		{telemetry.Outlet{SourceType: "municipal waste incinerator"}, "a34013", "hour", 30},
	} {
		if l, ok := src.find(p, &c.o, c.factor, c.statistic, "2026-11-24", Opt{}); !ok || *l.Hi != c.want {
			t.Errorf("%s %q %s: %+v, want %v", c.o.SourceType, c.o.Condition, c.factor, l, c.want)
		}
	}
}

// TestFullValueInTrace: what exceeds by less than is displayed says so.
func TestFullValueInTrace(t *testing.T) {
	t.Parallel()
	l := LimitRef{Op: "<=", Hi: Some(35)}
	j := JudgeExceed(35.00004, l)
	if s := j.step(testParams(t).exceed, 35.00004, l, true); !j.Exceeds || s.Formula != "35.00004 ÷ 35 − 1 = 1.14286e-06" {
		t.Errorf("%v, %q", j.Exceeds, s.Formula)
	}
}
