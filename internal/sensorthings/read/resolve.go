package read

import (
	"errors"
	"fmt"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// target is what a path leads to: a set, perhaps behind an entity, or one
// entity.
type target struct {
	set    sensorthings.Set
	many   bool
	parent *link // of a set behind an entity
	item   item  // of one entity
}

// link is a relation of one entity.
type link struct {
	set      sensorthings.Set
	id       sensorthings.ID
	relation sensorthings.Relation
}

// resolve follows a path. Each step must belong to the one before it; the error
// is a 404 that names the step otherwise.
func (e *env) resolve(p *query.Path) (target, error) {
	var t target
	for i, step := range p.Steps {
		next, err := e.step(t, step, i == 0)
		if errors.Is(err, sensorthings.ErrNotFound) {
			return t, notFound(stepName(step) + " is not there")
		}
		if err != nil {
			return t, err
		}
		t = next
	}
	return t, nil
}

func stepName(s query.Step) string {
	name := s.Relation.Name
	if name == "" {
		name = s.Set.String()
	}
	if s.Keyed {
		return fmt.Sprintf("%s(%d)", name, s.Key)
	}
	return name
}

func (e *env) step(from target, s query.Step, first bool) (target, error) {
	if first {
		if s.Keyed {
			return e.find(s.Set, s.Key)
		}
		return target{set: s.Set, many: true}, nil
	}
	if from.many {
		return from, notFound(s.Relation.Name + " follows a set; name one entity of it first, like Things(1)/Datastreams")
	}
	if !s.Relation.Many {
		id := from.item.to(s.Relation.Name)
		if id == 0 {
			return from, sensorthings.ErrNotFound
		}
		return e.find(s.Set, id)
	}
	l := &link{from.set, from.item.id(), s.Relation}
	if !s.Keyed {
		return target{set: s.Set, many: true, parent: l}, nil
	}
	t, err := e.find(s.Set, s.Key)
	if err != nil {
		return t, err
	}
	belongs, err := e.belongs(t, l)
	if err == nil && !belongs {
		err = sensorthings.ErrNotFound
	}
	return t, err
}

func (e *env) find(s sensorthings.Set, id sensorthings.ID) (target, error) {
	if s != sensorthings.Observations {
		row, err := e.entity(s, id)
		if err != nil {
			return target{}, err
		}
		return target{set: s, item: item{env: e, e: row.e}}, nil
	}
	if err := e.tick(); err != nil {
		return target{}, err
	}
	o, err := e.r.Observation(e.ctx, id)
	if err != nil {
		return target{}, fmt.Errorf("read Observations(%d): %w", id, err)
	}
	return target{set: s, item: item{env: e, o: o}}, nil
}

// belongs reports whether t is at the end of l.
func (e *env) belongs(t target, l *link) (bool, error) {
	if back, ok := l.relation.To.Relation(l.relation.Inverse); ok && !back.Many {
		return t.item.to(back.Name) == l.id, nil
	}
	found := false
	var fault error
	err := e.r.Related(e.ctx, l.set, l.id, l.relation.Name, func(id sensorthings.ID) bool {
		fault = e.tick()
		found = id == t.item.id()
		return fault == nil && id < t.item.id()
	})
	return found, errors.Join(err, fault)
}
