package sensorthings

import (
	"context"
	"errors"
	"math"
	"time"
)

// ErrNotFound is returned for an entity that is not there.
var ErrNotFound = errors.New("sensorthings: no such entity")

// Order is the order of a scan over observations.
type Order uint8

// Orders.
const (
	ByID     Order = iota // ascending identifiers
	ByTime                // start of the phenomenon, then identifier; one Datastream only
	ByIDDesc              // descending
	ByTimeDesc
)

// Mark is a place in a scan.
type Mark struct {
	Start int64 // of the phenomenon; orders by time only
	ID    ID
}

// Scan says which observations to read.
type Scan struct {
	Datastream ID    // 0 = of all; orders by time need one
	Feature    ID    // 0 = of all
	From, To   int64 // start of the phenomenon in [From, To); All() opens both ends
	Order      Order
	After      *Mark // begin strictly behind it, in the scan's order
}

// All is a scan over everything, by identifier.
func All() Scan { return Scan{From: math.MinInt64, To: math.MaxInt64} }

// Reader reads entities. What is handed to a callback belongs to the callee
// only when it says so: an *Observation is reused, an *Entity is not.
type Reader interface {
	// Entity returns an entity of any set but Observations, or ErrNotFound.
	Entity(ctx context.Context, s Set, id ID) (*Entity, error)
	// Entities calls fn with the entities behind an identifier, ascending, until
	// it returns false.
	Entities(ctx context.Context, s Set, after ID, fn func(*Entity) bool) error
	// Related calls fn with the identifiers at the end of a relation of many
	// (not Observations), ascending, until it returns false. An unknown entity
	// has none.
	Related(ctx context.Context, s Set, id ID, relation string, fn func(ID) bool) error
	// Observation returns one, or ErrNotFound.
	Observation(ctx context.Context, id ID) (*Observation, error)
	// Observations calls fn in the scan's order until it returns false.
	Observations(ctx context.Context, sc Scan, fn func(*Observation) bool) error
	// Summary tells of a Datastream's observations without reading them; zero for
	// an unknown one.
	Summary(ctx context.Context, datastream ID) (Summary, error)
}

// Meter bounds what one request may read. It is not safe for concurrent use.
type Meter struct {
	Rows  int64     // read so far
	Limit int64     // 0 = any number
	Until time.Time // zero = any time
	Now   func() time.Time

	// Heavy is called once, when more than HeavyAt rows were read; its error ends
	// the request. nil = nothing is called.
	HeavyAt int64
	Heavy   func() error
}

// ErrTooMuch is wrapped by what stopped because it read too much.
var ErrTooMuch = errors.New("sensorthings: the request reads too much")

// Read counts n rows; it fails with ErrTooMuch beyond the limits. The clock is
// looked at every 1,024 rows.
func (m *Meter) Read(n int) error {
	if m == nil {
		return nil
	}
	before := m.Rows >> 10
	m.Rows += int64(n)
	if m.Limit > 0 && m.Rows > m.Limit {
		return ErrTooMuch
	}
	if m.Rows>>10 != before && !m.Until.IsZero() && m.Now().After(m.Until) {
		return ErrTooMuch
	}
	if m.Heavy != nil && m.Rows > m.HeavyAt {
		f := m.Heavy
		m.Heavy = nil
		return f()
	}
	return nil
}

type meterKey struct{}

// WithMeter returns ctx carrying m; whoever reads rows that no callback sees
// (a scan that passes over others) counts them there.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// MeterFrom returns the meter of ctx, nil when there is none; a nil Meter
// counts nothing.
func MeterFrom(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}

// Change is one thing that was made durable.
type Change struct {
	Set         Set
	ID          ID
	What        ChangeKind
	Properties  []string     // that have another value now; of Updated
	Observation *Observation // of Observations; unchanged afterwards
}

// ChangeKind is what happened to an entity.
type ChangeKind uint8

// Kinds of changes.
const (
	Created ChangeKind = iota + 1
	Updated
	Deleted
)
