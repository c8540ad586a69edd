package quality

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	// DerivedNewest is Derived from the last row to the first.
	DerivedNewest(table byte, outlet telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error
	Latest(outlet telemetry.OutletID, kind telemetry.Kind) (telemetry.Record, bool)
	Before(outlet telemetry.OutletID, kind telemetry.Kind, t int64) (telemetry.Record, bool, error)
	Parts(outlet telemetry.OutletID, kind telemetry.Kind, at int64) ([]telemetry.Record, error)
	// SequenceAt is the last group that was there at an instant; RecordsAt and
	// PartsAt are Records and Parts as they were when a group was the last.
	SequenceAt(t time.Time) (uint64, error)
	RecordsAt(seq uint64, outlet telemetry.OutletID, kind telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
	PartsAt(seq uint64, outlet telemetry.OutletID, kind telemetry.Kind, at int64) ([]telemetry.Record, error)
}

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// History tells what the registry said earlier; *telemetry.Registry is one.
type History interface {
	// OutletAt is an outlet as it was at an instant; errs.NotFound when there was none.
	OutletAt(ctx context.Context, id telemetry.OutletID, at time.Time) (*telemetry.Outlet, error)
	// LastChange is the newest entry of an outlet's log; false when there is none.
	LastChange(ctx context.Context, id telemetry.OutletID) (telemetry.LogEntry, bool, error)
}

// Options of an Engine. The zero value of the optional ones is usable.
type Options struct {
	Store    Store
	Registry Registry
	History  History          // nil = the registry has always been as it is
	Rules    *rules.Set       // nil = the embedded ones
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	Workers  int              // goroutines computing; 0 = 2
	Every    time.Duration    // least time between passes when nothing is behind; 0 = 500 ms
	Batch    int              // frames read before a pass is computed; 0 = 200,000
}

// cursorName is the journal cursor of the cascade. Its number is raised when
// the rows change their meaning: the whole history is then judged anew.
const cursorName = "quality.4"

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
	dirty   dirtySet // waiting: of MarkDirty, unreadable rows and failed passes
	change  uint64   // raised by every pass
	watches []*Watch

	pending map[telemetry.OutletID][]byte // outlets to judge anew altogether, and their new basis
	jobs    []*job                        // what is judged anew beside what arrives, in turn
	lastJob int64
	failed  map[telemetry.OutletID]map[int64]string // hours (days: plus dayOnly) that could not be read, and why

	snapMu  sync.Mutex
	limits  *rules.Limits
	limitOf uint64
	limitOK bool

	states  stateCache
	periods periodCache
	before  beforeCache
	ready   atomic.Bool

	// Of passes only, under passMu.
	loaded    bool
	known     *telemetry.Snapshot           // registry of the pass before
	basis     map[telemetry.OutletID][]byte // as stored; see tableBasis
	ruleBasis []byte
	notes     []store.Derived // rows that the next pass writes first
	sliced    bool            // the pass before left what arrives alone
	collected time.Time       // when what arrives was looked at last
	retried   int64           // when failed hours were tried last, Unix seconds
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
		sliced: true, o: o, rules: o.Rules, params: map[string]*params{}, outlets: map[telemetry.OutletID]*live{}, dirty: dirtySet{},
		pending: map[telemetry.OutletID][]byte{}, failed: map[telemetry.OutletID]map[int64]string{}, basis: map[telemetry.OutletID][]byte{}, ruleBasis: ruleBasis(o.Rules),
	}
	for _, date := range o.Rules.Periods() {
		if _, err := e.paramsAt(date); err != nil {
			return nil, fmt.Errorf("rules in force on %s: %w", date, err)
		}
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

func (d dirtySet) clone() dirtySet {
	out := make(dirtySet, len(d))
	for o, hours := range d {
		out[o] = maps.Clone(hours)
	}
	return out
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

// MarkDirty has the hours of [from, to) judged anew. Changes of the registry
// and of the rules are noticed without it.
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
	b := Backlog{Cursor: e.cursor, Tail: max(tail, e.cursor), Dirty: e.dirty.size() + len(e.pending), Frames: e.judged}
	for _, j := range e.jobs {
		b.Dirty += j.Hours - j.Done
	}
	for _, hours := range e.failed {
		b.Failed += len(hours)
	}
	return b
}

// Run judges what arrives until ctx ends; it returns nil then. A failed pass
// is tried again; the log tells of each cause once, and when it is over.
func (e *Engine) Run(ctx context.Context) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { e.keepBefore(ctx) })
	said := "" // the fault that was logged last
	for ctx.Err() == nil {
		start := e.o.Now()
		more, err := e.pass(ctx)
		switch {
		case err == nil && said != "":
			e.o.Logger.InfoContext(ctx, "judging goes on")
			said = ""
		case err != nil && err.Error() != said && ctx.Err() == nil:
			e.o.Logger.ErrorContext(ctx, "judging failed", slog.Any("error", err))
			said = err.Error()
		}
		if more && err == nil {
			continue
		}
		// Frames come in all the time; judging them together costs less.
		if rest := e.o.Every - e.passed(start); rest > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
		if err == nil {
			e.wait(ctx)
		}
	}
	return nil
}

// passed is the time since an instant; a clock that was set back since says
// nothing of it, and must not make anybody wait until it has caught up.
func (e *Engine) passed(since time.Time) time.Duration {
	if d := e.o.Now().Sub(since); d >= 0 {
		return d
	}
	return e.o.Every
}

// keepBefore counts the states of yesterday when their time has come. With many
// outlets that takes seconds, which the judging must not wait for.
func (e *Engine) keepBefore(ctx context.Context) {
	for {
		began := e.o.Now()
		if e.Ready() {
			if err := e.RefreshBefore(ctx); err != nil && ctx.Err() == nil {
				e.o.Logger.WarnContext(ctx, "counting yesterday's states failed", slog.Any("error", err))
			}
		}
		// While old records keep coming in, they are counted again and again: that
		// may take a tenth of a core.
		rest := min(max(10*e.o.Now().Sub(began), time.Second), time.Minute)
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// wait blocks until there is something to do.
func (e *Engine) wait(ctx context.Context) {
	e.mu.RLock()
	seq, waiting := e.cursor, len(e.dirty)+len(e.jobs) > 0
	e.mu.RUnlock()
	if waiting {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // the dirty hours are looked at that often
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
		if err := e.loadJobs(); err != nil {
			return false, err
		}
		e.loaded = true
	}
	if err := e.registryChanged(ctx, snap); err != nil {
		return false, err
	}
	e.retry()
	// Old history takes turns with what arrives, a bounded stretch at a time. As
	// without it, frames are judged together when Every has gone by.
	fresh := !e.waiting() || e.sliced && e.passed(e.collected) >= e.o.Every
	work, seq, frames, seen := dirtySet{}, e.cursor, 0, map[telemetry.OutletID]int64(nil)
	if fresh {
		if snap, work, seq, frames, seen, err = e.collect(snap, e.o.Batch); err != nil {
			return false, err
		}
		e.collected = e.o.Now()
	}
	all := work.clone()
	var pieces []*piece
	if e.sliced = len(work) == 0; e.sliced || e.noHistory() {
		if pieces, err = e.slice(all, sliceHours); err != nil {
			e.putBack(work)
			return false, err
		}
	}
	if seq == e.cursor && len(all) == 0 && len(pieces) == 0 && len(e.notes) == 0 {
		if fresh {
			e.ready.Store(true)
		}
		return !fresh || e.waiting(), nil
	}
	done, err := e.compute(ctx, snap, all)
	if err != nil {
		e.putBack(work)
		return false, err
	}
	if err := e.rememberAll(seen, done); err != nil {
		e.putBack(work)
		return false, err
	}
	n := compareOld(pieces, done)
	rows := append(slices.Clone(e.notes), e.closing(pieces, n)...)
	for i := range done {
		rows = append(rows, done[i].write...)
	}
	rows = append(rows, e.failures(done)...)
	if err := e.o.Store.PutDerived(rows, cursorName, seq); err != nil {
		e.putBack(work)
		return false, fmt.Errorf("store derived rows: %w", err)
	}
	e.notes = nil
	e.advance(pieces, n)
	e.publish(done, seen, seq, frames)
	if !fresh || e.o.Store.Tail() > seq {
		return true, nil
	}
	e.ready.Store(true)
	return e.waiting(), nil
}

// noHistory reports whether the job in turn has nothing to judge, only to note
// by what its outlets are judged.
func (e *Engine) noHistory() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.jobs) > 0 && e.jobs[0].Hours == 0
}

// waiting reports whether there is history to judge anew.
func (e *Engine) waiting() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.jobs) > 0
}

// Ready reports whether the cascade has caught up with the journal once since
// the program started; it stays true while new frames come in.
func (e *Engine) Ready() bool { return e.ready.Load() }

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

// collect turns the journal's next groups, up to about most frames, into dirty
// hours. It returns the registry to judge by: a newer one than snap where frames
// of an outlet came that snap did not have yet.
func (e *Engine) collect(snap *telemetry.Snapshot, most int) (now *telemetry.Snapshot, work dirtySet, seq uint64, frames int, seen map[telemetry.OutletID]int64, err error) {
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
			if o == nil { // adopted since
				snap = e.o.Registry.Snapshot()
				if o = snap.Outlets[x.Outlet]; o == nil {
					continue
				}
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
		return frames < most
	})
	if err != nil {
		e.putBack(work)
		return nil, nil, 0, 0, nil, fmt.Errorf("read journal: %w", err)
	}
	return snap, work, seq, frames, seen, nil
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
	row := l.hours.at(hourStart(at))
	return row == nil || sourceOf(row) != SourceMinute
}

// judgedOutlet is what a pass made of one outlet.
type judgedOutlet struct {
	outlet telemetry.OutletID
	rows   []store.Derived    // hours and days; no value = no such row
	write  []store.Derived    // those that are to be stored
	dirty  map[int64]struct{} // what was asked for
	failed map[int64]error    // what could not be read of it
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

// newBuilder makes a builder for an outlet as the registry has it.
func (e *Engine) newBuilder(snap *telemetry.Snapshot, o *telemetry.Outlet) *builder {
	b := newBuilder(e.o.Store, e.limitSource(snap), e.paramsAt, o)
	own, today := b.plans, dayStart(e.o.Now().Unix())
	var of *plan
	b.plans = func(day int64) *plan {
		if day != today {
			return own(day)
		}
		if of == nil { // asked for at every pass, by all outlets
			pl, err := e.planFor(snap, o, day)
			if err != nil {
				return own(day)
			}
			of = pl.clone()
		}
		return of
	}
	return b
}

// newBuilder makes a builder; its plans live as long as it does.
func newBuilder(src Records, limits limitSource, paramsAt func(date string) (*params, error), o *telemetry.Outlet) *builder {
	b := &builder{src: src, o: o, limit: limits}
	cache := map[int64]*plan{}
	b.plans = func(day int64) *plan {
		pl := cache[day]
		if pl == nil {
			date := dateOf(day)
			p, err := paramsAt(date)
			if err != nil { // New has read all rules once; only a set changed in memory gets here
				panic("quality: " + err.Error())
			}
			pl = newPlan(p, limits, o, date)
			cache[day] = pl
		}
		return pl
	}
	return b
}

// outlet judges the dirty hours of one outlet, then the days they fall in.
func (e *Engine) outlet(snap *telemetry.Snapshot, o *telemetry.Outlet, dirty map[int64]struct{}) (judgedOutlet, error) {
	j := judgedOutlet{outlet: o.ID, dirty: dirty, failed: map[int64]error{}}
	b := e.newBuilder(snap, o)
	b.spill(dirty)
	hours := make([]int64, 0, len(dirty))
	days := map[int64]bool{}
	for h := range dirty {
		days[dayStart(h)] = true
		if mod(h, hourSeconds) != dayOnly {
			hours = append(hours, h)
		}
	}
	slices.Sort(hours)
	var fresh []HourRow
	for i := 0; i < len(hours); {
		k := i + 1
		for k < len(hours) && hours[k] == hours[k-1]+hourSeconds && k-i < 7*24 {
			k++
		}
		rows, err := b.hours(hours[i], hours[k-1]+hourSeconds, hours[k-1]+hourSeconds)
		if errors.Is(err, store.ErrDamaged) {
			rows, err = j.oneByOne(b, hours[i:k])
		}
		if err != nil {
			return j, fmt.Errorf("judge hours of outlet %d: %w", o.ID, err)
		}
		fresh = append(fresh, rows...)
		i = k
	}
	for i := range fresh {
		r := &fresh[i]
		v := AppendHour(nil, r)
		if r.Source == SourceNone {
			v = nil // an hour without any record has no row, a rebuild would not find it
		}
		j.rows = append(j.rows, store.Derived{Table: TableHour, Outlet: o.ID, At: r.At, Value: v})
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	order := make([]int64, 0, len(days))
	for d := range days {
		order = append(order, d)
	}
	slices.Sort(order)
	for _, d := range order {
		all, err := e.dayHours(o.ID, d, fresh, s)
		if err != nil {
			return j, err
		}
		row, there, err := b.dayOf(d, all)
		if errors.Is(err, store.ErrDamaged) {
			j.failed[d+dayOnly] = err
			continue
		}
		if err != nil {
			return j, fmt.Errorf("judge day of outlet %d: %w", o.ID, err)
		}
		v := store.Derived{Table: TableDay, Outlet: o.ID, At: d}
		if there { // like an hour, a day without any record has no row
			v.Value = AppendDay(nil, &row)
		}
		j.rows = append(j.rows, v)
	}
	j.write = j.rows
	return j, nil
}

func (e *Engine) readHours(o telemetry.OutletID, from, to int64) ([]HourRow, error) {
	var out []HourRow
	err := e.o.Store.Derived(TableHour, o, from, to, func(at int64, v []byte) bool {
		if r, bad := ReadHour(o, at, v); bad == nil {
			out = append(out, r)
		} else {
			e.unreadable(o, at, at, bad)
		}
		return true
	})
	return out, err
}

// unreadable has a row computed again that an older program wrote or that was
// damaged; until then it counts as missing.
func (e *Engine) unreadable(o telemetry.OutletID, at, dirty int64, cause error) {
	e.o.Logger.Warn("derived row unreadable, judged again", slog.Uint64("outlet", uint64(o)), slog.Int64("at", at), slog.Any("error", cause))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dirty.add(o, dirty)
}

func (e *Engine) readDays(o telemetry.OutletID, from, to int64) ([]DayRow, error) {
	var out []DayRow
	err := e.o.Store.Derived(TableDay, o, from, to, func(at int64, v []byte) bool {
		if r, bad := ReadDay(o, at, v); bad == nil {
			out = append(out, r)
		} else {
			e.unreadable(o, at, at+dayOnly, bad)
		}
		return true
	})
	return out, err
}

// oneByOne judges the hours of a stretch in which something cannot be read: only
// the hours it stands in are left as they are.
func (j *judgedOutlet) oneByOne(b *builder, hours []int64) ([]HourRow, error) {
	var out []HourRow
	for _, h := range hours {
		rows, err := b.hours(h, h+hourSeconds, h+hourSeconds)
		switch {
		case errors.Is(err, store.ErrDamaged):
			j.failed[h] = err
		case err != nil:
			return nil, err
		default:
			out = append(out, rows...)
		}
	}
	return out, nil
}

// load fills the memory from the derived rows at the first pass.
func (e *Engine) load(snap *telemetry.Snapshot) error {
	for _, id := range snap.Order {
		if err := e.loadBasis(id); err != nil {
			return err
		}
		if err := e.loadFailed(id); err != nil {
			return err
		}
		if err := e.remember(id); err != nil {
			return err
		}
	}
	return nil
}

// stateKinds are the records that an outlet's state goes by.
var stateKinds = []telemetry.Kind{telemetry.KindRealtime, telemetry.KindMinute, telemetry.KindHour}

// ahead is how far a logger's clock may run ahead before its records stop to
// count as the latest by DataTime alone.
const ahead = 600

// newest reads an outlet's latest record of each kind. A clock that ran ahead
// and was set right has left records in the future: they must not hide what
// comes now.
func (e *Engine) newest(id telemetry.OutletID) (recs []telemetry.Record) {
	now := e.o.Now().Unix()
	for _, k := range stateKinds {
		rec, ok := e.o.Store.Latest(id, k)
		if !ok {
			continue
		}
		recs = append(recs, rec)
		if rec.At <= now+ahead {
			continue
		}
		if rec, ok, err := e.o.Store.Before(id, k, now+1); ok && err == nil {
			recs = append(recs, rec)
		}
	}
	return recs
}

// latestOf finds the latest of all records, and of the real-time ones.
func latestOf(recs []telemetry.Record, now int64) (latest, realtime *telemetry.Record) {
	for i := range recs {
		rec := &recs[i]
		if latest == nil || later(rec, latest, now) {
			latest = rec
		}
		if rec.Kind == telemetry.KindRealtime && (realtime == nil || later(rec, realtime, now)) {
			realtime = rec
		}
	}
	return latest, realtime
}

// later reports whether a is to be taken for newer than b: by DataTime, but by
// arrival where one of them lies in the future.
func later(a, b *telemetry.Record, now int64) bool {
	if max(a.At, b.At) > now+ahead {
		return a.Received > b.Received
	}
	return a.At >= b.At
}

// rememberAll makes what is kept of outlets met for the first time.
func (e *Engine) rememberAll(seen map[telemetry.OutletID]int64, done []judgedOutlet) error {
	for id := range seen {
		if err := e.remember(id); err != nil {
			return err
		}
	}
	for i := range done {
		if id := done[i].outlet; id != 0 {
			if err := e.remember(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// publish puts the results of a pass into memory.
func (e *Engine) publish(done []judgedOutlet, seen map[telemetry.OutletID]int64, seq uint64, frames int) {
	e.forgetBefore(done)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.o.Now().Unix()
	for id, at := range seen {
		l := e.outlets[id]
		l.received = max(l.received, at)
	}
	for i := range done {
		l := e.outlets[done[i].outlet]
		for k := range done[i].rows {
			d, span := &done[i].rows[k], int64(hourSeconds)
			if d.Table == TableHour {
				l.putHour(d.At, d.Value, now)
			} else {
				l.putDay(d.At, d.Value)
				span = daySeconds
			}
			if d.At+span <= now {
				l.closed = e.change + 1
			}
		}
	}
	e.cursor, e.change = seq, e.change+1
	e.judged += int64(frames)
	for _, w := range e.watches {
		w.note(done)
	}
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
