package app

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
	"plateau/internal/telemetryweb"
)

// editor lets the pages change the registry in the name of who asks.
type editor struct {
	registry *telemetry.Registry
	store    *store.Store
}

// lastFrames is among how many of a stranger's frames its password is looked for.
const lastFrames = 50

// Adopt implements telemetryweb.Adopter. The password that the logger sends now
// is the one it must go on sending.
func (e *editor) Adopt(ctx context.Context, mn string, outlet telemetry.OutletID, fresh *telemetry.Outlet, _ string) error {
	in := telemetry.AdoptInput{Outlet: outlet, New: fresh}
	last, err := e.store.LastFrames(mn, lastFrames)
	if err != nil {
		return err
	}
	var p hj212.Packet
	for i := range last { // the latest that can be read: a damaged one must not let anybody in
		if seg, err := hj212.Segment(last[i].Raw); err == nil && p.Parse(seg) == nil {
			in.Password = string(p.Bytes(p.PW))
			break
		}
	}
	_, err = e.registry.Adopt(ctx, mn, in, auth.From(ctx))
	return err
}

// Release implements telemetryweb.Adopter: soon after an adoption everything is
// as before it, later the logger's service ends.
func (e *editor) Release(ctx context.Context, mn, _ string) error {
	d := e.registry.Snapshot().Devices[mn]
	if d == nil {
		return errs.New(errs.NotFound, "problem.not_found")
	}
	err := e.registry.Unadopt(ctx, telemetry.Adoption{MN: mn, Outlet: d.Outlet, At: d.From}, auth.From(ctx))
	if errs.Is(err, errs.Conflict) {
		return e.registry.EndDevice(ctx, mn, auth.From(ctx))
	}
	return err
}

// SaveEnterprise implements telemetryweb.Writer.
func (e *editor) SaveEnterprise(ctx context.Context, x telemetry.Enterprise, _ string) error {
	if e.registry.Snapshot().Enterprises[x.ID] != nil {
		return e.registry.UpdateEnterprise(ctx, x, auth.From(ctx))
	}
	_, err := e.registry.CreateEnterprise(ctx, x, auth.From(ctx))
	return err
}

// SaveOutlet implements telemetryweb.Writer.
func (e *editor) SaveOutlet(ctx context.Context, o telemetry.Outlet, _ string) (telemetry.OutletID, error) {
	if o.ID == 0 {
		return e.registry.CreateOutlet(ctx, o, auth.From(ctx))
	}
	return o.ID, e.registry.UpdateOutlet(ctx, o, auth.From(ctx))
}

// SaveDevice implements telemetryweb.Adopter.
func (e *editor) SaveDevice(ctx context.Context, d telemetry.Device, _ string) error {
	return e.registry.UpdateDevice(ctx, d, auth.From(ctx))
}

// SetIntervals implements telemetryweb.Writer.
func (e *editor) SetIntervals(ctx context.Context, outlet telemetry.OutletID, iv telemetry.Interval, _ string) error {
	return e.registry.EditOutlet(ctx, outlet, auth.From(ctx), func(o *telemetry.Outlet) error {
		if now := o.IntervalAt(iv.From); now.Realtime != iv.Realtime || now.Minute != iv.Minute {
			o.Intervals = append(o.Intervals, iv)
		}
		return nil
	})
}

// SaveFactor implements telemetryweb.Writer.
func (e *editor) SaveFactor(ctx context.Context, outlet telemetry.OutletID, f telemetry.OutletFactor, _ string) error {
	return e.registry.EditOutlet(ctx, outlet, auth.From(ctx), func(o *telemetry.Outlet) error {
		if i := slices.IndexFunc(o.Factors, func(x telemetry.OutletFactor) bool { return x.Code == f.Code }); i >= 0 {
			o.Factors[i] = f
		} else {
			o.Factors = append(o.Factors, f)
		}
		return nil
	})
}

// SaveLimit implements telemetryweb.Writer.
func (e *editor) SaveLimit(ctx context.Context, outlet telemetry.OutletID, was string, l telemetry.Limit, _ string) error {
	return e.registry.EditOutlet(ctx, outlet, auth.From(ctx), func(o *telemetry.Outlet) error {
		if i := slices.IndexFunc(o.Limits, func(x telemetry.Limit) bool { return was != "" && x.ID == was }); i >= 0 {
			o.Limits[i] = l
		} else {
			o.Limits = append(o.Limits, l)
		}
		return nil
	})
}

// SaveSetup implements telemetryweb.Writer.
func (e *editor) SaveSetup(ctx context.Context, outlet telemetry.OutletID, was string, s telemetry.Setup, _ string) error {
	return e.registry.EditOutlet(ctx, outlet, auth.From(ctx), func(o *telemetry.Outlet) error {
		o.PutSetup(was, s)
		return nil
	})
}

// SaveStop implements telemetryweb.Writer.
func (e *editor) SaveStop(ctx context.Context, outlet telemetry.OutletID, was time.Time, s telemetry.Stop, _ string) error {
	by := auth.From(ctx)
	if was.IsZero() {
		s.By = by.ID
	}
	return e.registry.EditOutlet(ctx, outlet, by, func(o *telemetry.Outlet) error { return o.PutStop(was, s) })
}

// DropStop implements telemetryweb.Writer.
func (e *editor) DropStop(ctx context.Context, outlet telemetry.OutletID, from time.Time, _ string) error {
	return e.registry.EditOutlet(ctx, outlet, auth.From(ctx), func(o *telemetry.Outlet) error { return o.DropStop(from) })
}

// Import implements telemetryweb.Tables.
func (e *editor) Import(ctx context.Context, kind string, r io.Reader, dry bool, _ string) (telemetryweb.ImportReport, error) {
	rep, err := e.registry.Import(ctx, telemetry.Table(kind), r, dry, auth.From(ctx))
	out := telemetryweb.ImportReport{Rows: rep.Rows, Added: rep.Added, Changed: rep.Changed, Same: rep.Same, More: rep.More, Areas: rep.Areas}
	for _, f := range rep.Faults {
		out.Errors = append(out.Errors, telemetryweb.RowError{Row: f.Row, Column: f.Column, Key: f.Key, Args: f.Args})
	}
	return out, err
}

// Export implements telemetryweb.Tables.
func (e *editor) Export(_ context.Context, kind string, w io.Writer, words func(string) string, keep func(string) bool) error {
	return e.registry.Snapshot().Export(w, telemetry.Table(kind), words, keep)
}

// Changes implements telemetryweb.Tables.
func (e *editor) Changes(ctx context.Context, limit int) ([]telemetryweb.Change, error) {
	log, err := e.registry.Log(ctx, "", "", limit)
	if err != nil {
		return nil, err
	}
	out := make([]telemetryweb.Change, len(log))
	for i, l := range log {
		out[i] = telemetryweb.Change{At: l.At, By: l.Post, Kind: l.Kind, ID: l.Ref, Action: l.Action, Old: l.Old, New: l.New}
	}
	return out, nil
}

// withLimits shows the pages the standards' limits beside the registry: they
// are rule files, not entries.
type withLimits struct {
	registry *telemetry.Registry
	limits   []telemetry.Limit

	mu   sync.Mutex
	from *telemetry.Snapshot
	with *telemetry.Snapshot
}

// Snapshot implements telemetryweb.Registry.
func (l *withLimits) Snapshot() *telemetry.Snapshot {
	s := l.registry.Snapshot()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from != s {
		c := *s
		c.Limits = l.limits
		l.from, l.with = s, &c
	}
	return l.with
}
