package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetryweb"
)

// historySpan is how much history a fresh demonstration gets.
const historySpan = 30 * 24 * time.Hour

// sampleWorld is the sample region as the registry describes it: after a restart
// the outlets keep the intervals of the first start.
func (a *App) sampleWorld() (*simulator.World, error) {
	region := simulator.RegionAt(a.now())
	known := a.registry.Snapshot().Outlets
	for i := range region.Outlets {
		if o := known[region.Outlets[i].ID]; o != nil {
			region.Outlets[i].Intervals = o.Intervals
		}
	}
	w, err := simulator.NewWorld(simulator.WorldOptions{Region: &region, Real: a.real})
	if err == nil {
		w.Gaps = true
	}
	return w, err
}

// origin tells the pages where a sample outlet's values come from.
func (a *App) origin(o telemetry.OutletID, code string) (telemetryweb.Origin, bool) {
	from, ok := a.world.Origin(o, code)
	kind := "made"
	switch {
	case from.Source == "": // no real series
	case !from.Real:
		kind = "estimated"
	case from.Scaled:
		kind = "scaled"
	default:
		kind = "played"
	}
	return telemetryweb.Origin{Kind: kind, Source: from.Source}, ok
}

// play fills in the history and then keeps the sample region's loggers running.
func (a *App) play(ctx context.Context) error {
	// A minute's end is the seam: history reaches up to it, the loggers go on from it.
	to := a.now().Truncate(time.Minute)
	from := to.Add(-a.history)
	began := a.now()
	f := feed{addr: a.hjAddr, world: a.world, since: a.received(from), to: to, progress: &a.progress, now: a.now, log: a.log}
	if err := f.run(ctx); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "history received", slog.Duration("took", a.now().Sub(began)), slog.Int64("frames", a.store.Stats().Frames))
	for b := a.engine.Backlog(); !b.Done(); b = a.engine.Backlog() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	a.progress.end()
	close(a.filled)
	a.ready.Release(partHistory)
	a.log.InfoContext(ctx, "history judged", slog.Duration("took", a.now().Sub(began)))

	stranger, err := simulator.Stranger(a.real)
	if err != nil {
		return err
	}
	opts := simulator.LoggerOptions{Addr: a.hjAddr, Now: a.now, Since: to, Faults: true, Logger: a.log}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.sampleRelays(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "the demonstration has no relay", slog.Any("error", err))
		}
	})
	wg.Go(func() { stranger.Run(ctx, opts, &simulator.Stats{}) })
	wg.Go(func() { a.world.Run(ctx, opts, &simulator.Stats{}) })
	wg.Wait()
	return nil
}

// received tells, by MN, up to when the history of each sample logger is there,
// at the earliest from. A folder that was played before has most of it, and a
// start that was broken off has more of some outlets than of others. Loggers
// that the registry no longer knows as they are get no history: it would be
// refused.
func (a *App) received(from time.Time) map[string]time.Time {
	snap := a.registry.Snapshot()
	since := map[string]time.Time{}
	for _, p := range a.world.Plants {
		d, o := snap.Devices[p.Device.MN], p.Outlet.ID
		if d == nil || d.Outlet != o || !d.To.IsZero() || d.Password != "" && d.Password != p.Device.Password {
			continue
		}
		kind := telemetry.KindMinute
		if p.Outlet.IntervalAt(a.now()).Minute == 0 {
			kind = telemetry.KindHour
		}
		since[d.MN] = from
		if at, ok := a.store.LastAt(o, kind); ok && time.Unix(at, 0).After(from) {
			since[d.MN] = time.Unix(at, 0)
		}
	}
	return since
}

// series opens the real series of the folder given, or of those where they may
// be found; nil means generated ones.
func (a *App) series(ctx context.Context) (*simulator.Real, error) {
	if dir := a.o.SeriesDir; dir != "" {
		real, err := simulator.OpenReal(dir)
		if err != nil {
			return nil, fmt.Errorf("--series: %w; give a folder that holds cems, wastewater or surface-water, or leave --series out", err)
		}
		a.playing(ctx, real)
		return real, nil
	}
	var dirs []string
	for _, kv := range a.o.Env {
		if dir, ok := strings.CutPrefix(kv, "PLATEAU_SHARED="); ok && dir != "" {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range append(dirs, filepath.Join("..", "shared")) {
		real, err := simulator.OpenReal(dir)
		if err == nil {
			a.playing(ctx, real)
			return real, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || len(dirs) > 0 && dir == dirs[0] {
			a.log.WarnContext(ctx, "real series could not be read", slog.String("folder", dir), slog.Any("error", err))
		}
	}
	a.log.InfoContext(ctx, "generated series are played")
	return nil, nil //nolint:nilnil // no real series is an answer, not a fault
}

func (a *App) playing(ctx context.Context, real *simulator.Real) {
	a.log.InfoContext(ctx, "real series are played", slog.String("folder", real.Dir()), slog.Int("columns", real.Refs()))
}

// overLimit is the enterprise of a sample outlet that was over its limit in the last
// hours, and the county it lies in, so that a demonstration has a case that waits for
// its answer and somebody who verifies it; "" when there is none.
func (a *App) overLimit() (enterprise, county string) {
	for back := 2 * time.Hour; back < 20*time.Hour; back += time.Hour {
		for _, p := range a.world.Playing(a.now().Add(-back)) {
			if o := a.registry.Snapshot().Outlets[p.Outlet]; p.State == "over" && o != nil {
				return o.Enterprise, o.Area
			}
		}
	}
	return "", ""
}
