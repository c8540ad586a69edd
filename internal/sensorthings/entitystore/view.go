package entitystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// view reads one state of the tree: a snapshot, or a transaction's batch over it.
type view struct {
	r    pebble.Reader
	sums func(ds sensorthings.ID) (sum *summary, known bool) // of a transaction; nil otherwise
	mem  func(ds sensorthings.ID) *summary                   // of the store, maybe of another state; nil in a transaction
}

// get calls fn with a value; it reports whether there is one.
func (v *view) get(key []byte, fn func(value []byte) error) (bool, error) {
	value, closer, err := v.r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer closer.Close()
	return true, fn(value)
}

// each calls fn for the keys that begin with p and lie behind it by more than
// from, ascending, until it returns false.
func (v *view) each(ctx context.Context, p, from []byte, fn func(key, value []byte) (bool, error)) error {
	it, err := v.r.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: p, UpperBound: after(p)})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.SeekGE(from); it.Valid(); it.Next() {
		more, err := fn(it.Key(), it.Value())
		if err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// summary returns a Datastream's, nil for an unknown one. It must not be changed.
func (v *view) summary(ds sensorthings.ID) (sum *summary, err error) {
	if !valid(ds) {
		return nil, nil
	}
	if v.sums != nil {
		if sum, known := v.sums(ds); known {
			return sum, nil
		}
	}
	_, err = v.get(prefix(nil, kSummary, ds), func(row []byte) error {
		if v.mem != nil {
			if m := v.mem(ds); m != nil && bytes.Equal(m.row, row) {
				sum = m
				return nil
			}
		}
		sum, err = parseSummary(row)
		return err
	})
	return sum, err
}

// entity reads an entity as it is answered.
func (v *view) entity(s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	e, err := v.stored(s, id)
	if err != nil {
		return nil, err
	}
	return e, v.compute(e)
}

// stored reads an entity without what is computed, which takes further reading.
func (v *view) stored(s sensorthings.Set, id sensorthings.ID) (e *sensorthings.Entity, err error) {
	if s == sensorthings.Observations {
		return nil, fmt.Errorf("entitystore: %s are no entities here", s)
	}
	if !valid(id) {
		return nil, sensorthings.ErrNotFound
	}
	found, err := v.get(entityKey(s, id), func(value []byte) (err error) {
		e, err = parseEntity(s, id, value)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, sensorthings.ErrNotFound
	}
	return e, nil
}

// compute fills in what a Datastream tells of its observations.
func (v *view) compute(e *sensorthings.Entity) error {
	if e.Set != sensorthings.Datastreams {
		return nil
	}
	sum, err := v.summary(e.ID)
	if err != nil || sum == nil || sum.count == 0 {
		return err
	}
	for i, p := range e.Set.Properties() {
		switch {
		case p.Name == "observedArea":
			if e.Properties[i], err = v.area(e.ID, sum); err != nil {
				return err
			}
		case p.Name == "phenomenonTime":
			e.Properties[i] = period(sum.first, sum.last)
		case p.Name == "resultTime" && sum.results > 0:
			e.Properties[i] = period(sum.resFirst, sum.resLast)
		}
	}
	return nil
}

// period writes a period as a JSON string, also one without length.
func period(start, end int64) json.RawMessage {
	return append(query.AppendPeriod([]byte{'"'}, sensorthings.Span{Start: start, End: end}), '"')
}

func (v *view) entities(ctx context.Context, s sensorthings.Set, behind sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	if s == sensorthings.Observations {
		return fmt.Errorf("entitystore: %s are no entities here", s)
	}
	if behind >= maxID {
		return nil
	}
	from := entityKey(s, max(behind+1, 0))
	return v.each(ctx, from[:2], from, func(key, value []byte) (bool, error) {
		e, err := parseEntity(s, idOf(key[2:]), value)
		if err == nil {
			err = v.compute(e)
		}
		if err != nil {
			return false, err
		}
		return fn(e), nil
	})
}

// relationOf finds a relation's place in its set's list.
func relationOf(s sensorthings.Set, name string) (int, sensorthings.Relation, error) {
	for i, r := range s.Relations() {
		if r.Name == name {
			return i, r, nil
		}
	}
	return 0, sensorthings.Relation{}, fmt.Errorf("entitystore: %s have no relation %q", s, name)
}

func (v *view) related(ctx context.Context, s sensorthings.Set, id sensorthings.ID, relation string, fn func(sensorthings.ID) bool) error {
	i, r, err := relationOf(s, relation)
	switch {
	case err != nil:
		return err
	case !r.Many || r.To == sensorthings.Observations:
		return fmt.Errorf("entitystore: %s/%s is not kept as a list", s, relation)
	case !valid(id):
		return nil
	}
	p := reverseKey(s, id, i, 0)
	p = p[:len(p)-idLen]
	return v.each(ctx, p, p, func(key, _ []byte) (bool, error) { return fn(idOf(key[len(p):])), nil })
}
