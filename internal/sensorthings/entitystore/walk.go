package entitystore

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// walk goes along the index. Between the first identifier of one of its rows and
// that of the next lie the places of the row, and those of observations that
// moved, which go before.
func (c *idScan) walk() error { return c.run(c.windows) }

func (c *idScan) windows() error {
	it, err := c.v.r.NewIterWithContext(c.ctx, &pebble.IterOptions{LowerBound: []byte{kIndex}, UpperBound: []byte{kIndex + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	moved, err := c.v.r.NewIterWithContext(c.ctx, &pebble.IterOptions{LowerBound: prefix(nil, kMoved, c.lo), UpperBound: prefix(nil, kMoved, c.hi+1)})
	if err != nil {
		return err
	}
	defer moved.Close()
	if !moved.First() {
		if err := moved.Error(); err != nil {
			return err
		}
		moved = nil
	}
	if c.desc {
		return c.down(it, moved)
	}
	return c.up(it, moved)
}

func (c *idScan) up(it, moved *pebble.Iterator) error {
	ok := it.SeekLT(prefix(nil, kIndex, c.lo+1))
	if !ok {
		if err := it.Error(); err != nil { // the next move would forget it
			return err
		}
		ok = it.First()
	}
	low := c.lo // of the window
	var list []indexed
	for low <= c.hi {
		list = list[:0]
		var err error
		if ok && idOf(it.Key()[1:]) <= low {
			if list, err = parsePlaces(list, it.Key(), it.Value()); err != nil {
				return err
			}
			ok = it.Next()
		}
		high := c.hi + 1
		if ok {
			high = min(high, idOf(it.Key()[1:]))
		}
		if err := c.window(list, moved, low, high); err != nil {
			return err
		}
		low = high
	}
	return it.Error()
}

func (c *idScan) down(it, moved *pebble.Iterator) error {
	ok := it.SeekLT(prefix(nil, kIndex, c.hi+1))
	high := c.hi + 1
	var list []indexed
	for high > c.lo {
		list = list[:0]
		low := c.lo
		if ok {
			var err error
			if list, err = parsePlaces(list, it.Key(), it.Value()); err != nil {
				return err
			}
			low = idOf(it.Key()[1:])
			ok = it.Prev()
		}
		if err := c.window(list, moved, max(low, c.lo), high); err != nil {
			return err
		}
		high = low
	}
	return it.Error()
}

// window shows the identifiers in [low, high).
func (c *idScan) window(list []indexed, moved *pebble.Iterator, low, high sensorthings.ID) error {
	for len(list) > 0 && list[0].id < low {
		list = list[1:]
	}
	for len(list) > 0 && list[len(list)-1].id >= high {
		list = list[:len(list)-1]
	}
	if moved != nil {
		var others []indexed
		for ok := moved.SeekGE(prefix(nil, kMoved, low)); ok; ok = moved.Next() {
			id := idOf(moved.Key()[1:])
			if id >= high {
				break
			}
			at, err := placeOf(moved.Value())
			if err != nil {
				return err
			}
			others = append(others, indexed{id, at})
		}
		if err := moved.Error(); err != nil {
			return err
		}
		list = overlay(list, others)
	}
	if c.desc {
		slices.Reverse(list)
	}
	return c.show(list)
}

// overlay joins two lists by identifier; those of over go before.
func overlay(list, over []indexed) []indexed {
	if len(over) == 0 {
		return list
	}
	all := append(slices.Clone(over), list...)
	slices.SortStableFunc(all, func(a, b indexed) int { return int(a.id - b.id) })
	return slices.CompactFunc(all, func(a, b indexed) bool { return a.id == b.id })
}
