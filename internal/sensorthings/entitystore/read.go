package entitystore

import (
	"context"

	"plateau/internal/sensorthings"
)

// read runs fn on one state of the tree.
func (s *Store) read(fn func(v *view) error) error {
	t, err := s.use()
	if err != nil {
		return err
	}
	defer t.Release()
	snap := t.DB.NewSnapshot()
	defer snap.Close()
	return fn(&view{r: snap, mem: s.remembered})
}

// Entity implements sensorthings.Reader.
func (s *Store) Entity(_ context.Context, set sensorthings.Set, id sensorthings.ID) (e *sensorthings.Entity, err error) {
	err = s.read(func(v *view) error { e, err = v.entity(set, id); return err })
	return e, err
}

// Entities implements sensorthings.Reader.
func (s *Store) Entities(ctx context.Context, set sensorthings.Set, behind sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	return s.read(func(v *view) error { return v.entities(ctx, set, behind, fn) })
}

// Related implements sensorthings.Reader. An identifier of the outlets leads to
// what clients have linked to it.
func (s *Store) Related(ctx context.Context, set sensorthings.Set, id sensorthings.ID, relation string, fn func(sensorthings.ID) bool) error {
	return s.read(func(v *view) error { return v.related(ctx, set, id, relation, fn) })
}

// Observation implements sensorthings.Reader.
func (s *Store) Observation(ctx context.Context, id sensorthings.ID) (o *sensorthings.Observation, err error) {
	err = s.read(func(v *view) error { o, err = v.observation(ctx, id); return err })
	return o, err
}

// Observations implements sensorthings.Reader.
func (s *Store) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	return s.read(func(v *view) error { return v.observations(ctx, sc, fn) })
}

// Summary implements sensorthings.Reader. It reads nothing.
func (s *Store) Summary(_ context.Context, ds sensorthings.ID) (sensorthings.Summary, error) {
	return s.remembered(ds).public(), nil
}

// Entity implements sensorthings.Reader.
func (t *Tx) Entity(_ context.Context, set sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	return t.v.entity(set, id)
}

// Entities implements sensorthings.Reader.
func (t *Tx) Entities(ctx context.Context, set sensorthings.Set, behind sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	return t.v.entities(ctx, set, behind, fn)
}

// Related implements sensorthings.Reader.
func (t *Tx) Related(ctx context.Context, set sensorthings.Set, id sensorthings.ID, relation string, fn func(sensorthings.ID) bool) error {
	return t.v.related(ctx, set, id, relation, fn)
}

// Observation implements sensorthings.Reader.
func (t *Tx) Observation(ctx context.Context, id sensorthings.ID) (*sensorthings.Observation, error) {
	if err := t.flush(); err != nil {
		return nil, err
	}
	return t.v.observation(ctx, id)
}

// Observations implements sensorthings.Reader.
func (t *Tx) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	if err := t.flush(); err != nil {
		return err
	}
	return t.v.observations(ctx, sc, fn)
}

// Summary implements sensorthings.Reader.
func (t *Tx) Summary(_ context.Context, ds sensorthings.ID) (sensorthings.Summary, error) {
	sum, known := t.sums[ds]
	if !known {
		sum = t.s.remembered(ds)
	}
	return sum.public(), nil
}
