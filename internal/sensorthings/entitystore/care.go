package entitystore

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Compact rewrites everything once, as the tree does by itself in time.
func (s *Store) Compact(ctx context.Context) error {
	return s.outside(func(db *pebble.DB) error {
		if err := db.Flush(); err != nil {
			return err
		}
		return db.Compact(ctx, []byte{0}, []byte{0xFF}, true)
	})
}

// Checkpoint makes a consistent copy of the tree in dir, which must not exist, by
// hard links where the file system has them. What was returned before it is in it.
func (s *Store) Checkpoint(dir string) error {
	return s.outside(func(db *pebble.DB) error { return db.Checkpoint(dir) })
}

// outside does work whose error need not mean that the tree has failed.
func (s *Store) outside(work func(*pebble.DB) error) error {
	t, err := s.use()
	if err != nil {
		return err
	}
	defer t.Release()
	var outcome error
	if err := t.Do(func() error {
		outcome = work(t.DB)
		return nil
	}); err != nil {
		return err
	}
	return outcome
}
