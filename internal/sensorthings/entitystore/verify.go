package entitystore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// Report tells what Verify found.
type Report struct {
	Entities, Observations int64
	Faults                 []string // at most 100
}

// OK reports that nothing was found.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < 100 {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Verify reads everything: each row is found by its identifier and in each of
// its indices, no index leads elsewhere, each summary is what its rows give, and
// each relation is known at both ends. A place without a row is no fault: the
// index keeps places of what was deleted until it is cleaned.
func (s *Store) Verify(ctx context.Context) (r Report, err error) {
	err = s.read(func(v *view) error {
		c := check{v: &view{r: v.r}, r: &r, ctx: ctx}
		for _, step := range []func() error{c.entities, c.pairs, c.observations, c.features} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

type check struct {
	v    *view
	r    *Report
	ctx  context.Context //nolint:containedctx // it lives as long as the call
	list []indexed       // the row of the index looked at last
}

func (c *check) has(key []byte) (bool, error) {
	return c.v.get(key, func([]byte) error { return nil })
}

func (c *check) want(key []byte, format string, args ...any) error {
	found, err := c.has(key)
	if err == nil && !found {
		c.r.fault(format, args...)
	}
	return err
}

// entities sees that each single relation is known at its other end.
func (c *check) entities() error {
	p := []byte{kEntity}
	return c.v.each(c.ctx, p, p, func(key, value []byte) (bool, error) {
		c.r.Entities++
		set, id := sensorthings.Set(key[1]), idOf(key[2:])
		e, err := parseEntity(set, id, value)
		if err != nil {
			c.r.fault("%v", err)
			return true, c.ctx.Err()
		}
		n := 0
		for _, rel := range set.Relations() {
			if rel.Many {
				continue
			}
			if n < len(e.One) && e.One[n] != 0 {
				back, _, err := relationOf(rel.To, rel.Inverse)
				if err == nil {
					err = c.want(reverseKey(rel.To, e.One[n], back, id), "%s(%d) is not listed at its %s", set, id, rel.Name)
				}
				if err != nil {
					return false, err
				}
			}
			n++
		}
		if set == sensorthings.Datastreams {
			err = c.want(prefix(nil, kSummary, id), "%s(%d) has no summary", set, id)
		}
		return err == nil, err
	})
}

// pairs sees that each relation listed is one.
func (c *check) pairs() error {
	p := []byte{kReverse}
	return c.v.each(c.ctx, p, p, func(key, _ []byte) (bool, error) {
		set, id, other := sensorthings.Set(key[1]), idOf(key[2:]), idOf(key[len(key)-idLen:])
		rel := set.Relations()[key[2+idLen]]
		back, inverse, err := relationOf(rel.To, rel.Inverse)
		if err != nil {
			return false, err
		}
		if inverse.Many {
			err := c.want(reverseKey(rel.To, other, back, id), "%s(%d)/%s lists %d, which does not list it", set, id, rel.Name, other)
			return err == nil, err
		}
		found, err := c.v.get(entityKey(rel.To, other), func(value []byte) error {
			e, err := parseEntity(rel.To, other, value)
			if err == nil && e.To(rel.Inverse) != id {
				c.r.fault("%s(%d)/%s lists %d, which leads to %d", set, id, rel.Name, other, e.To(rel.Inverse))
			}
			return err
		})
		if err == nil && !found {
			c.r.fault("%s(%d)/%s lists %d, which is not there", set, id, rel.Name, other)
		}
		return err == nil, err
	})
}

// observations goes through the rows of each Datastream that has a summary, and
// sees that there are no others.
func (c *check) observations() error {
	it, err := c.v.r.NewIterWithContext(c.ctx, &pebble.IterOptions{LowerBound: []byte{kRow}, UpperBound: []byte{kRow + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	p := []byte{kSummary}
	if err := c.v.each(c.ctx, p, p, func(key, value []byte) (bool, error) {
		stored, err := parseSummary(value)
		if err != nil {
			return false, err
		}
		return true, c.datastream(it, idOf(key[1:]), stored)
	}); err != nil {
		return err
	}
	for ok := it.First(); ok; {
		ds := idOf(it.Key()[1:])
		found, err := c.has(prefix(nil, kSummary, ds))
		if err != nil {
			return err
		}
		if !found {
			c.r.fault("there are observations of Datastreams(%d), which is not there", ds)
		}
		ok = it.SeekGE(after(prefix(nil, kRow, ds)))
	}
	return it.Error()
}

func (c *check) datastream(it *pebble.Iterator, ds sensorthings.ID, stored *summary) error {
	var (
		made    = summary{hasFeature: stored.hasFeature, feature: stored.feature}
		o       sensorthings.Observation
		text    []byte
		err     error
		strange int64 // with an entry in the index of features
	)
	p := prefix(nil, kRow, ds)
	for ok := it.SeekGE(p); ok && bytes.HasPrefix(it.Key(), p); ok = it.Next() {
		if text, err = parseRow(&o, it.Key(), it.Value(), text, stored.feature); err != nil {
			c.r.fault("%v", err)
			continue
		}
		c.r.Observations++
		odd := it.Value()[0]&bitFeature != 0
		if odd != (o.Feature != stored.feature) {
			c.r.fault("observation %d: its feature is marked wrongly", o.ID)
		}
		made.add(&o, odd)
		if err := c.located(&o); err != nil {
			return err
		}
		if !o.Phenomenon.Instant() {
			if err := c.want(timed(nil, kEnd, ds, o.Phenomenon.End, o.ID), "observation %d is not found by its end", o.ID); err != nil {
				return err
			}
		}
		if o.HasResultTime && o.ResultTime != o.Phenomenon.Start {
			if err := c.want(timed(nil, kResult, ds, o.ResultTime, o.ID), "observation %d is not found by its result time", o.ID); err != nil {
				return err
			}
		}
		if odd && o.Feature != 0 {
			strange++
			if err := c.want(prefix(nil, kFeature, o.Feature, ds, o.ID), "observation %d is not found by its feature", o.ID); err != nil {
				return err
			}
		}
		if o.Feature != 0 {
			if err := c.want(prefix(nil, kFeatureIn, o.Feature, ds), "observation %d: its Datastream is not found by its feature", o.ID); err != nil {
				return err
			}
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	if made.public() != stored.public() || made.same != stored.same && made.count > 0 || made.periods != stored.periods || made.strange != stored.strange {
		c.r.fault("summary of Datastreams(%d) is %+v, its rows give %+v", ds, *stored, made)
	}
	if made.count > 0 && (made.minID < stored.minID || made.maxID > stored.maxID) {
		c.r.fault("summary of Datastreams(%d): identifiers %d to %d, its rows have %d to %d", ds, stored.minID, stored.maxID, made.minID, made.maxID)
	}
	if err := c.count(prefix(nil, kEnd, ds), made.periods, "ends"); err != nil {
		return err
	}
	return c.count(prefix(nil, kResult, ds), made.results-made.same, "result times")
}

// count sees that an index has no more entries than there are rows for it.
func (c *check) count(p []byte, want int64, what string) error {
	var n int64
	if err := c.v.each(c.ctx, p, p, func([]byte, []byte) (bool, error) { n++; return true, nil }); err != nil {
		return err
	}
	if n != want {
		c.r.fault("Datastreams(%d): %d entries by %s, %d rows", idOf(p[1:]), n, what, want)
	}
	return nil
}

// located sees that an identifier leads to its row. Neighbours in the index are
// not looked up again.
func (c *check) located(o *sensorthings.Observation) error {
	want := place{o.Datastream, o.Phenomenon.Start}
	if len(c.list) == 0 || o.ID < c.list[0].id || o.ID > c.list[len(c.list)-1].id {
		it, err := c.v.r.NewIterWithContext(c.ctx, &pebble.IterOptions{LowerBound: []byte{kIndex}, UpperBound: []byte{kIndex + 1}})
		if err != nil {
			return err
		}
		defer it.Close()
		c.list = c.list[:0]
		if it.SeekLT(prefix(nil, kIndex, o.ID+1)) {
			if c.list, err = parsePlaces(c.list, it.Key(), it.Value()); err != nil {
				return err
			}
		} else if err := it.Error(); err != nil {
			return err
		}
	}
	if n := len(c.list); n > 0 && o.ID >= c.list[0].id && o.ID <= c.list[n-1].id && c.list[o.ID-c.list[0].id].place == want {
		return nil
	}
	var at place
	if _, err := c.v.get(prefix(nil, kMoved, o.ID), func(value []byte) (err error) {
		at, err = placeOf(value)
		return err
	}); err != nil {
		return err
	}
	if at != want {
		c.r.fault("observation %d is not found by its identifier", o.ID)
	}
	return nil
}

// features sees that each entry by feature leads to a row.
func (c *check) features() error {
	p := []byte{kFeature}
	return c.v.each(c.ctx, p, p, func(key, value []byte) (bool, error) {
		if len(key) != 1+3*idLen || len(value) != timeLen {
			c.r.fault("damaged entry by feature: %x", key)
			return true, nil
		}
		feature, ds, id := idOf(key[1:]), idOf(key[1+idLen:]), idOf(key[1+2*idLen:])
		err := c.want(timed(nil, kRow, ds, timeOf(value), id), "feature %d leads to observation %d, which is not there", feature, id)
		return err == nil, err
	})
}
