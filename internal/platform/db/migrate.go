package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"plateau/migrations"
)

// migrate brings the schema up to date; tables of a newer program are left alone,
// for what this one would write there could be wrong. On PostgreSQL an advisory lock keeps
// two programs that start together from migrating at once.
func (d *DB) migrate(ctx context.Context) error {
	p, err := d.provider()
	if err != nil {
		return err
	}
	v, err := d.versions(ctx)
	if err != nil {
		return err
	}
	if v.Version > v.Newest {
		return fmt.Errorf("the tables have version %d, this program knows %d: use the program that made them, or restore the backup of before", v.Version, v.Newest)
	}
	_, err = p.Up(ctx)
	return plain(err)
}

// stepBack undoes the last migration.
func (d *DB) stepBack(ctx context.Context) error {
	p, err := d.provider()
	if err != nil {
		return err
	}
	_, err = p.Down(ctx)
	return plain(err)
}

// plain takes the migrator's own words off an error.
func plain(err error) error {
	if partial, ok := errors.AsType[*goose.PartialError](err); ok && partial.Failed != nil {
		return partial.Err
	}
	return err
}

func (d *DB) provider() (*goose.Provider, error) {
	dialect, files := goose.DialectSQLite3, migrations.SQLite()
	opts := []goose.ProviderOption{goose.WithVerbose(false), goose.WithDisableGlobalRegistry(true)}
	if d.Dialect == Postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		dialect, files = goose.DialectPostgres, migrations.Postgres()
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	steps, err := steps(files)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, d.write, nil, append(opts, goose.WithGoMigrations(steps...))...)
}

// steps reads the migrations of a folder: a file NUMBER_name.sql each, with what
// is done below the line "-- +goose Up" and what undoes it below "-- +goose
// Down". Each half is sent to the database as one text: both drivers take several
// statements at once. Goose's own reader takes 4 MB of memory for every line.
func steps(files fs.FS) (out []*goose.Migration, err error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: the name does not begin with a number", name)
		}
		up, down, ok := strings.Cut(string(text), "\n-- +goose Down\n")
		if up, okUp := strings.CutPrefix(up, "-- +goose Up\n"); okUp && ok {
			out = append(out, goose.NewGoMigration(version, half(name, up), half(name, down)))
			continue
		}
		return nil, fmt.Errorf("migration %s: the lines -- +goose Up, at the beginning, and -- +goose Down are missing", name)
	}
	return out, nil
}

func half(name, text string) *goose.GoFunc {
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}}
}

// VersionOf returns the number of the last migration of a database that is not
// in use; it is not brought up to date for that, nor made.
func VersionOf(ctx context.Context, databaseURL string) (v int64, err error) {
	d, err := openPresent(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.QueryRow(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&v); err != nil {
		return 0, fmt.Errorf("read the schema's version of database %s: %w", Redact(databaseURL), err)
	}
	return v, nil
}

// Version returns the number of the schema's last migration.
func (d *DB) Version(ctx context.Context) (int64, error) {
	p, err := d.provider()
	if err != nil {
		return 0, err
	}
	return p.GetDBVersion(ctx)
}
