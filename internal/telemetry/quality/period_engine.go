package quality

import (
	"context"
	"fmt"
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

// Period gives the month, quarter or year of an outlet that at falls in, as far
// as it has gone by: means, hours and days, emissions as measured and as
// substituted, capture and transmission. It is computed when asked for.
// ErrNotFound for an unknown outlet or level.
func (e *Engine) Period(ctx context.Context, outlet telemetry.OutletID, level string, at time.Time) (PeriodRow, error) {
	if err := ctx.Err(); err != nil {
		return PeriodRow{}, err
	}
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return PeriodRow{}, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	return computePeriod(periodInput{
		outlet: o, level: level, at: at.Unix(), now: e.o.Now().Unix(), rows: storedRows{e, outlet}, plans: e.newBuilder(snap, o).plans,
	})
}
