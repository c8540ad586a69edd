package write

import (
	"context"
	"errors"
	"sync"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// known remembers, for one generation of the store, which Datastreams and
// features are there and which feature the observations of a Datastream get.
type known struct {
	mu         sync.RWMutex
	generation uint64
	features   map[sensorthings.ID]sensorthings.ID // generated one, by Datastream
	there      map[Ref]struct{}
}

// maxKnown bounds the memory; beyond it everything is looked up again.
const maxKnown = 1 << 20

func (k *known) look(generation uint64, datastream, feature sensorthings.ID) (sensorthings.ID, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.generation != generation {
		return 0, false
	}
	if feature == 0 {
		f, ok := k.features[datastream]
		return f, ok
	}
	_, a := k.there[Ref{sensorthings.Datastreams, datastream}]
	_, b := k.there[Ref{sensorthings.FeaturesOfInterest, feature}]
	return feature, a && b
}

func (k *known) learn(generation uint64, datastream, feature sensorthings.ID, generated bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.generation != generation || k.features == nil || len(k.there) > maxKnown {
		k.generation, k.features, k.there = generation, map[sensorthings.ID]sensorthings.ID{}, map[Ref]struct{}{}
	}
	if generated {
		k.features[datastream] = feature
	}
	k.there[Ref{sensorthings.Datastreams, datastream}] = struct{}{}
	k.there[Ref{sensorthings.FeaturesOfInterest, feature}] = struct{}{}
}

// find returns the feature of an observation that links to a Datastream and
// perhaps to a feature, 0 = the generated one. Datastream and feature are there
// as long as the caller holds the read lock, under which find is called; where
// they are not known, it gives the lock up meanwhile.
func (w *Writer) find(ctx context.Context, datastream, feature sensorthings.ID) (sensorthings.ID, error) {
	for range 16 { // between the looking up and the lock somebody may change the structure
		if f, ok := w.known.look(w.store.Generation(), datastream, feature); ok {
			return f, nil
		}
		w.mu.RUnlock()
		err := w.lookUp(ctx, datastream, feature)
		w.mu.RLock()
		if err != nil {
			return 0, err
		}
	}
	return 0, errRestless
}

// errRestless is a structure that changes faster than observations can be
// checked against it; the caller takes the way through a transaction.
var errRestless = errors.New("write: the structure changes all the time")

func (w *Writer) lookUp(ctx context.Context, datastream, feature sensorthings.ID) error {
	var found sensorthings.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.update(ctx, func(s *Session) (err error) {
		root := (*place)(nil)
		if err := s.mayLink(ctx, root.member("Datastream"), Ref{sensorthings.Datastreams, datastream}); err != nil {
			return err
		}
		if found = feature; feature != 0 {
			return s.mayLink(ctx, root.member("FeatureOfInterest"), Ref{sensorthings.FeaturesOfInterest, feature})
		}
		found, err = s.feature(ctx, nil, datastream)
		return err
	})
	if err == nil {
		w.known.learn(w.store.Generation(), datastream, found, feature == 0)
	}
	return err
}

// postPlain stores an Observation that links to its Datastream and feature or
// is posted below one of them. done is false when the request is of another
// kind, or wrong in a way that the long way words.
func (w *Writer) postPlain(ctx context.Context, p *query.Path, body []byte) (m Made, done bool, err error) {
	var up query.Step
	switch n := len(p.Steps); {
	case n == 0 || n > 2 || p.Value || p.Ref || len(p.Property) > 0:
		return m, false, nil
	case n == 2:
		if up = p.Steps[0]; !up.Keyed || up.Key <= 0 {
			return m, false, nil
		}
	}
	if last := &p.Steps[len(p.Steps)-1]; last.Set != sensorthings.Observations || last.Keyed || !last.Many {
		return m, false, nil
	}
	body, ok := valid(body)
	d := draft{set: sensorthings.Observations}
	if !ok || d.read(body) != nil {
		return m, false, nil
	}
	var ends [2]sensorthings.ID
	for i, set := range [2]sensorthings.Set{sensorthings.Datastreams, sensorthings.FeaturesOfInterest} {
		if up.Set == set {
			ends[i] = up.Key
		}
		if d.rels[i] == nil {
			continue
		}
		id, linked, err := link(d.rels[i], set, nil, nil)
		if err != nil || !linked || ends[i] != 0 && ends[i] != id {
			return m, false, nil
		}
		ends[i] = id
	}
	if ends[toDatastream] == 0 {
		return m, false, nil
	}
	o := sensorthings.Observation{Datastream: ends[toDatastream]}
	if err := d.observe(&o, true, w.now); err != nil {
		return m, true, err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if o.Feature, err = w.find(ctx, o.Datastream, ends[toFeature]); err != nil {
		return m, false, nil //nolint:nilerr // the long way words it for this request
	}
	ids, err := w.store.Append(ctx, []sensorthings.Observation{o})
	if err != nil {
		return m, true, err
	}
	o.ID = ids[0]
	return Made{Ref{sensorthings.Observations, o.ID}, &o}, true, nil
}
