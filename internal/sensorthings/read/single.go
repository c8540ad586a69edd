package read

import (
	"encoding/json"
	"net/http"
	"strconv"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// single answers with one entity. Options that make sense for sets only are
// ignored: some clients send them with every request.
func (e *env) single(t target, p *query.Path, o *query.Options, out Output) error {
	it := t.item
	if p.Ref {
		out.Begin(Head{Type: jsonType, Single: true})
		b := e.appendAddress([]byte(`{"@iot.selfLink":"`), t.set, it.id())
		_, err := out.Write(append(b, `"}`...))
		return err
	}
	sh := shapeOf(t.set, o)
	switch o.ResultFormat {
	case formatGeoJSON:
		return e.oneFeature(it, sh, out)
	case formatCSV:
		return e.csv(sh, page{items: []item{it}}, "", out)
	}
	b, _, err := e.appendItem(nil, sh, it, e.limits.Inline)
	if err != nil {
		return err
	}
	out.Begin(Head{Type: jsonType, Single: true})
	_, err = out.Write(b)
	return err
}

// property answers with one property or a member of one, or its bare value.
func (e *env) property(t target, p *query.Path, out Output) error {
	if t.many || len(p.Property) == 0 {
		return notFound("$value follows a property of one entity, like Things(1)/name/$value")
	}
	raw, err := e.valueAt(t.item, p.Property)
	if err != nil {
		return err
	}
	if raw == nil || string(raw) == "null" {
		out.Begin(Head{Empty: true})
		return nil
	}
	if !p.Value {
		out.Begin(Head{Type: jsonType, Single: true})
		b := append(AppendString([]byte{'{'}, p.Property[len(p.Property)-1]), ':')
		_, err = out.Write(append(append(b, raw...), '}'))
		return err
	}
	out.Begin(Head{Type: "text/plain; charset=utf-8", Single: true})
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return fault(http.StatusInternalServerError, "", "the stored value is no JSON")
		}
		raw = []byte(s)
	}
	_, err = out.Write(raw)
	return err
}

// valueAt returns the JSON of a property or of a member below it, nil when it is
// not set.
func (e *env) valueAt(it item, names []string) (json.RawMessage, error) {
	var raw json.RawMessage
	switch name := names[0]; name {
	case "id", "@iot.id":
		raw = strconv.AppendInt(nil, it.id(), 10)
	case "@iot.selfLink":
		raw = append(e.appendAddress([]byte{'"'}, it.set(), it.id()), '"')
	default:
		if _, ok := it.set().Property(name); !ok {
			return nil, notFound("a " + it.set().One() + " has no property " + name)
		}
		if it.e != nil && name == timeOfObservations {
			var err error
			if it.e, err = e.spanned(it.e); err != nil {
				return nil, err
			}
		}
		b, ok := it.appendProperty(nil, name)
		if !ok {
			b = nil
		}
		raw = b
	}
	for _, name := range names[1:] {
		var members map[string]json.RawMessage
		if raw != nil {
			_ = json.Unmarshal(raw, &members) // what is no object has no members
		}
		below, ok := members[name]
		if !ok {
			return nil, notFound("there is no member " + name)
		}
		raw = below
	}
	return raw, nil
}

// AppendEntity appends an entity of any set but Observations as GET answers it;
// base is the address of the service root, o chooses the members (nil = all);
// what o expands is left as links.
func AppendEntity(b []byte, base string, en *sensorthings.Entity, o *query.Options) []byte {
	e := &env{base: base}
	return e.plain(b, item{env: e, e: en}, o)
}

// AppendObservation appends an Observation as GET answers it; base and o as for
// AppendEntity.
func AppendObservation(b []byte, base string, ob *sensorthings.Observation, o *query.Options) []byte {
	e := &env{base: base}
	return e.plain(b, item{env: e, o: ob}, o)
}

func (e *env) plain(b []byte, it item, o *query.Options) []byte {
	sh := wholes[it.set()]
	if o != nil && o.Select != nil {
		sh = shapeOf(it.set(), &query.Options{Select: o.Select})
	}
	b, _, _ = e.appendItem(b, sh, it, 0) // without expansions nothing can fail
	return b
}

// wholes are the shapes of entities with everything, which every write answers with.
var wholes = func() map[sensorthings.Set]*shape {
	m := map[sensorthings.Set]*shape{}
	for _, s := range sensorthings.Sets() {
		m[s] = shapeOf(s, &query.Options{})
	}
	return m
}()
