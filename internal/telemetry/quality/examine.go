package quality

import (
	"fmt"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// Bound is what one factor of an outlet is held against on one day. Limits are
// in the unit that the logger sends.
type Bound struct {
	Code, Unit       string
	RangeLo, RangeHi Opt // measuring range of the registry
	Detection        Opt
	Hour, Day        LimitRef
	Instant          LimitRef
	InstantEvidence  bool // a single value over Instant is an exceedance
}

// Limited reports whether the factor has any limit.
func (b *Bound) Limited() bool { return !b.Hour.IsZero() || !b.Day.IsZero() || !b.Instant.IsZero() }

// Examiner looks at closed hours of one outlet, one after the other: it tells
// which of the suspect.* rules they break, and what their factors are held
// against. It is a pure function of what it was made of, and is used by one
// goroutine.
type Examiner struct {
	o     *telemetry.Outlet
	hours map[int64]*HourRow
	plan  func(day int64) (*plan, error)
	plans map[int64]*plan
	err   error
}

// NewExaminer makes an Examiner of an outlet's judged hours, in any order; the
// rows are not copied and must stay as they are. No limits stand for those of
// the rule set.
func NewExaminer(set *rules.Set, limits []telemetry.Limit, o *telemetry.Outlet, rows []HourRow) *Examiner {
	src := limitSource{set.Limits()}
	if len(limits) > 0 {
		src = limitSource{rules.NewLimits(limits)}
	}
	byPeriod := map[string]*params{}
	return newExaminer(o, rows, func(day int64) (*plan, error) {
		date := dateOf(day)
		p := byPeriod[set.Period(date)]
		if p == nil {
			var err error
			if p, err = readParams(set, date); err != nil {
				return nil, err
			}
			byPeriod[set.Period(date)] = p
		}
		return newPlan(p, src, o, date), nil
	})
}

// Examiner is NewExaminer by the engine's rules and the registry's limits.
func (e *Engine) Examiner(snap *telemetry.Snapshot, o *telemetry.Outlet, rows []HourRow) *Examiner {
	src := e.limitSource(snap)
	return newExaminer(o, rows, func(day int64) (*plan, error) {
		p, err := e.paramsAt(dateOf(day))
		if err != nil {
			return nil, err
		}
		return newPlan(p, src, o, dateOf(day)), nil
	})
}

func newExaminer(o *telemetry.Outlet, rows []HourRow, make1 func(day int64) (*plan, error)) *Examiner {
	x := &Examiner{o: o, hours: make(map[int64]*HourRow, len(rows)), plan: make1, plans: map[int64]*plan{}}
	for i := range rows {
		x.hours[rows[i].At] = &rows[i]
	}
	return x
}

// Err is the first fault of a rule met, nil when there was none.
func (x *Examiner) Err() error { return x.err }

func (x *Examiner) planOf(at int64) *plan {
	day := dayStart(at)
	if pl, ok := x.plans[day]; ok {
		return pl
	}
	pl, err := x.plan(day)
	if err != nil && x.err == nil {
		x.err = err
	}
	x.plans[day] = pl
	return pl
}

// Hour is the row of an hour, nil when nothing came.
func (x *Examiner) Hour(at int64) *HourRow { return x.hours[at] }

// Bounds lists the registered factors with what they are held against on the
// day that at (Unix seconds) falls in.
func (x *Examiner) Bounds(at int64) []Bound {
	pl := x.planOf(at)
	if pl == nil {
		return nil
	}
	out := make([]Bound, 0, len(pl.factors))
	for i := range pl.factors {
		f := &pl.factors[i]
		if !f.required {
			continue
		}
		out = append(out, Bound{
			Code: f.code, Unit: f.unit, RangeLo: f.rangeLo, RangeHi: f.rangeHi, Detection: f.detection,
			Hour: f.hour.LimitRef, Day: f.day.LimitRef, Instant: f.instant.LimitRef, InstantEvidence: f.instant.evidence,
		})
	}
	return out
}

// Signs lists the suspicions that the hour beginning at an instant ends with:
// one value for hours, negative values, reported against recomputed. Value,
// Since, Reason and Rule are set as in the state of an outlet.
func (x *Examiner) Signs(hour int64) []StateResult {
	pl := x.planOf(hour)
	if pl == nil || x.hours[hour] == nil {
		return nil
	}
	s := &situation{o: x.o, p: pl.p, pl: pl, asOf: hour + hourSeconds}
	s.hour = func(at int64) *HourRow {
		if at > hour {
			return nil // not yet known when that hour ended
		}
		return x.hours[at]
	}
	var out []StateResult
	for i := range pl.factors {
		fp := &pl.factors[i]
		if !fp.required {
			continue
		}
		for _, test := range []func(*StateResult, *factorPlan) bool{s.constant, s.negative, s.mismatch} {
			r := StateResult{Outlet: x.o.ID, State: Suspect}
			if test(&r, fp) {
				out = append(out, r)
			}
		}
	}
	return out
}

// Ignored reports whether the factor may rest at one value by suspect.constant.
func (x *Examiner) Ignored(at int64, code string) bool {
	pl := x.planOf(at)
	return pl == nil || !slices.Contains(pl.p.constant.media, string(x.o.Medium)) || slices.Contains(pl.p.constant.ignore, canon(code))
}

// MinValid is how many valid minutes a valid hour needs (cems.hour_mean,
// wpms.hour_mean).
func (x *Examiner) MinValid(at int64) int {
	pl := x.planOf(at)
	if pl == nil {
		return 0
	}
	return int(pl.hourRule.MinValid)
}

// Marks are the marks of a stopped source, and those of
// maintenance and calibration (state.order).
func (x *Examiner) Marks(at int64) (stop, care []string) {
	pl := x.planOf(at)
	if pl == nil {
		return nil, nil
	}
	return pl.p.order.stopped, pl.p.order.maintenance
}

// Stopped reports whether a declared stop takes the hour out (more than a
// quarter of it).
func (x *Examiner) Stopped(hour int64) bool { return stopped(x.o, hour) }

// First is the start of the outlet's first judged hour with data; false when
// there is none.
func (e *Engine) First(outlet telemetry.OutletID) (at int64, ok bool, err error) {
	err = e.o.Store.Derived(TableHour, outlet, firstTime, lastTime, func(t int64, _ []byte) bool {
		at, ok = t, true
		return false
	})
	return at, ok, err
}

// Newest lists the single values of an outlet's newest minute or real-time
// record that lie over the limit of its hour mean: they warn of an hour to come,
// and are no evidence. Where the limit is for the folded value, only values that
// the logger folded itself are looked at. Value, At, Limit and Times are set.
func (e *Engine) Newest(outlet telemetry.OutletID, asOf time.Time) ([]StateResult, error) {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return nil, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	s, err := e.situation(snap, o, asOf)
	if err != nil {
		return nil, err
	}
	rec, plain, zs := s.latest, "Avg", "ZsAvg"
	if rec == nil || rec.Kind == telemetry.KindRealtime {
		plain, zs = "Rtd", "ZsRtd"
	}
	if rec == nil || rec.Kind == telemetry.KindHour || !s.fresh(rec) || s.dry(rec, plain) || s.isStopped(&StateResult{}) {
		return nil, nil
	}
	var out []StateResult
	for i := range rec.Values {
		v := &rec.Values[i]
		k, ok := s.pl.index[v.Code]
		if !ok {
			k, ok = s.pl.index[canon(v.Code)]
		}
		if !ok || !s.measured(v) {
			continue
		}
		f := &s.pl.factors[k]
		suffix := plain
		if f.refO2.OK {
			suffix = zs
		}
		if v.Suffix != suffix || f.hour.IsZero() || !f.required {
			continue
		}
		x := v.Dec.Float()
		if j := JudgeExceed(x, f.hour.LimitRef); j.Exceeds {
			out = append(out, StateResult{
				Outlet: outlet, State: Warn, Factor: f.code, Level: LevelMinute, At: unix(rec.At), Value: Some(x), Folded: f.refO2.OK, Limit: f.hour.LimitRef, Times: j.Times,
			})
		}
	}
	return out, nil
}
