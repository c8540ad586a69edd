package quality

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/telemetry"
)

// moving is a registry that tests change.
type moving struct{ s *telemetry.Snapshot }

func (m *moving) Snapshot() *telemetry.Snapshot { return m.s }

// set shows other outlets.
func (m *moving) set(outlets ...*telemetry.Outlet) {
	v := uint64(0)
	if m.s != nil {
		v = m.s.Version
	}
	m.s = registry(outlets...).s
	m.s.Version = v + 1
}

func invalidMark(number, flag string, from, to int64, factors ...string) telemetry.Mark {
	return telemetry.Mark{
		Number: number, Rule: "mark.device", Version: 1, Code: "code" + flag, Group: "device", Effect: "invalid", Flag: flag, Kind: "other",
		Factors: factors, From: unix(from), To: unix(to),
	}
}

func exemptMark(number, code string, from, to int64) telemetry.Mark {
	return telemetry.Mark{Number: number, Rule: "mark.mswi", Version: 1, Code: code, Group: "operating", Effect: "exempt", Quota: "mswi.quota60", From: unix(from), To: unix(to)}
}

func furnace(id telemetry.OutletID, marks ...telemetry.Mark) *telemetry.Outlet {
	return &telemetry.Outlet{
		ID: id, Medium: telemetry.Gas, SourceType: "municipal waste incinerator", Area: "540103",
		Intervals: []telemetry.Interval{{Realtime: 60, Minute: 10}},
		Factors:   []telemetry.OutletFactor{{Code: "a34013"}, {Code: "a21005"}, {Code: "a19001"}},
		Marks:     marks,
	}
}

// plainHour judges a factor's hour by counting its minutes, one by one.
type plainHour struct {
	stopped bool
	minutes int
	sum     float64
}

func (p plainHour) valid() bool { return p.minutes >= 45 }

// TestMarksChangeTheRightHours: random marks, held against counting minutes one
// by one. Hours that no mark touches keep their bytes, only rows of touched days
// are judged anew, a fresh engine gives the same bytes, and without the marks
// everything has the bytes of before.
func TestMarksChangeTheRightHours(t *testing.T) {
	t.Parallel()
	const days = 4
	begin := at(20, 0, 0)
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.SampledFrom([]int64{1, 5, 10}).Draw(rt, "minutes of a record")
		o := turbine(1)
		o.Factors = []telemetry.OutletFactor{{Code: "a21002"}, {Code: "a01012"}}
		o.Intervals = []telemetry.Interval{{Realtime: 60, Minute: int(width)}}
		type minute struct {
			there bool
			v     float64
		}
		values := map[string][]minute{"a21002": make([]minute, days*1440), "a01012": make([]minute, days*1440)}
		m := newMemStore()
		for i := int64(0); i < days*1440; i += width {
			if i/60%7 == 3 && rapid.IntRange(0, 9).Draw(rt, "gap") == 0 {
				continue
			}
			a, b := float64(20+i/width%17), float64(90+i/width%11)
			m.add(rec(1, telemetry.KindMinute, begin+60*i, fmt.Sprintf("a21002-Avg=%v:N", a), fmt.Sprintf("a01012-Avg=%v:N", b)))
			for k := i; k < i+width; k++ {
				values["a21002"][k], values["a01012"][k] = minute{true, a}, minute{true, b}
			}
		}
		var marks []telemetry.Mark
		for n := range rapid.IntRange(1, 5).Draw(rt, "marks") {
			from := int64(rapid.IntRange(0, days*1440-2).Draw(rt, "from"))
			to := min(from+int64(rapid.SampledFrom([]int{1, 7, 14, 15, 16, 40, 61, 130, 900}).Draw(rt, "length")), days*1440)
			x := invalidMark(fmt.Sprint("M", n), rapid.SampledFrom([]string{"M", "C", "D", "T"}).Draw(rt, "flag"), begin+60*from, begin+60*to)
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				x.Factors = []string{"a21002"}
			case 1:
				x.Effect, x.Group, x.Flag = "stopped", "operating", ""
			}
			marks = append(marks, x)
		}
		reg := &moving{}
		reg.set(o)
		now := begin + days*daySeconds + 60
		e := newEngine(t, m, reg, now)
		catchUp(t, e)
		before := bytesOf(m)
		marked := *o
		marked.Marks = marks
		reg.set(&marked)
		m.puts = nil
		catchUp(t, e)
		touched := map[int64]bool{}
		for _, x := range marks {
			for d := dayStart(x.From.Unix()); d < x.To.Unix(); d += daySeconds {
				touched[d] = true
			}
		}
		list, err := e.Recomputes(1)
		if err != nil || len(list) != 1 || list[0].Rows > 25*len(touched) {
			rt.Fatalf("%d rows judged anew for %d days: %v", list[0].Rows, len(touched), err)
		}
		after := bytesOf(m)
		for h := begin; h < begin+days*daySeconds; h += hourSeconds {
			plain := map[string]*plainHour{"a21002": {}, "a01012": {}}
			halt, near := int64(0), false
			for _, x := range marks {
				near = near || overlap(h, h+hourSeconds, x.From.Unix(), x.To.Unix()) > 0
			}
			for k := (h - begin) / 60; k < (h-begin)/60+60; k++ {
				stands := false
				for _, x := range marks {
					stands = stands || x.Effect == "stopped" && !x.From.After(unix(begin+60*k)) && x.To.After(unix(begin+60*k))
				}
				if stands {
					halt++
				}
				for code, p := range plain {
					first := k / width * width // of its record
					bad := false
					for _, x := range marks {
						for i := first; i < first+width; i++ {
							bad = bad || x.Effect == "invalid" && x.Of(code) && !x.From.After(unix(begin+60*i)) && x.To.After(unix(begin+60*i))
						}
					}
					if v := values[code][k]; v.there && !bad {
						p.minutes++
						p.sum += v.v
					}
				}
			}
			rows, err := e.Hours(1, unix(h), unix(h+hourSeconds))
			if err != nil {
				rt.Fatal(err)
			}
			if !near && before[derivedKey(TableHour, 1, h)] != after[derivedKey(TableHour, 1, h)] {
				rt.Fatalf("hour %s has other bytes, and no mark", unix(h))
			}
			if len(rows) == 0 {
				continue
			}
			for code, p := range plain {
				p.stopped = halt > 15
				f := rows[0].Factor(code)
				if rows[0].Stopped != p.stopped || f.Valid != p.valid() || f.NValid != p.minutes || p.minutes > 0 && math.Abs(f.Mean.V-p.sum/float64(p.minutes)) > 1e-9 {
					rt.Fatalf("hour %s of %s: %+v, stopped %v, want %+v\nmarks %+v", unix(h), code, f, rows[0].Stopped, p, marks)
				}
				if f.touched() && (!near || f.Valid && f.Basis == BasisReported) {
					rt.Fatalf("hour %s of %s: %+v", unix(h), code, f)
				}
			}
		}
		fresh := newMemStore()
		fresh.recs, fresh.groups = m.recs, m.groups
		catchUp(t, newEngine(t, fresh, reg, now))
		if d := gocmp.Diff(bytesOf(fresh), after); d != "" {
			rt.Fatalf("judged from scratch there are other bytes:\n%s", d)
		}
		reg.set(o)
		catchUp(t, e)
		if d := gocmp.Diff(before, bytesOf(m)); d != "" {
			rt.Fatalf("taken back, there are other bytes than before:\n%s", d)
		}
	})
}

// TestMarkJudgesOnlyItsHours: of a year of hours a mark of two judges those two
// and their day anew; a program killed meanwhile does it after the start.
func TestMarkJudgesOnlyItsHours(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for day := 1; day <= 24; day++ {
		for h := range 24 {
			m.add(rec(1, telemetry.KindMinute, at(day, h, 0), "a21002-Avg=40:N", "a19001-Avg=15:N"))
		}
	}
	reg := &moving{}
	o := turbine(1)
	o.Intervals = []telemetry.Interval{{Realtime: 60, Minute: 60}}
	reg.set(o)
	e := newEngine(t, m, reg, at(25, 8, 0))
	catchUp(t, e)
	before := bytesOf(m)
	marked := *o
	marked.Marks = []telemetry.Mark{invalidMark("M1", "M", at(12, 7, 30), at(12, 8, 30))}
	reg.set(&marked)
	ended := newEngine(t, m, reg, at(25, 8, 0)) // begins, and its program is killed
	if _, err := ended.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg.set(o)
	catchUp(t, newEngine(t, m, reg, at(25, 8, 0)))
	if d := gocmp.Diff(before, bytesOf(m)); d != "" {
		t.Errorf("begun and taken back: %s", d)
	}
	reg.set(&marked)
	again := newEngine(t, m, reg, at(25, 8, 0))
	catchUp(t, again)
	list, err := again.Recomputes(1)
	if err != nil || len(list) != 1 || list[0].Rows != 3 || list[0].Changed != 3 || list[0].Hours != 24 || list[0].Ended == 0 {
		t.Fatalf("judged anew: %+v, %v", list, err)
	}
	for h, valid := range map[int]bool{6: true, 7: false, 8: false, 9: true} {
		if f := hourFactor(t, again, at(12, h, 0), "a21002"); f.Valid != valid || f.touched() == valid {
			t.Errorf("%d:00: %+v", h, f)
		}
	}
}

// TestExemptHours: the first hours of the sixty are exempt while particulate
// matter allows, in order of time; the day mean leaves them out; an hour that
// came late with too much of it gives its hour to the next one.
func TestExemptHours(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	add := func(day, h int, pm, co float64) {
		m.add(hourOf(1, at(day, h, 0), fmt.Sprintf("a34013-Avg=%v:N", pm), fmt.Sprintf("a21005-Avg=%v:N", co), "a19001-Avg=11:N")...)
	}
	for h := range 24 {
		pm := 10.0
		if h == 2 {
			pm = 150.1
		}
		co := 50.0
		if h < 4 {
			co = 2000
		}
		add(22, h, pm, co)
	}
	for h := range 24 {
		add(21, h, 10, 50)
	}
	reg := &moving{}
	// 58 hours are spent by marks of the days before, of which 24 have data.
	reg.set(furnace(1, exemptMark("M1", "shutdown", at(21, 0, 0), at(22, 0, 0)), exemptMark("M2", "startup", at(22, 0, 0), at(22, 5, 0))))
	e := newEngine(t, m, reg, at(23, 8, 0))
	catchUp(t, e)
	day := func(e *Engine) FactorDay {
		rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d days, %v", len(rows), err)
		}
		return *rows[0].Factor("a21005")
	}
	for h, want := range []string{ReasonExempt, ReasonExempt, ReasonPM, ReasonExempt, ReasonExempt, ""} {
		f := hourFactor(t, e, at(22, h, 0), "a21005")
		if want != "" && !slices.Contains(f.Reasons, want) || want == "" && f.Exempt() || !f.Valid || f.Over != (want == ReasonPM) {
			t.Errorf("%d:00: %+v, want %q", h, f, want)
		}
	}
	// The hours 2 and 5 to 23 count: one of 2000 and nineteen of 50.
	if d := day(e); !d.Valid || d.NValid != 24 || !near(d.Mean, (2000+19*50)/20.0) || !d.Over || !slices.Contains(d.Reasons, ReasonDayExempt) {
		t.Errorf("day %+v", d)
	}
	// A quota of 26 hours instead of sixty: the day before spends 24.
	e.params[e.rules.Period("2026-11-22")].quotas["mswi.quota60"] = shorter(e, 26)
	reg.set(furnace(1, exemptMark("M1", "shutdown", at(21, 0, 0), at(22, 0, 0)), exemptMark("M2", "startup", at(22, 0, 0), at(22, 6, 0))))
	catchUp(t, e)
	want := []string{ReasonExempt, ReasonExempt, ReasonPM, ReasonSpent, ReasonSpent, ReasonSpent}
	check := func(e *Engine, what string) {
		t.Helper()
		for h, want := range want {
			if f := hourFactor(t, e, at(22, h, 0), "a21005"); !slices.Contains(f.Reasons, want) {
				t.Errorf("%s, %d:00: %v, want %s", what, h, f.Reasons, want)
			}
		}
	}
	e.MarkDirty(1, unix(at(21, 0, 0)), unix(at(23, 0, 0)))
	catchUp(t, e)
	check(e, "26 hours")
	if x, err := e.Explain(1, "a21005", LevelHour, unix(at(22, 1, 0))); err != nil || x.Steps[2].Name != StepMark || x.Steps[2].Result != "mark_exempt" || !slices.Contains(x.Steps[2].Inputs, Input{"quota_before", "25", "h"}) || !slices.Contains(x.Steps[2].Inputs, Input{"quota_after", "26", "h"}) || x.Over {
		t.Errorf("%+v, %v", x.Steps, err)
	}
	// A correction of what arrives: an hour of the day before had too much
	// particulate matter, so it spent nothing.
	m.add(hourOf(1, at(21, 5, 0), "a34013-Avg=151:N")...)
	catchUp(t, e)
	want[3] = ReasonExempt
	check(e, "an hour before spends none")
	fresh := newMemStore()
	fresh.recs, fresh.groups = m.recs, m.groups
	f := newEngine(t, fresh, reg, at(23, 8, 0))
	f.params[f.rules.Period("2026-11-22")].quotas["mswi.quota60"] = shorter(f, 26)
	catchUp(t, f)
	if d := gocmp.Diff(bytesOf(fresh), bytesOf(m)); d != "" {
		t.Errorf("judged from scratch there are other bytes:\n%s", d)
	}
}

func hourFactor(t *testing.T, e *Engine, start int64, code string) *FactorHour {
	t.Helper()
	row := oneHour(t, e, 1, start)
	return row.Factor(code)
}

func shorter(e *Engine, hours float64) QuotaRule {
	p, _ := e.paramsAt("2026-11-22")
	q := p.quotas["mswi.quota60"]
	q.Hours = hours
	return q
}

// TestMarkKeepsReportedOut: the logger's own mean of an hour that is partly
// marked is no measure of it, nor is its day.
func TestMarkKeepsReportedOut(t *testing.T) {
	t.Parallel()
	h := at(22, 7, 0)
	m := newMemStore()
	for k := range 24 {
		m.add(hourOf(1, at(22, k, 0), "a21002-Avg=20:N", "a19001-Avg=15:N")...)
		m.add(rec(1, telemetry.KindHour, at(22, k, 0), "a21002-Avg=30:N", "a21002-ZsAvg=30:N", "a19001-Avg=15:N"))
	}
	m.add(rec(1, telemetry.KindDay, at(22, 0, 0), "a21002-Avg=30:N", "a21002-ZsAvg=30:N"))
	o := turbine(1)
	o.Marks = []telemetry.Mark{invalidMark("M1", "C", h, h+600, "a21002")}
	e := newEngine(t, m, registry(o), at(23, 8, 0))
	catchUp(t, e)
	for k, want := range map[int]Basis{6: BasisReportedFolded, 7: BasisFolded, 8: BasisReportedFolded} {
		if f := hourFactor(t, e, at(22, k, 0), "a21002"); !f.Valid || f.Basis != want {
			t.Errorf("%d:00: %+v", k, f)
		}
	}
	rows, err := e.Days(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
	if err != nil || rows[0].Factor("a21002").Basis != BasisFolded {
		t.Errorf("day %+v, %v", rows, err)
	}
	x, err := e.Explain(1, "a21002", LevelHour, unix(h))
	if err != nil || x.Steps[2].Name != StepMark || x.Steps[2].Rule != "mark.device" || x.Steps[2].Hash == "" || x.Steps[2].Result != "mark_invalid" || !slices.Contains(x.Steps[2].Inputs, Input{"mark_minutes", "10", "min"}) {
		t.Errorf("%+v, %v", x.Steps, err)
	}
	if x, err = e.Explain(1, "a21002", LevelMinute, unix(h)); err != nil || x.Valid || x.Flag != "C" || x.Steps[2].Name != StepMark {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err = e.Explain(1, "a21002", LevelMinute, unix(h+600)); err != nil || !x.Valid || x.Flag != "N" {
		t.Errorf("%+v, %v", x, err)
	}
}

// TestCorrection: a corrected hour stands for what was measured, is folded like
// it, and says what it replaced; where nothing came there is nothing to correct.
func TestCorrection(t *testing.T) {
	t.Parallel()
	h := at(22, 7, 0)
	m := newMemStore()
	m.add(hourOf(1, h, "a21002-Avg=80:N", "a19001-Avg=15:N")...)
	m.add(hourOf(1, h+2*hourSeconds, "a21002-Avg=80:N", "a19001-Avg=15:N")...)
	reg := &moving{}
	reg.set(turbine(1))
	e := newEngine(t, m, reg, at(23, 8, 0))
	catchUp(t, e)
	before := bytesOf(m)
	o := turbine(1)
	o.Corrections = []telemetry.Correction{{Number: "K1", Factor: "a21002", From: unix(h), To: unix(h + 2*hourSeconds), Value: 40}}
	d, err := e.WhatIf(t.Context(), WhatIf{Trial: Trial{Outlet: func(x *telemetry.Outlet) { x.Corrections = o.Corrections }}, Outlets: []telemetry.OutletID{1}, From: unix(h), To: unix(h + hourSeconds)})
	if err != nil || d.Sum != (Changes{HoursNotOver: 1}) {
		t.Errorf("what it would change: %+v, %v", d, err)
	}
	reg.set(o)
	catchUp(t, e)
	f := hourFactor(t, e, h, "a21002")
	if !f.Valid || f.NValid != 60 || !near(f.Mean, 40) || !near(f.Folded, 40) || f.Over || f.Basis != BasisFolded || !slices.Contains(f.Reasons, ReasonCorrected) {
		t.Errorf("corrected %+v", f)
	}
	if g := hourFactor(t, e, h+2*hourSeconds, "a21002"); !g.Over || g.touched() {
		t.Errorf("the hour behind %+v", g)
	}
	if rows, err := e.Hours(1, unix(h+hourSeconds), unix(h+2*hourSeconds)); err != nil || len(rows) != 0 {
		t.Errorf("an hour without records has %d rows, %v", len(rows), err)
	}
	x, err := e.Explain(1, "a21002", LevelHour, unix(h))
	if err != nil || x.Steps[2].Result != "mark_corrected" || !slices.Contains(x.Steps[2].Inputs, Input{"measured", "80", "mg/m3"}) || !slices.Contains(x.Steps[2].Inputs, Input{"corrected", "40", "mg/m3"}) {
		t.Errorf("%+v, %v", x.Steps, err)
	}
	reg.set(turbine(1))
	catchUp(t, e)
	if d := gocmp.Diff(before, bytesOf(m)); d != "" {
		t.Errorf("restored, there are other bytes:\n%s", d)
	}
}

// TestMarksInPeriods: hours of a stop by mark are no running hours, and a mark
// of a device out of control looks back from its beginning.
func TestMarksInPeriods(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for day := 1; day <= 3; day++ {
		for h := range 24 {
			m.add(rec(1, telemetry.KindHour, at(day, h, 0), fmt.Sprintf("a21002-Avg=%d:N", 10*day), "a19001-Avg=15:N", "a01012-Avg=90:N", "a00000-Avg=1000:N"))
		}
	}
	o := turbine(1)
	o.Factors = append(o.Factors, telemetry.OutletFactor{Code: "a00000"})
	o.Since = time.Unix(at(1, 0, 0), 0)
	control := invalidMark("M1", "D", at(2, 0, 0), at(2, 12, 0), "a21002")
	control.Kind = "out_of_control"
	stop := invalidMark("M2", "", at(3, 0, 0), at(3, 6, 0))
	stop.Effect, stop.Group = "stopped", "operating"
	o.Marks = []telemetry.Mark{control, stop}
	e := newEngine(t, m, registry(o), at(4, 0, 0))
	catchUp(t, e)
	p, err := e.Period(t.Context(), 1, LevelMonth, unix(at(2, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	f := p.Factors[slices.IndexFunc(p.Factors, func(f PeriodFactor) bool { return f.Code == "a21002" })]
	if f.HoursStopped != 6 || f.HoursValid != 54 || f.HoursDue != 66 || p.Transmission.Due != 66 {
		t.Errorf("%+v, due %v", f, p.Transmission.Due)
	}
	if len(p.Substitution) != 1 || p.Substitution[0].Kind != "out_of_control" || p.Substitution[0].SourceTo != at(1, 23, 0) || p.Substitution[0].Method != "T5-2160" || p.Substitution[0].Hours != 12 {
		t.Errorf("substituted %+v", p.Substitution)
	}
}
