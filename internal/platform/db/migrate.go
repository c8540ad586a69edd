package db

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"plateau/migrations"
)

// migrate brings the schema up to date. On PostgreSQL an advisory lock keeps
// two programs that start together from migrating at once.
func (d *DB) migrate(ctx context.Context) error {
	p, err := d.provider()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		if partial, ok := errors.AsType[*goose.PartialError](err); ok && partial.Failed != nil {
			return fmt.Errorf("%s: %w", partial.Failed.Source.Path, partial.Err)
		}
		return err
	}
	return nil
}

func (d *DB) provider() (*goose.Provider, error) {
	opts := []goose.ProviderOption{goose.WithVerbose(false), goose.WithDisableGlobalRegistry(true)}
	if d.Dialect == SQLite {
		return goose.NewProvider(goose.DialectSQLite3, d.write, migrations.SQLite(), opts...)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, d.write, migrations.Postgres(), append(opts, goose.WithSessionLocker(locker))...)
}

// VersionOf returns the number of the last migration of a database that is not
// in use; it is not brought up to date for that, nor made.
func VersionOf(ctx context.Context, databaseURL string) (v int64, err error) {
	if !IsPostgres(databaseURL) {
		if _, err := os.Stat(databaseURL); err != nil {
			return 0, err
		}
	}
	d, err := open(databaseURL)
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
