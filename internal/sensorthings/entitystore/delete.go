package entitystore

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// Delete removes an entity and what goes with it (OGC 18-088, table 25), or
// returns sensorthings.ErrNotFound.
func (t *Tx) Delete(s sensorthings.Set, id sensorthings.ID) error {
	if s == sensorthings.Observations {
		return t.deleteObservation(id)
	}
	e, err := t.v.stored(s, id)
	if err != nil {
		return err
	}
	for _, r := range s.Relations() {
		if !r.Many || r.To == sensorthings.Observations {
			continue
		}
		var others []sensorthings.ID
		if err := t.v.related(context.Background(), s, id, r.Name, func(other sensorthings.ID) bool {
			others = append(others, other)
			return true
		}); err != nil {
			return err
		}
		for _, other := range others {
			gone := dependent(r)
			if gone {
				// What is not kept here (an outlet's) does not go with it.
				if err = t.Delete(r.To, other); errors.Is(err, sensorthings.ErrNotFound) {
					gone, err = false, nil
				}
			}
			if !gone {
				err = t.Unlink(s, id, r.Name, other)
			}
			if err != nil {
				return err
			}
		}
	}
	switch s { //nolint:exhaustive // the others have nothing beside
	case sensorthings.Datastreams:
		err = t.dropDatastream(id)
	case sensorthings.FeaturesOfInterest:
		err = t.dropFeature(id)
	case sensorthings.Locations:
		err = t.w.del(prefix(nil, kGenerated, id))
	}
	if err == nil {
		err = t.relate(e, t.w.del)
	}
	if err != nil {
		return err
	}
	t.change(s, id, sensorthings.Deleted)
	return t.w.del(entityKey(s, id))
}

// dependent tells whether what a relation leads to goes with its entity: it does
// where it cannot be without it.
func dependent(r sensorthings.Relation) bool {
	back, _ := r.To.Relation(r.Inverse)
	return back.Required
}

func (t *Tx) deleteObservation(id sensorthings.ID) error {
	if err := t.flush(); err != nil {
		return err
	}
	o, err := t.v.observation(context.Background(), id)
	if err != nil {
		return err
	}
	if err := t.take(o); err != nil {
		return err
	}
	t.changes = append(t.changes, sensorthings.Change{Set: sensorthings.Observations, ID: id, What: sensorthings.Deleted, Observation: o})
	return nil
}

// drop deletes all keys that begin with p.
func (t *Tx) drop(p []byte) error { return t.w.b.DeleteRange(p, after(p), nil) }

// dropDatastream removes all observations of a Datastream.
func (t *Tx) dropDatastream(ds sensorthings.ID) error {
	if err := t.flush(); err != nil {
		return err
	}
	sum, err := t.sum(ds)
	if err != nil {
		return err
	}
	if err := t.sweepLater(ds, sum); err != nil {
		return err
	}
	p := prefix(nil, kFeatureOf, ds)
	if err := t.v.each(context.Background(), p, p, func(key, _ []byte) (bool, error) {
		feature := idOf(key[len(p):])
		if err := t.w.del(prefix(nil, kFeatureIn, feature, ds)); err != nil {
			return false, err
		}
		return true, t.drop(prefix(nil, kFeature, feature, ds))
	}); err != nil {
		return err
	}
	for _, kind := range []byte{kRow, kEnd, kResult, kFeatureOf} {
		if err := t.drop(prefix(nil, kind, ds)); err != nil {
			return err
		}
	}
	t.sums[ds] = nil
	return t.w.del(prefix(nil, kSummary, ds))
}

// sweepLater notes whose identifiers are to be taken out of the index.
func (t *Tx) sweepLater(ds sensorthings.ID, sum *summary) error {
	if sum.count == 0 && sum.minID == 0 {
		return nil
	}
	t.sweep = true
	return t.w.set(prefix(nil, kSweep, ds), appendID(appendID(nil, sum.minID), sum.maxID))
}

// dropFeature removes the observations of a feature from all Datastreams.
func (t *Tx) dropFeature(feature sensorthings.ID) error {
	if err := t.flush(); err != nil {
		return err
	}
	var in []sensorthings.ID
	p := prefix(nil, kFeatureIn, feature)
	if err := t.v.each(context.Background(), p, p, func(key, _ []byte) (bool, error) {
		in = append(in, idOf(key[len(p):]))
		return true, nil
	}); err != nil {
		return err
	}
	for _, ds := range in {
		sum, err := t.sum(ds)
		if err != nil {
			return err
		}
		if err := t.sweepLater(ds, sum); err != nil {
			return err
		}
		if err := t.dropFeatureIn(feature, ds, sum); err != nil {
			return err
		}
		if err := t.w.del(prefix(nil, kFeatureOf, ds, feature)); err != nil {
			return err
		}
		sum.latest, sum.lastFarOff = latest{}, 0
		if err := t.extremes(ds, sum); err != nil {
			return err
		}
		// Where others are left, it stays the usual one, of no row: were another put
		// in its place, rows marked as unusual might have just that one.
	}
	if err := t.drop(prefix(nil, kFeature, feature)); err != nil {
		return err
	}
	return t.drop(p)
}

// dropFeatureIn removes the rows of a feature from one Datastream. Runs of rows
// that go become one range, so that memory grows with their number only.
func (t *Tx) dropFeatureIn(feature, ds sensorthings.ID, sum *summary) error {
	all := prefix(nil, kRow, ds)
	if sum.feature == feature && sum.strange == 0 {
		for _, kind := range []byte{kRow, kEnd, kResult} {
			if err := t.drop(prefix(nil, kind, ds)); err != nil {
				return err
			}
		}
		sum.count, sum.results, sum.same, sum.periods = 0, 0, 0, 0
		return nil
	}
	// An iterator of its own over the state before: the batch changes meanwhile.
	it, err := t.w.b.NewIter(&pebble.IterOptions{LowerBound: all, UpperBound: after(all)})
	if err != nil {
		return err
	}
	defer it.Close()
	var (
		o         sensorthings.Observation
		text, run []byte
	)
	end := func(upper []byte) error {
		if run == nil {
			return nil
		}
		err := t.w.b.DeleteRange(run, upper, nil)
		run = nil
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if text, err = parseRow(&o, it.Key(), it.Value(), text, sum.feature); err != nil {
			return err
		}
		if o.Feature != feature {
			if err := end(bytes.Clone(it.Key())); err != nil {
				return err
			}
			continue
		}
		if run == nil {
			run = bytes.Clone(it.Key())
		}
		strange := feature != sum.feature
		sum.sub(&o, strange)
		if err := t.w.removeIndices(&o, false); err != nil { // those of the feature go as a whole
			return err
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	return end(after(all))
}
