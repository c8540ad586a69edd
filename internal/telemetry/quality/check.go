package quality

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// CheckReport tells what Check found.
type CheckReport struct {
	Outlets, Hours, Days int64 // looked at: rows computed again and compared
	// Waiting are hours and days that stored frames touch which were not judged
	// yet; their rows are not compared.
	Waiting int64
	// Pending are outlets whose registry entry, limits or rules changed since
	// their rows were made: all of them wait to be judged anew.
	Pending int64
	Faults  []string // at most 100, by outlet and time
	// FaultCount counts all of them.
	FaultCount int64
}

// OK reports that every row compared has the bytes that computing it again
// gives, and that none is missing.
func (r *CheckReport) OK() bool { return r.FaultCount == 0 }

// mostFaults are listed one by one.
const mostFaults = 100

// Check computes every hour and every day of every outlet again from the series
// and compares the bytes with the stored rows. It writes nothing; nothing is
// judged meanwhile. progress is told how many of the outlets are done, one call
// at a time; nil = nobody asks. Errors are those of reading and of ctx.
func (e *Engine) Check(ctx context.Context, progress func(done, total int)) (CheckReport, error) {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	snap := e.o.Registry.Snapshot()
	if !e.loaded { // not the rows: damaged ones would then wait to be mended instead of being told
		for _, id := range snap.Order {
			if err := e.loadBasis(id); err != nil {
				return CheckReport{}, err
			}
		}
	}
	if err := e.registryChanged(ctx, snap); err != nil {
		return CheckReport{}, err
	}
	snap, waiting, _, _, _, err := e.collect(snap, math.MaxInt)
	if err != nil {
		return CheckReport{}, err
	}
	defer e.putBack(waiting)
	var (
		report CheckReport
		fault  error
		mu     sync.Mutex
		wg     sync.WaitGroup
		done   int
	)
	parts := make([]CheckReport, len(snap.Order))
	next := make(chan int)
	for range e.o.Workers {
		wg.Go(func() {
			for i := range next {
				o := snap.Outlets[snap.Order[i]]
				var err error
				if o != nil && ctx.Err() == nil {
					parts[i], err = e.checkOutlet(ctx, snap, o, waiting[o.ID])
				}
				mu.Lock()
				if fault == nil {
					fault = err
				}
				if done++; progress != nil {
					progress(done, len(parts))
				}
				mu.Unlock()
			}
		})
	}
	for i := range parts {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); fault == nil && err != nil {
		fault = err
	}
	for i := range parts {
		p := &parts[i]
		report.Outlets += p.Outlets
		report.Hours += p.Hours
		report.Days += p.Days
		report.Waiting += p.Waiting
		report.Pending += p.Pending
		report.FaultCount += p.FaultCount
		report.Faults = append(report.Faults, p.Faults[:min(len(p.Faults), mostFaults-len(report.Faults))]...)
	}
	return report, fault
}

func (r *CheckReport) fault(o telemetry.OutletID, level string, at int64, what string) {
	if r.FaultCount++; len(r.Faults) < mostFaults {
		r.Faults = append(r.Faults, fmt.Sprintf("outlet %d, %s from %s: %s", o, level, time.Unix(at, 0).In(time.FixedZone("", beijing)).Format("2006-01-02 15:04"), what))
	}
}

// checkedKinds are the records that hours are made of.
var checkedKinds = []telemetry.Kind{telemetry.KindMinute, telemetry.KindHour, telemetry.KindRealtime}

// checkOutlet checks one outlet, a day at a time.
func (e *Engine) checkOutlet(ctx context.Context, snap *telemetry.Snapshot, o *telemetry.Outlet, waiting map[int64]struct{}) (CheckReport, error) {
	r := CheckReport{Outlets: 1}
	e.mu.RLock()
	_, pending := e.pending[o.ID]
	e.mu.RUnlock()
	if pending {
		r.Pending = 1
		return r, nil
	}
	days, err := e.daysWith(o.ID, &r)
	if err != nil {
		return r, err
	}
	b := e.newBuilder(snap, o)
	if waiting != nil {
		b.spill(waiting)
	}
	for _, d := range days {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if err := e.checkDay(b, d, waiting, &r); err != nil {
			return r, fmt.Errorf("check outlet %d: %w", o.ID, err)
		}
	}
	return r, nil
}

// daysWith lists the days in which an outlet has records or rows. A damaged
// record is a fault, and hides those of its kind behind it that have no rows.
func (e *Engine) daysWith(o telemetry.OutletID, r *CheckReport) ([]int64, error) {
	set := map[int64]struct{}{}
	for _, table := range []byte{TableHour, TableDay} {
		err := e.o.Store.Derived(table, o, firstTime, lastTime, func(at int64, _ []byte) bool {
			set[dayStart(at)] = struct{}{}
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("list rows of outlet %d: %w", o, err)
		}
	}
	for _, k := range append(slices.Clone(checkedKinds), telemetry.KindDay) {
		for from := int64(firstTime); ; { // from day to day, not from record to record
			found := int64(-1)
			if err := e.o.Store.Records(o, k, from, lastTime, func(rec *telemetry.Record) bool {
				found = dayStart(rec.At)
				return false
			}); err != nil {
				r.fault(o, "records", from, fmt.Sprintf("one of kind %d cannot be read: %v", k, err))
				break
			}
			if found < 0 {
				break
			}
			set[found] = struct{}{}
			from = found + daySeconds
		}
	}
	out := make([]int64, 0, len(set))
	for d := range set {
		out = append(out, d)
	}
	slices.Sort(out)
	return out, nil
}

// checkDay computes a day and its hours again. What waits to be judged is left out.
func (e *Engine) checkDay(b *builder, day int64, waiting map[int64]struct{}, r *CheckReport) error {
	fresh, err := b.hours(day, day+daySeconds, day+daySeconds)
	if err != nil {
		r.fault(b.o.ID, LevelDay, day, fmt.Sprintf("its records cannot be read: %v", err))
		return nil
	}
	stored := map[int64][]byte{}
	read := func(table byte, from, to int64) error {
		clear(stored)
		return e.o.Store.Derived(table, b.o.ID, from, to, func(at int64, v []byte) bool {
			stored[at] = bytes.Clone(v)
			return true
		})
	}
	if err := read(TableHour, day, day+daySeconds); err != nil {
		return err
	}
	_, dayWaits := waiting[day+dayOnly]
	all := make([]HourRow, 0, len(fresh))
	for i := range fresh {
		h := &fresh[i]
		var want []byte
		if h.Source != SourceNone {
			want = AppendHour(nil, h)
			all = append(all, *h)
		}
		got, there := stored[h.At]
		if _, waits := waiting[h.At]; waits {
			dayWaits = true
			r.Waiting++
			continue
		}
		if want != nil || there {
			r.Hours++
		}
		r.compare(b.o.ID, LevelHour, h.At, got, want)
	}
	if dayWaits {
		r.Waiting++
		return nil
	}
	row, there, err := b.dayOf(day, all)
	if err != nil {
		return err
	}
	var want []byte
	if there {
		want = AppendDay(nil, &row)
	}
	if err := read(TableDay, day, day+1); err != nil {
		return err
	}
	if stored[day] != nil || want != nil {
		r.Days++
	}
	r.compare(b.o.ID, LevelDay, day, stored[day], want)
	return nil
}

// compare notes a fault when a stored row is not what computing it again gives.
func (r *CheckReport) compare(o telemetry.OutletID, level string, at int64, got, want []byte) {
	switch {
	case bytes.Equal(got, want):
	case got == nil:
		r.fault(o, level, at, "the row is missing")
	case want == nil:
		r.fault(o, level, at, "there is a row, but no record")
	default:
		r.fault(o, level, at, fmt.Sprintf("the stored row has other bytes (%d, again %d)", len(got), len(want)))
	}
}
