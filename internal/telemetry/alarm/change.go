package alarm

import (
	"context"

	"plateau/internal/platform/db"
)

// Change is what became of one episode.
type Change struct {
	Before *Episode // nil: it is new
	After  *Episode // nil: it is gone
}

// Shown reports whether people are told of an episode: it stands for itself, was
// not kept quiet and was not taken back.
func (e *Episode) Shown() bool {
	return e != nil && e.Quiet == "" && e.Parent == "" && e.Withdrawn.IsZero()
}

// store writes and drops episodes and tells Options.Changed of it.
func (s *Service) store(ctx context.Context, tx *db.Tx, write []Episode, drop []string) error {
	var changes []Change
	before := func(id string) (*Episode, error) {
		if s.o.Changed == nil {
			return nil, nil //nolint:nilnil // nobody asks
		}
		list, err := query(ctx, tx, "WHERE id = $1", id)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return &list[0], nil
	}
	for _, id := range drop {
		was, err := before(id)
		if err != nil {
			return err
		}
		changes = append(changes, Change{Before: was})
		if _, err := tx.Exec(ctx, `DELETE FROM alarms WHERE id = $1`, id); err != nil {
			return err
		}
	}
	for i := range write {
		was, err := before(write[i].ID)
		if err != nil {
			return err
		}
		changes = append(changes, Change{Before: was, After: &write[i]})
	}
	if err := put(ctx, tx, write); err != nil || s.o.Changed == nil {
		return err
	}
	return s.o.Changed(ctx, tx, changes)
}
