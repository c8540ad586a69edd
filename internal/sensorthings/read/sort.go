package read

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// keepMax bounds what is kept for an order that no index has: what $skip and
// $top add up to.
const keepMax = 500_000

// sorted reads everything that the filter lets through, keeps the first most in
// the order asked for, and calls fn with them.
func (e *env) sorted(p *plan, most int64, fn func(item) (bool, error)) error {
	if most > keepMax {
		return fmt.Errorf("$skip of %d in an order without an index: %w", p.o.Skip, sensorthings.ErrTooMuch)
	}
	h := &firsts{by: p.o.OrderBy}
	probe := entry{keys: make([]query.Value, len(h.by))}
	err := e.filtered(p, func(it item) (bool, error) {
		probe.item = it
		if err := probe.eval(h.by); err != nil {
			return false, err
		}
		full := int64(len(h.entries)) == most
		if full && !h.before(probe, h.entries[0]) {
			return true, nil
		}
		// What is kept must outlast the scan, and so must its keys.
		kept := entry{item: it.keep(), keys: slices.Clone(probe.keys)}
		for i, key := range kept.keys {
			kept.keys[i] = key.Keep()
		}
		if full {
			h.entries[0] = kept
			heap.Fix(h, 0)
		} else {
			heap.Push(h, kept)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(h.entries, h.compare)
	for _, kept := range h.entries {
		if more, err := fn(kept.item); err != nil || !more {
			return err
		}
	}
	return nil
}

type entry struct {
	item item
	keys []query.Value
}

func (n *entry) eval(by []query.Order) (err error) {
	row := n.item.row()
	for i, o := range by {
		if n.keys[i], err = o.Key.Eval(row); err != nil {
			return err
		}
	}
	return nil
}

// firsts is a heap with the last of the kept ones on top.
type firsts struct {
	by      []query.Order
	entries []entry
}

func (h *firsts) compare(a, b entry) int {
	for i, o := range h.by {
		c := query.Compare(a.keys[i], b.keys[i])
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.item.id(), b.item.id())
}

func (h *firsts) before(a, b entry) bool { return h.compare(a, b) < 0 }

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h *firsts) Len() int { return len(h.entries) }

// Less has the last on top.
func (h *firsts) Less(i, j int) bool { return h.before(h.entries[j], h.entries[i]) }

// Swap swaps two.
func (h *firsts) Swap(i, j int) { h.entries[i], h.entries[j] = h.entries[j], h.entries[i] }

// Push adds an entry.
func (h *firsts) Push(x any) { h.entries = append(h.entries, x.(entry)) }

// Pop takes the last one off; the heap only grows, so nobody calls it.
func (h *firsts) Pop() any {
	last := h.entries[len(h.entries)-1]
	h.entries = h.entries[:len(h.entries)-1]
	return last
}
