package entitystore

import (
	"context"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/sensorthings"
)

func (s *Store) wakeSweep() { signal(s.sweeping) }

// sweep takes what cascades removed out of the index by identifier. That costs
// nothing in correctness meanwhile: a place without a row is passed over.
func (s *Store) sweep() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.sweeping:
		}
		if err := s.sweepAll(); err != nil {
			s.opt.Logger.WarnContext(context.Background(), "index not cleaned yet", slog.String("error", err.Error()))
		}
	}
}

func (s *Store) sweepAll() error {
	t, err := s.use()
	if err != nil {
		return err
	}
	defer t.Release()
	type task struct{ ds, lo, hi sensorthings.ID }
	var tasks []task
	v := &view{r: t.DB}
	p := []byte{kSweep}
	// Under the lock, so that what has been committed is remembered as well: a
	// Datastream that is not is gone for ever.
	s.write.Lock()
	err = v.each(context.Background(), p, p, func(key, value []byte) (bool, error) {
		if len(value) != 2*idLen {
			return false, errDamaged
		}
		tasks = append(tasks, task{idOf(key[1:]), idOf(value), idOf(value[idLen:])})
		return true, nil
	})
	s.write.Unlock()
	if err != nil {
		return err
	}
	for _, k := range tasks {
		done, err := s.sweepOne(t, k.ds, k.lo, k.hi)
		if err != nil || !done {
			return err
		}
	}
	return nil
}

// sweepOne deletes the index rows in a range of identifiers that lead nowhere any
// more, for every Datastream that is gone and for ds. A later note of the same
// Datastream has at least the same range, so removing this one afterwards under
// the lock loses nothing unless it is another by then.
func (s *Store) sweepOne(t *lsm.Tree, ds, lo, hi sensorthings.ID) (done bool, err error) {
	snap := t.DB.NewSnapshot()
	defer snap.Close()
	v := &view{r: snap}
	r, err := v.rows(context.Background(), false)
	if err != nil {
		return false, err
	}
	defer r.it.Close()
	lower := prefix(nil, kIndex, max(lo-maxIndexed, 0))
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: prefix(nil, kIndex, hi+1)})
	if err != nil {
		return false, err
	}
	defer it.Close()
	b := t.DB.NewBatch()
	var list []indexed
	for ok := it.First(); ok; ok = it.Next() {
		select {
		case <-s.stop:
			return false, b.Close()
		default:
		}
		if list, err = parsePlaces(list, it.Key(), it.Value()); err != nil {
			return false, err
		}
		dead := true
		for i := range list {
			if s.remembered(list[i].ds) == nil {
				continue
			}
			if dead = list[i].ds == ds; dead {
				o, err := r.at(list[i], 0)
				if err != nil {
					return false, err
				}
				dead = o == nil
			}
			if !dead {
				break
			}
		}
		if !dead {
			continue
		}
		if err := b.Delete(it.Key(), nil); err != nil {
			return false, err
		}
		if b.Count() >= 256 {
			if err := t.Apply(b, pebble.NoSync, func() {}); err != nil {
				return false, err
			}
			b = t.DB.NewBatch()
		}
	}
	if err := it.Error(); err != nil {
		return false, err
	}
	if err := s.sweepMoved(t, b, lo, hi); err != nil {
		return false, err
	}
	s.write.Lock()
	defer s.write.Unlock()
	key := prefix(nil, kSweep, ds)
	same := false
	if _, err := (&view{r: t.DB}).get(key, func(value []byte) error {
		same = string(value) == string(appendID(appendID(nil, lo), hi))
		return nil
	}); err != nil {
		return false, err
	}
	if same {
		if err := b.Delete(key, nil); err != nil {
			return false, err
		}
	}
	return true, t.Apply(b, pebble.NoSync, func() {})
}

// sweepMoved deletes the places of observations that moved to Datastreams that are gone.
func (s *Store) sweepMoved(t *lsm.Tree, b *pebble.Batch, lo, hi sensorthings.ID) error {
	it, err := t.DB.NewIter(&pebble.IterOptions{LowerBound: prefix(nil, kMoved, lo), UpperBound: prefix(nil, kMoved, hi+1)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		at, err := placeOf(it.Value())
		if err != nil {
			return err
		}
		if s.remembered(at.ds) == nil {
			if err := b.Delete(it.Key(), nil); err != nil {
				return err
			}
		}
	}
	return it.Error()
}
