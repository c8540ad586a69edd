package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"plateau/internal/platform/backup"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// config reads the configuration of a command.
func (o *Options) config() (config.Config, error) {
	c, _, err := config.Load(config.Source{Defaults: config.Default(), File: o.ConfigFile, Env: o.Env, Flags: o.Flags})
	return c, err
}

// held says what to do where a server that takes no orders holds the folder's
// lock; other errors stay as they are.
func held(err error, data, remedy string) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	return fmt.Errorf("%w, which takes no orders at %s; %s", err, filepath.Join(data, ControlName), remedy)
}

// stopped opens the telemetry of a server that is not running.
func stopped(c *config.Config) (*store.Store, error) {
	if err := backup.Restored(c.Data); err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Data, TelemetryDir)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s holds no journal: %w", c.Data, err)
	}
	places, err := archivePlaces(c)
	if err != nil {
		return nil, err
	}
	return store.Open(dir, store.Options{CacheMB: 256, Archive: archive.NewReader(0, places...)})
}

// Verify checks the journal of a server that is not running; of o it takes the
// configuration. Encrypted frames are read with the keys of the registry.
func Verify(ctx context.Context, o Options) (r store.Report, err error) {
	c, err := o.config()
	if err != nil {
		return r, err
	}
	s, err := stopped(&c)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keys, err := loggerKeys(ctx, c.DatabaseURL())
	if err != nil {
		return r, err
	}
	return s.Verify(ctx, store.Decoder(func(mn string) [][]byte { return keys[mn] }))
}

// VerifyJudgement judges everything that a stopped server holds once more and
// compares with the stored rows; of o it takes the configuration. Nothing is
// written. progress is as in quality.Engine.Check.
func VerifyJudgement(ctx context.Context, o Options, progress func(done, total int)) (r quality.CheckReport, err error) {
	c, err := o.config()
	if err != nil {
		return r, err
	}
	err = judgement(ctx, &c, func(_ *store.Store, _ *telemetry.Registry, e *quality.Engine) error {
		r, err = e.Check(ctx, progress)
		return err
	})
	return r, err
}

// judgement opens what a stopped server holds, for reading: fn must write
// nothing, and keep nothing when it returns.
func judgement(ctx context.Context, c *config.Config, fn func(*store.Store, *telemetry.Registry, *quality.Engine) error) (err error) {
	s, err := stopped(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if url := c.DatabaseURL(); !db.IsPostgres(url) {
		if _, err := os.Stat(url); err != nil {
			return fmt.Errorf("there is no registry to judge by: %w", err)
		}
	}
	d, err := db.Open(ctx, c.DatabaseURL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	now := time.Now //nolint:forbidigo // nothing is written, and what is judged does not depend on today
	reg, err := telemetry.Open(ctx, d, now)
	if err != nil {
		return err
	}
	defer reg.Close()
	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: now, Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		return err
	}
	return fn(s, reg, e)
}

// loggerKeys reads the SM4 keys of every logger, of the past ones too. A
// database that is not there has none: the journal can be verified without it.
func loggerKeys(ctx context.Context, url string) (keys map[string][][]byte, err error) {
	if !db.IsPostgres(url) {
		if _, err := os.Stat(url); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	d, err := db.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	reg, err := telemetry.Open(ctx, d, time.Now) //nolint:forbidigo // nothing is written
	if err != nil {
		return nil, err
	}
	defer reg.Close()
	snap := reg.Snapshot()
	keys = map[string][][]byte{}
	for mn, dev := range snap.Devices {
		keys[mn] = append(keys[mn], dev.Keys...)
	}
	for i := range snap.Past {
		keys[snap.Past[i].MN] = append(keys[snap.Past[i].MN], snap.Past[i].Keys...)
	}
	return keys, nil
}

// countRegistry tells how much a registry holds.
func countRegistry(ctx context.Context, url string) (outlets, loggers int, err error) {
	d, err := db.Open(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	reg, err := telemetry.Open(ctx, d, time.Now) //nolint:forbidigo // nothing is written
	if err != nil {
		return 0, 0, err
	}
	defer reg.Close()
	snap := reg.Snapshot()
	return len(snap.Outlets), len(snap.Devices), nil
}
