package casework

import (
	"strings"
	"testing"
	"time"
)

// TestSweepTakesAll: one look takes everything that is due, each rung once, and a case
// that cannot be read is named and holds no other up.
func TestSweepTakesAll(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		var all []*Case
		for range 2*together + 3 {
			all = append(all, r.opened(t, citizen, report()))
		}
		broken := all[together/2]
		if _, err := r.DB.Exec(ctx, `UPDATE cases SET body = '{' WHERE id = $1`, broken.ID); err != nil {
			t.Fatal(err)
		}
		r.pass(200 * 24 * time.Hour) // the whole ladder is behind them
		n, err := r.Sweep(ctx)
		if err == nil || !strings.Contains(err.Error(), broken.ID) || strings.Count(err.Error(), "case ") != 1 {
			t.Errorf("the fault is told as %v", err)
		}
		events := 0
		for _, c := range all {
			if c == broken {
				continue
			}
			got, err := r.load(ctx, r.DB, `id = $1`, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			if rungs := len(r.TypeOf(got).Ladder); got.Counts[reached("triage")] != rungs {
				t.Errorf("%d rungs of %d", got.Counts[reached("triage")], rungs)
			}
			events += got.Events - 1
			r.holds(t, got)
		}
		if n != events {
			t.Errorf("%d events were told of, %d were made", n, events)
		}
		if n, err := r.Sweep(ctx); n != 0 || err == nil {
			t.Errorf("a second look took %d, %v", n, err)
		}
	})
}
