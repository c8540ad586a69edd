package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"
)

// Dialect is the database behind a DB.
type Dialect uint8

// The dialects.
const (
	SQLite Dialect = iota
	Postgres
)

// String returns "sqlite" or "postgres".
func (d Dialect) String() string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

// DB is an open, migrated database. It is safe for concurrent use.
type DB struct {
	Dialect Dialect
	path    string // of the SQLite file
	write   *sql.DB
	read    *sql.DB // the same pool as write on PostgreSQL
}

// Open opens the database at url and brings its schema up to date. A url that
// begins with postgres:// or postgresql:// is PostgreSQL's; anything else is
// the path of an SQLite file, which is made, readable by its owner only, where
// it is missing.
func Open(ctx context.Context, databaseURL string) (*DB, error) {
	d, err := open(databaseURL)
	if err != nil {
		return nil, err
	}
	if err := d.write.PingContext(ctx); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("open database %s: %w", Redact(databaseURL), err)
	}
	if err := d.migrate(ctx); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("migrate database %s: %w", Redact(databaseURL), err)
	}
	return d, nil
}

// IsPostgres reports whether databaseURL names a PostgreSQL database.
func IsPostgres(databaseURL string) bool {
	return strings.HasPrefix(databaseURL, "postgres://") || strings.HasPrefix(databaseURL, "postgresql://")
}

// Redact returns databaseURL without its password, for logs.
func Redact(databaseURL string) string {
	if !IsPostgres(databaseURL) {
		return databaseURL
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "postgres://…"
	}
	q := u.Query()
	if q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// A connection is kept for a while, not for ever, so that a restarted or moved
// PostgreSQL server is found again.
const maxIdle = 5 * time.Minute

func open(databaseURL string) (*DB, error) {
	if IsPostgres(databaseURL) {
		pool, err := sql.Open("pgx", databaseURL)
		if err != nil {
			return nil, fmt.Errorf("read database url: %w", err)
		}
		pool.SetMaxOpenConns(16)
		pool.SetMaxIdleConns(8)
		pool.SetConnMaxIdleTime(maxIdle)
		return &DB{Dialect: Postgres, write: pool, read: pool}, nil
	}
	if databaseURL == "" {
		return nil, errors.New("open database: no path given")
	}
	if err := makeFile(databaseURL); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", sqliteDSN(databaseURL, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", databaseURL, err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", sqliteDSN(databaseURL, "_pragma=query_only(1)"))
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("open database %s: %w", databaseURL, err)
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(4)
	return &DB{Dialect: SQLite, path: databaseURL, write: write, read: read}, nil
}

// makeFile creates the file beforehand: SQLite would make it readable by
// everybody, and it holds the loggers' passwords.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make database folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make database file: %w", err)
	}
	return f.Close()
}

// sqliteDSN holds every setting of a connection. busy_timeout comes first, so
// that the change to WAL waits for a reader. synchronous=FULL: a person who was
// told "saved" finds it after a power cut.
func sqliteDSN(path, extra string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&" + extra
	return u.String()
}

// Close closes the pools.
func (d *DB) Close() error {
	var readErr error
	if d.read != d.write {
		readErr = d.read.Close()
	}
	return errors.Join(d.write.Close(), readErr)
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.read.PingContext(ctx); err != nil {
		return classify(fmt.Errorf("ping database: %w", err))
	}
	return nil
}

// Query runs a reading statement outside a transaction.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := d.read.QueryContext(ctx, query, sought(args)...)
	return rows, classify(err)
}

// QueryRow runs a reading statement of at most one row outside a transaction;
// sql.ErrNoRows comes from Scan, see NotFound.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return d.read.QueryRowContext(ctx, query, sought(args)...)
}

// Exec runs one writing statement in a transaction of its own. A uniqueness
// violation is errs.Conflict.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := storable(args); err != nil {
		return nil, err
	}
	res, err := d.write.ExecContext(ctx, query, args...)
	return res, classify(err)
}
