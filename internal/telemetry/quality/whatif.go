package quality

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// ErrTooMuch is returned for a question about more outlets and days than one
// answer may take.
var ErrTooMuch = errors.New("too many outlets and days")

const (
	// WhatIfMost is how many days of outlets one WhatIf looks at: a month of 600
	// outlets, a year of 50.
	WhatIfMost = 18_600
	// whatIfExamples is how many changes are shown of one outlet.
	whatIfExamples = 8
)

// Trial is what stored data are judged by instead of what is in force. What is
// left empty stays as it is.
type Trial struct {
	Rules  *rules.Set              // such as Set.With a version to come
	Limits *rules.Limits           // of the standards
	Outlet func(*telemetry.Outlet) // changes an outlet's copy: a limit of its permit, its factors
}

// WhatIf asks what a trial would have changed.
type WhatIf struct {
	Trial    Trial
	Outlets  []telemetry.OutletID // nil = all
	From, To time.Time            // widened to whole days of Beijing time, half-open
	// Progress is told how many of the outlets' days are done; nil = nobody asks.
	// It is called from several goroutines, one at a time.
	Progress func(done, total int)
}

// Changes counts what a trial changes, factor by factor.
type Changes struct {
	HoursValid, HoursNotValid int // hours that become valid, that are valid no more
	DaysValid, DaysNotValid   int
	HoursOver, HoursNotOver   int // exceeding hours (evidence) that appear, that vanish
	DaysOver, DaysNotOver     int
	Warnings, NoWarnings      int // hours and days over a limit that only warn, that appear, that vanish
	Figures                   int // hours and days whose judged figure is another
}

// None reports that nothing changes.
func (c Changes) None() bool { return c == Changes{} }

func (c *Changes) add(x Changes) {
	c.HoursValid += x.HoursValid
	c.HoursNotValid += x.HoursNotValid
	c.DaysValid += x.DaysValid
	c.DaysNotValid += x.DaysNotValid
	c.HoursOver += x.HoursOver
	c.HoursNotOver += x.HoursNotOver
	c.DaysOver += x.DaysOver
	c.DaysNotOver += x.DaysNotOver
	c.Warnings += x.Warnings
	c.NoWarnings += x.NoWarnings
	c.Figures += x.Figures
}

// TotalChange is the amount of a factor over the days asked for, kg.
type TotalChange struct {
	Factor   string
	Old, New float64
}

// What a change is about.
const (
	ChangeValid   = "valid"   // valid before, or now, and not both
	ChangeOver    = "over"    // evidence of an exceedance before, or now
	ChangeWarning = "warning" // over a limit that only warns before, or now
	ChangeFigure  = "figure"  // another judged figure
)

// Change is one hour or day of a factor that a trial changes. Old and New are
// the judged figures, missing ones where there was or is none.
type Change struct {
	Outlet             telemetry.OutletID
	Factor             string
	Level              string // LevelHour or LevelDay
	At                 int64  // start, Unix seconds
	What               string
	Appears            bool // of valid, over and warning: holds in the trial and did not before
	Old, New           Opt
	OldLimit, NewLimit LimitRef
}

// OutletChanges is what a trial changes of one outlet.
type OutletChanges struct {
	Outlet telemetry.OutletID
	Changes
	Totals   []TotalChange // only those that change
	Examples []Change      // some of each kind, the weightiest kinds first
}

// Difference is the answer to a WhatIf.
type Difference struct {
	From, To    time.Time
	Outlets     int // looked at
	Hours, Days int // judged twice: rows with records
	Sum         Changes
	Changed     []OutletChanges // outlets with any change, in the order asked
	Old, New    string          // digests of the rule sets at the end of the range
}

// trial is how both sides of a comparison are judged.
type trial struct {
	e      *Engine
	limits limitSource
	params func(date string) (*params, error)
	change func(*telemetry.Outlet)
}

// inForce judges as the engine itself does.
func (e *Engine) inForce(snap *telemetry.Snapshot) *trial {
	return &trial{e: e, limits: e.limitSource(snap), params: e.paramsAt}
}

// trial reads the rules of a trial; a fault in them wraps rules.ErrInvalid.
func (e *Engine) trial(snap *telemetry.Snapshot, t *Trial) (*trial, error) {
	out := e.inForce(snap)
	out.change = t.Outlet
	if t.Limits != nil {
		out.limits = limitSource{t.Limits}
	}
	if t.Rules == nil {
		return out, nil
	}
	periods := map[string]*params{}
	for _, date := range t.Rules.Periods() {
		p, err := readParams(t.Rules, date)
		if err != nil {
			return nil, fmt.Errorf("rules in force on %s: %w", date, err)
		}
		periods[t.Rules.Period(date)] = p
	}
	out.params = func(date string) (*params, error) { return periods[t.Rules.Period(date)], nil }
	return out, nil
}

func (t *trial) builder(src Records, o *telemetry.Outlet) *builder {
	if t.change != nil {
		mine := *o
		mine.Factors, mine.Intervals = slices.Clone(o.Factors), slices.Clone(o.Intervals)
		mine.Stops, mine.Limits = slices.Clone(o.Stops), slices.Clone(o.Limits)
		mine.Marks, mine.Corrections = slices.Clone(o.Marks), slices.Clone(o.Corrections)
		t.change(&mine)
		o = &mine
	}
	return newBuilder(src, t.limits, t.params, o)
}

// WhatIf judges stored records twice, as is and by a trial, and tells what
// differs; nothing is written. It ends with ctx. Errors are ErrTooMuch,
// ErrNotFound for an outlet that is not there, rules.ErrInvalid for a trial
// that cannot be read, and those of the store.
func (e *Engine) WhatIf(ctx context.Context, w WhatIf) (*Difference, error) {
	snap := e.o.Registry.Snapshot()
	ids := w.Outlets
	if ids == nil {
		ids = snap.Order
	}
	for _, id := range ids {
		if snap.Outlets[id] == nil {
			return nil, fmt.Errorf("outlet %d: %w", id, ErrNotFound)
		}
	}
	from, to := dayStart(w.From.Unix()), dayStart(w.To.Unix()-1)+daySeconds
	days := int(max(to-from, 0) / daySeconds)
	if days*len(ids) > WhatIfMost {
		return nil, fmt.Errorf("%d days of %d outlets, at most %d in all: %w", days, len(ids), WhatIfMost, ErrTooMuch)
	}
	old := e.inForce(snap)
	now, err := e.trial(snap, &w.Trial)
	if err != nil {
		return nil, err
	}
	d := &Difference{From: unix(from), To: unix(to), Outlets: len(ids)}
	if days > 0 {
		last := dateOf(to - 1)
		d.Old, d.New = e.rules.Digest(last), e.rules.Digest(last)
		if w.Trial.Rules != nil {
			d.New = w.Trial.Rules.Digest(last)
		}
	}
	var mu sync.Mutex
	done, total := 0, days*len(ids)
	step := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if done += n; w.Progress != nil {
			w.Progress(done, total)
		}
	}
	list := make([]comparison, len(ids))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(e.o.Workers, len(ids)) {
		wg.Go(func() {
			for i := range next {
				o := snap.Outlets[ids[i]]
				c := &list[i]
				c.Outlet = o.ID
				errs[i] = c.run(ctx, old.builder(e.o.Store, o), now.builder(e.o.Store, o), from, to, step)
			}
		})
	}
	for i := range ids {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return nil, err
	}
	for i := range list {
		c := &list[i]
		d.Hours, d.Days = d.Hours+c.hours, d.Days+c.days
		d.Sum.add(c.Changes)
		if out := c.finish(); !out.None() || len(out.Totals) > 0 {
			d.Changed = append(d.Changed, out)
		}
	}
	return d, nil
}

// comparison collects what differs of one outlet.
type comparison struct {
	OutletChanges
	hours, days int
	totals      map[string]*TotalChange
	shown       map[string]int // examples of a kind
}

// whatIfStretch is how many days are read at once.
const whatIfStretch = 7

func (c *comparison) run(ctx context.Context, old, now *builder, from, to int64, step func(int)) error {
	c.totals, c.shown = map[string]*TotalChange{}, map[string]int{}
	for at := from; at < to; at += whatIfStretch * daySeconds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		end := min(at+whatIfStretch*daySeconds, to)
		a, err := old.stretch(at, end)
		if err != nil {
			return err
		}
		b, err := now.stretch(at, end)
		if err != nil {
			return err
		}
		for i := range a.hours {
			if a.hours[i].Source != SourceNone {
				c.hours++
				c.hour(&a.hours[i], &b.hours[i])
			}
		}
		for i := range a.days {
			if a.there[i] {
				c.days++
				c.day(&a.days[i], &b.days[i])
			}
		}
		step(int((end - at) / daySeconds))
	}
	return nil
}

// stretch is hours and the days they make, all that there could be.
type stretch struct {
	hours []HourRow
	days  []DayRow
	there []bool // of days: a record came
}

// stretch judges whole days.
func (b *builder) stretch(from, to int64) (s stretch, err error) {
	if s.hours, err = b.hours(from, to, to); err != nil {
		return s, fmt.Errorf("judge hours of outlet %d: %w", b.o.ID, err)
	}
	for d := from; d < to; d += daySeconds {
		i := int((d - from) / hourSeconds)
		row, there, err := b.dayOf(d, s.hours[i:i+24])
		if err != nil {
			return s, fmt.Errorf("judge day of outlet %d: %w", b.o.ID, err)
		}
		s.days, s.there = append(s.days, row), append(s.there, there)
	}
	return s, nil
}

// dayOf judges a day from all its hours; there is false for one without any
// record, which has no row.
func (b *builder) dayOf(at int64, hours []HourRow) (row DayRow, there bool, err error) {
	kept := make([]HourRow, 0, 24)
	for i := range hours {
		if hours[i].Source != SourceNone {
			kept = append(kept, hours[i])
		}
	}
	if row, err = b.day(at, kept, at+daySeconds); err != nil {
		return row, false, err
	}
	if len(kept) > 0 {
		return row, true, nil
	}
	there, err = b.reportsDay(at)
	return row, there, err
}

// reportsDay tells whether a 2031 record of the day came.
func (b *builder) reportsDay(at int64) (there bool, err error) {
	err = b.src.Records(b.o.ID, telemetry.KindDay, at, at+daySeconds, func(*telemetry.Record) bool {
		there = true
		return false
	})
	return there, err
}

// judgedFactor is what is compared of a factor's hour or day.
type judgedFactor struct {
	valid, over, evidence bool
	judged                Opt
	limit                 LimitRef
}

// hour compares the factors of both sides; one that only one side knows is not
// judged by the other.
func (c *comparison) hour(old, now *HourRow) {
	of := func(f *FactorHour) judgedFactor {
		if f == nil {
			return judgedFactor{}
		}
		return judgedFactor{f.Valid, f.Over, f.Evidence, f.Judged, f.Limit}
	}
	for i := range old.Factors {
		code := old.Factors[i].Code
		c.factor(code, LevelHour, old.At, of(&old.Factors[i]), of(now.Factor(code)))
	}
	for i := range now.Factors {
		if code := now.Factors[i].Code; old.Factor(code) == nil {
			c.factor(code, LevelHour, old.At, judgedFactor{}, of(&now.Factors[i]))
		}
	}
}

func (c *comparison) day(old, now *DayRow) {
	of := func(f *FactorDay) judgedFactor {
		if f == nil {
			return judgedFactor{}
		}
		return judgedFactor{f.Valid, f.Over, f.Evidence, f.Judged, f.Limit}
	}
	for i := range old.Factors {
		f := &old.Factors[i]
		c.factor(f.Code, LevelDay, old.At, of(f), of(now.Factor(f.Code)))
		c.total(f.Code).Old += f.Total.V
	}
	for i := range now.Factors {
		f := &now.Factors[i]
		if old.Factor(f.Code) == nil {
			c.factor(f.Code, LevelDay, old.At, judgedFactor{}, of(f))
		}
		c.total(f.Code).New += f.Total.V
	}
}

func (c *comparison) total(code string) *TotalChange {
	t := c.totals[code]
	if t == nil {
		t = &TotalChange{Factor: code}
		c.totals[code] = t
	}
	return t
}

// factor compares one factor of an hour or a day.
func (c *comparison) factor(code, level string, at int64, a, b judgedFactor) {
	n := &c.Changes
	hour := level == LevelHour
	note := func(what string, before, after bool, appear, vanish *int) bool {
		if before == after {
			return false
		}
		if after {
			*appear++
		} else {
			*vanish++
		}
		if c.shown[what] < whatIfExamples {
			c.shown[what]++
			c.Examples = append(c.Examples, Change{c.Outlet, code, level, at, what, after, a.judged, b.judged, a.limit, b.limit})
		}
		return true
	}
	valid, notValid, over, notOver := &n.DaysValid, &n.DaysNotValid, &n.DaysOver, &n.DaysNotOver
	if hour {
		valid, notValid, over, notOver = &n.HoursValid, &n.HoursNotValid, &n.HoursOver, &n.HoursNotOver
	}
	some := note(ChangeOver, a.over && a.evidence, b.over && b.evidence, over, notOver)
	some = note(ChangeWarning, a.over && !a.evidence, b.over && !b.evidence, &n.Warnings, &n.NoWarnings) || some
	some = note(ChangeValid, a.valid, b.valid, valid, notValid) || some
	if !some && a.judged != b.judged {
		var none int
		note(ChangeFigure, false, true, &n.Figures, &none)
	}
}

// exampleOrder sorts the kinds of changes by weight.
var exampleOrder = []string{ChangeOver, ChangeWarning, ChangeValid, ChangeFigure}

// finish picks the examples to show.
func (c *comparison) finish() OutletChanges {
	out := c.OutletChanges
	slices.SortStableFunc(out.Examples, func(a, b Change) int {
		return slices.Index(exampleOrder, a.What) - slices.Index(exampleOrder, b.What)
	})
	out.Examples = out.Examples[:min(len(out.Examples), whatIfExamples)]
	for _, code := range slices.Sorted(maps.Keys(c.totals)) {
		if t := c.totals[code]; t.Old != t.New {
			out.Totals = append(out.Totals, *t)
		}
	}
	return out
}
