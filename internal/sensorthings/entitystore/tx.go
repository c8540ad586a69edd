package entitystore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/sensorthings"
)

// Tx is a transaction. It is a sensorthings.Reader. It is not safe for
// concurrent use and must not be used after the function it was given to.
type Tx struct {
	s       *Store
	w       writer
	v       view
	sums    map[sensorthings.ID]*summary // changed; nil = deleted
	pending struct {                     // observations not in the index yet
		first  sensorthings.ID
		places []place
	}
	nextEntity, nextObs sensorthings.ID
	entities            bool // something but observations was touched
	sweep               bool
	changes             []sensorthings.Change
}

// Update runs fn in a transaction that sees what it writes. One runs at a time;
// all of it is durable when Update returns nil, none of it otherwise; only after
// ErrDegraded nobody knows.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.stop:
		return ErrClosed
	default:
	}
	t, err := s.sound()
	if err != nil {
		return err
	}
	x := &Tx{s: s, sums: map[sensorthings.ID]*summary{}, nextEntity: s.nextEntity, nextObs: s.nextObs}
	x.w.b = t.DB.NewIndexedBatch()
	x.v = view{r: x.w.b, sums: func(ds sensorthings.ID) (*summary, bool) {
		sum, known := x.sums[ds]
		return sum, known
	}}
	written := false
	defer func() {
		if !written {
			_ = x.w.b.Close()
		}
	}()
	if err := fn(x); err != nil {
		return err
	}
	if err := x.finish(); err != nil {
		return err
	}
	if x.w.b.Empty() {
		return nil
	}
	written = true // it is the tree's now
	s.nextEntity, s.nextObs = x.nextEntity, x.nextObs
	if err := s.durable(t, x.w.b, x.sums); err != nil {
		return err
	}
	for _, c := range x.changes {
		if c.Set == sensorthings.FeaturesOfInterest && c.What == sensorthings.Deleted {
			delete(s.features, c.ID)
		}
	}
	if x.entities {
		s.generation.Add(1)
	}
	s.subscribers.publish(x.changes)
	if x.sweep {
		s.wakeSweep()
	}
	return nil
}

// durable applies a batch, which is the tree's from then on, and remembers the
// summaries it changes.
func (s *Store) durable(t *lsm.Tree, b *pebble.Batch, changed map[sensorthings.ID]*summary) error {
	if err := t.Apply(b, s.sync(), func() { s.setHealth(errStalled) }); err != nil {
		return fmt.Errorf("%w: %w", ErrDegraded, err)
	}
	if s.health.Load().err != nil && !t.Broken() {
		s.setHealth(nil)
	}
	s.remember(changed)
	return nil
}

// finish writes what was held back for the end.
func (t *Tx) finish() error {
	if err := t.flush(); err != nil {
		return err
	}
	for ds, sum := range t.sums {
		if sum == nil {
			continue
		}
		if err := t.w.summary(ds, sum); err != nil {
			return err
		}
	}
	if t.nextEntity != t.s.nextEntity {
		if err := t.w.counter(counterEntity, t.nextEntity); err != nil {
			return err
		}
	}
	if t.nextObs != t.s.nextObs {
		return t.w.counter(counterObservation, t.nextObs)
	}
	return nil
}

// flush writes the index of new observations.
func (t *Tx) flush() error {
	p := &t.pending
	if len(p.places) == 0 {
		return nil
	}
	err := t.w.places(p.first, p.places)
	p.places = p.places[:0]
	return err
}

// change notes that an entity is another now.
func (t *Tx) change(s sensorthings.Set, id sensorthings.ID, what sensorthings.ChangeKind, properties ...string) {
	t.entities = t.entities || s != sensorthings.Observations
	t.changes = append(t.changes, sensorthings.Change{Set: s, ID: id, What: what, Properties: properties})
}

// Create stores an entity with a new identifier and returns it; e.ID is ignored.
// Its single relations are in e.One; that they lead somewhere is the caller's to
// see to.
func (t *Tx) Create(e *sensorthings.Entity) (sensorthings.ID, error) {
	if e.Set == sensorthings.Observations {
		return 0, fmt.Errorf("entitystore: %s are made by Observe", e.Set)
	}
	id := t.nextEntity
	t.nextEntity++
	own := *e
	own.ID = id
	if err := t.w.set(entityKey(e.Set, id), appendEntity(nil, &own)); err != nil {
		return 0, err
	}
	if err := t.relate(&own, t.w.link); err != nil {
		return 0, err
	}
	if e.Set == sensorthings.Datastreams {
		t.sums[id] = &summary{}
	}
	t.change(e.Set, id, sensorthings.Created)
	return id, nil
}

func (w *writer) link(key []byte) error { return w.set(key, nil) }

// relate calls fn with the key of the way back of each single relation.
func (t *Tx) relate(e *sensorthings.Entity, fn func(key []byte) error) error {
	n := 0
	for _, r := range e.Set.Relations() {
		if r.Many {
			continue
		}
		if n < len(e.One) && e.One[n] != 0 {
			back, _, err := relationOf(r.To, r.Inverse)
			if err == nil {
				err = fn(reverseKey(r.To, e.One[n], back, e.ID))
			}
			if err != nil {
				return err
			}
		}
		n++
	}
	return nil
}

// Replace stores other properties and single relations of an entity that is there.
func (t *Tx) Replace(e *sensorthings.Entity) error {
	old, err := t.v.stored(e.Set, e.ID)
	if err != nil {
		return err
	}
	if err := t.relate(old, t.w.del); err != nil {
		return err
	}
	if err := t.relate(e, t.w.link); err != nil {
		return err
	}
	var names []string
	for i, p := range e.Set.Properties() {
		var was, is json.RawMessage
		if i < len(old.Properties) {
			was = old.Properties[i]
		}
		if i < len(e.Properties) {
			is = e.Properties[i]
		}
		if !p.Computed && !bytes.Equal(was, is) {
			names = append(names, p.Name)
		}
	}
	t.change(e.Set, e.ID, sensorthings.Updated, names...)
	return t.w.set(entityKey(e.Set, e.ID), appendEntity(nil, e))
}

// pairKeys are the two rows of a pair of a relation of many to many.
func pairKeys(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) (there, back []byte, err error) {
	i, r, err := relationOf(s, relation)
	if err != nil {
		return nil, nil, err
	}
	j, inverse, err := relationOf(r.To, r.Inverse)
	if err != nil {
		return nil, nil, err
	}
	if !r.Many || !inverse.Many {
		return nil, nil, fmt.Errorf("entitystore: %s/%s is no relation of many to many", s, relation)
	}
	if !valid(id) || !valid(other) {
		return nil, nil, sensorthings.ErrNotFound
	}
	return reverseKey(s, id, i, other), reverseKey(r.To, other, j, id), nil
}

// Link and Unlink add and take away a pair of a relation of many to many:
// Things–Locations, HistoricalLocations–Locations.
func (t *Tx) Link(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) error {
	there, back, err := pairKeys(s, id, relation, other)
	if err != nil {
		return err
	}
	t.entities = true
	if err := t.w.link(there); err != nil {
		return err
	}
	return t.w.link(back)
}

// Unlink takes a pair away; one that is not there is no error.
func (t *Tx) Unlink(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) error {
	there, back, err := pairKeys(s, id, relation, other)
	if err != nil {
		return err
	}
	t.entities = true
	if err := t.w.del(there); err != nil {
		return err
	}
	return t.w.del(back)
}

// GeneratedFeature returns the feature that was made from a Location, 0 when
// there is none (any more).
func (t *Tx) GeneratedFeature(location sensorthings.ID) (feature sensorthings.ID, err error) {
	if !valid(location) {
		return 0, nil
	}
	if _, err = t.v.get(prefix(nil, kGenerated, location), func(value []byte) error {
		feature = idOf(value)
		return nil
	}); err != nil || feature < sensorthings.FirstClientID {
		return feature, err
	}
	there, err := t.v.get(entityKey(sensorthings.FeaturesOfInterest, feature), func([]byte) error { return nil })
	if !there {
		return 0, err
	}
	return feature, err
}

// SetGeneratedFeature remembers it; feature 0 forgets it.
func (t *Tx) SetGeneratedFeature(location, feature sensorthings.ID) error {
	if feature == 0 && valid(location) {
		return t.w.del(prefix(nil, kGenerated, location))
	}
	if !valid(location) || !valid(feature) {
		return sensorthings.ErrNotFound
	}
	return t.w.set(prefix(nil, kGenerated, location), appendID(nil, feature))
}
