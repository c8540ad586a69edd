package read

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// env is one request under way. It keeps the request's context because
// query.Row has none.
type env struct {
	ctx    context.Context
	r      sensorthings.Reader
	meter  *sensorthings.Meter
	base   string
	limits Limits
	cache  map[key]*entityRow
}

type key struct {
	set sensorthings.Set
	id  sensorthings.ID
}

// cacheMax bounds the entities that a request remembers.
const cacheMax = 50_000

// tick counts a row that was read, and ends a request whose sender is gone.
func (e *env) tick() error {
	before := e.meter.Rows >> 10
	if err := e.meter.Read(1); err != nil {
		return err
	}
	if e.meter.Rows>>10 != before {
		return e.ctx.Err()
	}
	return nil
}

// entity returns an entity, from memory where the request has read it already.
func (e *env) entity(s sensorthings.Set, id sensorthings.ID) (*entityRow, error) {
	k := key{s, id}
	if row, ok := e.cache[k]; ok {
		return row, nil
	}
	if err := e.tick(); err != nil {
		return nil, err
	}
	found, err := e.r.Entity(e.ctx, s, id)
	if err != nil {
		return nil, fmt.Errorf("read %s(%d): %w", s, id, err)
	}
	if len(e.cache) >= cacheMax {
		clear(e.cache)
	}
	row := &entityRow{e, found}
	e.cache[k] = row
	return row, nil
}

// related calls fn with the entities at the end of a relation to many (not
// Observations) behind an identifier. Those that went in between are passed over.
func (e *env) related(l link, after sensorthings.ID, fn func(*entityRow) (bool, error)) error {
	var fault error
	err := e.r.Related(e.ctx, l.set, l.id, l.relation.Name, func(id sensorthings.ID) bool {
		if id <= after {
			fault = e.tick()
			return fault == nil
		}
		row, err := e.entity(l.relation.To, id)
		if errors.Is(err, sensorthings.ErrNotFound) {
			return true
		}
		if fault = err; err != nil {
			return false
		}
		var more bool
		more, fault = fn(row)
		return more && fault == nil
	})
	if fault != nil {
		return fault
	}
	if err != nil {
		return fmt.Errorf("read %s(%d)/%s: %w", l.set, l.id, l.relation.Name, err)
	}
	return nil
}

// observations scans, counting rows; fn may fail.
func (e *env) observations(sc sensorthings.Scan, fn func(*sensorthings.Observation) (bool, error)) error {
	var fault error
	err := e.r.Observations(e.ctx, sc, func(o *sensorthings.Observation) bool {
		if fault = e.tick(); fault != nil {
			return false
		}
		var more bool
		more, fault = fn(o)
		return more && fault == nil
	})
	if fault != nil {
		return fault
	}
	if err != nil {
		return fmt.Errorf("read observations: %w", err)
	}
	return nil
}

// entityRow is an entity as a filter sees it.
type entityRow struct {
	env *env
	e   *sensorthings.Entity
}

// ID implements query.Row.
func (r *entityRow) ID() sensorthings.ID { return r.e.ID }

// Property implements query.Row.
func (r *entityRow) Property(name string) (query.Value, error) {
	if name == timeOfObservations {
		e, err := r.env.spanned(r.e)
		if err != nil {
			return query.Null(), err
		}
		r.e = e
	}
	raw := r.e.Get(name)
	if raw == nil {
		return query.Null(), nil
	}
	p, _ := r.e.Set.Property(name)
	switch p.Kind {
	case sensorthings.Instant, sensorthings.Period, sensorthings.Moment:
		return timeValue(raw)
	default:
		return query.JSON(raw), nil
	}
}

func timeValue(raw json.RawMessage) (query.Value, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return query.Null(), nil
	}
	span, err := query.ParseSpan(string(raw[1 : len(raw)-1]))
	if err != nil {
		return query.Null(), fmt.Errorf("a stored time: %w", err)
	}
	return query.Time(span), nil
}

// One implements query.Row.
func (r *entityRow) One(rel sensorthings.Relation) (query.Row, error) {
	return r.env.one(rel, r.e.To(rel.Name))
}

func (e *env) one(rel sensorthings.Relation, id sensorthings.ID) (query.Row, error) {
	if id == 0 {
		return nil, nil //nolint:nilnil // query.Row says so: there is none
	}
	row, err := e.entity(rel.To, id)
	if errors.Is(err, sensorthings.ErrNotFound) {
		return nil, nil //nolint:nilnil // it went in between, or may not be seen
	}
	if err != nil {
		return nil, err
	}
	return row, nil
}

// Many implements query.Row. Observations come newest first, because what is
// looked for is mostly recent.
func (r *entityRow) Many(rel sensorthings.Relation, fn func(query.Row) (bool, error)) error {
	if rel.To != sensorthings.Observations {
		return r.env.related(link{r.e.Set, r.e.ID, rel}, 0, func(row *entityRow) (bool, error) { return fn(row) })
	}
	row := &observationRow{env: r.env}
	return r.env.observations(behind(r.e.Set, r.e.ID), func(o *sensorthings.Observation) (bool, error) {
		row.o = o
		return fn(row)
	})
}

// behind is the scan over the Observations of a Datastream or feature, newest
// first.
func behind(s sensorthings.Set, id sensorthings.ID) sensorthings.Scan {
	sc := sensorthings.All()
	if s == sensorthings.Datastreams {
		sc.Datastream, sc.Order = id, sensorthings.ByTimeDesc
		return sc
	}
	sc.Feature, sc.Order = id, sensorthings.ByIDDesc
	return sc
}

// observationRow is an Observation as a filter sees it.
type observationRow struct {
	env *env
	o   *sensorthings.Observation
}

// ID implements query.Row.
func (r *observationRow) ID() sensorthings.ID { return r.o.ID }

// Property implements query.Row.
func (r *observationRow) Property(name string) (query.Value, error) {
	o := r.o
	raw := o.Result
	switch name {
	case "phenomenonTime":
		return query.Time(o.Phenomenon), nil
	case "resultTime":
		if !o.HasResultTime {
			return query.Null(), nil
		}
		return query.Time(sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}), nil
	case "validTime":
		if !o.HasValid {
			return query.Null(), nil
		}
		return query.Time(o.Valid), nil
	case "resultQuality":
		raw = o.Quality
	case "parameters":
		raw = o.Parameters
	}
	if raw == nil {
		return query.Null(), nil
	}
	return query.JSON(raw), nil
}

// One implements query.Row.
func (r *observationRow) One(rel sensorthings.Relation) (query.Row, error) {
	return r.env.one(rel, r.o.To(rel.Name))
}

// Many implements query.Row; an Observation has no relation to many.
func (r *observationRow) Many(sensorthings.Relation, func(query.Row) (bool, error)) error { return nil }
