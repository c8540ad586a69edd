package quality

import (
	"context"
	"time"

	"plateau/internal/telemetry"
)

// Queries is what pages need of the Engine; it is here so that the compiler
// holds the Engine to it.
type Queries interface {
	State(outlet telemetry.OutletID, asOf time.Time) (StateResult, error)
	States(asOf time.Time) ([]StateResult, error) // in the registry's order; the slice is shared, do not change
	Counts(asOf time.Time) (Counts, error)        // of States(asOf)
	CountsBefore(asOf time.Time) (Counts, bool)   // 24 h earlier, cached; false until computed
	Now(outlet telemetry.OutletID, asOf time.Time) (View, error)
	Forecasts(asOf time.Time) ([]Forecast, error)                           // hours lost or at risk, worst first
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]HourRow, error) // half-open
	Days(outlet telemetry.OutletID, from, to time.Time) ([]DayRow, error)
	Explain(outlet telemetry.OutletID, factor, level string, at time.Time) (Explanation, error) // errs: ErrNotFound
	Completeness(asOf time.Time) map[string][]Cell                                              // by the outlet's county code; 24 cells, oldest first, last = running hour
	Spark(outlet telemetry.OutletID, factor string, asOf time.Time) Spark                       // factor "" = the deciding one
	Backlog() Backlog
	AsKnown(at time.Time) (*Known, error)                                                                 // errs: ErrFuture
	Period(ctx context.Context, outlet telemetry.OutletID, level string, at time.Time) (PeriodRow, error) // errs: ErrNotFound
	Recompute(r RecomputeRequest) (Recompute, error)                                                      // errs: ErrNotFound, ErrNothing
	Recomputes(limit int) ([]Recompute, error)                                                            // newest first
	Recomputing() (Recompute, bool)                                                                       // under way or next in turn
	Failed() []Failed
	MarkDirty(outlet telemetry.OutletID, from, to time.Time)
}

// Running is what the program needs of the Engine.
type Running interface {
	Run(ctx context.Context) error
	CatchUp(ctx context.Context) error // judges everything received up to now
	Ready() bool                       // has caught up once since the start
}
