package db_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// TestDiskFull lets SQLite run out of pages at one statement after another of a
// transaction over the tables of counters, events, webhooks and keeping: the
// caller is told why, in a kind that the edge answers with 503; nothing of the
// transaction is there; and the same work is done once there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d, ctx := open(t, filepath.Join(t.TempDir(), "full.db")), t.Context()
	exec := func(text string) {
		t.Helper()
		if _, err := d.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	pages := func() (n int) {
		t.Helper()
		if err := d.QueryRow(ctx, `PRAGMA page_count`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tables := []string{"counters", "events", "webhook_log", "keeping_samples"}
	count := func() string {
		var counts []string
		for _, table := range tables {
			var n int
			if err := d.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, fmt.Sprint(n))
		}
		return strings.Join(counts, " ")
	}
	// Each round fills pages of each table. The names are new each time.
	round := 0
	work := func() error {
		round++
		return d.Tx(ctx, func(tx *db.Tx) error {
			for i := range 40 {
				name, text := fmt.Sprintf("r%d-%d", round, i), strings.Repeat("x", 900)
				for _, s := range []struct {
					text string
					args []any
				}{
					{`INSERT INTO counters (name, value) VALUES ($1, 1)`, []any{name + text}},
					{`INSERT INTO events (seq, id, at, kind, outlet, body) VALUES ($1, $2, 0, 'outlet.state', 1, $3)`, []any{round*100 + i, name, text}},
					{`INSERT INTO webhook_log (id, webhook, event, kind, at, try, status, took, outcome, fault) VALUES ($1, 'w', '', '', 0, 1, 0, 0, 'retry', $2)`, []any{name, text}},
					{`INSERT INTO keeping_samples (at, kind, bytes) VALUES ($1, $2, 1)`, []any{round*100 + i, text}},
				} {
					if _, err := tx.Exec(ctx, s.text, s.args...); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := work(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for room := 0; ; room++ {
		before := count()
		exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages()+room))
		err := work()
		exec(`PRAGMA max_page_count = 1073741823`)
		if err == nil {
			break
		}
		refused++
		if !errs.Is(err, errs.Busy) || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("room for %d pages: %v", room, err)
		}
		if got := count(); got != before {
			t.Errorf("room for %d pages: rows %s, before %s", room, got, before)
		}
	}
	if refused < 20 {
		t.Errorf("refused %d times only", refused)
	}
	before := count()
	if err := work(); err != nil || count() == before {
		t.Errorf("with room again: %v", err)
	}
	var verdict string
	if err := d.QueryRow(ctx, `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("%s, %v", verdict, err)
	}
	t.Logf("%d transactions met a full disk, none was half there", refused)
}
