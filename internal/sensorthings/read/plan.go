package read

import (
	"errors"
	"math"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// order is the order in which a listing is read.
type order uint8

const (
	byID       order = iota // ascending
	byIDDesc                // Observations only
	byTime                  // start of the phenomenon, then identifier; Observations only
	byTimeDesc              // the other way round
	bySort                  // no index has it: the first ones are kept while all are read
)

// plan is how a listing is read.
type plan struct {
	listing
	order  order
	after  *mark
	bounds query.Bounds
	// Of Observations: what the path and the filter narrow it to; 0 = all.
	datastream, feature sensorthings.ID
	through             *link // ... to the Datastreams of a Thing, Sensor or ObservedProperty
	none                bool  // two conditions exclude each other
}

// plan chooses the cheapest way that the path and the filter allow.
func (e *env) plan(l listing) (*plan, error) {
	p := &plan{listing: l}
	if l.o.Filter != nil {
		p.bounds = l.o.Filter.Bounds()
	}
	p.none = p.bounds.Never
	if l.set == sensorthings.Observations {
		p.datastream, p.feature = p.bounds.Parent["Datastream"], p.bounds.Parent["FeatureOfInterest"]
		for _, r := range sensorthings.Datastreams.Relations() {
			if id, ok := p.bounds.Parent["Datastream/"+r.Name]; ok && !r.Many {
				back, _ := r.To.Relation(r.Inverse)
				p.through = &link{r.To, id, back}
			}
		}
		if l.parent != nil {
			narrow := &p.datastream
			if l.parent.set == sensorthings.FeaturesOfInterest {
				narrow = &p.feature
			}
			p.none = p.none || *narrow != 0 && *narrow != l.parent.id
			*narrow = l.parent.id
		}
	}
	p.order = p.orderOf()
	if l.o.SkipToken != "" {
		var err error
		if p.after, err = parseToken(l.o.SkipToken, p.order); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// orderOf finds the index order that $orderby asks for. Without $orderby it is
// the one that is read most cheaply; it must not change between pages.
func (p *plan) orderOf() order {
	keys := p.o.OrderBy
	observations := p.set == sensorthings.Observations
	switch {
	case len(keys) == 0 && observations && p.timely():
		return byTime
	case len(keys) == 0:
		return byID
	}
	first := keys[0]
	switch {
	case first.Simple == "@iot.id" && !first.Desc:
		return byID
	case first.Simple == "@iot.id" && observations:
		return byIDDesc
	case first.Simple != "phenomenonTime" || !observations || p.feature != 0 && p.datastream == 0:
		return bySort
	case len(keys) > 1 && (keys[1].Simple != "@iot.id" || keys[1].Desc != first.Desc):
		return bySort
	case first.Desc:
		return byTimeDesc
	}
	return byTime
}

// timely reports whether reading by time reads less than reading by identifier.
func (p *plan) timely() bool {
	return p.datastream != 0 || p.feature == 0 && (p.through != nil || p.bounds.From != nil || p.bounds.To != nil)
}

// each calls fn with what the filter lets through, in order, until it returns
// false. Of a sorted listing only the first most are seen.
func (e *env) each(p *plan, most int64, fn func(item) (bool, error)) error {
	if p.none {
		return nil
	}
	if p.order == bySort {
		return e.sorted(p, most, fn)
	}
	return e.filtered(p, fn)
}

// filtered reads in index order and leaves out what the filter does not let
// through.
func (e *env) filtered(p *plan, fn func(item) (bool, error)) error {
	f := p.o.Filter
	if f == nil {
		return e.source(p, fn)
	}
	row := &observationRow{env: e}
	return e.source(p, func(it item) (bool, error) {
		var ok bool
		var err error
		if it.o != nil {
			row.o = it.o
			ok, err = f.Match(row)
		} else {
			ok, err = f.Match(&entityRow{e, it.e})
		}
		if err != nil || !ok {
			return true, err
		}
		return fn(it)
	})
}

// source reads what the plan narrows the listing to.
func (e *env) source(p *plan, fn func(item) (bool, error)) error {
	if p.bounds.ID != nil {
		return e.sourceOne(p, *p.bounds.ID, fn)
	}
	if p.set == sensorthings.Observations {
		return e.sourceObservations(p, fn)
	}
	after := sensorthings.ID(0)
	if p.after != nil {
		after = p.after.id
	}
	byRow := func(r *entityRow) (bool, error) { return fn(item{env: e, e: r.e}) }
	if p.parent != nil {
		return e.related(*p.parent, after, byRow)
	}
	for _, r := range p.set.Relations() {
		if id, ok := p.bounds.Parent[r.Name]; ok && r.To != sensorthings.Observations {
			back, _ := r.To.Relation(r.Inverse)
			return e.related(link{r.To, id, back}, after, byRow)
		}
	}
	return e.entities(p.set, after, byRow)
}

// sourceOne reads the one entity that the filter names.
func (e *env) sourceOne(p *plan, id sensorthings.ID, fn func(item) (bool, error)) error {
	if p.after != nil {
		return nil // it was on an earlier page
	}
	t, err := e.find(p.set, id)
	if errors.Is(err, sensorthings.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.parent != nil {
		if belongs, err := e.belongs(t, p.parent); err != nil || !belongs {
			return err
		}
	}
	_, err = fn(t.item)
	return err
}

func (e *env) sourceObservations(p *plan, fn func(item) (bool, error)) error {
	sc := sensorthings.Scan{Datastream: p.datastream, Feature: p.feature, From: math.MinInt64, To: math.MaxInt64}
	if p.bounds.From != nil {
		sc.From = *p.bounds.From
	}
	if p.bounds.To != nil {
		sc.To = *p.bounds.To
	}
	if p.after != nil && (p.order == byID || p.order == byIDDesc) {
		sc.After = &sensorthings.Mark{ID: p.after.id}
	}
	switch p.order {
	case byIDDesc:
		sc.Order = sensorthings.ByIDDesc
	case byTime:
		sc.Order = sensorthings.ByTime
	case byTimeDesc:
		sc.Order = sensorthings.ByTimeDesc
	case bySort:
		if p.timely() {
			sc.Order = sensorthings.ByTime
		}
	case byID:
	}
	if p.order == byTime || p.order == byTimeDesc {
		return e.timed(p, sc, fn)
	}
	return e.scan(p, sc, fn)
}

// scan reads in the scan's order; by time, of many Datastreams too.
func (e *env) scan(p *plan, sc sensorthings.Scan, fn func(item) (bool, error)) error {
	if sc.Datastream == 0 && (sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc) {
		return e.merged(p, sc, fn)
	}
	return e.observations(sc, func(o *sensorthings.Observation) (bool, error) { return fn(item{env: e, o: o}) })
}
