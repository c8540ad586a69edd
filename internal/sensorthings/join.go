package sensorthings

import "context"

// Join reads what clients made and what stands for outlets as one: by identifier
// each is in one of them, relations lead from either into the other.
func Join(outlets, clients Reader) Reader { return &joined{outlets, clients} }

type joined struct{ outlets, clients Reader }

func (j *joined) of(s Set, id ID) Reader {
	if FromOutlets(s, id) {
		return j.outlets
	}
	return j.clients
}

// Entity implements Reader.
func (j *joined) Entity(ctx context.Context, s Set, id ID) (*Entity, error) {
	return j.of(s, id).Entity(ctx, s, id)
}

// Entities implements Reader: the outlets have the lower identifiers.
func (j *joined) Entities(ctx context.Context, s Set, after ID, fn func(*Entity) bool) error {
	more := true
	if after < FirstClientID-1 {
		err := j.outlets.Entities(ctx, s, after, func(e *Entity) bool {
			more = fn(e)
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return j.clients.Entities(ctx, s, after, fn)
}

// Related implements Reader. Clients link to what stands for outlets: their
// Datastreams may observe a factor, their Things may stand where an outlet is.
func (j *joined) Related(ctx context.Context, s Set, id ID, relation string, fn func(ID) bool) error {
	more := true
	if FromOutlets(s, id) { // outlets lead to nothing that clients made
		err := j.outlets.Related(ctx, s, id, relation, func(other ID) bool {
			more = fn(other)
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return j.clients.Related(ctx, s, id, relation, fn)
}

// Observation implements Reader.
func (j *joined) Observation(ctx context.Context, id ID) (*Observation, error) {
	return j.of(Observations, id).Observation(ctx, id)
}

// Observations implements Reader: clients have the lower identifiers.
func (j *joined) Observations(ctx context.Context, sc Scan, fn func(*Observation) bool) error {
	if sc.Datastream != 0 {
		return j.of(Datastreams, sc.Datastream).Observations(ctx, sc, fn)
	}
	order := [2]Reader{j.clients, j.outlets}
	if sc.Order == ByIDDesc || sc.Order == ByTimeDesc {
		order = [2]Reader{j.outlets, j.clients}
	}
	more := true
	for i, r := range order {
		if r == j.outlets && sc.Feature != 0 && !FromOutlets(FeaturesOfInterest, sc.Feature) {
			continue // no outlet's observation is of what a client made
		}
		if i == 0 && sc.After != nil && r != j.of(Observations, sc.After.ID) {
			continue // the mark is behind all of them
		}
		err := r.Observations(ctx, sc, func(o *Observation) bool {
			more = fn(o)
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// Summary implements Reader.
func (j *joined) Summary(ctx context.Context, datastream ID) (Summary, error) {
	return j.of(Datastreams, datastream).Summary(ctx, datastream)
}
