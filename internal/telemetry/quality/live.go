package quality

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"plateau/internal/telemetry"
)

// keepHours are the hours kept in memory for each outlet: what states,
// sparklines and the heatmap look at.
const keepHours = 27

// keepDays are the days kept.
const keepDays = 3

// live is what is kept in memory of an outlet. Rows stay in the form of the
// store: read, they take ten times as much, and few of them are looked at.
type live struct {
	hours    keptRows // all after floor, where whole says so
	days     keptRows // the newest
	whole    bool     // the store has no hour after floor that is not in hours
	newest   int64    // latest hour met
	floor    int64    // hours up to here are not kept
	received int64    // Unix seconds of the last frame
	closed   uint64   // raised when a row of a closed hour or day was judged
}

// keptRows are rows by their start. A row is replaced, never changed.
type keptRows []keptRow

type keptRow struct {
	at  int64
	row []byte
}

func (k keptRows) find(at int64) (int, bool) {
	return slices.BinarySearchFunc(k, at, func(r keptRow, at int64) int { return cmp.Compare(r.at, at) })
}

// at is the row that starts then, nil for none.
func (k keptRows) at(start int64) []byte {
	if i, ok := k.find(start); ok {
		return k[i].row
	}
	return nil
}

// put keeps a copy of row; an empty one takes the place's row away.
func (k keptRows) put(at int64, row []byte) keptRows {
	i, there := k.find(at)
	switch {
	case there && len(row) == 0:
		return slices.Delete(k, i, i+1)
	case there:
		k[i].row = bytes.Clone(row)
	case len(row) > 0:
		return slices.Insert(k, i, keptRow{at, bytes.Clone(row)})
	}
	return k
}

// until drops the rows up to floor.
func (k keptRows) until(floor int64) keptRows {
	i, there := k.find(floor)
	if there {
		i++
	}
	return slices.Delete(k, 0, i)
}

func (l *live) putHour(at int64, row []byte, now int64) {
	if len(row) > 0 {
		l.newest = max(l.newest, at)
		// Hours in the future (a clock that ran ahead) do not push out those of today.
		if floor := min(l.newest, hourStart(now)) - keepHours*hourSeconds; floor > l.floor {
			l.floor = floor
			l.hours = l.hours.until(floor)
		}
	}
	if at > l.floor {
		l.hours = l.hours.put(at, row)
	}
}

func (l *live) putDay(at int64, row []byte) {
	l.days = l.days.put(at, row)
	if len(l.days) > keepDays {
		l.days = slices.Delete(l.days, 0, 1)
	}
}

// remember makes what is kept of an outlet, from the store when it is met first.
func (e *Engine) remember(id telemetry.OutletID) error {
	e.mu.RLock()
	known := e.outlets[id] != nil
	e.mu.RUnlock()
	if known {
		return nil
	}
	l := &live{whole: true}
	now := e.o.Now().Unix()
	recs := e.newest(id)
	for i := range recs {
		l.received = max(l.received, recs[i].Received/1e6)
	}
	if latest, _ := latestOf(recs, now); latest != nil {
		newest := min(latest.At, now)
		l.floor = hourStart(newest) - keepHours*hourSeconds
		if err := e.recall(id, l, newest, now); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outlets[id] = l
	return nil
}

// recall reads the rows that are kept of an outlet.
func (e *Engine) recall(id telemetry.OutletID, l *live, newest, now int64) error {
	e.mu.RLock()
	judged := e.cursor > 0
	e.mu.RUnlock()
	if err := e.o.Store.Derived(TableHour, id, l.floor+1, lastTime, func(at int64, v []byte) bool {
		if _, bad := ReadHour(id, at, v); bad != nil {
			e.unreadable(id, at, at, bad)
		} else if judged {
			l.putHour(at, v, now)
			return true
		}
		// Rows of an older program are shown to nobody, but count for their day
		// until they are judged anew.
		l.whole = false
		return true
	}); err != nil {
		return fmt.Errorf("load hours: %w", err)
	}
	if !judged {
		return nil
	}
	days, err := e.readDays(id, dayStart(newest)-daySeconds, lastTime)
	if err != nil {
		return fmt.Errorf("load days: %w", err)
	}
	for i := range days {
		l.putDay(days[i].At, AppendDay(nil, &days[i]))
	}
	return nil
}

// keptSince are the hours kept of an outlet from then on.
func (e *Engine) keptSince(id telemetry.OutletID, from int64) keptRows {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := e.outlets[id]
	if l == nil {
		return nil
	}
	i, _ := l.hours.find(from)
	return slices.Clone(l.hours[i:])
}

// keptAt reads the row that starts then; nil for none.
func keptAt[T any](e *Engine, rows *keptRows, id telemetry.OutletID, at int64, read func(telemetry.OutletID, int64, []byte) (T, error)) *T {
	e.mu.RLock()
	v := rows.at(at)
	e.mu.RUnlock()
	if v == nil {
		return nil
	}
	r, err := read(id, at, v)
	if err != nil {
		return nil // cannot be: it was written by this program
	}
	return &r
}

// once keeps the rows that read has given, for who asks for the same few again.
func once[T any](read func(at int64) *T) func(at int64) *T {
	type got struct {
		at  int64
		row *T
	}
	var have []got
	return func(at int64) *T {
		for i := range have {
			if have[i].at == at {
				return have[i].row
			}
		}
		row := read(at)
		have = append(have, got{at, row})
		return row
	}
}

// scratch are hours to read rows into, used again with their factors.
type scratch struct{ hours []HourRow }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// next is the next hour to read into.
func (s *scratch) next() *HourRow {
	if len(s.hours) < cap(s.hours) {
		s.hours = s.hours[:len(s.hours)+1]
	} else {
		s.hours = append(s.hours, HourRow{})
	}
	return &s.hours[len(s.hours)-1]
}

// keptHours reads the hours of a day from memory into s; false when memory does
// not have them all.
func (e *Engine) keptHours(id telemetry.OutletID, day int64, s *scratch) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := e.outlets[id]
	if l == nil || !l.whole || day <= l.floor {
		return false
	}
	from, _ := l.hours.find(day)
	for _, k := range l.hours[from:] {
		if k.at >= day+daySeconds {
			break
		}
		if err := readHourInto(s.next(), id, k.at, k.row); err != nil {
			return false
		}
	}
	return true
}

// dayHours joins the fresh hours of a day with those judged before, in order.
// What it returns is valid until s is used again.
func (e *Engine) dayHours(o telemetry.OutletID, day int64, fresh []HourRow, s *scratch) ([]HourRow, error) {
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
	s.hours = s.hours[:0]
	var stored []HourRow
	if e.keptHours(o, day, s) {
		stored = s.hours
	} else {
		var err error
		if stored, err = e.readHours(o, day, day+daySeconds); err != nil {
			return nil, err
		}
	}
	for i := range stored {
		if !have[stored[i].At] {
			all = append(all, stored[i])
		}
	}
	slices.SortFunc(all, func(a, b HourRow) int { return cmp.Compare(a.At, b.At) })
	return all, nil
}
