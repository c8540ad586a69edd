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
			if err != nil || c.Version != c.Newest || c.Release == "" || len(c.Damage) > 0 {
				t.Errorf("%+v, %v", c, err)
			}
			if c.Dialect == db.Postgres && (c.Encoding != "UTF8" || c.Offset.Abs().Seconds() > 5) {
				t.Errorf("%+v", c)
			}
		})
	}
}
