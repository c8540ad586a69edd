package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/backup"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/lsm"
)

// InspectDatabase reads the relational database of a server, running or not, and
// tells where it is, without a password; of o it takes the configuration.
func InspectDatabase(ctx context.Context, o Options) (v db.Inventory, where string, err error) {
	c, err := o.config()
	if err != nil {
		return v, "", err
	}
	url := c.DatabaseURL()
	v, err = db.Inspect(ctx, url)
	return v, db.Redact(url), err
}

// MigrateDatabase brings the tables of a stopped server up to date, or takes the
// last migration back, and returns the versions before and after.
func MigrateDatabase(ctx context.Context, o Options, down bool) (before, after int64, err error) {
	c, err := o.config()
	if err != nil {
		return 0, 0, err
	}
	err = alone(&c, func() error {
		before, after, err = db.Migrate(ctx, c.DatabaseURL(), down)
		return err
	})
	return before, after, err
}

// CopyDatabase moves the SQLite database of a stopped server to PostgreSQL; see
// db.Copy.
func CopyDatabase(ctx context.Context, o Options, to string, progress func(db.Table)) (v db.Inventory, err error) {
	c, err := o.config()
	if err != nil {
		return v, err
	}
	if db.IsPostgres(c.DatabaseURL()) {
		return v, fmt.Errorf("database.url is %s already", db.Redact(c.DatabaseURL()))
	}
	err = alone(&c, func() error {
		v, err = db.Copy(ctx, c.DatabaseURL(), to, progress)
		return err
	})
	return v, err
}

// alone runs fn while no server has the data folder.
func alone(c *config.Config, fn func() error) (err error) {
	if err := backup.Restored(c.Data); err != nil {
		return err
	}
	dir := filepath.Join(c.Data, TelemetryDir)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%s is no data folder of a server: %w", c.Data, err)
	}
	lock, err := lsm.LockDir(dir)
	if err != nil {
		return fmt.Errorf("%w; stop the server first", err)
	}
	defer lock.Unlock()
	return fn()
}

// ordered has the running server carry out an order and reads its answer, or, when
// there is none, does it here over the database, in the name of the shell; holds
// says what a folder without a database lacks.
func ordered(ctx context.Context, o *Options, name, holds string, q url.Values, answer any, here func(ctx context.Context, c *config.Config, d *db.DB, now func() time.Time) error) (err error) {
	c, err := o.config()
	if err != nil {
		return err
	}
	if err := command(ctx, c.Data, name, q, answer, nil); !errors.Is(err, errNoServer) {
		return err
	}
	where := c.DatabaseURL()
	if !db.IsPostgres(where) {
		if _, err := os.Stat(where); err != nil { // opening would make one
			return fmt.Errorf("%s holds no %s: %w", c.Data, holds, err)
		}
	}
	d, err := db.Open(ctx, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return here(withShell(ctx), &c, d, time.Now) //nolint:forbidigo // the command's own clock
}

// VerifyAudit checks the audit chains of a server, running or not.
func VerifyAudit(ctx context.Context, o Options) (r audit.Report, err error) {
	err = withDatabase(ctx, &o, func(d *db.DB) error {
		r, err = audit.Verify(ctx, d)
		return err
	})
	return r, err
}

// ListAudit calls fn with the audit entries of a filter, newest first, after the
// look at the people in them was recorded.
func ListAudit(ctx context.Context, o Options, f audit.Filter, fn func(*audit.Entry) error) error {
	look := shellEntry("record.list")
	return withDatabase(ctx, &o, func(d *db.DB) error { return audit.Read(ctx, d, f, look, fn) })
}

// ListLooks calls fn with what others did with the data of an account or looked at
// of it, newest first, and records that this was looked at.
func ListLooks(ctx context.Context, o Options, subject string, fn func(*audit.Entry) error) error {
	look := shellEntry("account.looks")
	look.Kind, look.Ref, look.Subjects = "account", subject, []string{subject}
	return withDatabase(ctx, &o, func(d *db.DB) error {
		if err := audit.Look(ctx, d, look); err != nil {
			return err
		}
		var broken error
		err := audit.List(ctx, d, audit.Filter{Subject: subject, Others: true, To: look.At}, func(e *audit.Entry) bool {
			broken = fn(e)
			return broken == nil
		})
		return cmp.Or(broken, err)
	})
}

// shellEntry begins the entry of what a command on this machine does.
func shellEntry(act string) audit.Entry {
	now := time.Now() //nolint:forbidigo // a command's own
	e := auth.System.Entry(now, "platform", act, "", "")
	e.Detail = auth.ShellDetail(withShell(context.Background()))
	return e
}

// EraseAudit drops the address and the detail of an audit entry for a reason that
// is kept.
func EraseAudit(ctx context.Context, o Options, chain string, seq int64, why string) error {
	return withDatabase(ctx, &o, func(d *db.DB) error {
		return audit.Erase(withShell(ctx), d, chain, seq, why, shellEntry(""))
	})
}

func withDatabase(ctx context.Context, o *Options, fn func(d *db.DB) error) (err error) {
	c, err := o.config()
	if err != nil {
		return err
	}
	d, err := db.OpenCurrent(ctx, c.DatabaseURL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return fn(d)
}
