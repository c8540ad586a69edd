package write

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

func setOne(e *sensorthings.Entity, relation string, to sensorthings.ID) {
	i := 0
	for _, r := range e.Set.Relations() {
		if r.Many {
			continue
		}
		if r.Name == relation {
			e.One[i] = to
			return
		}
		i++
	}
}

// changeable resolves a path to one entity that clients may change.
func (s *Session) changeable(ctx context.Context, p *query.Path, method string) (Ref, error) {
	t, err := s.resolve(ctx, p)
	switch {
	case err != nil:
		return Ref{}, err
	case t.ID == 0:
		return Ref{}, refuse(http.StatusMethodNotAllowed, fmt.Sprintf("%s is for one entity, such as /%s(1), not for a set", method, t.Set))
	case sensorthings.FromOutlets(t.Set, t.ID):
		return Ref{}, ofOutlet(nil, t.Set, t.ID)
	}
	return t.Ref, nil
}

// Patch puts what body gives over an entity; the rest stays (clause 10.3.1).
func (s *Session) Patch(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	return s.change(ctx, p, http.MethodPatch, body, false)
}

// Put replaces all properties of an entity; relations that body does not give
// stay.
func (s *Session) Put(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	return s.change(ctx, p, http.MethodPut, body, true)
}

func (s *Session) change(ctx context.Context, p *query.Path, method string, body []byte, whole bool) (Ref, error) {
	r, err := s.changeable(ctx, p, method)
	if err != nil {
		return r, err
	}
	body, ok := valid(body)
	if !ok {
		return r, bad(nil, "the body is not JSON in UTF-8; send one object with what is to change")
	}
	return r, s.apply(ctx, r, body, whole)
}

// apply changes one entity by what an object gives.
func (s *Session) apply(ctx context.Context, r Ref, body []byte, whole bool) error {
	d := draft{set: r.Set}
	if err := d.read(body); err != nil {
		return err
	}
	ends, err := s.links(ctx, &d)
	if err != nil {
		return err
	}
	if r.Set == sensorthings.Observations {
		o, err := s.tx.Observation(ctx, r.ID)
		if err != nil {
			return err
		}
		if err := d.observe(o, whole, nil); err != nil {
			return err
		}
		for i, to := range []*sensorthings.ID{&o.Datastream, &o.Feature} {
			if len(ends[i]) > 0 {
				*to = ends[i][0]
			}
		}
		return s.tx.ReplaceObservation(o)
	}
	e, err := s.tx.Entity(ctx, r.Set, r.ID)
	if err != nil {
		return err
	}
	before := slices.Clone(e.Properties)
	if e.Properties, err = d.properties(e.Properties, whole); err != nil {
		return err
	}
	for i, rel := range r.Set.Relations() {
		if !rel.Many && len(ends[i]) > 0 {
			setOne(e, rel.Name, ends[i][0])
		}
	}
	if err := s.tx.Replace(e); err != nil {
		return err
	}
	if r.Set == sensorthings.Locations && elsewhere(before, e.Properties) {
		// Observations from now on are made at another place.
		if err := s.tx.SetGeneratedFeature(r.ID, 0); err != nil {
			return err
		}
	}
	for i, rel := range r.Set.Relations() {
		if rel.Many {
			if err := s.add(ctx, r, rel, ends[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// elsewhere reports whether a Location describes another place than before.
func elsewhere(before, after []json.RawMessage) bool {
	for i, def := range sensorthings.Locations.Properties() {
		if (def.Name == "location" || def.Name == "encodingType") && !bytes.Equal(before[i], after[i]) {
			return true
		}
	}
	return false
}

// links reads the relations of a body that changes an entity: only links are
// allowed there (clause 10.3).
func (s *Session) links(ctx context.Context, d *draft) (ends [maxRelations][]sensorthings.ID, err error) {
	one := func(i int, r sensorthings.Relation, p *place, v []byte) error {
		id, linked, err := link(v, r.To, p, s.refs)
		if err != nil {
			return err
		}
		if !linked {
			return bad(p, "holds an entity; an update only links to those that are there, by {\"@iot.id\": …}; create it first with POST")
		}
		ends[i] = append(ends[i], id)
		if back, _ := r.To.Relation(r.Inverse); r.Many && back.Many {
			return s.mayLinkMany(ctx, p, r, id)
		}
		if r.Many {
			return s.mayChange(ctx, p, Ref{r.To, id})
		}
		return s.mayLink(ctx, p, Ref{r.To, id})
	}
	for i, r := range d.set.Relations() {
		raw, p := d.rels[i], d.at.member(r.Name)
		switch {
		case raw == nil:
		case isNull(raw):
			err = bad(p, "is null; a relation is changed by a link and never emptied")
		case !r.Many:
			err = one(i, r, p, raw)
		case !isArray(raw):
			err = bad(p, "is %s, write an array of links", kindOf(raw))
		default:
			err = elements(raw, func(n int, v []byte) error { return one(i, r, d.at.item(r.Name, n), v) })
		}
		if err != nil {
			return ends, err
		}
	}
	return ends, nil
}

// add adds ends to a relation of many.
func (s *Session) add(ctx context.Context, self Ref, r sensorthings.Relation, ends []sensorthings.ID) error {
	p := (*place)(nil).member(r.Name)
	if back, _ := r.To.Relation(r.Inverse); back.Many {
		return s.join(ctx, p, self, r, ends)
	}
	for _, id := range ends {
		if err := s.hang(ctx, p, Ref{r.To, id}, r.Inverse, self.ID); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes an entity and what cannot be without it (clause 10.4).
func (s *Session) Delete(ctx context.Context, p *query.Path) (Ref, error) {
	r, err := s.changeable(ctx, p, http.MethodDelete)
	if err != nil {
		return r, err
	}
	return r, s.remove(r)
}

func (s *Session) remove(r Ref) error {
	err := s.tx.Delete(r.Set, r.ID)
	if errors.Is(err, sensorthings.ErrNotFound) {
		return notThere(r.Set, r.ID)
	}
	return err
}

// DeleteAll removes the entities of a set that are named, in one transaction,
// and returns how many were still there. None of them may belong to an outlet.
func (w *Writer) DeleteAll(ctx context.Context, set sensorthings.Set, ids []sensorthings.ID) (n int, err error) {
	for _, id := range ids {
		if sensorthings.FromOutlets(set, id) {
			return 0, ofOutlet(nil, set, id)
		}
	}
	err = w.Update(ctx, func(s *Session) error {
		n = 0
		for _, id := range ids {
			switch err := s.tx.Delete(set, id); {
			case err == nil:
				n++
			case !errors.Is(err, sensorthings.ErrNotFound): // what went with another one is gone
				return err
			}
		}
		return nil
	})
	return n, err
}
