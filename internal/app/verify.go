package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Verify checks the journal of a server that is not running; of o it takes the
// configuration. Encrypted frames are read with the keys of the registry.
func Verify(ctx context.Context, o Options) (r store.Report, err error) {
	c, _, err := config.Load(config.Source{Defaults: config.Default(), File: o.ConfigFile, Env: o.Env, Flags: o.Flags})
	if err != nil {
		return r, err
	}
	dir := filepath.Join(c.Data, TelemetryDir)
	if _, err := os.Stat(dir); err != nil {
		return r, fmt.Errorf("%s holds no journal: %w", c.Data, err)
	}
	s, err := store.Open(dir, store.Options{CacheMB: 256})
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
