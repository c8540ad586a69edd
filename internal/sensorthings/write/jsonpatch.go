package write

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// maxPatched bounds what the copies of a JSON Patch may add up to, in bytes.
const maxPatched = 16 << 20

// JSONPatch applies operations of RFC 6902 to an entity. They see its
// properties, its single relations as links, and its relations of many as empty
// arrays to which links can be added.
func (s *Session) JSONPatch(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	r, err := s.changeable(ctx, p, http.MethodPatch)
	if err != nil {
		return r, err
	}
	body, ok := valid(body)
	if !ok || !isArray(body) {
		return r, bad(nil, "a JSON Patch is an array of operations: [{\"op\": \"replace\", \"path\": \"/name\", \"value\": \"…\"}]")
	}
	patch, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return r, bad(nil, "this is no JSON Patch: %v", err)
	}
	doc, err := s.document(ctx, r)
	if err != nil {
		return r, err
	}
	o := jsonpatch.NewApplyOptions()
	o.AccumulatedCopySizeLimit, o.EscapeHTML = maxPatched, false
	doc, err = patch.ApplyWithOptions(doc, o)
	switch {
	case errors.Is(err, jsonpatch.ErrTestFailed):
		return r, refuse(http.StatusConflict, "the entity is not as the patch expects it, nothing was changed: "+err.Error())
	case err != nil:
		return r, bad(nil, "the patch does not fit the entity: %v", err)
	}
	doc, ok = valid(doc)
	if !ok {
		return r, bad(nil, "the patch leaves no JSON in UTF-8")
	}
	return r, s.apply(ctx, r, doc, true)
}

// document writes an entity as patches see it.
func (s *Session) document(ctx context.Context, r Ref) ([]byte, error) {
	b := []byte{'{'}
	put := func(name string, value []byte) {
		if value == nil {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), name...), '"', ':'), value...)
	}
	to := map[string]sensorthings.ID{}
	if r.Set == sensorthings.Observations {
		o, err := s.tx.Observation(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		put("phenomenonTime", quoted(query.FormatSpan(o.Phenomenon)))
		put("result", o.Result)
		if o.HasResultTime {
			put("resultTime", instantText(sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}))
		}
		put("resultQuality", o.Quality)
		if o.HasValid {
			put("validTime", quoted(string(query.AppendPeriod(nil, o.Valid))))
		}
		put("parameters", o.Parameters)
		to["Datastream"], to["FeatureOfInterest"] = o.Datastream, o.Feature
	} else {
		e, err := s.tx.Entity(ctx, r.Set, r.ID)
		if err != nil {
			return nil, err
		}
		for _, def := range r.Set.Properties() {
			if !def.Computed {
				put(def.Name, e.Get(def.Name))
			}
		}
		for _, rel := range r.Set.Relations() {
			to[rel.Name] = e.To(rel.Name)
		}
	}
	for _, rel := range r.Set.Relations() {
		switch id := to[rel.Name]; {
		case rel.Many:
			put(rel.Name, []byte("[]"))
		case id != 0:
			put(rel.Name, []byte(`{"@iot.id":`+strconv.FormatInt(id, 10)+`}`))
		}
	}
	return append(b, '}'), nil
}
