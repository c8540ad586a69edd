package app

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"plateau/internal/doctor"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/keeping"
	"plateau/rules"
)

// Doctor looks at an installation, running or not, and changes nothing; of o it
// takes the configuration. With chains the record of acts is proved, too.
func Doctor(ctx context.Context, o Options, chains bool) ([]doctor.Finding, error) {
	c, unknown, err := config.Load(config.Source{Defaults: config.Default(), File: o.ConfigFile, Env: o.Env, Flags: o.Flags})
	if err != nil {
		return nil, err
	}
	now := time.Now //nolint:forbidigo // the command's own clock
	retention, err := keeping.ReadRetention(rules.Default(), now().Format(time.DateOnly))
	if err != nil {
		return nil, err
	}
	x := doctor.Options{
		Config: c, File: o.ConfigFile, Unknown: unknown, Version: o.Version, Now: now,
		Dirs:    doctor.Dirs{Telemetry: TelemetryDir, Key: auth.KeyFile, FirstLink: auth.FirstLinkFile},
		Limits:  doctor.Limits{FreePercent: retention.FreePercent, BackupAge: time.Duration(retention.BackupDays) * 24 * time.Hour},
		Server:  func(ctx context.Context) (*doctor.Server, error) { return askState(ctx, c.Data) },
		Archive: func(ctx context.Context) (string, error) { return archiveInTheWay(ctx, &c) },
		Backup: func() (time.Time, error) {
			b, err := keeping.LastBackup(c.Data)
			return b.At, err
		},
	}
	if chains {
		x.Audit = func(ctx context.Context) (entries, findings int, err error) {
			var r audit.Report
			if r, err = VerifyAudit(ctx, o); err != nil {
				return 0, 0, err
			}
			for _, chain := range r.Chains {
				entries += int(chain.Entries)
			}
			return entries, len(r.Faults), nil
		}
	}
	return doctor.Examine(ctx, x), nil
}

// orderState tells a command what this server is.
func (a *App) orderState(context.Context, url.Values, func(done, total int64)) (any, error) {
	return doctor.Server{Version: a.o.Version, HTTP: a.here(), Waiting: a.ready.Reasons()}, nil
}

// askState returns nil when no server runs.
func askState(ctx context.Context, data string) (*doctor.Server, error) {
	var s doctor.Server
	err := command(ctx, data, "state", nil, &s, nil)
	if errors.Is(err, errNoServer) {
		return nil, nil //nolint:nilnil // none runs
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// archiveInTheWay tells where old groups go, and why they could not.
func archiveInTheWay(ctx context.Context, c *config.Config) (where string, err error) {
	places, err := archivePlaces(c)
	if err != nil {
		return c.Keeping.Archive, err
	}
	where = places[0].String()
	if _, isFolder := places[0].(archive.Folder); isFolder {
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) { // made when the first file comes
			return where, unix.Access(filepath.Dir(where), unix.W_OK)
		}
		return where, unix.Access(where, unix.W_OK)
	}
	err = places[0].Read(ctx, "none", 0, make([]byte, 1))
	if errors.Is(err, fs.ErrNotExist) { // it knows us, and has no such file
		return where, nil
	}
	return where, err
}
