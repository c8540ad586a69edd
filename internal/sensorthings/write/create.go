package write

import (
	"context"
	"fmt"
	"net/http"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// maxDepth bounds entities inside entities of one body.
const maxDepth = 64

// bond is the relation of a new entity to the one in whose body or below whose
// address it stands.
type bond struct {
	relation string
	id       sensorthings.ID
}

// Post creates the entity that body describes in the set or relation that p
// leads to, with everything inside of it.
func (s *Session) Post(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	t, err := s.resolve(ctx, p)
	if err != nil {
		return Ref{}, err
	}
	if t.ID != 0 {
		return Ref{}, refuse(http.StatusMethodNotAllowed, fmt.Sprintf("a new entity is posted to a set, not to an entity; change this one with PATCH, or post to /%s", t.Set))
	}
	body, ok := valid(body)
	if !ok {
		return Ref{}, bad(nil, "the body is not JSON in UTF-8; send one object with the properties of a %s", t.Set.One())
	}
	var implied *bond
	if t.parent.ID != 0 {
		implied = &bond{t.relation.Inverse, t.parent.ID}
	}
	id, err := s.create(ctx, t.Set, body, implied, nil, 0)
	return Ref{t.Set, id}, err
}

func (s *Session) create(ctx context.Context, set sensorthings.Set, raw []byte, implied *bond, at *place, depth int) (sensorthings.ID, error) {
	if depth > maxDepth {
		return 0, bad(at, "entities stand inside each other more than %d deep; create them one after the other and link them by @iot.id", maxDepth)
	}
	d := draft{set: set, at: at}
	if err := d.read(raw); err != nil {
		return 0, err
	}
	ones, err := s.ones(ctx, &d, implied, depth)
	if err != nil {
		return 0, err
	}
	if set == sensorthings.Observations {
		return s.createObservation(ctx, &d, ones)
	}
	props, err := d.properties(nil, true)
	if err != nil {
		return 0, err
	}
	id, err := s.tx.Create(&sensorthings.Entity{Set: set, Properties: props, One: ones})
	if err != nil {
		return 0, err
	}
	for i, r := range set.Relations() {
		if !r.Many {
			continue
		}
		if err := s.fill(ctx, &d, Ref{set, id}, r, d.rels[i], implied, depth); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// ones finds the ends of the single relations of a new entity: implied, linked,
// or created first.
func (s *Session) ones(ctx context.Context, d *draft, implied *bond, depth int) (ids []sensorthings.ID, err error) {
	for i, r := range d.set.Relations() {
		if r.Many {
			continue
		}
		id := sensorthings.ID(0)
		p := d.at.member(r.Name)
		if implied != nil && implied.relation == r.Name {
			id = implied.id
			if err := s.mayLink(ctx, nil, Ref{r.To, id}); err != nil {
				return nil, err
			}
		}
		switch raw := d.rels[i]; {
		case raw == nil || isNull(raw):
			if id == 0 && r.Required {
				return nil, bad(d.at, "a %s needs a %s: give it inside, link to one with \"%s\": {\"@iot.id\": …}, or post below it", d.set.One(), r.Name, r.Name)
			}
		default:
			other, linked, err := link(raw, r.To, p, s.refs)
			switch {
			case err != nil:
				return nil, err
			case id != 0 && (!linked || other != id):
				return nil, bad(p, "is given twice: the request is about what belongs to %s(%d), leave %s out or name the same one", r.To, id, r.Name)
			case linked:
				if err := s.mayLink(ctx, p, Ref{r.To, other}); err != nil {
					return nil, err
				}
				id = other
			default:
				if id, err = s.create(ctx, r.To, raw, nil, p, depth+1); err != nil {
					return nil, err
				}
			}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// fill gives a new entity what its body says about a relation of many.
func (s *Session) fill(ctx context.Context, d *draft, self Ref, r sensorthings.Relation, raw []byte, implied *bond, depth int) error {
	var ends []sensorthings.ID
	if implied != nil && implied.relation == r.Name {
		if err := s.mayLinkMany(ctx, nil, r, implied.id); err != nil {
			return err
		}
		ends = append(ends, implied.id)
	}
	back, _ := r.To.Relation(r.Inverse)
	if raw != nil && !isNull(raw) {
		if !isArray(raw) {
			return bad(d.at.member(r.Name), "is %s, write an array of %s", kindOf(raw), r.To)
		}
		err := elements(raw, func(i int, v []byte) error {
			p := d.at.item(r.Name, i)
			id, linked, err := link(v, r.To, p, s.refs)
			switch {
			case err != nil:
				return err
			case linked && !back.Many:
				return s.hang(ctx, p, Ref{r.To, id}, r.Inverse, self.ID)
			case linked:
				ends = append(ends, id)
				return s.mayLinkMany(ctx, p, r, id)
			case !back.Many || r.To == sensorthings.Things || r.To == sensorthings.HistoricalLocations:
				// The other one sees to the relation, and to history.
				_, err = s.create(ctx, r.To, v, &bond{r.Inverse, self.ID}, p, depth+1)
				return err
			}
			if id, err = s.create(ctx, r.To, v, nil, p, depth+1); err == nil {
				ends = append(ends, id)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if r.Required && len(ends) == 0 {
		return bad(d.at, "a %s needs %s: one or more inside, or links to them by @iot.id", d.set.One(), r.Name)
	}
	return s.join(ctx, d.at.member(r.Name), self, r, ends)
}

// mayLinkMany is mayLink for a relation of many to many: of its two ends the
// Thing or HistoricalLocation is the one that changes.
func (s *Session) mayLinkMany(ctx context.Context, p *place, r sensorthings.Relation, id sensorthings.ID) error {
	if r.To == sensorthings.Locations {
		return s.mayLink(ctx, p, Ref{r.To, id})
	}
	return s.mayChange(ctx, p, Ref{r.To, id})
}

// join links an entity to ends of a relation of many to many.
func (s *Session) join(ctx context.Context, p *place, self Ref, r sensorthings.Relation, ends []sensorthings.ID) error {
	if len(ends) == 0 {
		return nil
	}
	switch {
	case self.Set == sensorthings.Things && r.To == sensorthings.Locations:
		return s.move(ctx, p, self.ID, ends)
	case self.Set == sensorthings.Locations && r.To == sensorthings.Things:
		for _, thing := range ends {
			if err := s.move(ctx, p, thing, []sensorthings.ID{self.ID}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, id := range ends {
		if err := s.tx.Link(self.Set, self.ID, r.Name, id); err != nil {
			return err
		}
	}
	if self.Set == sensorthings.HistoricalLocations {
		return s.recorded(ctx, self.ID, ends)
	}
	return nil
}

// hang lets a single relation of an entity that is there lead to another end.
func (s *Session) hang(ctx context.Context, p *place, child Ref, relation string, to sensorthings.ID) error {
	if err := s.mayChange(ctx, p, child); err != nil {
		return err
	}
	if child.Set == sensorthings.Observations {
		o, err := s.tx.Observation(ctx, child.ID)
		if err != nil {
			return err
		}
		if relation == "Datastream" {
			o.Datastream = to
		} else {
			o.Feature = to
		}
		return s.tx.ReplaceObservation(o)
	}
	e, err := s.tx.Entity(ctx, child.Set, child.ID)
	if err != nil {
		return err
	}
	setOne(e, relation, to)
	return s.tx.Replace(e)
}

func (s *Session) createObservation(ctx context.Context, d *draft, ones []sensorthings.ID) (sensorthings.ID, error) {
	o := sensorthings.Observation{Datastream: ones[toDatastream], Feature: ones[toFeature]}
	if err := d.observe(&o, true, s.w.now); err != nil {
		return 0, err
	}
	if o.Feature == 0 {
		var err error
		if o.Feature, err = s.feature(ctx, d.at, o.Datastream); err != nil {
			return 0, err
		}
	}
	return s.tx.Observe(&o)
}
