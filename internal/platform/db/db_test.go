package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func open(t *testing.T, databaseURL string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// column is what both databases must agree on.
type column struct {
	Table, Name, Type string
	Null, Key         bool
}

func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	path, server := filepath.Join(t.TempDir(), "plateau.db"), testkit.Postgres(t)
	lite := open(t, path)
	pg := open(t, server)
	got := columns(t, lite, `SELECT m.name, c.name, c.type, CASE WHEN c."notnull" = 0 AND c.pk = 0 THEN 1 ELSE 0 END, CASE WHEN c.pk > 0 THEN 1 ELSE 0 END
		FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version' ORDER BY m.name, c.name`)
	want := columns(t, pg, `SELECT c.table_name, c.column_name, c.data_type, CASE WHEN c.is_nullable = 'YES' THEN 1 ELSE 0 END,
		CASE WHEN k.column_name IS NULL THEN 0 ELSE 1 END
		FROM information_schema.columns c
		LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY'
		LEFT JOIN information_schema.key_column_usage k ON k.constraint_name = p.constraint_name AND k.table_schema = c.table_schema AND k.column_name = c.column_name
		WHERE c.table_schema = current_schema() AND c.table_name <> 'goose_db_version' ORDER BY c.table_name COLLATE "C", c.column_name COLLATE "C"`)
	if len(got) < 80 {
		t.Fatalf("only %d columns found: the query of this test is wrong", len(got))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("PostgreSQL (-) and SQLite (+) differ:\n%s", d)
	}
	indexes := func(d *db.DB, query string) map[string]bool {
		rows, err := d.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		out := map[string]bool{}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			out[name] = true
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if d := cmp.Diff(
		indexes(pg, `SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'`),
		indexes(lite, `SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`)); d != "" {
		t.Errorf("indexes differ: %s", d)
	}
	last, err := lite.Version(t.Context())
	if err != nil || last < 1 {
		t.Errorf("%s: version %d, %v", lite.Dialect, last, err)
	}
	if v, err := pg.Version(t.Context()); err != nil || v != last {
		t.Errorf("%s: version %d, %v; SQLite has %d", pg.Dialect, v, err, last)
	}
	for _, url := range []string{path, server} {
		if v, err := db.VersionOf(t.Context(), url); err != nil || v != last {
			t.Errorf("%s: version %d, %v; it is %d", db.Redact(url), v, err, last)
		}
	}
	none := filepath.Join(t.TempDir(), "none.db")
	if _, err := db.VersionOf(t.Context(), none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("asking for the version makes a database")
	}
}

// types that mean the same.
var types = map[string]string{"bigint": "INTEGER", "text": "TEXT", "double precision": "REAL", "bytea": "BLOB"}

func columns(t *testing.T, d *db.DB, query string) []column {
	t.Helper()
	rows, err := d.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.Table, &c.Name, &c.Type, &c.Null, &c.Key); err != nil {
			t.Fatal(err)
		}
		if same, ok := types[c.Type]; ok {
			c.Type = same
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			first := open(t, url)
			if _, err := first.Exec(t.Context(), `INSERT INTO counters (name, value) VALUES ('kept', 7)`); err != nil {
				t.Fatal(err)
			}
			second := open(t, url) // migrations must find nothing to do
			var v int
			if err := second.QueryRow(t.Context(), `SELECT value FROM counters WHERE name = 'kept'`).Scan(&v); err != nil || v != 7 {
				t.Errorf("%d, %v", v, err)
			}
			if err := second.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			d, ctx := open(t, url), t.Context()
			insert := func(q string) error {
				_, err := d.Exec(ctx, q)
				return err
			}
			if err := insert(`INSERT INTO counters (name, value) VALUES ('a', 1)`); err != nil {
				t.Fatal(err)
			}
			if err := insert(`INSERT INTO counters (name, value) VALUES ('a', 2)`); !errs.Is(err, errs.Conflict) {
				t.Errorf("same key: %v", err)
			}
			if err := insert(`INSERT INTO intervals (outlet, from_at, realtime, minute) VALUES (99, 0, 60, 10)`); !errs.Is(err, errs.Conflict) {
				t.Errorf("missing outlet: %v", err)
			}
			if err := insert(`INSERT INTO nowhere (a) VALUES (1)`); err == nil || !errs.Is(err, errs.Internal) {
				t.Errorf("fault of the program: %v", err)
			}
			var v int
			err := db.NotFound(d.QueryRow(ctx, `SELECT value FROM counters WHERE name = 'b'`).Scan(&v))
			if !errs.Is(err, errs.NotFound) {
				t.Errorf("no row: %v", err)
			}
			if db.NotFound(nil) != nil {
				t.Error("no error became one")
			}
		})
	}
}

func TestTxIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			d, ctx := open(t, url), t.Context()
			count := func() (n int) {
				if err := d.QueryRow(ctx, `SELECT count(*) FROM counters`).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			before := count()
			boom := errors.New("boom")
			err := d.Tx(ctx, func(tx *db.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO counters (name, value) VALUES ('x', 1)`); err != nil {
					return err
				}
				return boom
			})
			if !errors.Is(err, boom) || count() != before {
				t.Errorf("after a failure: %v, %d rows", err, count())
			}
			func() {
				defer func() { _ = recover() }()
				_ = d.Tx(ctx, func(tx *db.Tx) error {
					_, _ = tx.Exec(ctx, `INSERT INTO counters (name, value) VALUES ('y', 1)`)
					panic("programmer error")
				})
			}()
			if count() != before {
				t.Error("a panic committed")
			}
			canceled, cancel := context.WithCancel(ctx)
			cancel()
			if err := d.Tx(canceled, func(*db.Tx) error { return nil }); err == nil {
				t.Error("a canceled transaction ran")
			}
		})
	}
}

func TestBulkInsert(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			d, ctx := open(t, url), t.Context()
			const n = 1337 // not a multiple of any chunk
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = []any{fmt.Sprintf("c%04d", i), i}
			}
			insert := func(rows [][]any) error {
				return d.Tx(ctx, func(tx *db.Tx) error { return tx.Insert(ctx, "counters", []string{"name", "value"}, rows) })
			}
			if err := insert(rows); err != nil {
				t.Fatal(err)
			}
			var count, sum int
			if err := d.QueryRow(ctx, `SELECT count(*), sum(value) FROM counters WHERE name LIKE 'c0%' OR name LIKE 'c1%'`).Scan(&count, &sum); err != nil {
				t.Fatal(err)
			}
			if count != n || sum != n*(n-1)/2 {
				t.Errorf("%d rows, sum %d", count, sum)
			}
			if err := insert(rows[:1]); !errs.Is(err, errs.Conflict) {
				t.Errorf("same row again: %v", err)
			}
			if err := insert(nil); err != nil {
				t.Errorf("no rows: %v", err)
			}
		})
	}
}

func TestLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			d, ctx := open(t, url), t.Context()
			if _, err := d.Exec(ctx, `INSERT INTO registry_log (id, at, by_id, by_post, action, kind, ref) VALUES ('1', 1, 'a', 'b', 'create', 'area', '54')`); err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{`UPDATE registry_log SET by_id = 'c'`, `DELETE FROM registry_log`} {
				if _, err := d.Exec(ctx, q); err == nil || !strings.Contains(err.Error(), "append-only") {
					t.Errorf("%s: %v", q, err)
				}
			}
		})
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub folder", "we%ird?name#.db")
	d := open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	var z int
	if err := d.QueryRow(t.Context(), `INSERT INTO counters (name, value) VALUES ('z', 1) RETURNING value`).Scan(&z); err == nil {
		t.Error("the readers' pool takes writes")
	}
	var mode, sync string
	if err := d.QueryRow(t.Context(), `PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
	if err := d.QueryRow(t.Context(), `PRAGMA synchronous`).Scan(&sync); err != nil || sync != "2" {
		t.Errorf("synchronous %q, %v", sync, err)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/var/lib/plateau/plateau.db":           "/var/lib/plateau/plateau.db",
		"postgres://u:secret@h/db":              "postgres://u:xxxxx@h/db",
		"postgresql://h/db?password=secret&a=b": "postgresql://h/db?a=b&password=xxxxx",
		"postgres://u:sec ret@h:port/db%zz":     "postgres://…",
		"postgres://u@h/db?sslmode=verify-full": "postgres://u@h/db?sslmode=verify-full",
	} {
		if got := db.Redact(in); got != want {
			t.Errorf("Redact(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 8, 30, 0, 123456000, time.FixedZone("x", 8*3600))
	if got := db.Time(db.Micros(at)); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v became %v", at, got)
	}
	if db.Micros(time.Time{}) != 0 || !db.Time(0).IsZero() || db.MicrosOrNull(time.Time{}).Valid {
		t.Error("the zero time does not stay zero")
	}
}
