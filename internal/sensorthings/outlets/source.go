package outlets

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Store is what is read of the telemetry store; *store.Store is it.
type Store interface {
	Factor(sc store.FactorScan, fn func(*telemetry.Record) bool) error
	RecordsAt(seq uint64, o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
	Parts(o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error)
	EachLatest(k telemetry.Kind, fn func(*telemetry.Record) bool)
	LastAt(o telemetry.OutletID, k telemetry.Kind) (int64, bool)
	Groups(seq uint64, fn func(store.GroupMeta) bool) error
	Tail() uint64
	Wait(ctx context.Context, seq uint64) error
	PutDerived(rows []store.Derived, cursor string, seq uint64) error
	Derived(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error
}

// Judgement is what is read of the judged hours and days; *quality.Engine is it.
type Judgement interface {
	FactorHours(c quality.Column, fn func(at int64, row *quality.HourRow, f *quality.FactorHour) bool) error
	FactorDays(c quality.Column, fn func(at int64, row *quality.DayRow, f *quality.FactorDay) bool) error
	ValidityRule(o *telemetry.Outlet, level string, at int64) (quality.RuleRef, error)
	Watch() *quality.Watch
}

// Options are what a Source is made of.
type Options struct {
	Store    Store
	Registry Registry
	Quality  Judgement
	Now      func() time.Time
	Logger   *slog.Logger
	// Link turns an address of this program such as "/values/1-a21002-hour-2026112307"
	// into one that readers elsewhere can follow; nil leaves it as it is.
	Link func(path string) string
}

// Source knows the entities of all outlets. It is safe for concurrent use.
type Source struct {
	o     Options
	watch *quality.Watch

	numbers numbers
	counts  counts

	looked struct { // for series that nobody declared
		sync.Mutex
		at       time.Time
		snap     *telemetry.Snapshot
		numbered *telemetry.Snapshot // of which everything declared has its number
	}
}

// New reads the numbers given so far and numbers what the registry declares.
func New(o Options) (*Source, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Link == nil {
		o.Link = func(path string) string { return path }
	}
	s := &Source{o: o, watch: o.Quality.Watch()}
	if err := s.numbers.load(o.Store); err != nil {
		return nil, err
	}
	s.counts.start(s)
	return s, s.look(true)
}

// Reader shows the outlets that sees is true of; nil shows all.
func (s *Source) Reader(sees func(*telemetry.Outlet) bool) sensorthings.Reader {
	return &reader{s: s, sees: sees}
}

// reader is a Source as one asker sees it.
type reader struct {
	s    *Source
	sees func(*telemetry.Outlet) bool
}

// view is a snapshot as one asker sees it.
type view struct {
	*reader
	snap *telemetry.Snapshot
	list *numbered
}

func (r *reader) view() (view, error) {
	err := r.s.look(false)
	return view{r, r.s.o.Registry.Snapshot(), r.s.numbers.list.Load()}, err
}

// outlet returns an outlet that the asker sees, nil otherwise.
func (v *view) outlet(id sensorthings.ID) *telemetry.Outlet {
	if id <= 0 || id >= 1<<32 {
		return nil
	}
	o := v.snap.Outlets[telemetry.OutletID(id)]
	if o == nil || v.sees != nil && !v.sees(o) {
		return nil
	}
	return o
}

// series returns a Datastream whose outlet the asker sees.
func (v *view) series(id sensorthings.ID) (*series, *telemetry.Outlet) {
	se := v.list.byID[id]
	if se == nil {
		return nil, nil
	}
	o := v.outlet(sensorthings.ID(se.outlet))
	if o == nil {
		return nil, nil
	}
	return se, o
}

func placed(o *telemetry.Outlet) bool { return o.Lon != 0 || o.Lat != 0 }

var (
	_ Store     = (*store.Store)(nil)
	_ Judgement = (*quality.Engine)(nil)
)
