package quality

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// ErrNotFound is returned for an outlet or value that does not exist.
var ErrNotFound = errors.New("not found")

// liveWindow is how far back "now" reaches: answers for older instants are
// drawn from the store instead of memory.
const liveWindow = 2 * time.Minute

// stateCache holds the last answer of States and the plans of the day.
type stateCache struct {
	sync.Mutex
	key    stateKey
	list   []StateResult
	plans  map[telemetry.OutletID]*plan // never changed
	limits map[boundLimit]*boundLimit   // of plans
	planOf planKey
}

type stateKey struct {
	change, version uint64
	asOf            int64
}

type planKey struct {
	version uint64
	date    string
}

type beforeCache struct {
	sync.Mutex
	slot   int64
	counts Counts
}

// planFor returns the plan of an outlet for a day, from the cache of today.
func (e *Engine) planFor(snap *telemetry.Snapshot, o *telemetry.Outlet, day int64) (*plan, error) {
	date := dateOf(day)
	p, err := e.paramsAt(date)
	if err != nil {
		return nil, err
	}
	key := planKey{snap.Version, date}
	e.states.Lock()
	defer e.states.Unlock()
	if e.states.planOf == key {
		if pl := e.states.plans[o.ID]; pl != nil && pl.outlet == o {
			return pl, nil
		}
	}
	pl := newPlan(p, e.limitSource(snap), o, date)
	if e.states.planOf != key && date == dateOf(e.o.Now().Unix()) {
		e.states.planOf, e.states.plans, e.states.limits = key, map[telemetry.OutletID]*plan{}, map[boundLimit]*boundLimit{}
	}
	if e.states.planOf == key {
		pl.share(e.states.limits)
		e.states.plans[o.ID] = pl
	}
	return pl, nil
}

// situation gathers what decides an outlet's state at asOf.
func (e *Engine) situation(snap *telemetry.Snapshot, o *telemetry.Outlet, asOf time.Time) (*situation, error) {
	at := asOf.Unix()
	pl, err := e.planFor(snap, o, dayStart(at))
	if err != nil {
		return nil, err
	}
	s := &situation{o: o, p: pl.p, pl: pl, asOf: at}
	if e.o.Now().Sub(asOf) > liveWindow {
		return s, e.past(snap, s)
	}
	e.mu.RLock()
	l := e.outlets[o.ID]
	e.mu.RUnlock()
	if l == nil {
		s.hour, s.day = func(int64) *HourRow { return nil }, func(int64) *DayRow { return nil }
		return s, nil
	}
	s.hour = once(func(at int64) *HourRow { return keptAt(e, &l.hours, o.ID, at, ReadHour) })
	s.day = once(func(at int64) *DayRow { return keptAt(e, &l.days, o.ID, at, ReadDay) })
	s.latest, s.realtime = latestOf(e.newest(o.ID), at)
	e.mu.RLock()
	s.seen = l.received
	e.mu.RUnlock()
	return s, nil
}

// past fills a situation as it was at an earlier instant, by DataTime.
func (e *Engine) past(snap *telemetry.Snapshot, s *situation) error {
	running := s.runningHour()
	rows, err := e.readHours(s.o.ID, running-(keepHours-1)*hourSeconds, running)
	if err != nil {
		return err
	}
	b := e.newBuilder(snap, s.o)
	now, err := b.hours(running, running+hourSeconds, s.asOf+1)
	if err != nil {
		return err
	}
	if now[0].Source != SourceNone {
		rows = append(rows, now[0])
	}
	hours := make(map[int64]*HourRow, len(rows))
	for i := range rows {
		hours[rows[i].At] = &rows[i]
	}
	s.hour = func(at int64) *HourRow { return hours[at] }
	days := map[int64]*DayRow{}
	yesterday, err := e.readDays(s.o.ID, s.today()-daySeconds, s.today())
	if err != nil {
		return err
	}
	for i := range yesterday {
		days[yesterday[i].At] = &yesterday[i]
	}
	var sofar []HourRow
	for i := range rows {
		if rows[i].At >= s.today() {
			sofar = append(sofar, rows[i])
		}
	}
	today, err := b.day(s.today(), sofar, s.today()+daySeconds)
	if err != nil {
		return err
	}
	days[today.At] = &today
	s.day = func(at int64) *DayRow { return days[at] }
	for _, k := range []telemetry.Kind{telemetry.KindHour, telemetry.KindMinute, telemetry.KindRealtime} {
		rec, ok, err := e.o.Store.Before(s.o.ID, k, s.asOf+1)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if s.latest == nil || rec.At >= s.latest.At {
			s.latest = &rec
		}
		if k == telemetry.KindRealtime {
			s.realtime = &rec
		}
		s.seen = max(s.seen, rec.At)
	}
	return nil
}

// State is the state of one outlet; ErrNotFound when the registry has none.
func (e *Engine) State(outlet telemetry.OutletID, asOf time.Time) (StateResult, error) {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return StateResult{}, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	s, err := e.situation(snap, o, asOf)
	if err != nil {
		return StateResult{}, err
	}
	return s.state(), nil
}

// States are the states of all outlets in the registry's order. The slice is
// shared with other callers.
func (e *Engine) States(asOf time.Time) ([]StateResult, error) {
	return e.statesUntil(context.Background(), asOf)
}

// statesUntil is States, broken off when ctx ends: of very many outlets they take
// long where nothing of them is in memory.
func (e *Engine) statesUntil(ctx context.Context, asOf time.Time) ([]StateResult, error) {
	snap := e.o.Registry.Snapshot()
	e.mu.RLock()
	key := stateKey{e.change, snap.Version, asOf.Unix()}
	e.mu.RUnlock()
	e.states.Lock()
	if e.states.key == key && e.states.list != nil {
		defer e.states.Unlock()
		return e.states.list, nil
	}
	e.states.Unlock()
	list := make([]StateResult, 0, len(snap.Order))
	for _, id := range snap.Order {
		o := snap.Outlets[id]
		if o == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := e.situation(snap, o, asOf)
		if err != nil {
			return nil, fmt.Errorf("state of outlet %d: %w", id, err)
		}
		list = append(list, s.state())
	}
	if e.o.Now().Sub(asOf) <= liveWindow {
		e.states.Lock()
		e.states.key, e.states.list = key, list
		e.states.Unlock()
	}
	return list, nil
}

// Counts counts the outlets by state.
func (e *Engine) Counts(asOf time.Time) (Counts, error) {
	list, err := e.States(asOf)
	if err != nil {
		return nil, err
	}
	return countStates(list), nil
}

func countStates(list []StateResult) Counts {
	c := Counts{}
	for i := range list {
		c[list[i].State]++
	}
	return c
}

// beforeSlot is how long the counts of yesterday are kept.
const beforeSlot = 600

// CountsBefore are the counts of 24 h before asOf, by DataTime, at most ten
// minutes old; false until Run or RefreshBefore has computed them.
func (e *Engine) CountsBefore(asOf time.Time) (Counts, bool) {
	e.before.Lock()
	defer e.before.Unlock()
	at := asOf.Unix() - daySeconds
	if e.before.counts == nil || at < e.before.slot || at > e.before.slot+2*beforeSlot {
		return nil, false
	}
	return e.before.counts, true
}

// RefreshBefore computes what CountsBefore returns, when its time has come.
func (e *Engine) RefreshBefore(ctx context.Context) error {
	at := e.o.Now().Unix() - daySeconds
	slot := at - mod(at, beforeSlot)
	e.before.Lock()
	fresh := e.before.counts != nil && e.before.slot == slot
	e.before.Unlock()
	if fresh || ctx.Err() != nil {
		return ctx.Err()
	}
	list, err := e.statesUntil(ctx, unix(slot))
	if err != nil {
		return fmt.Errorf("states of yesterday: %w", err)
	}
	e.before.Lock()
	e.before.slot, e.before.counts = slot, countStates(list)
	e.before.Unlock()
	e.o.Logger.DebugContext(ctx, "states of yesterday counted", slog.Int("outlets", len(list)))
	return nil
}

// forgetBefore lets the counts of yesterday be computed anew when hours that
// old were judged: history was filled in, or a correction came.
func (e *Engine) forgetBefore(done []judgedOutlet) {
	old := e.o.Now().Unix() - daySeconds + 3600
	for i := range done {
		for k := range done[i].rows {
			if d := &done[i].rows[k]; d.Table == TableHour && d.At < old {
				e.before.Lock()
				e.before.counts = nil
				e.before.Unlock()
				return
			}
		}
	}
}

// Now is the running hour and day of an outlet.
func (e *Engine) Now(outlet telemetry.OutletID, asOf time.Time) (View, error) {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return View{}, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	s, err := e.situation(snap, o, asOf)
	if err != nil {
		return View{}, err
	}
	v := View{
		Outlet: outlet, Now: asOf, Hour: s.hour(s.runningHour()), Last: s.hour(s.runningHour() - hourSeconds),
		Day: s.day(s.today()), Yesterday: s.day(s.today() - daySeconds), HoursOK: map[string]int{},
	}
	offline := s.isOffline(&StateResult{})
	stop := s.isStopped(&StateResult{})
	for i := range s.pl.factors {
		if fp := &s.pl.factors[i]; fp.required {
			v.Tiles = append(v.Tiles, s.tile(i, offline, stop))
			v.Forecasts = append(v.Forecasts, s.forecast(fp.code))
		}
	}
	need := 0
	if v.Day != nil {
		for i := range v.Day.Factors {
			f := &v.Day.Factors[i]
			v.HoursOK[f.Code] = f.NValid
			least := s.p.gasDay.MinHours
			if o.Medium != telemetry.Gas {
				least = int((s.p.waterDay.MinPercent*float64(f.NExpected) + 99) / 100)
			}
			if f.NExpected < least {
				continue // the source does not run long enough: no hour can make the day valid
			}
			if k, ok := s.pl.index[f.Code]; ok && s.pl.factors[k].required {
				need = max(need, least-f.NValid)
			}
		}
	}
	v.HoursNeed = need
	return v, nil
}

// tile is the figure of one factor.
func (s *situation) tile(i int, offline, stop bool) Tile {
	fp := &s.pl.factors[i]
	t := Tile{Code: fp.code, Unit: fp.unit, State: Normal, Limit: fp.hour.LimitRef}
	if t.Limit.IsZero() {
		t.Limit = fp.instant.LimitRef
	}
	for back := range 2 {
		f := s.closed(back, fp.code)
		if f == nil {
			continue
		}
		if back == 0 {
			t.NValid = f.NValid
		}
		if t.Level != "" {
			if f.Over && f.Evidence && t.State != Exceed { // the figure that makes the state is the one to see
				t.At, t.Value, t.Folded, t.Flag, t.Limit, t.State = s.runningHour()-int64(back)*hourSeconds, f.Judged, foldedBasis(f.Basis), f.Flag, f.Limit, Exceed
			}
			continue
		}
		v, folded := f.soFar()
		if !v.OK {
			v, folded = f.Mean, false
		}
		if !v.OK {
			continue
		}
		t.Level, t.At, t.Value, t.Folded, t.Flag = LevelHour, s.runningHour()-int64(back)*hourSeconds, v, folded, f.Flag
		if !f.Limit.IsZero() {
			t.Limit = f.Limit
		}
		switch {
		case f.Over && f.Evidence:
			t.State = Exceed
		case !f.Limit.IsZero() && f.NExpected > 0 && float64(f.NValid) >= s.p.order.warnMin && JudgeExceed(v.V, f.Limit).Exceeds:
			t.State = Warn
		case f.Mismatch:
			t.State = Suspect
		}
	}
	if s.realtime != nil && s.fresh(s.realtime) {
		for k := range s.realtime.Values {
			x := &s.realtime.Values[k]
			if canon(x.Code) != fp.role {
				continue
			}
			t.Flag = x.Flag
			if t.Level == "" && x.Suffix == "Rtd" && x.IsNum {
				t.Level, t.At, t.Value = LevelRealtime, s.realtime.At, Some(x.Dec.Float())
			}
		}
	}
	for _, c := range s.instants() {
		if c.factor == fp.code {
			t.State = Exceed
		}
	}
	switch {
	case stop:
		t.State = Stopped
	case offline:
		t.State = Offline
	case t.State == Normal && slices.Contains(s.p.order.maintenance, t.Flag):
		t.State = Maintenance
	}
	return t
}

// lag is how many minutes a minute record may be under way.
const lag = 2

// forecast tells whether the running hour of a factor can still become valid.
// Minutes that should have come by now and did not count as lost; what is sent
// again later can still save the hour.
func (s *situation) forecast(code string) Forecast {
	h := s.runningHour()
	f := Forecast{Outlet: s.o.ID, Code: code, Hour: h, Elapsed: int((s.asOf - h) / 60)}
	seen := 0
	if row := s.hour(h); row != nil {
		if x := row.Factor(code); x != nil {
			f.NValid, seen = x.NValid, x.NSeen
		}
	}
	iv := s.o.IntervalAt(unix(s.asOf))
	step := iv.Minute
	if step == 0 {
		step = (iv.Realtime + 59) / 60
	}
	due := max(0, f.Elapsed-f.Elapsed%max(step, 1)-lag)
	if f.Elapsed%max(step, 1) >= lag {
		due = f.Elapsed - f.Elapsed%max(step, 1)
	}
	lost := max(due, seen) - f.NValid
	f.Possible = max(0, 60-f.NValid-max(lost, 0))
	need := int(s.pl.hourRule.MinValid)
	f.Missing = max(0, need-f.NValid)
	f.Lost = f.Missing > f.Possible
	f.AtRisk = !f.Lost && lost > (60-need)/2
	return f
}

// Forecasts lists the outlets whose running hour is lost or at risk, the worst
// factor of each, worst first. Outlets that are stopped or offline are not in
// it: their state says it already.
func (e *Engine) Forecasts(asOf time.Time) ([]Forecast, error) {
	snap := e.o.Registry.Snapshot()
	var out []Forecast
	for _, id := range snap.Order {
		o := snap.Outlets[id]
		if o == nil {
			continue
		}
		s, err := e.situation(snap, o, asOf)
		if err != nil {
			return nil, err
		}
		if s.isStopped(&StateResult{}) || s.isOffline(&StateResult{}) {
			continue
		}
		var worst *Forecast
		for i := range s.pl.factors {
			fp := &s.pl.factors[i]
			if !fp.required || fp.hour.IsZero() && fp.day.IsZero() {
				continue
			}
			if f := s.forecast(fp.code); (f.Lost || f.AtRisk) && (worst == nil || f.Possible-f.Missing < worst.Possible-worst.Missing) {
				worst = &f
			}
		}
		if worst != nil {
			out = append(out, *worst)
		}
	}
	slices.SortStableFunc(out, func(a, b Forecast) int { return cmp.Compare(a.Possible-a.Missing, b.Possible-b.Missing) })
	return out, nil
}

// Completeness sums, for each county, the factor minutes received and due of
// the last 24 hours, the running one last.
func (e *Engine) Completeness(asOf time.Time) map[string][]Cell {
	snap := e.o.Registry.Snapshot()
	running := hourStart(asOf.Unix())
	first := running - 23*hourSeconds
	out := map[string][]Cell{}
	var covered []coverage
	for _, id := range snap.Order {
		o := snap.Outlets[id]
		if o == nil {
			continue
		}
		cells := out[o.Area]
		if cells == nil {
			cells = make([]Cell, 24)
			for i := range cells {
				cells[i].Hour = first + int64(i)*hourSeconds
			}
			out[o.Area] = cells
		}
		hours := e.keptSince(id, first)
		step := o.IntervalAt(asOf).Minute
		for i := range cells {
			h := cells[i].Hour
			if !o.Since.IsZero() && h < o.Since.Unix() || stopped(o, h) {
				continue
			}
			covered = coverageOf(hours.at(h), covered[:0])
			due := 60
			if h == running {
				due = max(0, int(asOf.Unix()-h)/60-max(step, 1)-lag)
			}
			for k := range o.Factors {
				f := slices.IndexFunc(covered, func(c coverage) bool { return string(c.code) == o.Factors[k].Code })
				switch {
				case f < 0:
					cells[i].Expected += due
				case covered[f].expected > 0:
					cells[i].Expected += due
					cells[i].Seen += min(covered[f].seen, due)
				}
			}
		}
	}
	return out
}

// Spark gives the last 24 hours of a factor; "" picks the outlet's main one.
// An unknown outlet gives the zero Spark.
func (e *Engine) Spark(outlet telemetry.OutletID, factor string, asOf time.Time) Spark {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return Spark{}
	}
	pl, err := e.planFor(snap, o, dayStart(asOf.Unix()))
	if err != nil {
		return Spark{}
	}
	if factor == "" {
		i := pl.main()
		if i < 0 {
			return Spark{}
		}
		factor = pl.factors[i].code
	}
	running := hourStart(asOf.Unix())
	sp := Spark{Factor: factor, From: running - 23*hourSeconds}
	if i, ok := pl.index[factor]; ok {
		sp.Limit, sp.Folded = pl.factors[i].hour.LimitRef, pl.factors[i].refO2.OK
	}
	hours := e.keptSince(outlet, sp.From)
	names := []string{factor}
	var f FactorHour
	for i := range sp.Values {
		h := sp.From + int64(i)*hourSeconds
		due := h != running && !stopped(o, h)
		if due {
			sp.Due++
		}
		v := hours.at(h)
		if v == nil {
			continue
		}
		if !findHourOf(&f, names, v) {
			continue
		}
		if due && f.NExpected == 0 {
			sp.Due--
		} else if due && f.Valid {
			sp.Valid++
		}
		if f.Valid || h == running {
			if v, _ := f.soFar(); v.OK {
				sp.Values[i] = v
			}
		}
		if i == len(sp.Values)-1 && !f.Limit.IsZero() {
			sp.Limit = f.Limit
		}
	}
	return sp
}
