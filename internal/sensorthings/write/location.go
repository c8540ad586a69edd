package write

import (
	"context"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// move gives a Thing Locations: each takes the place of the one with the same
// encodingType, and a HistoricalLocation notes when and where the Thing is from
// now on (OGC 18-088 clause 8.2.3). Where it is already, it stays without a note.
func (s *Session) move(ctx context.Context, p *place, thing sensorthings.ID, gained []sensorthings.ID) error {
	at := Ref{sensorthings.Things, thing}
	present, err := s.related(ctx, at, "Locations")
	if err != nil {
		return err
	}
	encodings := map[sensorthings.ID]string{}
	for _, id := range slices.Concat(present, gained) {
		if encodings[id], err = s.encoding(ctx, id); err != nil {
			return err
		}
	}
	slices.Sort(gained)
	gained = slices.Compact(gained)
	for i, a := range gained {
		for _, b := range gained[i+1:] {
			if sameEncoding(encodings[a], encodings[b]) {
				return bad(p, "two Locations have the encodingType %q; a Thing is at one place, of which each encodingType gives one description", encodings[a])
			}
		}
	}
	moved := false
	for _, id := range gained {
		if slices.Contains(present, id) {
			continue
		}
		moved = true
		for _, old := range present {
			if sameEncoding(encodings[old], encodings[id]) {
				if err := s.tx.Unlink(at.Set, thing, "Locations", old); err != nil {
					return err
				}
			}
		}
		if err := s.tx.Link(at.Set, thing, "Locations", id); err != nil {
			return err
		}
	}
	if !moved {
		return nil
	}
	return s.note(ctx, at)
}

// note makes the HistoricalLocation of a Thing that has just moved.
func (s *Session) note(ctx context.Context, thing Ref) error {
	where, err := s.related(ctx, thing, "Locations")
	if err != nil {
		return err
	}
	e := &sensorthings.Entity{Set: sensorthings.HistoricalLocations, One: []sensorthings.ID{thing.ID}}
	e.Properties = append(e.Properties, instantText(nowSpan(s.w.now())))
	id, err := s.tx.Create(e)
	if err != nil {
		return err
	}
	for _, l := range where {
		if err := s.tx.Link(e.Set, id, "Locations", l); err != nil {
			return err
		}
	}
	return nil
}

// recorded follows a HistoricalLocation that a client made: when it is later
// than all others of its Thing, the Thing is there now.
func (s *Session) recorded(ctx context.Context, id sensorthings.ID, where []sensorthings.ID) error {
	self, err := s.tx.Entity(ctx, sensorthings.HistoricalLocations, id)
	if err != nil {
		return err
	}
	thing := Ref{sensorthings.Things, self.To("Thing")}
	others, err := s.related(ctx, thing, "HistoricalLocations")
	if err != nil {
		return err
	}
	for _, other := range others {
		if other == id {
			continue
		}
		o, err := s.tx.Entity(ctx, sensorthings.HistoricalLocations, other)
		if err != nil {
			return err
		}
		if timeOf(o) >= timeOf(self) {
			return nil
		}
	}
	present, err := s.related(ctx, thing, "Locations")
	if err != nil {
		return err
	}
	for _, l := range present {
		if !slices.Contains(where, l) {
			if err := s.tx.Unlink(thing.Set, thing.ID, "Locations", l); err != nil {
				return err
			}
		}
	}
	for _, l := range where {
		if err := s.tx.Link(thing.Set, thing.ID, "Locations", l); err != nil {
			return err
		}
	}
	return nil
}

func timeOf(e *sensorthings.Entity) int64 {
	s, _ := query.ParseSpan(unquote(e.Get("time"))) // was written by instantText
	return s.Start
}

func (s *Session) encoding(ctx context.Context, location sensorthings.ID) (string, error) {
	r := Ref{sensorthings.Locations, location}
	e, err := s.reader(r).Entity(ctx, r.Set, r.ID)
	if err != nil {
		return "", err
	}
	if enc := e.Get("encodingType"); isText(enc) {
		return unquote(enc), nil
	}
	return "", nil
}

// feature is the FeatureOfInterest of an Observation that names none: the one
// generated from the present Location of the Datastream's Thing, which is made
// when it is not there (clause 10.2.1.4). Of several Locations the GeoJSON one
// counts.
func (s *Session) feature(ctx context.Context, p *place, datastream sensorthings.ID) (sensorthings.ID, error) {
	d, err := s.tx.Entity(ctx, sensorthings.Datastreams, datastream)
	if err != nil {
		return 0, err
	}
	where, err := s.related(ctx, Ref{sensorthings.Things, d.To("Thing")}, "Locations")
	if err != nil {
		return 0, err
	}
	var at *sensorthings.Entity
	for _, id := range where {
		r := Ref{sensorthings.Locations, id}
		l, err := s.reader(r).Entity(ctx, r.Set, r.ID)
		if err != nil {
			return 0, err
		}
		if enc := l.Get("encodingType"); at == nil || isText(enc) && isGeoJSON(unquote(enc)) {
			at = l
		}
	}
	if at == nil {
		return 0, bad(p, "the Thing of Datastreams(%d) has no Location from which a FeatureOfInterest could be generated; give the Thing a Location, or the Observation a FeatureOfInterest", datastream)
	}
	if f, err := s.tx.GeneratedFeature(at.ID); err != nil || f != 0 {
		return f, err
	}
	e := &sensorthings.Entity{Set: sensorthings.FeaturesOfInterest}
	for _, name := range []string{"name", "description", "encodingType", "location"} {
		e.Properties = append(e.Properties, at.Get(name))
	}
	e.Properties = append(e.Properties, nil)
	f, err := s.tx.Create(e)
	if err != nil {
		return 0, err
	}
	return f, s.tx.SetGeneratedFeature(at.ID, f)
}
