package entitystore

import (
	"bytes"
	"cmp"
	"context"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// sum returns a Datastream's summary to be changed.
func (t *Tx) sum(ds sensorthings.ID) (*summary, error) {
	if sum, known := t.sums[ds]; known {
		if sum == nil {
			return nil, sensorthings.ErrNotFound
		}
		return sum, nil
	}
	m := t.s.remembered(ds)
	if m == nil {
		return nil, sensorthings.ErrNotFound
	}
	c := *m
	t.sums[ds] = &c
	return &c, nil
}

// Observe stores an observation and returns its identifier.
func (t *Tx) Observe(o *sensorthings.Observation) (sensorthings.ID, error) {
	sum, err := t.sum(o.Datastream)
	if err != nil {
		return 0, err
	}
	if t.nextObs >= sensorthings.FirstOutletObservation {
		return 0, errUsedUp
	}
	own := o.Clone()
	own.ID = t.nextObs
	t.nextObs++
	if err := t.w.put(sum, own); err != nil {
		return 0, err
	}
	if len(t.pending.places) == 0 {
		t.pending.first = own.ID
	}
	t.pending.places = append(t.pending.places, place{own.Datastream, own.Phenomenon.Start})
	if len(t.pending.places) == maxIndexed {
		if err := t.flush(); err != nil {
			return 0, err
		}
	}
	t.changes = append(t.changes, sensorthings.Change{Set: sensorthings.Observations, ID: own.ID, What: sensorthings.Created, Observation: own})
	return own.ID, nil
}

// ReplaceObservation stores another content under an identifier that is there.
func (t *Tx) ReplaceObservation(o *sensorthings.Observation) error {
	if err := t.flush(); err != nil {
		return err
	}
	old, err := t.v.observation(context.Background(), o.ID)
	if err != nil {
		return err
	}
	to, err := t.sum(o.Datastream)
	if err != nil {
		return err
	}
	if err := t.take(old); err != nil {
		return err
	}
	own := o.Clone()
	if err := t.w.put(to, own); err != nil {
		return err
	}
	if o.Datastream != old.Datastream || o.Phenomenon.Start != old.Phenomenon.Start {
		at := place{o.Datastream, o.Phenomenon.Start}
		if err := t.w.set(prefix(nil, kMoved, o.ID), appendPlace(nil, at)); err != nil {
			return err
		}
	}
	t.changes = append(t.changes, sensorthings.Change{
		Set: sensorthings.Observations, ID: own.ID, What: sensorthings.Updated, Properties: differing(old, own), Observation: own,
	})
	return nil
}

// differing names the properties that have another value.
func differing(a, b *sensorthings.Observation) (names []string) {
	for _, p := range []struct {
		name string
		same bool
	}{
		{"phenomenonTime", a.Phenomenon == b.Phenomenon},
		{"result", bytes.Equal(a.Result, b.Result)},
		{"resultTime", a.HasResultTime == b.HasResultTime && (!a.HasResultTime || a.ResultTime == b.ResultTime)},
		{"resultQuality", bytes.Equal(a.Quality, b.Quality)},
		{"validTime", a.HasValid == b.HasValid && (!a.HasValid || a.Valid == b.Valid)},
		{"parameters", bytes.Equal(a.Parameters, b.Parameters)},
	} {
		if !p.same {
			names = append(names, p.name)
		}
	}
	return names
}

// take removes an observation and looks up the extremes that went with it.
func (t *Tx) take(o *sensorthings.Observation) error {
	sum, err := t.sum(o.Datastream)
	if err != nil {
		return err
	}
	extreme, err := t.w.remove(sum, o)
	if err != nil || !extreme {
		return err
	}
	return t.extremes(o.Datastream, sum)
}

// extremes looks up the earliest and the latest times of a Datastream.
func (t *Tx) extremes(ds sensorthings.ID, sum *summary) error {
	if sum.count == 0 {
		*sum = summary{change: sum.change} // the next observation sets the usual feature anew
		return nil
	}
	var err error
	p := prefix(nil, kRow, ds)
	it, err := t.w.b.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: after(p)})
	if err != nil {
		return err
	}
	defer it.Close()
	// There is a row, so none found is a disk that could not be read; the next move
	// of the iterator would forget that.
	if !it.First() {
		return cmp.Or(it.Error(), errDamaged)
	}
	sum.first = timeOf(it.Key()[1+idLen:])
	if !it.Last() {
		return cmp.Or(it.Error(), errDamaged)
	}
	sum.last = timeOf(it.Key()[1+idLen:])
	sum.latest = latest{}
	if v := it.Value(); len(v) <= maxLatest {
		sum.latest = latest{bytes.Clone(it.Key()), bytes.Clone(v)}
	}
	if sum.periods > 0 {
		if _, last, found, err := t.ends(kEnd, ds); err != nil {
			return err
		} else if found {
			sum.last = max(sum.last, last)
		}
	}
	if sum.results == 0 {
		return nil
	}
	known := false
	if sum.results > sum.same {
		if sum.resFirst, sum.resLast, known, err = t.ends(kResult, ds); err != nil {
			return err
		}
	}
	if sum.same > 0 {
		first, last, err := sameEnds(it)
		if err != nil {
			return err
		}
		if !known {
			sum.resFirst, sum.resLast = first, last
		} else {
			sum.resFirst, sum.resLast = min(sum.resFirst, first), max(sum.resLast, last)
		}
	}
	return nil
}

// sameEnds finds the first and the last row whose result time is the start.
// Where all rows are of one kind that is the first and the last row.
func sameEnds(it *pebble.Iterator) (first, last int64, err error) {
	is := func() bool { v := it.Value(); return len(v) > 0 && v[0]&bitResultSame != 0 }
	for ok := it.First(); ok; ok = it.Next() {
		if is() {
			first = timeOf(it.Key()[1+idLen:])
			break
		}
	}
	if err := it.Error(); err != nil {
		return 0, 0, err
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		if is() {
			last = timeOf(it.Key()[1+idLen:])
			break
		}
	}
	return first, last, it.Error()
}

// ends returns the first and the last time of an index of a Datastream.
func (t *Tx) ends(kind byte, ds sensorthings.ID) (first, last int64, found bool, err error) {
	p := prefix(nil, kind, ds)
	it, err := t.w.b.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: after(p)})
	if err != nil {
		return 0, 0, false, err
	}
	defer it.Close()
	if !it.First() {
		return 0, 0, false, it.Error()
	}
	first = timeOf(it.Key()[1+idLen:])
	if it.Last() {
		last = timeOf(it.Key()[1+idLen:])
	}
	return first, last, true, it.Error()
}
