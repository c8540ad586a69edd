package entitystore

import (
	"context"
	"errors"
	"fmt"

	"plateau/internal/platform/lsm"
	"plateau/internal/sensorthings"
)

var errUsedUp = errors.New("entitystore: identifiers are used up")

// request is one call of Append.
type request struct {
	obs  []sensorthings.Observation
	ids  []sensorthings.ID
	err  error
	done chan struct{}
}

// maxGroup is how many observations one commit takes, unless a single call has more.
const maxGroup = 1 << 14

// Append makes observations durable and returns their identifiers, in order.
// Datastreams that are not there, or features of clients that are not, fail as a
// whole with sensorthings.ErrNotFound. Many run at a time; it is the fast path.
// The texts of obs belong to the store's subscribers afterwards and must not be
// changed. A context that ends while the disk is waited for ends nothing: the
// outcome is told all the same.
func (s *Store) Append(ctx context.Context, obs []sensorthings.Observation) ([]sensorthings.ID, error) {
	if err := ctx.Err(); err != nil || len(obs) == 0 {
		return nil, err
	}
	r := &request{obs: obs, done: make(chan struct{})}
	q := &s.queue
	q.Lock()
	if q.closed {
		q.Unlock()
		return nil, ErrClosed
	}
	if len(q.list) == 0 {
		q.more.Signal()
	}
	q.list = append(q.list, r)
	q.Unlock()
	<-r.done
	return r.ids, r.err
}

// take waits for requests; none when the store is closing and all are done.
func (s *Store) take(into []*request) []*request {
	q := &s.queue
	q.Lock()
	defer q.Unlock()
	for len(q.list) == 0 && !q.closed {
		q.more.Wait()
	}
	n, size := 0, 0
	for n < len(q.list) && (n == 0 || size+len(q.list[n].obs) <= maxGroup) {
		size += len(q.list[n].obs)
		n++
	}
	into = append(into[:0], q.list[:n]...)
	rest := copy(q.list, q.list[n:])
	clear(q.list[rest:])
	q.list = q.list[:rest]
	return into
}

// commit writes what calls of Append have queued, as one batch a time.
func (s *Store) commit() {
	var list []*request
	for {
		if list = s.take(list); len(list) == 0 {
			return
		}
		s.group(list)
		for _, r := range list {
			close(r.done)
		}
	}
}

// group commits requests together. Each fails for itself until the batch is
// written, and all fail with the batch.
func (s *Store) group(list []*request) {
	s.write.Lock()
	defer s.write.Unlock()
	t, err := s.sound()
	if err == nil {
		err = s.apply(t, list)
	}
	if err != nil {
		for _, r := range list {
			if r.err == nil {
				r.ids, r.err = nil, err
			}
		}
		return
	}
	for _, r := range list {
		if r.err == nil {
			s.publishObservations(r.obs, r.ids)
		}
	}
}

func (s *Store) apply(t *lsm.Tree, list []*request) error {
	n := 0
	for _, r := range list {
		n += len(r.obs)
	}
	w := writer{b: t.DB.NewBatchWithSize(64 * n)}
	changed := map[sensorthings.ID]*summary{}
	first := s.nextObs
	places := make([]place, 0, n)
	for _, r := range list {
		if r.err = s.lookUp(t, r.obs, changed); r.err != nil {
			continue
		}
		r.ids = make([]sensorthings.ID, len(r.obs))
		for i := range r.obs {
			o := r.obs[i]
			o.ID = first + int64(len(places))
			r.ids[i] = o.ID
			places = append(places, place{o.Datastream, o.Phenomenon.Start})
			if err := w.put(changed[o.Datastream], &o); err != nil {
				return err
			}
		}
	}
	if len(places) == 0 {
		return w.b.Close()
	}
	next := first + int64(len(places))
	if next > sensorthings.FirstOutletObservation {
		return errUsedUp
	}
	if err := w.places(first, places); err != nil {
		return err
	}
	for ds, sum := range changed {
		if err := w.summary(ds, sum); err != nil {
			return err
		}
	}
	if err := w.counter(counterObservation, next); err != nil {
		return err
	}
	s.nextObs = next // also when the commit fails: it may be durable
	return s.durable(t, w.b, changed)
}

// lookUp sees that everything is there that a call leads to, and adds copies of
// the summaries it changes.
func (s *Store) lookUp(t *lsm.Tree, obs []sensorthings.Observation, changed map[sensorthings.ID]*summary) error {
	var (
		ds  sensorthings.ID
		sum *summary
	)
	for i := range obs {
		o := &obs[i]
		if o.Datastream != ds || sum == nil {
			ds = o.Datastream
			if sum = changed[ds]; sum == nil {
				if sum = s.remembered(ds); sum == nil {
					return fmt.Errorf("%w: Datastreams(%d)", sensorthings.ErrNotFound, ds)
				}
			}
		}
		if o.Feature < sensorthings.FirstClientID {
			continue
		}
		if _, known := s.features[o.Feature]; known {
			continue
		}
		found, err := (&view{r: t.DB}).get(entityKey(sensorthings.FeaturesOfInterest, o.Feature), func([]byte) error { return nil })
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: FeaturesOfInterest(%d)", sensorthings.ErrNotFound, o.Feature)
		}
		s.features[o.Feature] = struct{}{}
	}
	for i := range obs {
		if ds := obs[i].Datastream; changed[ds] == nil {
			c := *s.remembered(ds)
			changed[ds] = &c
		}
	}
	return nil
}
