package entitystore

import (
	"context"
	"errors"
	"math"
	"slices"

	"plateau/internal/sensorthings"
)

// maxCollected is how many places a scan by identifier sorts in memory, where
// that reads less than the index would.
const maxCollected = 1 << 16

// byID reads in the order of identifiers. Three ways lead there: the whole
// index; the index, passing over other Datastreams; or the rows of the
// Datastreams asked for, sorted.
func (v *view) byID(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	c := &idScan{v: v, sc: sc, fn: fn, ctx: ctx, lo: 1, hi: maxID, desc: sc.Order == sensorthings.ByIDDesc, usual: map[sensorthings.ID]*summary{}}
	c.meter = sensorthings.MeterFrom(ctx)
	if m := sc.After; m != nil {
		if c.desc {
			c.hi = min(c.hi, m.ID-1)
		} else if m.ID >= maxID {
			return nil
		} else {
			c.lo = max(c.lo, m.ID+1)
		}
	}
	var ids []sensorthings.ID
	switch {
	case sc.Datastream != 0:
		ids = []sensorthings.ID{sc.Datastream}
	case sc.Feature != 0:
		p := prefix(nil, kFeatureIn, sc.Feature)
		if err := v.each(ctx, p, p, func(key, _ []byte) (bool, error) {
			ids = append(ids, idOf(key[len(p):]))
			return true, nil
		}); err != nil {
			return err
		}
	default:
		return c.walk()
	}
	c.only = make(map[sensorthings.ID]bool, len(ids))
	var count int64
	first, last := maxID, sensorthings.ID(0)
	for _, id := range ids {
		sum, err := v.summary(id)
		if err != nil {
			return err
		}
		if sum == nil || sum.count == 0 {
			continue
		}
		c.only[id] = true
		count += sum.count
		first, last = min(first, sum.minID), max(last, sum.maxID)
	}
	c.lo, c.hi = max(c.lo, first), min(c.hi, last)
	if c.lo > c.hi {
		return nil
	}
	if bounded := sc.From > math.MinInt64 || sc.To < math.MaxInt64; bounded || (c.hi-c.lo)/16 > count {
		switch err := c.sorted(ids); {
		case err == nil:
			return nil
		case !errors.Is(err, errMany):
			return err
		}
	}
	return c.walk()
}

type idScan struct {
	v     *view
	ctx   context.Context //nolint:containedctx // it lives as long as the call
	sc    sensorthings.Scan
	fn    func(*sensorthings.Observation) bool
	meter *sensorthings.Meter

	lo, hi sensorthings.ID // both included
	desc   bool
	only   map[sensorthings.ID]bool     // Datastreams; nil = all
	usual  map[sensorthings.ID]*summary // looked up already; nil = not there
	rows   *rows
}

var (
	errMany = errors.New("entitystore: too many to sort")
	errStop = errors.New("entitystore: enough")
)

// sorted collects the places in the time asked for and sorts them.
func (c *idScan) sorted(ids []sensorthings.ID) error {
	var found []indexed
	for _, id := range ids {
		if !c.only[id] {
			continue
		}
		sc := c.sc
		sc.Datastream, sc.Order, sc.After = id, sensorthings.ByTime, nil
		many := false
		if err := c.v.byTime(c.ctx, sc, func(o *sensorthings.Observation) bool {
			if o.ID >= c.lo && o.ID <= c.hi {
				found = append(found, indexed{o.ID, place{id, o.Phenomenon.Start}})
			}
			many = len(found) > maxCollected
			return !many
		}); err != nil {
			return err
		}
		if many {
			return errMany
		}
	}
	slices.SortFunc(found, func(a, b indexed) int { return int(a.id - b.id) })
	if c.desc {
		slices.Reverse(found)
	}
	return c.run(func() error { return c.show(found) })
}

// run opens the rows for show.
func (c *idScan) run(do func() error) error {
	var err error
	if c.rows, err = c.v.rows(c.ctx, c.desc); err != nil {
		return err
	}
	defer c.rows.it.Close()
	if err := do(); !errors.Is(err, errStop) {
		return err
	}
	return nil
}

// show hands out the observations at the places given, in their order.
func (c *idScan) show(list []indexed) error {
	passed := 0
	defer func() { _ = c.meter.Read(passed) }()
	for _, p := range list {
		if p.id < c.lo || p.id > c.hi {
			continue
		}
		if p.start < c.sc.From || p.start >= c.sc.To || c.only != nil && !c.only[p.ds] {
			passed++
			continue
		}
		sum, known := c.usual[p.ds]
		if !known {
			var err error
			if sum, err = c.v.summary(p.ds); err != nil {
				return err
			}
			c.usual[p.ds] = sum
		}
		if sum == nil {
			passed++
			continue
		}
		o, err := c.rows.at(p, sum.feature)
		if err != nil {
			return err
		}
		if o == nil || c.sc.Feature != 0 && o.Feature != c.sc.Feature {
			passed++
			if passed >= 256 {
				if err := c.meter.Read(passed); err != nil {
					return err
				}
				passed = 0
			}
			continue
		}
		if !c.fn(o) {
			return errStop
		}
	}
	n := passed
	passed = 0
	return c.meter.Read(n)
}
