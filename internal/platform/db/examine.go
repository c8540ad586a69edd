package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Checkup is what Examine finds out about a database.
type Checkup struct {
	Dialect         Dialect
	Release         string // of SQLite or PostgreSQL, such as 3.50.4
	Version, Newest int64  // of its tables, and the one this program makes; 0 = no tables
	Damage          []string
	Encoding        string        // PostgreSQL only, such as UTF8
	Offset          time.Duration // PostgreSQL only: how far its clock is before this machine's
}

// Examine looks at the database at url, which a server may have open, without
// changing it. An SQLite file is looked through for damage as far as ctx has time.
func Examine(ctx context.Context, url string) (c Checkup, err error) {
	d, err := openPresent(ctx, url)
	if damaged(err) {
		return Checkup{Dialect: SQLite, Damage: []string{err.Error()}}, nil
	}
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	v, err := d.versions(ctx)
	if damaged(err) {
		return Checkup{Dialect: SQLite, Damage: []string{err.Error()}}, nil
	}
	if err != nil {
		return c, err
	}
	c = Checkup{Dialect: d.Dialect, Version: v.Version, Newest: v.Newest}
	if d.Dialect == SQLite {
		if err := d.read.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&c.Release); err != nil {
			return c, err
		}
		c.Damage = d.quickCheck(ctx)
		return c, nil
	}
	began := time.Now() //nolint:forbidigo // compared with the server's own clock
	var now time.Time
	if err := d.read.QueryRowContext(ctx, `SELECT current_setting('server_version'), pg_encoding_to_char(encoding), clock_timestamp() FROM pg_database WHERE datname = current_database()`).
		Scan(&c.Release, &c.Encoding, &now); err != nil {
		return c, fmt.Errorf("ask PostgreSQL: %w", err)
	}
	c.Offset = now.Sub(began.Add(time.Since(began) / 2))
	return c, nil
}

// damaged reports whether an SQLite file is so damaged that it cannot be opened.
func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// quickCheck is SQLite's own look at its pages and rows.
func (d *DB) quickCheck(ctx context.Context) []string {
	const most = 5
	var damage []string
	rows, err := d.read.QueryContext(ctx, fmt.Sprintf(`PRAGMA quick_check(%d)`, most))
	if err == nil {
		damage, err = texts(rows)
	}
	switch {
	case ctx.Err() != nil: // a large file; what was seen of it is in order
		return nil
	case err != nil: // so damaged that it cannot even be looked through
		return []string{err.Error()}
	case len(damage) == 1 && damage[0] == "ok":
		return nil
	}
	return damage
}

func texts(rows *sql.Rows) (out []string, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
