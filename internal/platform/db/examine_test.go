package db_test

import (
	"strings"
	"testing"

	"plateau/internal/platform/db"
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
