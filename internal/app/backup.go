package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/platform/backup"
	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
	"plateau/internal/telemetry/keeping"
	"plateau/internal/telemetry/store"
)

const dbName = "plateau.db"

// notKept are the names in a data folder that a backup leaves out.
var notKept = []string{ControlName, sealingDir, evidence.Incoming}

// orders are what a running server does for commands.
func (a *App) orders() map[string]order {
	return map[string]order{"backup": a.orderBackup, "archive": a.orderArchive, "parquet": a.orderParquet, "accounts": a.orderAccounts, "state": a.orderState, "areas": a.orderAreas, "role": a.orderRole, "notify-test": a.orderNotify, "relay": a.orderRelay, "calendars": a.orderCalendars, "case-move": a.orderMove}
}

// trees are the folders that are written to while the server runs.
func (a *App) trees() []backup.Tree {
	return []backup.Tree{{Name: TelemetryDir, Copy: a.store.Checkpoint}, {Name: SensorThingsDir, Copy: a.entities.Checkpoint}}
}

func (a *App) orderBackup(ctx context.Context, q url.Values, progress func(done, total int64)) (any, error) {
	if !a.copying.TryLock() {
		return nil, errors.New("a backup is being made already; wait for its end")
	}
	defer a.copying.Unlock()
	o := backup.Options{Data: a.c.Data, To: q.Get("to"), Trees: a.trees(), DBName: dbName, Skip: notKept, Now: a.now, Progress: progress}
	o.Manifest = backup.Manifest{Program: a.o.Version, Running: true, Database: a.db.Dialect.String()}
	if a.db.Dialect == db.SQLite {
		o.Database = a.db.Snapshot
	}
	var err error
	if o.Manifest.Schema, err = a.db.Version(ctx); err != nil {
		return nil, err
	}
	if o.Manifest.Journal, err = reached(a.store); err != nil {
		return nil, err
	}
	m, err := backup.Make(ctx, o)
	if err != nil {
		return nil, err
	}
	return m, noteBackup(a.c.Data, o.To, &m)
}

// noteBackup remembers a backup for the page.
func noteBackup(data, to string, m *backup.Manifest) error {
	return keeping.NoteBackup(data, keeping.Backup{At: m.Began, Bytes: m.Bytes, To: to})
}

// reached is how far a journal is durable.
func reached(s *store.Store) (backup.Journal, error) {
	tail := s.Tail()
	if tail == 0 {
		return backup.Journal{}, nil
	}
	hash, err := s.GroupHash(tail)
	return backup.Journal{Sequence: tail, Hash: hex.EncodeToString(hash[:])}, err
}

// Backup copies everything a server keeps to the folder to: the running server
// does it, or, when there is none, this process. Of o it takes the configuration
// and the version. progress (may be nil) gets bytes.
func Backup(ctx context.Context, o Options, to string, progress func(done, total int64)) (m backup.Manifest, err error) {
	c, err := o.config()
	if err != nil {
		return m, err
	}
	if to, err = filepath.Abs(to); err != nil {
		return m, err
	}
	err = command(ctx, c.Data, "backup", url.Values{"to": {to}}, &m, progress)
	if !errors.Is(err, errNoServer) {
		return m, err
	}
	s, err := stopped(&c) // holds the folder's lock until the copy is made
	if err != nil {
		return m, held(err, c.Data, "stop it first")
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b := backup.Options{
		Data: c.Data, To: to, DBName: dbName, Skip: notKept, Now: time.Now, Progress: progress, //nolint:forbidigo // the command's own clock
		// The tree has its own goroutines, and files that come and go, even now.
		Trees: []backup.Tree{{Name: TelemetryDir, Copy: s.Checkpoint}},
	}
	b.Manifest = backup.Manifest{Program: o.Version, Database: "postgres"}
	if b.Manifest.Journal, err = reached(s); err != nil {
		return m, err
	}
	path := c.DatabaseURL()
	if b.Manifest.Schema, err = db.VersionOf(ctx, path); err != nil {
		return m, err
	}
	if !db.IsPostgres(path) {
		b.Manifest.Database = "sqlite"
		b.Database = func(ctx context.Context, to string, while func() error) error {
			if err := while(); err != nil {
				return err
			}
			if _, err := os.Stat(path); err != nil {
				return err
			}
			return db.CopySQLite(ctx, path, to)
		}
	}
	if m, err = backup.Make(ctx, b); err != nil {
		return m, err
	}
	return m, noteBackup(c.Data, to, &m)
}

// RestoreReport tells what a restored folder holds.
type RestoreReport struct {
	Manifest backup.Manifest
	Copied   time.Duration // what copying took
	Journal  store.Report
	Outlets  int
	Loggers  int
	Faults   []string // beside those of the journal
}

// OK reports that nothing was found.
func (r *RestoreReport) OK() bool { return r.Journal.OK() && len(r.Faults) == 0 }

// Restore fills an empty data folder from a backup, checks every file, and then
// opens what it wrote: the journal's chain is followed from its first group to
// the one that the manifest names. copied and read (may be nil) get bytes, of
// the copy and of the journal.
func Restore(ctx context.Context, o Options, from string, copied func(done, total int64), read func(groups, bytes int64)) (r RestoreReport, err error) {
	c, err := o.config()
	if err != nil {
		return r, err
	}
	began := time.Now() //nolint:forbidigo // the command's own clock
	if r.Manifest, err = backup.Restore(ctx, from, c.Data, copied); err != nil {
		return r, err
	}
	r.Copied = time.Since(began)
	s, err := stopped(&c)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if r.Journal, err = s.VerifyChain(ctx, read); err != nil {
		return r, err
	}
	if err := r.compare(s); err != nil {
		return r, err
	}
	r.Faults = append(r.Faults, DamagedEvidence(&r.Manifest)...)
	if r.Manifest.Database == "sqlite" {
		return r, r.registry(ctx, filepath.Join(c.Data, dbName))
	}
	return r, nil
}

// compare holds the journal against what the manifest says was acknowledged.
func (r *RestoreReport) compare(s *store.Store) error {
	want := r.Manifest.Journal
	if want.Sequence == 0 {
		return nil
	}
	hash, err := s.GroupHash(want.Sequence)
	switch {
	case errors.Is(err, store.ErrNotFound):
		r.Faults = append(r.Faults, fmt.Sprintf("group %d was durable when the backup began and is not in it", want.Sequence))
		return nil
	case err != nil:
		return err
	case hex.EncodeToString(hash[:]) != want.Hash:
		r.Faults = append(r.Faults, fmt.Sprintf("group %d is not the one that the manifest names", want.Sequence))
	}
	return nil
}

// DamagedEvidence names the files of cases in a backup that have other bytes than
// they had when they came: a copy is never better than what was copied.
func DamagedEvidence(m *backup.Manifest) (out []string) {
	for _, f := range m.Files {
		if sum := evidence.Named(f.Path); sum != "" && sum != f.SHA256 {
			out = append(out, fmt.Sprintf("%s has other bytes than its name says: take it from an older backup", f.Path))
		}
	}
	return out
}

// registry opens the restored database, which brings it to this program's schema.
func (r *RestoreReport) registry(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	var err error
	r.Outlets, r.Loggers, err = countRegistry(ctx, path)
	return err
}
