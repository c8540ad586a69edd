package entitystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/peterstace/simplefeatures/geom"

	"plateau/internal/sensorthings"
)

// areaMost bounds the features that an observedArea is made of: it is made anew
// for each answer. A Datastream with more of them tells none.
const areaMost = 200

// area is the observedArea of a Datastream (clause 8.2.4): the geometry of its one
// feature, or the box around several; nil where no feature has a geometry.
func (v *view) area(ds sensorthings.ID, sum *summary) (json.RawMessage, error) {
	features, err := v.features(ds, sum)
	if err != nil || len(features) > areaMost {
		return nil, err
	}
	var one json.RawMessage
	var all geom.Envelope
	several := false
	for _, id := range features {
		e, err := v.stored(sensorthings.FeaturesOfInterest, id)
		if errors.Is(err, sensorthings.ErrNotFound) { // a feature of the outlets, or none
			continue
		}
		if err != nil {
			return nil, err
		}
		raw, box := boxOf(e.Get("feature"))
		if raw == nil {
			continue
		}
		if one == nil {
			one = raw
		}
		several = several || !bytes.Equal(raw, one)
		all = all.ExpandToIncludeEnvelope(box)
	}
	if !several {
		return one, nil
	}
	return all.AsGeometry().MarshalJSON()
}

// features lists the features that a Datastream's observations have now, up to
// one more than areaMost.
func (v *view) features(ds sensorthings.ID, sum *summary) (ids []sensorthings.ID, err error) {
	if sum.count > sum.strange && sum.feature != 0 {
		ids = append(ids, sum.feature)
	}
	if sum.strange == 0 {
		return ids, nil
	}
	p := prefix(nil, kFeatureOf, ds)
	err = v.each(context.Background(), p, p, func(key, _ []byte) (bool, error) {
		id := idOf(key[len(p):])
		if id == sum.feature {
			return true, nil
		}
		has := false // the pair stays when the last observation goes
		q := prefix(nil, kFeature, id, ds)
		err := v.each(context.Background(), q, q, func(_, _ []byte) (bool, error) {
			has = true
			return false, nil
		})
		if has {
			ids = append(ids, id)
		}
		return len(ids) <= areaMost, err
	})
	return ids, err
}

// boxOf returns a geometry, also that of a GeoJSON Feature, and its box; nil of
// what is neither.
func boxOf(raw json.RawMessage) (json.RawMessage, geom.Envelope) {
	var f struct {
		Type     string          `json:"type"`
		Geometry json.RawMessage `json:"geometry"`
	}
	if json.Unmarshal(raw, &f) != nil {
		return nil, geom.Envelope{}
	}
	if f.Type == "Feature" {
		raw = f.Geometry
	}
	g, err := geom.UnmarshalGeoJSON(raw, geom.NoValidate{})
	if err != nil || g.IsEmpty() {
		return nil, geom.Envelope{}
	}
	return raw, g.Envelope()
}
