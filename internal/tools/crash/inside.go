package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver "sqlite"

	"plateau/internal/app"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/store"
	"plateau/internal/tools/server"
	"plateau/migrations"
)

// archives reads the groups that a server has sealed.
func archives(data string) *archive.Reader {
	return archive.NewReader(0, archive.Folder(filepath.Join(data, app.ArchiveDir)))
}

// compact compacts a folder over and over until it is killed. What the last life
// left in the write-ahead log makes the tables of the first time.
func compact(data string) {
	s, err := store.Open(filepath.Join(data, app.TelemetryDir), store.Options{MemMB: 1, Archive: archives(data)})
	if err != nil {
		fmt.Fprintln(os.Stderr, "compact:", err)
		os.Exit(1)
	}
	fmt.Print(".")
	for {
		if err := s.Compact(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "compact:", err)
			os.Exit(1)
		}
	}
}

// changeLimits gives every outlet another limit while the server is down: all
// history is judged anew at the next start.
func (h *harness) changeLimits(ctx context.Context) (err error) {
	path := filepath.Join(h.data, "plateau.db")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	d, err := db.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	reg, err := telemetry.Open(ctx, d, time.Now)
	if err != nil {
		return err
	}
	defer reg.Close()
	h.limit++
	hi := float64(50 + h.limit)
	for _, id := range reg.Snapshot().Order {
		if err := reg.EditOutlet(ctx, id, auth.System, func(o *telemetry.Outlet) error {
			o.Limits = []telemetry.Limit{{ID: "crash", Standard: "permit", EffectiveFrom: "2000-01-01", Factor: "a21026", Statistic: "hour", Op: "<=", Hi: &hi, Unit: "mg/m3"}}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// migrating starts the server on a database of an earlier version, kills it at
// once, and starts it again: it must come to the version of today.
func (h *harness) migrating(ctx context.Context) error {
	dir := filepath.Join(h.dir, "old")
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	path := filepath.Join(dir, "plateau.db")
	if err := oldDatabase(ctx, path, 1+h.rnd.Int64N(5)); err != nil {
		return err
	}
	s, err := server.Launch(ctx, h.bin, dir)
	if err != nil {
		return err
	}
	time.AfterFunc(h.within(150*time.Millisecond), s.KillSoon)
	if err := s.Announced(readyWithin); err != nil && !s.Killed() {
		return err
	}
	s.Kill()
	if s, err := server.Start(ctx, h.bin, dir); err != nil {
		return fmt.Errorf("after a kill while migrating: %w", err)
	} else if _, err := s.Ready(ctx, readyWithin); err != nil {
		return err
	} else if err := s.Stop(); err != nil {
		return err
	}
	d, err := db.Open(ctx, path)
	if err != nil {
		return err
	}
	return d.Close()
}

// oldDatabase makes a database as the program of some versions ago had it.
func oldDatabase(ctx context.Context, path string, version int64) error {
	d, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, d, migrations.SQLite(), goose.WithVerbose(false), goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	return errors.Join(err, d.Close())
}

// countFrames holds what was acknowledged against what is stored.
func (h *harness) countFrames() (err error) {
	s, err := store.Open(filepath.Join(h.data, app.TelemetryDir), store.Options{Archive: archives(h.data)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	h.r.FramesAcked = h.load.count()
	for mn, frames := range h.load.acked {
		all, _, err := s.Frames(mn, time.Time{}, time.Time{}, "", 1<<30)
		if err != nil {
			return err
		}
		times := map[string]int{}
		for i := range all {
			times[string(all[i].Raw)]++
		}
		for f := range frames {
			switch n := times[f]; {
			case n == 0:
				h.r.FramesLost++
			case n > 1:
				h.r.FramesTwice++
			}
		}
	}
	return nil
}
