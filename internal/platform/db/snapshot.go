package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// CopySQLite writes a copy of the SQLite file at from, as it is at one instant,
// to the file to, which must not exist. Nothing is migrated.
func CopySQLite(ctx context.Context, from, to string) (err error) {
	d, err := sql.Open("sqlite", sqliteDSN(from, "mode=rw"))
	if err != nil {
		return fmt.Errorf("open database %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.ExecContext(ctx, `VACUUM INTO $1`, to); err != nil {
		return fmt.Errorf("copy database %s: %w", from, err)
	}
	return nil
}

// Snapshot runs while with nobody writing to the database, and then writes a
// copy of it as it is at that instant to the file to, which must not exist.
// Others go on writing once both are done. On PostgreSQL there is no such file:
// errors.ErrUnsupported.
func (d *DB) Snapshot(ctx context.Context, to string, while func() error) error {
	if d.Dialect != SQLite {
		return fmt.Errorf("copy a PostgreSQL database: %w", errors.ErrUnsupported)
	}
	return d.Tx(ctx, func(*Tx) error { // immediate: it has the writer's lock
		if err := while(); err != nil {
			return err
		}
		return CopySQLite(ctx, d.path, to)
	})
}
