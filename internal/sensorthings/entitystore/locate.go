package entitystore

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// observation finds one by identifier: the index tells its first place; one that
// is not there any more may have moved.
func (v *view) observation(ctx context.Context, id sensorthings.ID) (*sensorthings.Observation, error) {
	if !valid(id) {
		return nil, sensorthings.ErrNotFound
	}
	at, found, err := v.indexed(ctx, id)
	if err != nil {
		return nil, err
	}
	if found {
		if o, err := v.at(id, at); o != nil || err != nil {
			return o, err
		}
	}
	if found, err = v.get(prefix(nil, kMoved, id), func(value []byte) (err error) {
		at, err = placeOf(value)
		return err
	}); err != nil {
		return nil, err
	}
	if found {
		if o, err := v.at(id, at); o != nil || err != nil {
			return o, err
		}
	}
	return nil, sensorthings.ErrNotFound
}

// indexed asks the index for the place that an identifier had first.
func (v *view) indexed(ctx context.Context, id sensorthings.ID) (at place, found bool, err error) {
	it, err := v.r.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{kIndex}, UpperBound: []byte{kIndex + 1}})
	if err != nil {
		return at, false, err
	}
	defer it.Close()
	if !it.SeekLT(prefix(nil, kIndex, id+1)) {
		return at, false, it.Error()
	}
	ps, err := parsePlaces(nil, it.Key(), it.Value())
	if err != nil || len(ps) == 0 || id-ps[0].id >= int64(len(ps)) {
		return at, false, err
	}
	return ps[id-ps[0].id].place, true, nil
}

// at reads the observation at a place, nil when it is not there. Nothing in it
// belongs to the tree.
func (v *view) at(id sensorthings.ID, at place) (*sensorthings.Observation, error) {
	sum, err := v.summary(at.ds)
	if err != nil || sum == nil {
		return nil, err
	}
	var o *sensorthings.Observation
	key := timed(nil, kRow, at.ds, at.start, id)
	_, err = v.get(key, func(value []byte) error {
		o = new(sensorthings.Observation)
		_, err := parseRow(o, key, bytes.Clone(value), nil, sum.feature)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// rows reads rows by place; neighbours cost no new search, and where a search
// has found a gap in a Datastream, what lies in it costs none either. Without
// that each place of a deleted observation would pass over all that was deleted
// behind it, as long as the tree has not been compacted.
type rows struct {
	it        *pebble.Iterator
	key, text []byte
	desc      bool
	gaps      map[sensorthings.ID]gap
	o         sensorthings.Observation
}

// gap is a stretch of keys without rows: [low, high), high nil = to the end.
type gap struct{ low, high []byte }

func (g gap) has(key []byte) bool {
	return g.low != nil && bytes.Compare(key, g.low) >= 0 && (g.high == nil || bytes.Compare(key, g.high) < 0)
}

func (v *view) rows(ctx context.Context, desc bool) (*rows, error) {
	it, err := v.r.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{kRow}, UpperBound: []byte{kRow + 1}})
	if err != nil {
		return nil, err
	}
	return &rows{it: it, desc: desc, gaps: map[sensorthings.ID]gap{}}, nil
}

// at is the observation at a place, nil when it is not there; it is valid until
// the next call.
func (r *rows) at(p indexed, usual sensorthings.ID) (*sensorthings.Observation, error) {
	r.key = timed(r.key[:0], kRow, p.ds, p.start, p.id)
	if found, err := r.find(p.ds); err != nil || !found {
		return nil, err
	}
	var err error
	r.text, err = parseRow(&r.o, r.key, r.it.Value(), r.text, usual)
	return &r.o, err
}

func (r *rows) find(ds sensorthings.ID) (bool, error) {
	if len(r.gaps) > 0 && r.gaps[ds].has(r.key) {
		return false, nil
	}
	if r.it.Valid() && idOf(r.it.Key()[1:]) == ds {
		step := r.it.Next
		if r.desc {
			step = r.it.Prev
		}
		if step() && bytes.Equal(r.it.Key(), r.key) {
			return true, nil
		}
	}
	if r.desc {
		if r.it.SeekLT(append(r.key, 0)) {
			if bytes.Equal(r.it.Key(), r.key) {
				return true, nil
			}
			r.gaps[ds] = gap{append(bytes.Clone(r.it.Key()), 0), append(bytes.Clone(r.key), 0)}
		} else {
			r.gaps[ds] = gap{[]byte{kRow}, append(bytes.Clone(r.key), 0)}
		}
		return false, r.it.Error()
	}
	if r.it.SeekGE(r.key) {
		if bytes.Equal(r.it.Key(), r.key) {
			return true, nil
		}
		r.gaps[ds] = gap{bytes.Clone(r.key), bytes.Clone(r.it.Key())}
	} else {
		r.gaps[ds] = gap{bytes.Clone(r.key), nil}
	}
	return false, r.it.Error()
}
