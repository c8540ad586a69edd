package sensorthings

import (
	"bytes"
	"encoding/json"
)

// ID is the system identifier, unique within its set. All of them are below
// 2^53, so that programs whose numbers are floating-point read them right.
//
//   - Of the seven sets beside Observations: below FirstClientID belongs to the
//     outlets (a Thing's is the outlet's own number), the rest to clients.
//   - Observations: below FirstOutletObservation belongs to clients; an outlet's
//     is its Datastream << 32 | Unix seconds of the record.
type ID = int64

// Bounds between what clients made and what is read from the outlets.
const (
	FirstClientID          ID = 1_000_000_000
	FirstOutletDatastream  ID = 1 << 13
	LastOutletDatastream   ID = 1<<21 - 1
	FirstOutletObservation ID = FirstOutletDatastream << 32
)

// FromOutlets reports whether an entity stands for an HJ 212 outlet and so
// cannot be changed by clients.
func FromOutlets(s Set, id ID) bool {
	if s == Observations {
		return id >= FirstOutletObservation
	}
	return id < FirstClientID
}

// Span is an instant or a period, in Unix microseconds UTC. End is the start of
// an instant.
type Span struct {
	Start, End int64
}

// Instant reports whether the span has no length.
func (s Span) Instant() bool { return s.Start == s.End }

// Entity is one entity of any set but Observations.
type Entity struct {
	Set Set
	ID  ID
	// Properties as JSON, in the order of Set.Properties; nil = not set. Instants
	// and periods are JSON strings in UTC. Computed ones of a Datastream are
	// filled in on reading.
	Properties []json.RawMessage
	// One holds the entity of each single relation, in the order in which
	// Set.Relations lists those that are not Many; 0 = none.
	One []ID
}

// Get returns a property by name, nil when it is not set.
func (e *Entity) Get(name string) json.RawMessage {
	for i, p := range e.Set.Properties() {
		if p.Name == name && i < len(e.Properties) {
			return e.Properties[i]
		}
	}
	return nil
}

// To returns the entity that a single relation leads to, 0 when there is none.
func (e *Entity) To(relation string) ID {
	i := 0
	for _, r := range e.Set.Relations() {
		if r.Many {
			continue
		}
		if r.Name == relation && i < len(e.One) {
			return e.One[i]
		}
		i++
	}
	return 0
}

// Observation is one observation.
type Observation struct {
	ID         ID
	Datastream ID
	Feature    ID // 0 = none
	Phenomenon Span
	ResultTime int64 // Unix microseconds; meaningful with HasResultTime
	Valid      Span  // meaningful with HasValid

	HasResultTime, HasValid bool

	Result     json.RawMessage // the very JSON that was sent: 1, "1", true, null
	Quality    json.RawMessage // nil = not set
	Parameters json.RawMessage // nil = not set
}

// To returns the entity that a relation leads to, 0 when there is none.
func (o *Observation) To(relation string) ID {
	switch relation {
	case "Datastream":
		return o.Datastream
	case "FeatureOfInterest":
		return o.Feature
	}
	return 0
}

// Clone returns a copy with texts of its own.
func (o *Observation) Clone() *Observation {
	c := *o
	c.Result, c.Quality, c.Parameters = bytes.Clone(o.Result), bytes.Clone(o.Quality), bytes.Clone(o.Parameters)
	return &c
}

// Summary is what is known of a Datastream's observations without reading them.
type Summary struct {
	Count      int64
	Phenomenon Span // earliest start, latest end; meaningful with Count > 0
	Result     Span // of those with a result time
	HasResult  bool
}
