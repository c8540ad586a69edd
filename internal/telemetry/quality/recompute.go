package quality

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// tableRecompute keeps who had what judged anew, when and why: JSON rows of
// outlet 0 by the instant they were asked for, Unix microseconds.
const tableRecompute byte = 'w'

// Causes of a recompute.
const (
	CauseRegistry = "registry" // what the registry or a limit of a standard says has changed
	CauseRules    = "rules"    // the program brought other rules
	CauseAsked    = "asked"    // a person asked for it
)

// ErrNothing is returned when there is no history to judge anew.
var ErrNothing = errors.New("no history in this range")

// Recompute is history that is judged anew beside what arrives.
type Recompute struct {
	ID       int64  `json:"id"` // when it was asked for, Unix microseconds; unique
	Cause    string `json:"cause"`
	By       string `json:"by,omitempty"`  // post of who asked or changed the registry; "" = the program
	Why      string `json:"why,omitempty"` // of CauseAsked: the reason given; of CauseRules: the digest now in force
	Outlets  []telemetry.OutletID
	From, To int64 // of the data, Unix seconds: whole days of Beijing time
	Started  int64 // Unix microseconds; 0 = waiting
	Ended    int64 // Unix microseconds; 0 = not yet
	Hours    int   // clock hours of outlets to look at
	Done     int   // those of them looked at
	Rows     int   // hours and days judged
	Changed  int   // those of them that have other bytes than before
	Left     bool  // ended before it was done: another change or a restart began it anew
}

// Remaining estimates how long it will still take; false while nobody can tell.
func (r *Recompute) Remaining(now time.Time) (time.Duration, bool) {
	if r.Started == 0 || r.Ended != 0 || r.Done == 0 || r.Done > r.Hours {
		return 0, false
	}
	spent := now.Sub(time.UnixMicro(r.Started))
	return time.Duration(float64(spent) * float64(r.Hours-r.Done) / float64(r.Done)), true
}

// Duration is how long it took; zero while it goes on.
func (r *Recompute) Duration() time.Duration {
	if r.Ended == 0 || r.Started == 0 {
		return 0
	}
	return time.Duration(r.Ended-r.Started) * time.Microsecond
}

// job is a recompute under way.
type job struct {
	Recompute
	items []*item
}

// item is what is still to be judged anew of one outlet.
type item struct {
	outlet    telemetry.OutletID
	from, to  int64  // whole days, half-open
	at        int64  // judged up to here
	basis     []byte // stored when done; nil = a person asked
	onlyRules bool
	spans     []between // only rows that touch these; nil = all. Marks or corrections changed, nothing else
}

func (i *item) hours(from, to int64) int { return int(max(to-from, 0) / hourSeconds) }

// piece is the stretch of an item that one pass judges.
type piece struct {
	*item
	job  *job
	end  int64
	rows map[rowKey][]byte // as they were before
}

type rowKey struct {
	table byte
	at    int64
}

// sliceHours bounds the old hours of one pass, so that what arrives never waits
// long.
const sliceHours = 60 * 24

// RecomputeRequest asks for history to be judged anew.
type RecomputeRequest struct {
	Outlets  []telemetry.OutletID // nil = all
	From, To time.Time            // widened to whole days of Beijing time; zero = all there is
	By, Why  string
}

// Recompute queues history to be judged anew beside what arrives; Run does it.
// ErrNotFound for an outlet that is not there, ErrNothing where there is no
// history.
func (e *Engine) Recompute(r RecomputeRequest) (Recompute, error) {
	snap := e.o.Registry.Snapshot()
	ids := r.Outlets
	if ids == nil {
		ids = snap.Order
	}
	j := &job{Recompute: Recompute{Cause: CauseAsked, By: r.By, Why: r.Why}}
	if !r.From.IsZero() {
		j.From = dayStart(r.From.Unix())
	}
	if !r.To.IsZero() {
		j.To = dayStart(r.To.Unix()-1) + daySeconds
	}
	for _, id := range ids {
		if snap.Outlets[id] == nil {
			return Recompute{}, fmt.Errorf("outlet %d: %w", id, ErrNotFound)
		}
		if err := e.addItem(j, &item{outlet: id}); err != nil {
			return Recompute{}, err
		}
	}
	if len(j.items) == 0 {
		return Recompute{}, ErrNothing
	}
	e.number(j)
	if err := e.o.Store.PutDerived([]store.Derived{j.row()}, "", 0); err != nil {
		return Recompute{}, fmt.Errorf("note the recompute: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.jobs = append(e.jobs, j)
	return j.Recompute, nil
}

// addItem adds an outlet's history to a job, within the job's range; an outlet
// without any is left out, unless it has a basis to note.
func (e *Engine) addItem(j *job, i *item) error {
	from, to, err := e.extent(i.outlet)
	if err != nil {
		return err
	}
	if j.Cause == CauseAsked {
		if j.From != 0 {
			from = max(from, j.From)
		}
		if j.To != 0 {
			to = min(to, j.To)
		}
		if from >= to {
			return nil
		}
	}
	i.from, i.at, i.to = from, from, max(from, to)
	i.bound()
	j.items, j.Outlets = append(j.items, i), append(j.Outlets, i.outlet)
	j.Hours += i.hours(i.from, i.to)
	return nil
}

// historyKinds are the records that make hours and days.
var historyKinds = []telemetry.Kind{telemetry.KindRealtime, telemetry.KindMinute, telemetry.KindHour, telemetry.KindDay}

// extent is the stretch of days that an outlet's rows and records lie in.
func (e *Engine) extent(id telemetry.OutletID) (from, to int64, err error) {
	from = lastTime
	for _, table := range []byte{TableHour, TableDay} {
		err := e.o.Store.Derived(table, id, firstTime, lastTime, func(at int64, _ []byte) bool {
			from = min(from, dayStart(at))
			return false
		})
		if err != nil {
			return 0, 0, fmt.Errorf("find the first row of outlet %d: %w", id, err)
		}
	}
	if from == lastTime {
		return 0, 0, nil
	}
	to = from + daySeconds
	for _, k := range historyKinds {
		if rec, ok := e.o.Store.Latest(id, k); ok {
			to = max(to, dayStart(rec.At)+daySeconds)
		}
	}
	return from, to, nil
}

// number gives a job its number.
func (e *Engine) number(j *job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	j.ID = max(e.o.Now().UnixMicro(), e.lastJob+1)
	e.lastJob = j.ID
}

// row is the job as it is kept.
func (j *job) row() store.Derived {
	text, err := json.Marshal(j.Recompute)
	if err != nil {
		panic("quality: " + err.Error()) // plain data
	}
	return store.Derived{Table: tableRecompute, At: j.ID, Value: text}
}

// Recomputes lists what is and was judged anew, at most limit, newest first.
func (e *Engine) Recomputes(limit int) ([]Recompute, error) {
	e.mu.RLock()
	running := map[int64]Recompute{}
	for _, j := range e.jobs {
		running[j.ID] = j.Recompute
	}
	e.mu.RUnlock()
	var all []Recompute
	err := e.o.Store.Derived(tableRecompute, 0, firstTime, lastInstant, func(_ int64, v []byte) bool {
		var r Recompute
		if json.Unmarshal(v, &r) == nil { // a row that cannot be read is not shown
			if now, ok := running[r.ID]; ok {
				delete(running, r.ID)
				r = now
			}
			all = append(all, r)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list recomputes: %w", err)
	}
	for _, r := range running { // not written yet
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Recompute) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), limit)], nil
}

// lastInstant bounds all instants in microseconds.
const lastInstant = 1 << 62

// Recomputing is the recompute under way or next in turn; false when there is
// none.
func (e *Engine) Recomputing() (Recompute, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, j := range e.jobs {
		if j.Hours > 0 {
			return j.Recompute, true
		}
	}
	return Recompute{}, false
}

// requeue makes one job of the outlets that have to be judged anew by another
// basis; what an earlier change still had to do of them is dropped, because the
// new job does all of it.
func (e *Engine) requeue(ctx context.Context, snap *telemetry.Snapshot, ids []telemetry.OutletID) error {
	if len(ids) == 0 {
		return nil
	}
	jobs := map[string]*job{}
	for _, id := range ids {
		next, last := e.pending[id], e.basis[id]
		i := &item{outlet: id, basis: next}
		if len(last) >= basisHead && bytes.Equal(last[:basisHalf], next[:basisHalf]) {
			i.onlyRules = bytes.Equal(last[basisHead:], next[basisHead:])
			if !i.onlyRules && bytes.Equal(last[:basisHead], next[:basisHead]) {
				var open []byte
				i.spans, open = differ(last[basisHead:], next[basisHead:], snap.Outlets[id])
				last = append(slices.Clone(last[:basisHead]), open...)
			}
		}
		cause := CauseRegistry
		if i.onlyRules {
			cause = CauseRules
		}
		if len(last) > 0 { // from now on its rows may be of both: only the end of the job makes them whole
			open := make([]byte, len(last))
			switch {
			case i.spans != nil:
				open = last
			case i.onlyRules:
				copy(open, last[:basisHalf])
				copy(open[basisHead:], last[basisHead:])
			}
			e.basis[id] = open
			e.notes = append(e.notes, store.Derived{Table: tableBasis, Outlet: id, Value: open})
		}
		j := jobs[cause]
		if j == nil {
			j = &job{Recompute: Recompute{Cause: cause}}
			jobs[cause] = j
		}
		if err := e.addItem(j, i); err != nil {
			return err
		}
	}
	e.mu.Lock()
	for _, old := range e.jobs {
		if old.drop(ids); len(old.items) == 0 && old.Started != 0 {
			old.Ended = e.o.Now().UnixMicro()
			e.notes = append(e.notes, old.row())
		}
	}
	e.dropEnded()
	e.mu.Unlock()
	for _, cause := range []string{CauseRegistry, CauseRules} {
		j := jobs[cause]
		if j == nil {
			continue
		}
		j.From, j.To = lastTime, 0
		for _, i := range j.items {
			if i.to > i.from {
				j.From, j.To = min(j.From, i.from), max(j.To, i.to)
			}
		}
		if cause == CauseRules {
			j.Why = e.rules.Digest(dateOf(e.o.Now().Unix()))
		} else {
			j.By, j.Why = e.whoChanged(ctx, j.Outlets)
		}
		e.number(j)
		e.mu.Lock()
		e.jobs = append(e.jobs, j)
		e.mu.Unlock()
	}
	return nil
}

// whoChanged names the post behind the newest change of outlets, and what it did.
func (e *Engine) whoChanged(ctx context.Context, ids []telemetry.OutletID) (by, action string) {
	if e.o.History == nil {
		return "", ""
	}
	entry, ok, err := e.o.History.LastChange(ctx, ids[0])
	if err != nil {
		e.o.Logger.WarnContext(ctx, "who changed the registry is not known", slog.Any("error", err))
	}
	if !ok {
		return "", ""
	}
	return entry.Post, entry.Action
}

// drop takes the outlets out of a job of an earlier change.
func (j *job) drop(ids []telemetry.OutletID) {
	n := len(j.items)
	j.items = slices.DeleteFunc(j.items, func(i *item) bool {
		if i.basis == nil || !slices.Contains(ids, i.outlet) {
			return false
		}
		j.Hours -= i.hours(i.at, i.to)
		return true
	})
	j.Left = j.Left || len(j.items) < n
}

// slice takes the next stretches of old history, about budget hours in all, one
// outlet a worker, and adds their hours and days to work.
func (e *Engine) slice(work dirtySet, budget int) ([]*piece, error) {
	e.mu.RLock()
	jobs := slices.Clone(e.jobs)
	e.mu.RUnlock()
	var out []*piece
	for _, j := range jobs {
		left := budget
		for _, i := range j.items {
			if left <= 0 {
				break
			}
			p := &piece{item: i, job: j, rows: map[rowKey][]byte{}}
			p.end = min(i.at+int64(max(budget/e.o.Workers, 24)/24)*daySeconds, i.to)
			if err := e.fill(p, work); err != nil {
				return nil, err
			}
			left -= max(p.hours(i.at, p.end), 1)
			out = append(out, p)
		}
		if len(out) > 0 || len(j.items) == 0 {
			break // one job after the other
		}
	}
	return out, nil
}

// fill reads the rows of a piece and marks what is to be judged: what has rows,
// or, when a person asked, every hour there could be one.
func (e *Engine) fill(p *piece, work dirtySet) error {
	for _, table := range []byte{TableHour, TableDay} {
		err := e.o.Store.Derived(table, p.outlet, p.at, p.end, func(at int64, v []byte) bool {
			p.rows[rowKey{table, at}] = bytes.Clone(v)
			length := int64(hourSeconds)
			if table == TableDay {
				length = daySeconds
			}
			if !p.touches(at, length) {
				return true
			}
			if p.onlyRules && bytes.Equal(rulesOf(table, v), []byte(e.rules.Digest(dateOf(at)))) {
				return true // judged in a period whose rules are as they were
			}
			if table == TableDay {
				at += dayOnly
			}
			work.add(p.outlet, at)
			return true
		})
		if err != nil {
			return fmt.Errorf("list rows of outlet %d: %w", p.outlet, err)
		}
	}
	if p.basis != nil {
		return nil
	}
	for d := p.at; d < p.end; d += daySeconds {
		work.add(p.outlet, d+dayOnly)
		for h := d; h < d+daySeconds; h += hourSeconds {
			work.add(p.outlet, h)
		}
	}
	return nil
}

// closing gives the rows that end the pieces of a pass: the basis of outlets
// that are done, and the job's own row when it begins and when all of it is done.
func (e *Engine) closing(pieces []*piece, n counted) (rows []store.Derived) {
	if len(pieces) == 0 {
		return nil
	}
	j := pieces[0].job // all pieces of a pass are of one job
	now := e.o.Now().UnixMicro()
	ended := 0
	after := job{Recompute: j.Recompute}
	after.Rows, after.Changed = after.Rows+n.rows, after.Changed+n.changed
	for _, p := range pieces {
		after.Done += p.hours(p.at, p.end)
		if p.end < p.to {
			continue
		}
		ended++
		if p.basis != nil {
			rows = append(rows, store.Derived{Table: tableBasis, Outlet: p.outlet, Value: p.basis})
		}
	}
	if j.Hours == 0 { // outlets without history have nothing to tell of
		return rows
	}
	began := after.Started == 0
	if began {
		after.Started = now
	}
	if ended == len(j.items) {
		after.Ended = now
	}
	if began || after.Ended != 0 {
		rows = append(rows, after.row())
	}
	return rows
}

// counted is what a pass did of a job.
type counted struct{ rows, changed int }

// compareOld leaves rows that are as they were out of what is written, and
// counts the others.
func compareOld(pieces []*piece, done []judgedOutlet) (n counted) {
	byOutlet := map[telemetry.OutletID]*piece{}
	for _, p := range pieces {
		byOutlet[p.outlet] = p
	}
	for i := range done {
		p := byOutlet[done[i].outlet]
		if p == nil {
			continue
		}
		done[i].write = slices.DeleteFunc(slices.Clone(done[i].rows), func(d store.Derived) bool {
			if d.At < p.at || d.At >= p.end || d.Table != TableHour && d.Table != TableDay {
				return false // fresh
			}
			was, there := p.rows[rowKey{d.Table, d.At}]
			switch {
			case d.Value == nil && !there:
				return true
			case there && bytes.Equal(was, d.Value):
				n.rows++
				return true
			}
			n.rows++
			n.changed++
			return false
		})
	}
	return n
}

// advance moves a job on after its pieces were stored.
func (e *Engine) advance(pieces []*piece, n counted) {
	if len(pieces) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	j := pieces[0].job
	if j.Started == 0 {
		j.Started = e.o.Now().UnixMicro()
	}
	j.Rows, j.Changed = j.Rows+n.rows, j.Changed+n.changed
	ended := make(map[*item]bool, len(pieces))
	for _, p := range pieces {
		j.Done += p.hours(p.at, p.end)
		p.at = p.end
		if p.end < p.to {
			continue
		}
		ended[p.item] = true
		if p.basis != nil {
			e.basis[p.outlet] = p.basis
			delete(e.pending, p.outlet)
		}
	}
	j.items = slices.DeleteFunc(j.items, func(i *item) bool { return ended[i] })
	e.dropEnded()
}

// queued reports whether a job is in the queue.
func (e *Engine) queued(id int64) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.ContainsFunc(e.jobs, func(j *job) bool { return j.ID == id })
}

// dropEnded takes jobs off the queue that have nothing left to do; the lock is
// held.
func (e *Engine) dropEnded() {
	e.jobs = slices.DeleteFunc(e.jobs, func(j *job) bool { return len(j.items) == 0 })
}

// loadJobs takes up again what a person asked for and was not done when the
// program ended. What a change of the registry or of the rules began, that
// change begins anew: it is still to be seen.
func (e *Engine) loadJobs() error {
	var open []*job
	err := e.o.Store.Derived(tableRecompute, 0, firstTime, lastInstant, func(at int64, v []byte) bool {
		e.lastJob = max(e.lastJob, at)
		j := &job{}
		if json.Unmarshal(v, &j.Recompute) == nil && j.Ended == 0 && !e.queued(at) {
			open = append(open, j)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read recomputes: %w", err)
	}
	snap := e.o.Registry.Snapshot()
	var rows []store.Derived
	for _, j := range open {
		ids := j.Outlets
		j.Outlets, j.Hours, j.Done, j.Rows, j.Changed = nil, 0, 0, 0, 0
		for _, id := range ids {
			if j.Cause == CauseAsked && snap.Outlets[id] != nil {
				if err := e.addItem(j, &item{outlet: id}); err != nil {
					return err
				}
			}
		}
		if len(j.items) > 0 {
			e.mu.Lock()
			e.jobs = append(e.jobs, j)
			e.mu.Unlock()
			continue
		}
		j.Outlets, j.Ended, j.Left = ids, e.o.Now().UnixMicro(), true
		rows = append(rows, j.row())
	}
	if len(rows) == 0 {
		return nil
	}
	return e.o.Store.PutDerived(rows, "", 0)
}
