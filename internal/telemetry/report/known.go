package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// KnownRows are the rows of some outlets as known at an instant.
type KnownRows map[telemetry.OutletID]*quality.KnownOutlet

// AsKnown finds outlets as the registry had them at the instant of k, and their
// rows as known then. Outlets that it did not have are left out.
func AsKnown(ctx context.Context, k *quality.Known, outlets []*telemetry.Outlet) (KnownRows, []*telemetry.Outlet, error) {
	rows := KnownRows{}
	var list []*telemetry.Outlet
	for _, o := range outlets {
		x, err := k.Outlet(ctx, o.ID)
		if errors.Is(err, quality.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		rows[o.ID] = x
		list = append(list, x.Outlet)
	}
	return rows, list, nil
}

func (r KnownRows) find(id telemetry.OutletID) (*quality.KnownOutlet, error) {
	if o := r[id]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("outlet %d: %w", id, quality.ErrNotFound)
}

// Hours implements Rows.
func (r KnownRows) Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	o, err := r.find(outlet)
	if err != nil {
		return nil, err
	}
	return o.Hours(from, to)
}

// Days implements Rows.
func (r KnownRows) Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error) {
	o, err := r.find(outlet)
	if err != nil {
		return nil, err
	}
	return o.Days(from, to)
}

// Period implements Rows.
func (r KnownRows) Period(_ context.Context, outlet telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error) {
	o, err := r.find(outlet)
	if err != nil {
		return quality.PeriodRow{}, err
	}
	return o.Period(level, at)
}
