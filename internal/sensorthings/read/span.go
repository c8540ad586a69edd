package read

import (
	"encoding/json"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

const timeOfObservations = "phenomenonTime"

// spanned returns a Datastream of an outlet with the time that its observations
// span (clause 8.2.4). It is looked up here, at both ends of the series, only
// where an answer or a filter has it in it: the outlets' own count of them may
// take a walk through history.
func (e *env) spanned(en *sensorthings.Entity) (*sensorthings.Entity, error) {
	if e.r == nil || en.Set != sensorthings.Datastreams || !sensorthings.FromOutlets(en.Set, en.ID) || en.Get(timeOfObservations) != nil {
		return en, nil
	}
	var first, last *sensorthings.Span
	for _, end := range []struct {
		order sensorthings.Order
		at    **sensorthings.Span
	}{{sensorthings.ByTime, &first}, {sensorthings.ByTimeDesc, &last}} {
		sc := sensorthings.All()
		sc.Datastream, sc.Order = en.ID, end.order
		err := e.observations(sc, func(o *sensorthings.Observation) (bool, error) {
			at := o.Phenomenon
			*end.at = &at
			return false, nil
		})
		if err != nil {
			return nil, err
		}
		if first == nil {
			return en, nil
		}
	}
	if last == nil { // it went in between
		return en, nil
	}
	out := *en
	names := en.Set.Properties()
	out.Properties = append(make([]json.RawMessage, 0, len(names)), en.Properties...)
	for len(out.Properties) < len(names) {
		out.Properties = append(out.Properties, nil)
	}
	i := slices.IndexFunc(names, func(p sensorthings.Property) bool { return p.Name == timeOfObservations })
	b := query.AppendPeriod([]byte{'"'}, sensorthings.Span{Start: first.Start, End: last.End})
	out.Properties[i] = append(b, '"')
	return &out, nil
}
