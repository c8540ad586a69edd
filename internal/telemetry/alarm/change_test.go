package alarm

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

// TestChangesAreToldInTheirTransaction: whoever is told sees each episode before
// and after, and what he refuses is not kept.
func TestChangesAreToldInTheirTransaction(t *testing.T) {
	t.Parallel()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, d.URL(t), overScene+"a21002 40 55 55 40")
			var told []Change
			var refuse error
			b.o.Changed = func(_ context.Context, _ *db.Tx, changes []Change) error {
				told = append(told, changes...)
				return refuse
			}
			b.redo(t, -1)
			if len(told) != 1 || told[0].Before != nil || told[0].After.Kind != Over {
				t.Fatalf("raised: %+v", told)
			}
			id := told[0].After.ID
			told = nil
			if b.redo(t, -1); len(told) != 0 {
				t.Errorf("nothing changed, and was told: %+v", told)
			}
			refuse = errors.New("full")
			if err := b.Acknowledge(t.Context(), id, "x", officer); !errors.Is(err, refuse) {
				t.Errorf("acknowledged though it was refused: %v", err)
			}
			if e, err := b.Get(t.Context(), id); err != nil || e.Ack.Done() {
				t.Errorf("an acknowledgement that was refused is kept: %+v, %v", e.Ack, err)
			}
			refuse, told = nil, nil
			if err := b.Acknowledge(t.Context(), id, "x", officer); err != nil {
				t.Fatal(err)
			}
			if len(told) != 1 || told[0].Before == nil || told[0].Before.Ack.Done() || !told[0].After.Ack.Done() {
				t.Errorf("acknowledged: %+v", told)
			}
			// Corrected data: the episode is withdrawn, because somebody acted on it.
			told = nil
			b.load(overScene + "a21002 40 40 40 40")
			b.redo(t, -1)
			if len(told) != 1 || !told[0].Before.Shown() || told[0].After.Shown() {
				t.Errorf("withdrawn: %s", cmp.Diff(told[0].Before, told[0].After))
			}
		})
	}
}
