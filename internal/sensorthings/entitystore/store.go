package entitystore

import (
	"context"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"plateau/internal/sensorthings"
)

// Options configure a Store; the zero value is usable.
type Options struct {
	Now     func() time.Time
	Logger  *slog.Logger
	CacheMB int    // block cache; 0 = 64
	FS      vfs.FS // nil = the disk; tests give others
	NoSync  bool   // tests of logic only
}

// Store keeps entities and observations. It is safe for concurrent use and is a
// sensorthings.Reader.
type Store struct{}

// Open opens or creates the store in dir.
func Open(dir string, o Options) (*Store, error) { panic("not written yet") }

// Close waits for what is being written and closes the tree.
func (s *Store) Close() error { panic("not written yet") }

// Update runs fn in a transaction that sees what it writes. One runs at a time;
// all of it is durable when Update returns nil, none of it otherwise.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error { panic("not written yet") }

// Append makes observations durable and returns their identifiers, in order.
// Datastreams that are not there fail as a whole with ErrNotFound. Many run at
// a time; it is the fast path.
func (s *Store) Append(ctx context.Context, obs []sensorthings.Observation) ([]sensorthings.ID, error) {
	panic("not written yet")
}

// Generation changes with every Update that touched anything but observations:
// what callers remember of relations is then to be looked up again.
func (s *Store) Generation() uint64 { panic("not written yet") }

// Subscribe calls fn with what was made durable, in order, until stop is called.
// A subscriber that falls behind by more than a bounded queue loses changes; it
// is told how many by lost.
func (s *Store) Subscribe(fn func(changes []sensorthings.Change, lost int)) (stop func()) {
	panic("not written yet")
}

// Tx is a transaction. It is a sensorthings.Reader.
type Tx struct{}

// Create stores an entity with a new identifier and returns it; e.ID is ignored.
// Its single relations are in e.One; that they lead somewhere is the caller's to
// see to.
func (t *Tx) Create(e *sensorthings.Entity) (sensorthings.ID, error) { panic("not written yet") }

// Replace stores other properties and single relations of an entity that is there.
func (t *Tx) Replace(e *sensorthings.Entity) error { panic("not written yet") }

// Link and Unlink add and take away a pair of a relation of many to many:
// Things–Locations, HistoricalLocations–Locations.
func (t *Tx) Link(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) error {
	panic("not written yet")
}

// Unlink takes a pair away; one that is not there is no error.
func (t *Tx) Unlink(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) error {
	panic("not written yet")
}

// Delete removes an entity and what goes with it (reference section 11), or
// returns sensorthings.ErrNotFound.
func (t *Tx) Delete(s sensorthings.Set, id sensorthings.ID) error { panic("not written yet") }

// Observe stores an observation and returns its identifier.
func (t *Tx) Observe(o *sensorthings.Observation) (sensorthings.ID, error) { panic("not written yet") }

// ReplaceObservation stores another content under an identifier that is there.
func (t *Tx) ReplaceObservation(o *sensorthings.Observation) error { panic("not written yet") }

// GeneratedFeature returns the feature that was made from a Location, 0 when
// there is none (any more).
func (t *Tx) GeneratedFeature(location sensorthings.ID) (sensorthings.ID, error) {
	panic("not written yet")
}

// SetGeneratedFeature remembers it.
func (t *Tx) SetGeneratedFeature(location, feature sensorthings.ID) error { panic("not written yet") }
