package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// Start measures a data folder with much history, which is stored and judged
// first: the start of c.Program until it is ready, and backup and restore of
// the folder beside a plain copy of the same files, in turns.
func Start(ctx context.Context, c Config) (r Report, err error) {
	if c.Outlets <= 0 {
		c.Outlets = 300
	}
	c.defaults()
	r = newReport("start")
	dir, remove, err := c.tempDir()
	if err != nil {
		return r, err
	}
	defer remove()
	data := filepath.Join(dir, "data")
	filled, judged, err := fillFolder(ctx, &c, data)
	if err != nil {
		return r, fmt.Errorf("fill the folder: %w", err)
	}
	first, err := ready(ctx, &c, data) // makes the operator and derives the alarms
	if err != nil {
		return r, err
	}
	var warm, cold []float64
	t := copies{c: &c, dir: dir, data: data}
	for k := range c.Runs {
		c.tell("run %d of %d", k+1, c.Runs)
		took, err := ready(ctx, &c, data)
		if err != nil {
			return r, err
		}
		warm = append(warm, took)
		if err := forget(data); err != nil {
			return r, err
		}
		if took, err = ready(ctx, &c, data); err != nil {
			return r, err
		}
		cold = append(cold, took)
		if err := t.once(ctx); err != nil {
			return r, err
		}
	}
	records := float64(c.Outlets) * float64(c.Days) * float64(24*time.Hour/recordStep)
	r.Figures["start_to_ready"] = figure("s", "< 5", warm)
	r.Figures["start_to_ready_first"] = figure("s", "< 5", []float64{first})
	r.Figures["start_to_ready_unread"] = figure("s", "< 5", cold)
	r.Figures["copy"] = figure("MB/s", "", t.copied)
	r.Figures["backup"] = figure("MB/s", "", t.backedUp)
	r.Figures["restore"] = figure("MB/s", "", t.restored)
	r.Figures["restore_files"] = figure("MB/s", "", t.filesRestored)
	r.Figures["backup_to_copy"] = figure("× the speed", "1", ratios(t.backedUp, t.copied))
	r.Figures["restore_files_to_copy"] = figure("× the speed", "1", ratios(t.filesRestored, t.copied))
	r.Figures["restore_to_copy"] = figure("× the speed", "1", ratios(t.restored, t.copied))
	r.Figures["filled"] = figure("records/s", "", []float64{records / filled})
	r.Figures["judged_first"] = figure("s", "", []float64{judged})
	r.Figures["disk"] = figure("MB", "", []float64{t.size / 1e6})
	r.Notes = append(r.Notes,
		fmt.Sprintf("%d outlets with %d days of ten-minute records of ten factors, judged: %.0f records; no raw frames (a few bytes stand for each)", c.Outlets, c.Days, records),
		"start: from the call of the program, a process of its own, to the first 200 of /readyz; first: the folder was never served, so an account is made and alarms are derived; unread: with nothing of the folder in memory",
		"copy, backup and restore in turns, in another order each run, of files that are not in memory when each begins, each file synced: the copy file by file; restore_files until the files are checked and synced, restore until the journal's chain is followed and the end is found right")
	return r, nil
}

func ratios(of, by []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / by[i]
	}
	return out
}

// fillFolder stores history in a data folder and judges it; it returns what
// both took, in seconds.
func fillFolder(ctx context.Context, c *Config, data string) (filled, judged float64, err error) {
	if err := os.MkdirAll(data, 0o750); err != nil {
		return 0, 0, err
	}
	settings := config.Default()
	settings.Data = data
	d, err := db.Open(ctx, settings.DatabaseURL())
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	reg, err := telemetry.Open(ctx, d, c.Now)
	if err != nil {
		return 0, 0, err
	}
	defer reg.Close()
	region := simulator.RegionAt(c.Now())
	in := telemetry.LoadInput{Areas: region.Areas, Enterprises: region.Enterprises}
	snap := stacks(c.Outlets)
	for i, id := range snap.Order {
		o := *snap.Outlets[id]
		o.Enterprise, o.Area = in.Enterprises[0].ID, in.Enterprises[0].Area
		o.Name = telemetry.Name{Zh: fmt.Sprintf("%d号排放口", id), En: fmt.Sprintf("Outlet %d", id)}
		in.Outlets = append(in.Outlets, o)
		in.Devices = append(in.Devices, telemetry.Device{MN: newLogger(i).mn, Outlet: id})
	}
	if err := reg.Load(ctx, in, auth.System); err != nil {
		return 0, 0, err
	}
	s, err := store.Open(filepath.Join(data, app.TelemetryDir), store.Options{Now: c.Now, CacheMB: 256})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	began := c.Now()
	to := began.Truncate(recordStep)
	if err := fillMinutes(ctx, s, c.Outlets, to.AddDate(0, 0, -c.Days), to, func(at time.Time) {
		c.tell("history is filled in to %s, after %s", at.Format(time.DateOnly), c.Now().Sub(began).Round(time.Second))
	}); err != nil {
		return 0, 0, err
	}
	filled = c.Now().Sub(began).Seconds()
	c.tell("history is being judged, after %s", c.Now().Sub(began).Round(time.Second))
	began = c.Now()
	e, err := quality.New(quality.Options{Store: s, Registry: reg, History: reg, Now: c.Now})
	if err == nil {
		err = e.CatchUp(ctx)
	}
	return filled, c.Now().Sub(began).Seconds(), err
}
