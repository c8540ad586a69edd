package write

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/query"
)

// Ref names an entity.
type Ref struct {
	Set sensorthings.Set
	ID  sensorthings.ID
}

// Session is a transaction in which the rules are applied. What one write makes
// is there for the next.
type Session struct {
	w    *Writer
	tx   *entitystore.Tx
	refs map[string]Ref
}

// Name lets later writes of the session link to r as "$name".
func (s *Session) Name(name string, r Ref) {
	if s.refs == nil {
		s.refs = map[string]Ref{}
	}
	s.refs[name] = r
}

// Named returns what Name was told.
func (s *Session) Named(name string) (Ref, bool) {
	r, ok := s.refs[name]
	return r, ok
}

// target is where a path leads.
type target struct {
	Ref                            // ID 0 = a set
	parent   Ref                   // of a set below an entity
	relation sensorthings.Relation // from the parent to the set
}

// resolve follows a path and sees to it that every step belongs to the one
// before.
func (s *Session) resolve(ctx context.Context, p *query.Path) (t target, err error) {
	if len(p.Steps) == 0 || p.Value || p.Ref || len(p.Property) > 0 {
		return t, refuse(http.StatusMethodNotAllowed, "this address can only be read; write to the set or the entity, such as /Things or /Things(1)")
	}
	for i := range p.Steps {
		step := &p.Steps[i]
		from := t.Ref
		t = target{Ref: Ref{step.Set, step.Key}}
		switch {
		case i == 0 && step.Keyed:
			if err := s.here(ctx, t.Ref); err != nil {
				return t, err
			}
		case i == 0: // a whole set
		case !step.Relation.Many:
			if t.ID, err = s.follow(ctx, from, step.Relation); err != nil {
				return t, err
			}
		case !step.Keyed:
			t.ID, t.parent, t.relation = 0, from, step.Relation
		default:
			if err := s.belongs(ctx, from, step.Relation, step.Key); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// here fails with 404 unless an entity is there.
func (s *Session) here(ctx context.Context, r Ref) error {
	ok, err := s.exists(ctx, r)
	if err == nil && !ok {
		err = notThere(r.Set, r.ID)
	}
	return err
}

func (s *Session) exists(ctx context.Context, r Ref) (bool, error) {
	if r.ID <= 0 {
		return false, nil
	}
	var err error
	if from := s.reader(r); from == nil {
		return false, nil
	} else if r.Set == sensorthings.Observations {
		_, err = from.Observation(ctx, r.ID)
	} else {
		_, err = from.Entity(ctx, r.Set, r.ID)
	}
	if errors.Is(err, sensorthings.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// reader is who knows an entity: the transaction or the outlets; nil when
// there are no outlets.
func (s *Session) reader(r Ref) sensorthings.Reader {
	if sensorthings.FromOutlets(r.Set, r.ID) {
		return s.w.outlets
	}
	return s.tx
}

// one reads where a single relation leads, 0 = nowhere.
func (s *Session) one(ctx context.Context, from Ref, relation string) (sensorthings.ID, error) {
	r := s.reader(from)
	if r == nil {
		return 0, nil
	}
	if from.Set == sensorthings.Observations {
		o, err := r.Observation(ctx, from.ID)
		if err != nil {
			return 0, err
		}
		return o.To(relation), nil
	}
	e, err := r.Entity(ctx, from.Set, from.ID)
	if err != nil {
		return 0, err
	}
	return e.To(relation), nil
}

func (s *Session) follow(ctx context.Context, from Ref, r sensorthings.Relation) (sensorthings.ID, error) {
	id, err := s.one(ctx, from, r.Name)
	if err == nil && id == 0 {
		err = refuse(http.StatusNotFound, "this "+from.Set.One()+" has no "+r.Name)
	}
	return id, err
}

// belongs fails with 404 unless a relation of many leads from one entity to the other.
func (s *Session) belongs(ctx context.Context, from Ref, r sensorthings.Relation, id sensorthings.ID) error {
	to := Ref{r.To, id}
	if err := s.here(ctx, to); err != nil {
		return err
	}
	if back, _ := r.To.Relation(r.Inverse); !back.Many {
		up, err := s.one(ctx, to, r.Inverse)
		if err == nil && up != from.ID {
			err = notThere(r.To, id)
		}
		return err
	}
	ids, err := s.related(ctx, from, r.Name)
	if err != nil {
		return err
	}
	if slices.Contains(ids, id) {
		return nil
	}
	return notThere(r.To, id)
}

// related lists the ends of a relation of many to many.
func (s *Session) related(ctx context.Context, from Ref, relation string) (ids []sensorthings.ID, err error) {
	collect := func(id sensorthings.ID) bool { ids = append(ids, id); return true }
	if sensorthings.FromOutlets(from.Set, from.ID) && s.w.outlets != nil {
		if err := s.w.outlets.Related(ctx, from.Set, from.ID, relation, collect); err != nil {
			return nil, err
		}
	}
	return ids, s.tx.Related(ctx, from.Set, from.ID, relation, collect)
}

// mayLink fails unless an entity that a relation is to lead to is there and may
// be its end: nothing is hung below the Thing or Datastream of an outlet.
func (s *Session) mayLink(ctx context.Context, p *place, to Ref) error {
	ok, err := s.exists(ctx, to)
	switch {
	case err != nil:
		return err
	case !ok:
		return bad(p, "there is no %s(%d) to link to", to.Set, to.ID)
	case (to.Set == sensorthings.Things || to.Set == sensorthings.Datastreams) && sensorthings.FromOutlets(to.Set, to.ID):
		return ofOutlet(p, to.Set, to.ID)
	}
	return nil
}

// mayChange fails unless a linked entity is there and its own relations may be
// changed.
func (s *Session) mayChange(ctx context.Context, p *place, r Ref) error {
	ok, err := s.exists(ctx, r)
	switch {
	case err != nil:
		return err
	case !ok:
		return bad(p, "there is no %s(%d) to link to", r.Set, r.ID)
	case sensorthings.FromOutlets(r.Set, r.ID):
		return ofOutlet(p, r.Set, r.ID)
	}
	return nil
}
