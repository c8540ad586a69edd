package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/simulator"
)

// historyDays is how much history a fresh demonstration gets.
const historyDays = 30

// play fills in the history and then keeps the sample region's loggers running.
func (a *App) play(ctx context.Context) error {
	now := a.now()
	region := simulator.RegionAt(now)
	real := a.series(ctx)
	world, err := simulator.NewWorld(simulator.WorldOptions{Region: &region, Real: real})
	if err != nil {
		return err
	}
	// A minute's end is the seam: history reaches up to it, the loggers go on from it.
	to := now.Truncate(time.Minute)
	from := to.AddDate(0, 0, -historyDays)
	if at, ok := a.lastRecord(region.Outlets); ok && at.After(from) {
		from = at // a folder that was played before: only what is missing
	}
	began := a.now()
	if to.After(from) {
		if err := feed(ctx, a.hjAddr, world, from, to, &a.progress); err != nil {
			return err
		}
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
	a.ready.Release(partHistory)
	a.log.InfoContext(ctx, "history judged", slog.Duration("took", a.now().Sub(began)))

	stranger, err := simulator.Stranger(real)
	if err != nil {
		return err
	}
	opts := simulator.LoggerOptions{Addr: a.hjAddr, Now: a.now, Since: to, Faults: true, Logger: a.log}
	go stranger.Run(ctx, opts, &simulator.Stats{})
	world.Run(ctx, opts, &simulator.Stats{})
	return nil
}

// lastRecord is the latest minute record of the sample's outlets.
func (a *App) lastRecord(outlets []telemetry.Outlet) (last time.Time, ok bool) {
	for i := range outlets {
		if at, there := a.store.LastAt(outlets[i].ID, telemetry.KindMinute); there && time.Unix(at, 0).After(last) {
			last, ok = time.Unix(at, 0), true
		}
	}
	return last, ok
}

// series opens real series where they are given or found; nil means generated ones.
func (a *App) series(ctx context.Context) *simulator.Real {
	dirs := []string{a.o.SeriesDir}
	if a.o.SeriesDir == "" {
		dirs = []string{os.Getenv("PLATEAU_SHARED"), filepath.Join("..", "shared")}
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		real, err := simulator.OpenReal(dir)
		if err == nil {
			a.log.InfoContext(ctx, "real series are played", slog.String("folder", real.Dir()), slog.Int("columns", real.Refs()))
			return real
		}
		if a.o.SeriesDir != "" {
			a.log.WarnContext(ctx, "real series could not be read, generated ones are played", slog.String("error", err.Error()))
		}
	}
	a.log.InfoContext(ctx, "generated series are played")
	return nil
}
