package quality

import (
	"context"
	"fmt"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// storedRows are the rows of an outlet as they are now.
type storedRows struct {
	e  *Engine
	id telemetry.OutletID
}

func (s storedRows) Hours(from, to int64) ([]HourRow, error) { return s.e.readHours(s.id, from, to) }
func (s storedRows) Days(from, to int64) ([]DayRow, error)   { return s.e.readDays(s.id, from, to) }

func (s storedRows) First() (at int64, ok bool, err error) {
	err = s.e.o.Store.Derived(TableHour, s.id, firstTime, lastTime, func(t int64, _ []byte) bool {
		at, ok = t, true
		return false
	})
	return at, ok, err
}

// periodCache keeps periods until an hour closes or an earlier one is judged
// anew: reports and lists ask for the same ones again and again.
type periodCache struct {
	sync.Mutex
	rows map[periodKey]periodEntry
}

type periodKey struct {
	outlet telemetry.OutletID
	level  string
	from   int64
}

// periodEntry is a period with what it was computed from.
type periodEntry struct {
	o      *telemetry.Outlet
	hour   int64 // that ran then
	closed uint64
	row    PeriodRow
}

// maxPeriods bounds the cache; a thousand outlets with a month, a quarter and a
// year each fit.
const maxPeriods = 1024

// Period gives the month, quarter or year of an outlet that at falls in, as far
// as it has gone by: means, hours and days, emissions as measured and as
// substituted, capture and transmission. It is computed when asked for. The
// lists in it are shared with other callers. ErrNotFound for an unknown outlet
// or level.
func (e *Engine) Period(ctx context.Context, outlet telemetry.OutletID, level string, at time.Time) (PeriodRow, error) {
	if err := ctx.Err(); err != nil {
		return PeriodRow{}, err
	}
	from, _, err := PeriodBounds(level, at.Unix())
	if err != nil {
		return PeriodRow{}, err
	}
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return PeriodRow{}, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	key, entry := periodKey{outlet, level, from}, periodEntry{o: o, hour: hourStart(e.o.Now().Unix())}
	e.mu.RLock()
	if l := e.outlets[outlet]; l != nil {
		entry.closed = l.closed
	}
	e.mu.RUnlock()
	c := &e.periods
	c.Lock()
	was, ok := c.rows[key]
	c.Unlock()
	if ok && was.o == entry.o && was.hour == entry.hour && was.closed == entry.closed {
		return was.row, nil
	}
	entry.row, err = computePeriod(periodInput{
		outlet: o, level: level, at: from, now: entry.hour, rows: storedRows{e, outlet}, plans: e.newBuilder(snap, o).plans,
	})
	if err != nil {
		return entry.row, err
	}
	c.Lock()
	defer c.Unlock()
	if c.rows == nil || len(c.rows) >= maxPeriods {
		c.rows = map[periodKey]periodEntry{}
	}
	c.rows[key] = entry
	return entry.row, nil
}
