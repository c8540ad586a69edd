package read

import (
	"errors"
	"fmt"
	"strconv"

	"plateau/internal/sensorthings"
)

// entities calls fn with the entities of a set behind an identifier; not of
// Observations.
func (e *env) entities(s sensorthings.Set, after sensorthings.ID, fn func(*entityRow) (bool, error)) error {
	var fault error
	err := e.r.Entities(e.ctx, s, after, func(found *sensorthings.Entity) bool {
		if fault = e.tick(); fault != nil {
			return false
		}
		var more bool
		more, fault = fn(&entityRow{e, found})
		return more && fault == nil
	})
	if fault != nil {
		return fault
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s, err)
	}
	return nil
}

// appendCount appends how many entities there are as a member, where that is
// asked for.
func (e *env) appendCount(b []byte, name string, l listing) ([]byte, error) {
	if !l.o.Count {
		return b, nil
	}
	n, err := e.count(l)
	return strconv.AppendInt(member(b, name), n, 10), err
}

// count is how many entities the filter lets through, whatever the page.
// Without a filter, Observations are counted by what is known of their
// Datastreams.
func (e *env) count(l listing) (n int64, err error) {
	all := *l.o
	all.SkipToken, all.OrderBy = "", nil
	l.o = &all
	p, err := e.plan(l)
	if err != nil || p.none {
		return 0, err
	}
	one := func(item) (bool, error) { n++; return true, nil }
	if l.o.Filter != nil {
		err = e.filtered(p, one)
		return n, err
	}
	switch {
	case l.set != sensorthings.Observations && l.parent != nil:
		var fault error
		err = e.r.Related(e.ctx, l.parent.set, l.parent.id, l.parent.relation.Name, func(sensorthings.ID) bool {
			n++
			fault = e.tick()
			return fault == nil
		})
		return n, errors.Join(fault, err)
	case l.set != sensorthings.Observations || p.feature != 0:
		err = e.source(p, one)
		return n, err
	case p.datastream != 0:
		sum, err := e.summary(p.datastream)
		return sum.Count, err
	}
	err = e.entities(sensorthings.Datastreams, 0, func(r *entityRow) (bool, error) {
		sum, err := e.summary(r.e.ID)
		n += sum.Count
		return true, err
	})
	return n, err
}

func (e *env) summary(datastream sensorthings.ID) (sensorthings.Summary, error) {
	sum, err := e.r.Summary(e.ctx, datastream)
	if err != nil {
		return sum, fmt.Errorf("sum up Datastreams(%d): %w", datastream, err)
	}
	return sum, nil
}
