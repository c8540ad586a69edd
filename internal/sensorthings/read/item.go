package read

import (
	"encoding/json"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// item is one entity of any set: an Observation, or another.
type item struct {
	env *env
	e   *sensorthings.Entity
	o   *sensorthings.Observation
}

func (i item) id() sensorthings.ID {
	if i.o != nil {
		return i.o.ID
	}
	return i.e.ID
}

func (i item) set() sensorthings.Set {
	if i.o != nil {
		return sensorthings.Observations
	}
	return i.e.Set
}

func (i item) to(relation string) sensorthings.ID {
	if i.o != nil {
		return i.o.To(relation)
	}
	return i.e.To(relation)
}

func (i item) row() query.Row {
	if i.o != nil {
		return &observationRow{i.env, i.o}
	}
	return &entityRow{i.env, i.e}
}

// keep returns an item that lasts: the Observation of a scan is used again.
func (i item) keep() item {
	if i.o != nil {
		i.o = i.o.Clone()
	}
	return i
}

// appendProperty appends a property as JSON; ok is false when it is not set.
// The names are those of Set.Properties.
func (i item) appendProperty(b []byte, name string) (_ []byte, ok bool) {
	var raw json.RawMessage
	if i.o == nil {
		raw = i.e.Get(name)
		return append(b, raw...), raw != nil
	}
	o := i.o
	switch name {
	case "phenomenonTime":
		return appendSpan(b, o.Phenomenon), true
	case "result":
		raw = o.Result
	case "resultTime":
		if o.HasResultTime {
			return appendSpan(b, sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}), true
		}
	case "validTime":
		if o.HasValid {
			return appendSpan(b, o.Valid), true
		}
	case "resultQuality":
		raw = o.Quality
	case "parameters":
		raw = o.Parameters
	}
	return append(b, raw...), raw != nil
}

func appendSpan(b []byte, s sensorthings.Span) []byte {
	b = append(b, '"')
	b = query.AppendSpan(b, s)
	return append(b, '"')
}
