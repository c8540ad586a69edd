package db_test

import (
	"database/sql"
	"strings"
	"testing"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// TestExamine: both databases tell release and versions; nothing is made or moved.
func TestExamine(t *testing.T) {
	t.Parallel()
	for _, b := range testkit.Databases() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			url := b.URL(t)
			if b.Name != "sqlite" {
				c, err := db.Examine(t.Context(), url)
				if err != nil || c.Version != 0 || c.Newest == 0 {
					t.Errorf("empty: %+v, %v", c, err)
				}
			} else if _, err := db.Examine(t.Context(), url); err == nil || !strings.Contains(err.Error(), "there is no database") {
				t.Errorf("absent: %v", err)
			}
			d, err := db.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			c, err := db.Examine(t.Context(), url)
			if err != nil || c.Version == 0 || c.Version != c.Newest || c.Release == "" || len(c.Damage) > 0 {
				t.Errorf("%+v, %v", c, err)
			}
			if c.Dialect == db.Postgres && (c.Encoding != "UTF8" || c.Offset.Abs().Seconds() > 5) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestNewerTables: a program does not work on tables that a newer one made.
func TestNewerTables(t *testing.T) {
	t.Parallel()
	for _, b := range testkit.Databases() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			url := b.URL(t)
			d, err := db.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if d, err := db.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "use the program that made them") {
				t.Errorf("%v, %v", d, err)
			}
			if c, err := db.Examine(t.Context(), url); err != nil || c.Version != 99999 {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

// TestTextsThatAreNone: what PostgreSQL cannot hold is refused on both, by
// statement and by the bulk of rows, and is found nowhere.
func TestTextsThatAreNone(t *testing.T) {
	t.Parallel()
	type name string
	for _, b := range testkit.Databases() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), b.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for _, bad := range []any{"a\x00b", "\xff\xfe", name("\x00"), sql.NullString{String: "x\x00", Valid: true}} {
				if _, err := d.Exec(t.Context(), `INSERT INTO event_marks (name, value) VALUES ($1, 1)`, bad); !errs.Is(err, errs.Invalid) {
					t.Errorf("%q by statement: %v", bad, err)
				}
				if err := d.Tx(t.Context(), func(tx *db.Tx) error {
					return tx.Insert(t.Context(), "event_marks", []string{"name", "value"}, [][]any{{bad, 1}})
				}); !errs.Is(err, errs.Invalid) {
					t.Errorf("%q by row: %v", bad, err)
				}
				n := -1
				if err := d.QueryRow(t.Context(), `SELECT count(*) FROM event_marks WHERE name = $1`, bad).Scan(&n); err != nil || n != 0 {
					t.Errorf("%q is found %d times, %v", bad, n, err)
				}
			}
		})
	}
}
