package quality

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
	"plateau/rules"
)

// Store is what the cascade needs of the journal and series store.
type Store interface {
	Records
	// Groups calls fn with each group behind seq until it returns false.
	Groups(seq uint64, fn func(store.GroupMeta) bool) error
	Tail() uint64
	Wait(ctx context.Context, seq uint64) error
	Cursor(name string) (uint64, error)
	PutDerived(rows []store.Derived, cursor string, seq uint64) error
	Derived(table byte, outlet telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error
	Latest(outlet telemetry.OutletID, kind telemetry.Kind) (telemetry.Record, bool)
	Before(outlet telemetry.OutletID, kind telemetry.Kind, t int64) (telemetry.Record, bool, error)
	Parts(outlet telemetry.OutletID, kind telemetry.Kind, at int64) ([]telemetry.Record, error)
}

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Options of an Engine. The zero value of the optional ones is usable.
type Options struct {
	Store    Store
	Registry Registry
	Rules    *rules.Set       // nil = the embedded ones
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	Workers  int              // goroutines computing; 0 = 2
	Every    time.Duration    // least time between passes when nothing is behind; 0 = 500 ms
	Batch    int              // frames read before a pass is computed; 0 = 200,000
}

// cursorName is the journal cursor of the cascade. Its number is raised when
// the rows change their meaning: the whole history is then judged anew.
const cursorName = "quality.1"

// keepHours are the hours kept in memory for each outlet: what states,
// sparklines and the heatmap look at.
const keepHours = 27

// Engine is the cascade minutes → hours → days as a reader of the journal, and
// the answers drawn from it. All methods may be called at any time from any
// goroutine; before Run has caught up they answer from what is judged so far.
type Engine struct {
	o     Options
	rules *rules.Set

	passMu sync.Mutex // one pass at a time

	mu      sync.RWMutex
	params  map[string]*params // by rule period
	cursor  uint64
	judged  int64
	outlets map[telemetry.OutletID]*live
	dirty   dirtySet // from MarkDirty, waiting
	change  uint64   // raised by every pass

	snapMu  sync.Mutex
	limits  *rules.Limits
	limitOf uint64
	limitOK bool

	states stateCache
	before beforeCache
	loaded bool
	known  *telemetry.Snapshot // registry of the pass before
	ready  atomic.Bool
}

// live is what is kept in memory of an outlet.
type live struct {
	hours    map[int64]*HourRow
	days     map[int64]*DayRow
	newest   int64             // latest hour met
	received int64             // Unix seconds of the last frame
	latest   *telemetry.Record // newest real-time, minute or hour record by DataTime
	realtime *telemetry.Record // newest real-time record
}

// New checks the rules and loads what is judged already.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("quality: store, registry and clock must be given")
	}
	if o.Rules == nil {
		o.Rules = rules.Default()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Workers = cmp.Or(o.Workers, 2)
	o.Every = cmp.Or(o.Every, 500*time.Millisecond)
	o.Batch = cmp.Or(o.Batch, 200_000)
	e := &Engine{
		o: o, rules: o.Rules, params: map[string]*params{}, outlets: map[telemetry.OutletID]*live{}, dirty: dirtySet{},
	}
	if _, err := e.paramsAt(dateOf(o.Now().Unix())); err != nil {
		return nil, err
	}
	seq, err := o.Store.Cursor(cursorName)
	if err != nil {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	e.cursor = seq
	return e, nil
}

// paramsAt reads the rules in force on date, once a period.
func (e *Engine) paramsAt(date string) (*params, error) {
	period := e.rules.Period(date)
	e.mu.RLock()
	p := e.params[period]
	e.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := readParams(e.rules, date)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.params[period] = p
	e.mu.Unlock()
	return p, nil
}

// limitSource indexes the registry's standards, or the embedded table where
// the registry has none.
func (e *Engine) limitSource(s *telemetry.Snapshot) limitSource {
	e.snapMu.Lock()
	defer e.snapMu.Unlock()
	if len(s.Limits) == 0 {
		return limitSource{e.rules.Limits()}
	}
	if !e.limitOK || e.limitOf != s.Version {
		e.limits, e.limitOf, e.limitOK = rules.NewLimits(s.Limits), s.Version, true
	}
	return limitSource{e.limits}
}

// dirtySet holds the hours to judge anew: outlet → hour start.
type dirtySet map[telemetry.OutletID]map[int64]struct{}

func (d dirtySet) add(o telemetry.OutletID, hour int64) {
	m := d[o]
	if m == nil {
		m = map[int64]struct{}{}
		d[o] = m
	}
	m[hour] = struct{}{}
}

func (d dirtySet) size() (n int) {
	for _, m := range d {
		n += len(m)
	}
	return n
}

// dayOnly marks a day whose 2031 record came: the day is dirty, no hour is.
// The mark is the start of the day plus one second.
const dayOnly = 1

// MarkDirty has the hours of [from, to) judged anew, after a change of the
// registry, of a limit or of a rule.
func (e *Engine) MarkDirty(outlet telemetry.OutletID, from, to time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for h := hourStart(from.Unix()); h < to.Unix(); h += hourSeconds {
		e.dirty.add(outlet, h)
	}
}

// Backlog tells how far the judgement is behind.
func (e *Engine) Backlog() Backlog {
	tail := e.o.Store.Tail()
	e.mu.RLock()
	defer e.mu.RUnlock()
	return Backlog{Cursor: e.cursor, Tail: max(tail, e.cursor), Dirty: e.dirty.size(), Frames: e.judged}
}

// Run judges what arrives until ctx ends; it returns nil then. A failed pass
// is logged and tried again.
func (e *Engine) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		start := e.o.Now()
		more, err := e.pass(ctx)
		if err != nil && ctx.Err() == nil {
			e.o.Logger.ErrorContext(ctx, "judging failed", slog.Any("error", err))
		}
		if more && err == nil {
			continue
		}
		// Frames come in all the time; judging them together costs less.
		rest := e.o.Every - e.o.Now().Sub(start)
		if rest > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
		if err == nil {
			if err := e.RefreshBefore(ctx); err != nil && ctx.Err() == nil {
				e.o.Logger.WarnContext(ctx, "counting yesterday's states failed", slog.Any("error", err))
			}
			e.wait(ctx)
		}
	}
	return nil
}

// wait blocks until there is something to do.
func (e *Engine) wait(ctx context.Context) {
	e.mu.RLock()
	seq, waiting := e.cursor, len(e.dirty) > 0
	e.mu.RUnlock()
	if waiting {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // MarkDirty is looked for that often
	defer cancel()
	_ = e.o.Store.Wait(ctx, seq) // both outcomes mean: look again
}

// CatchUp judges everything received up to now.
func (e *Engine) CatchUp(ctx context.Context) error {
	for {
		more, err := e.pass(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// pass reads a batch of the journal, judges the hours and days it touches and
// stores them together with the cursor. It reports whether more is waiting.
func (e *Engine) pass(ctx context.Context) (more bool, err error) {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	snap := e.o.Registry.Snapshot()
	if !e.loaded {
		if err := e.load(snap); err != nil {
			return false, err
		}
		e.loaded = true
	}
	if err := e.registryChanged(snap); err != nil {
		return false, err
	}
	work, seq, frames, seen, err := e.collect(snap)
	if err != nil {
		return false, err
	}
	if seq == e.cursor && len(work) == 0 {
		e.ready.Store(true)
		return false, nil
	}
	done, err := e.compute(ctx, snap, work)
	if err != nil {
		e.putBack(work)
		return false, err
	}
	var rows []store.Derived
	for i := range done {
		rows = append(rows, done[i].derived...)
	}
	if err := e.o.Store.PutDerived(rows, cursorName, seq); err != nil {
		e.putBack(work)
		return false, fmt.Errorf("store derived rows: %w", err)
	}
	e.publish(done, seen, seq, frames)
	if more = e.o.Store.Tail() > seq; !more {
		e.ready.Store(true)
	}
	return more, nil
}

// Ready reports whether the cascade has caught up with the journal once since
// the program started; it stays true while new frames come in.
func (e *Engine) Ready() bool { return e.ready.Load() }

// registryChanged has all hours of an outlet judged anew when something that
// they were judged by has changed: its limits, stops, intervals, factors or
// kind, or the limits of the standards.
func (e *Engine) registryChanged(snap *telemetry.Snapshot) error {
	old := e.known
	e.known = snap
	if old == nil || old.Version == snap.Version {
		return nil
	}
	all := !reflect.DeepEqual(old.Limits, snap.Limits)
	for id, o := range snap.Outlets {
		before := old.Outlets[id]
		if before == nil || before == o || !all && sameJudging(before, o) {
			continue
		}
		var hours []int64
		if err := e.o.Store.Derived(TableHour, id, 0, 1<<40, func(at int64, _ []byte) bool {
			hours = append(hours, at)
			return true
		}); err != nil {
			e.known = old
			return fmt.Errorf("list hours of outlet %d: %w", id, err)
		}
		e.mu.Lock()
		for _, h := range hours {
			e.dirty.add(id, h)
		}
		e.mu.Unlock()
	}
	return nil
}

// sameJudging reports whether a and b are judged alike.
func sameJudging(a, b *telemetry.Outlet) bool {
	return a.Medium == b.Medium && a.SourceType == b.SourceType && a.Condition == b.Condition && a.Level == b.Level &&
		a.MissingFlagIsN == b.MissingFlagIsN && reflect.DeepEqual(a.Factors, b.Factors) && reflect.DeepEqual(a.Intervals, b.Intervals) &&
		reflect.DeepEqual(a.Stops, b.Stops) && reflect.DeepEqual(a.Limits, b.Limits)
}

// putBack keeps what a failed pass did not finish; the frames themselves come
// again, because the cursor has not moved.
func (e *Engine) putBack(work dirtySet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for o, hours := range work {
		for h := range hours {
			e.dirty.add(o, h)
		}
	}
}

// collect turns the journal's next groups into dirty hours.
func (e *Engine) collect(snap *telemetry.Snapshot) (work dirtySet, seq uint64, frames int, seen map[telemetry.OutletID]int64, err error) {
	e.mu.Lock()
	work, e.dirty = e.dirty, dirtySet{}
	seq = e.cursor
	e.mu.Unlock()
	seen = map[telemetry.OutletID]int64{}
	err = e.o.Store.Groups(seq, func(g store.GroupMeta) bool {
		seq = g.Seq
		for i := range g.Entries {
			x := &g.Entries[i]
			frames++
			if x.Outlet == 0 || x.Verdict != telemetry.Stored && x.Verdict != telemetry.Revision {
				continue
			}
			seen[x.Outlet] = max(seen[x.Outlet], x.Received/1e6)
			if x.At == 0 {
				continue
			}
			o := snap.Outlets[x.Outlet]
			if o == nil {
				continue
			}
			switch x.Kind {
			case telemetry.KindMinute, telemetry.KindHour:
				work.add(x.Outlet, hourStart(x.At))
			case telemetry.KindDay:
				work.add(x.Outlet, dayStart(x.At)+dayOnly)
			case telemetry.KindRealtime:
				if e.realtimeCounts(o, x.At) {
					work.add(x.Outlet, hourStart(x.At))
				}
			default:
			}
		}
		return frames < e.o.Batch
	})
	if err != nil {
		e.putBack(work)
		return nil, 0, 0, nil, fmt.Errorf("read journal: %w", err)
	}
	return work, seq, frames, seen, nil
}

// realtimeCounts: a real-time record changes its hour only while no minute
// record has come for it.
func (e *Engine) realtimeCounts(o *telemetry.Outlet, at int64) bool {
	if o.IntervalAt(unix(at)).Minute == 0 {
		return true
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := e.outlets[o.ID]
	if l == nil {
		return true
	}
	r := l.hours[hourStart(at)]
	return r == nil || r.Source != SourceMinute
}

// judgedOutlet is what a pass made of one outlet.
type judgedOutlet struct {
	outlet  telemetry.OutletID
	hours   []HourRow
	days    []DayRow
	derived []store.Derived
}

// compute judges the dirty hours, a worker taking one outlet at a time.
func (e *Engine) compute(ctx context.Context, snap *telemetry.Snapshot, work dirtySet) ([]judgedOutlet, error) {
	ids := make([]telemetry.OutletID, 0, len(work))
	for id := range work {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	done := make([]judgedOutlet, len(ids))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(e.o.Workers, len(ids)) {
		wg.Go(func() {
			for i := range next {
				if o := snap.Outlets[ids[i]]; o != nil && ctx.Err() == nil {
					done[i], errs[i] = e.outlet(snap, o, work[ids[i]])
				}
			}
		})
	}
	for i := range ids {
		next <- i
	}
	close(next)
	wg.Wait()
	return done, errors.Join(append(errs, ctx.Err())...)
}

// newBuilder makes a builder for an outlet; its plans live as long as it does.
func (e *Engine) newBuilder(snap *telemetry.Snapshot, o *telemetry.Outlet) *builder {
	src := e.limitSource(snap)
	b := &builder{src: e.o.Store, o: o, limit: src}
	cache := map[int64]*plan{}
	b.plans = func(day int64) *plan {
		pl := cache[day]
		if pl == nil {
			date := dateOf(day)
			p, err := e.paramsAt(date)
			if err != nil { // New has read all rules once; only a set changed in memory gets here
				panic("quality: " + err.Error())
			}
			pl = newPlan(p, src, o, date)
			cache[day] = pl
		}
		return pl
	}
	return b
}

// outlet judges the dirty hours of one outlet, then the days they fall in.
func (e *Engine) outlet(snap *telemetry.Snapshot, o *telemetry.Outlet, dirty map[int64]struct{}) (judgedOutlet, error) {
	j := judgedOutlet{outlet: o.ID}
	b := e.newBuilder(snap, o)
	hours := make([]int64, 0, len(dirty))
	days := map[int64]bool{}
	for h := range dirty {
		days[dayStart(h)] = true
		if mod(h, hourSeconds) != dayOnly {
			hours = append(hours, h)
		}
	}
	slices.Sort(hours)
	for i := 0; i < len(hours); {
		k := i + 1
		for k < len(hours) && hours[k] == hours[k-1]+hourSeconds && k-i < 7*24 {
			k++
		}
		rows, err := b.hours(hours[i], hours[k-1]+hourSeconds, hours[k-1]+hourSeconds)
		if err != nil {
			return j, fmt.Errorf("judge hours of outlet %d: %w", o.ID, err)
		}
		j.hours = append(j.hours, rows...)
		i = k
	}
	for i := range j.hours {
		r := &j.hours[i]
		v := AppendHour(nil, r)
		if r.Source == SourceNone {
			v = nil // an hour without any record has no row, a rebuild would not find it
		}
		j.derived = append(j.derived, store.Derived{Table: TableHour, Outlet: o.ID, At: r.At, Value: v})
	}
	order := make([]int64, 0, len(days))
	for d := range days {
		order = append(order, d)
	}
	slices.Sort(order)
	for _, d := range order {
		all, err := e.dayHours(o.ID, d, j.hours)
		if err != nil {
			return j, err
		}
		row, err := b.day(d, all, d+daySeconds)
		if err != nil {
			return j, fmt.Errorf("judge day of outlet %d: %w", o.ID, err)
		}
		j.days = append(j.days, row)
		j.derived = append(j.derived, store.Derived{Table: TableDay, Outlet: o.ID, At: d, Value: AppendDay(nil, &row)})
	}
	return j, nil
}

// dayHours joins the fresh hours of a day with those stored before.
func (e *Engine) dayHours(o telemetry.OutletID, day int64, fresh []HourRow) ([]HourRow, error) {
	var all []HourRow
	have := map[int64]bool{}
	for i := range fresh {
		if r := &fresh[i]; r.At >= day && r.At < day+daySeconds {
			have[r.At] = true
			if r.Source != SourceNone {
				all = append(all, *r)
			}
		}
	}
	if len(have) == 24 {
		return all, nil
	}
	stored, err := e.readHours(o, day, day+daySeconds)
	if err != nil {
		return nil, err
	}
	for _, r := range stored {
		if !have[r.At] {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b HourRow) int { return cmp.Compare(a.At, b.At) })
	return all, nil
}

func (e *Engine) readHours(o telemetry.OutletID, from, to int64) ([]HourRow, error) {
	var out []HourRow
	var bad error
	err := e.o.Store.Derived(TableHour, o, from, to, func(at int64, v []byte) bool {
		var r HourRow
		if r, bad = ReadHour(o, at, v); bad != nil {
			return false
		}
		out = append(out, r)
		return true
	})
	return out, errors.Join(err, bad)
}

func (e *Engine) readDays(o telemetry.OutletID, from, to int64) ([]DayRow, error) {
	var out []DayRow
	var bad error
	err := e.o.Store.Derived(TableDay, o, from, to, func(at int64, v []byte) bool {
		var r DayRow
		if r, bad = ReadDay(o, at, v); bad != nil {
			return false
		}
		out = append(out, r)
		return true
	})
	return out, errors.Join(err, bad)
}

// load fills the memory from the derived rows at the first pass.
func (e *Engine) load(snap *telemetry.Snapshot) error {
	for _, id := range snap.Order {
		l := e.live(id)
		newest := int64(0)
		for _, k := range []telemetry.Kind{telemetry.KindRealtime, telemetry.KindMinute, telemetry.KindHour} {
			if rec, ok := e.o.Store.Latest(id, k); ok {
				newest = max(newest, rec.At)
				e.mu.Lock()
				l.take(rec)
				e.mu.Unlock()
			}
		}
		if newest == 0 || e.cursor == 0 {
			continue
		}
		hours, err := e.readHours(id, hourStart(newest)-keepHours*hourSeconds, hourStart(newest)+hourSeconds)
		if err != nil {
			return fmt.Errorf("load hours: %w", err)
		}
		days, err := e.readDays(id, dayStart(newest)-daySeconds, dayStart(newest)+daySeconds)
		if err != nil {
			return fmt.Errorf("load days: %w", err)
		}
		e.mu.Lock()
		for i := range hours {
			l.putHour(&hours[i])
		}
		for i := range days {
			l.putDay(&days[i])
		}
		e.mu.Unlock()
	}
	return nil
}

func (e *Engine) live(id telemetry.OutletID) *live {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.outlets[id]
	if l == nil {
		l = &live{hours: map[int64]*HourRow{}, days: map[int64]*DayRow{}}
		e.outlets[id] = l
	}
	return l
}

// take remembers a record as the latest; the caller holds the lock.
func (l *live) take(rec telemetry.Record) {
	l.received = max(l.received, rec.Received/1e6)
	if l.latest == nil || rec.At >= l.latest.At {
		l.latest = &rec
	}
	if rec.Kind == telemetry.KindRealtime && (l.realtime == nil || rec.At >= l.realtime.At) {
		l.realtime = &rec
	}
}

func (l *live) putHour(r *HourRow) {
	if r.Source == SourceNone {
		delete(l.hours, r.At)
		return
	}
	if r.At <= l.newest-keepHours*hourSeconds {
		return
	}
	l.hours[r.At] = r
	if r.At > l.newest {
		l.newest = r.At
		for at := range l.hours {
			if at <= l.newest-keepHours*hourSeconds {
				delete(l.hours, at)
			}
		}
	}
}

func (l *live) putDay(r *DayRow) {
	l.days[r.At] = r
	if len(l.days) > 3 {
		oldest := r.At
		for at := range l.days {
			oldest = min(oldest, at)
		}
		delete(l.days, oldest)
	}
}

// publish puts the results of a pass into memory.
func (e *Engine) publish(done []judgedOutlet, seen map[telemetry.OutletID]int64, seq uint64, frames int) {
	type fresh struct {
		l   *live
		rec telemetry.Record
	}
	var recs []fresh
	for id := range seen {
		l := e.live(id)
		for _, k := range []telemetry.Kind{telemetry.KindRealtime, telemetry.KindMinute, telemetry.KindHour} {
			if rec, ok := e.o.Store.Latest(id, k); ok {
				recs = append(recs, fresh{l, rec})
			}
		}
	}
	for i := range done {
		if done[i].outlet != 0 {
			e.live(done[i].outlet)
		}
	}
	e.forgetBefore(done)
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, at := range seen {
		e.outlets[id].received = max(e.outlets[id].received, at)
	}
	for i := range recs {
		recs[i].l.take(recs[i].rec)
	}
	for i := range done {
		l := e.outlets[done[i].outlet]
		for k := range done[i].hours {
			l.putHour(&done[i].hours[k])
		}
		for k := range done[i].days {
			l.putDay(&done[i].days[k])
		}
	}
	e.cursor, e.change = seq, e.change+1
	e.judged += int64(frames)
}

// Hours returns the judged hours of [from, to), oldest first; hours without
// any record have no row.
func (e *Engine) Hours(outlet telemetry.OutletID, from, to time.Time) ([]HourRow, error) {
	return e.readHours(outlet, from.Unix(), to.Unix())
}

// Days returns the judged days of [from, to), oldest first.
func (e *Engine) Days(outlet telemetry.OutletID, from, to time.Time) ([]DayRow, error) {
	return e.readDays(outlet, from.Unix(), to.Unix())
}

var (
	_ Queries = (*Engine)(nil)
	_ Running = (*Engine)(nil)
	_ Store   = (*store.Store)(nil)
)
