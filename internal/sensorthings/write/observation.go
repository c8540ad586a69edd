package write

import (
	"encoding/json"
	"time"

	"plateau/internal/sensorthings"
)

// Places of the properties of an Observation in draft.props, and of its
// relations in draft.rels.
const (
	phenomenonTime = iota
	result
	resultTime
	resultQuality
	validTime
	parameters
)

const (
	toDatastream = iota
	toFeature
)

// observe checks the properties of an Observation and puts them over those of
// o. With whole, what is not given is not set and result has to be there; a new
// one (now given) without phenomenonTime is of now.
func (d *draft) observe(o *sensorthings.Observation, whole bool, now func() time.Time) error {
	for i, raw := range d.props[:parameters+1] {
		if raw == nil {
			continue
		}
		if i == phenomenonTime && !whole && isNull(raw) {
			return bad(d.at.member("phenomenonTime"), "is null, but it is mandatory")
		}
		if fault := setObserved(o, i, raw); fault != "" {
			return bad(d.at.member(sensorthings.Observations.Properties()[i].Name), "%s", fault)
		}
	}
	if !whole {
		return nil
	}
	if d.props[result] == nil {
		return bad(d.at, "an Observation needs result")
	}
	if v := d.props[phenomenonTime]; v == nil || isNull(v) {
		if now == nil {
			return bad(d.at, "an Observation that is replaced needs phenomenonTime")
		}
		o.Phenomenon = nowSpan(now())
	}
	if d.props[resultTime] == nil {
		o.ResultTime, o.HasResultTime = 0, false
	}
	if d.props[validTime] == nil {
		o.Valid, o.HasValid = sensorthings.Span{}, false
	}
	if d.props[resultQuality] == nil {
		o.Quality = nil
	}
	if d.props[parameters] == nil {
		o.Parameters = nil
	}
	return nil
}

// setObserved sets one property of an observation; fault is what is wrong with
// the value, "" when nothing is.
func setObserved(o *sensorthings.Observation, property int, raw []byte) (fault string) {
	null := isNull(raw)
	switch property {
	case phenomenonTime:
		if null {
			return "" // that of now, or the one that is there
		}
		s, _, ok := span(raw)
		if !ok {
			return "is neither an instant nor a period; write it like \"2016-01-01T04:00:00Z\" or \"2016-01-01T04:00:00Z/2016-01-01T05:00:00Z\""
		}
		o.Phenomenon = s
	case result:
		o.Result = compact(raw)
	case resultTime:
		o.ResultTime, o.HasResultTime = 0, false
		if null {
			return ""
		}
		s, period, ok := span(raw)
		if !ok || period {
			return "is no instant; write it like \"2016-01-01T04:00:00Z\", or null"
		}
		o.ResultTime, o.HasResultTime = s.Start, true
	case validTime:
		o.Valid, o.HasValid = sensorthings.Span{}, false
		if null {
			return ""
		}
		s, period, ok := span(raw)
		if !ok || !period {
			return "is no period; write it like \"2016-01-01T04:00:00Z/2016-01-01T05:00:00Z\", or null"
		}
		o.Valid, o.HasValid = s, true
	case resultQuality:
		o.Quality = orNil(raw)
	case parameters:
		if !null && !isObject(raw) {
			return "is " + kindOf(raw) + ", write an object"
		}
		o.Parameters = orNil(raw)
	}
	return ""
}

func orNil(raw []byte) json.RawMessage {
	if isNull(raw) {
		return nil
	}
	return compact(raw)
}
