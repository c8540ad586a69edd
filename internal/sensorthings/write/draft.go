package write

import (
	"encoding/json"
	"slices"
	"strconv"

	"plateau/internal/sensorthings"
)

// Most properties and relations that a set has.
const (
	maxProperties = 8
	maxRelations  = 4
)

// draft is what a body says about one entity, as it was sent.
type draft struct {
	set   sensorthings.Set
	at    *place
	props [maxProperties]json.RawMessage // in the order of Set.Properties; nil = not given
	rels  [maxRelations]json.RawMessage  // in the order of Set.Relations; nil = not given
}

// read sorts the members of an object. Unknown ones and control information are
// passed over, and the last of several of one name counts.
func (d *draft) read(b []byte) error {
	if !isObject(b) {
		return bad(d.at, "is %s, write one JSON object for a %s", kindOf(b), d.set.One())
	}
	props, rels := d.set.Properties(), d.set.Relations()
	return members(b, func(name, value []byte) error {
		for i := range props {
			if props[i].Name == string(name) {
				d.props[i] = value
				return nil
			}
		}
		for i := range rels {
			if rels[i].Name == string(name) {
				d.rels[i] = value
				return nil
			}
		}
		return nil
	})
}

// control reports whether a member is control information.
func control(name []byte) bool {
	return slices.Contains(name, '@')
}

// link returns the identifier that a value links to: an object with @iot.id and
// nothing but control information beside it. refs knows the names that requests
// of a batch gave to what they made.
func link(b []byte, set sensorthings.Set, p *place, refs map[string]Ref) (id sensorthings.ID, ok bool, err error) {
	if !isObject(b) {
		return 0, false, bad(p, "is %s; write an object: {\"@iot.id\": …} to link to a %s that is there, or the new %s itself", kindOf(b), set.One(), set.One())
	}
	plain := true
	var raw []byte
	_ = members(b, func(name, value []byte) error {
		if string(name) == "@iot.id" {
			raw = value
		} else if !control(name) {
			plain = false
		}
		return nil
	})
	if raw == nil || !plain {
		return 0, false, nil
	}
	if id, err = identifier(raw, set, p, refs); err != nil {
		return 0, false, err
	}
	return id, true, nil
}

// identifier reads an @iot.id: a whole number, also as a string, or "$x".
func identifier(raw []byte, set sensorthings.Set, p *place, refs map[string]Ref) (sensorthings.ID, error) {
	s := string(raw)
	if isText(raw) {
		s = unquote(raw)
	}
	if len(s) > 1 && s[0] == '$' {
		r, ok := refs[s[1:]]
		if !ok || r.Set != set {
			return 0, bad(p, "no request before this one in its group made a %s with the Content-ID %q", set.One(), s[1:])
		}
		return r.ID, nil
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, bad(p, "@iot.id is %.40s; identifiers here are whole numbers above 0", raw)
	}
	return id, nil
}

// property checks one property of another set than Observations and gives the
// form in which it is stored; nil = not set.
func property(def sensorthings.Property, raw []byte, p *place) (json.RawMessage, error) {
	p = p.member(def.Name)
	if isNull(raw) {
		if def.Mandatory {
			return nil, bad(p, "is null, but it is mandatory")
		}
		return nil, nil
	}
	switch def.Kind {
	case sensorthings.Text:
		if !isText(raw) {
			return nil, bad(p, "is %s, write a string", kindOf(raw))
		}
	case sensorthings.Object:
		if !isObject(raw) {
			return nil, bad(p, "is %s, write an object", kindOf(raw))
		}
		if def.Name == "unitOfMeasurement" {
			for _, name := range []string{"name", "symbol", "definition"} {
				if v := member(raw, name); v != nil && !isText(v) && !isNull(v) {
					return nil, bad(p.member(name), "is %s, write a string or null", kindOf(v))
				}
			}
		}
	case sensorthings.Instant:
		s, period, ok := span(raw)
		if !ok || period {
			return nil, bad(p, "is no instant; write it like \"2016-01-01T04:00:00Z\"")
		}
		return instantText(s), nil
	default: // any JSON; what GeoJSON needs depends on the encoding, see checkEncoded
	}
	return compact(raw), nil
}

// properties checks what a draft gives and puts it over the present ones; whole
// says that what it does not give is not set.
func (d *draft) properties(present []json.RawMessage, whole bool) ([]json.RawMessage, error) {
	defs := d.set.Properties()
	out := make([]json.RawMessage, len(defs))
	copy(out, present)
	var lacking []string
	for i, def := range defs {
		switch {
		case def.Computed:
			continue
		case d.props[i] != nil:
			v, err := property(def, d.props[i], d.at)
			if err != nil {
				return nil, err
			}
			out[i] = v
		case whole && def.Mandatory:
			lacking = append(lacking, def.Name)
		case whole:
			out[i] = nil
		}
	}
	if len(lacking) > 0 {
		return nil, bad(d.at, "a %s needs %s", d.set.One(), list(lacking))
	}
	return out, d.checkEncoded(out)
}

// checkEncoded looks at a location or feature as its encodingType says.
func (d *draft) checkEncoded(props []json.RawMessage) error {
	var name string
	switch d.set {
	case sensorthings.Locations:
		name = "location"
	case sensorthings.FeaturesOfInterest:
		name = "feature"
	default:
		return nil
	}
	e := sensorthings.Entity{Set: d.set, Properties: props}
	if enc := e.Get("encodingType"); isText(enc) && isGeoJSON(unquote(enc)) {
		return checkGeoJSON(e.Get(name), d.at.member(name), 0)
	}
	return nil
}
