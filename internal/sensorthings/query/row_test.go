package query_test

import (
	"encoding/json"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// now is the clock of all tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// entity is a row in memory.
type entity struct {
	id    sensorthings.ID
	props map[string]string // JSON
	one   map[string]*entity
	many  map[string][]*entity
}

func (e *entity) ID() sensorthings.ID { return e.id }

func (e *entity) Property(name string) (query.Value, error) {
	return query.JSON([]byte(e.props[name])), nil
}

func (e *entity) One(r sensorthings.Relation) (query.Row, error) {
	if x := e.one[r.Name]; x != nil {
		return x, nil
	}
	return nil, nil
}

func (e *entity) Many(r sensorthings.Relation, fn func(query.Row) (bool, error)) error {
	for _, x := range e.many[r.Name] {
		if more, err := fn(x); err != nil || !more {
			return err
		}
	}
	return nil
}

// quote writes a text as JSON.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// world is a small store: two Things, three Datastreams, Observations.
type world map[sensorthings.Set][]*entity

func (w world) add(s sensorthings.Set, props map[string]string) *entity {
	e := &entity{int64(len(w[s]) + 1), props, map[string]*entity{}, map[string][]*entity{}}
	w[s] = append(w[s], e)
	return e
}

func link(a *entity, r string, b *entity, back string, manyBack bool) {
	if manyBack {
		a.many[r] = append(a.many[r], b)
		b.many[back] = append(b.many[back], a)
		return
	}
	a.one[r] = b
	b.many[back] = append(b.many[back], a)
}

func newWorld() world {
	w := world{}
	bob := w.add(sensorthings.Things, map[string]string{"name": quote("Bob's"), "description": quote("站点 one"), "properties": `{"depth":7.5,"owner":"city","a":{"b":"x"},"list":[1,{"k":2}],"ok":true,"since":"2015-06-01T00:00:00+02:00","nothing":null}`})
	ann := w.add(sensorthings.Things, map[string]string{"name": quote("Ann"), "description": quote("two")})
	w.add(sensorthings.Things, map[string]string{"name": quote("Lone"), "description": quote("no datastreams")})
	roof := w.add(sensorthings.Locations, map[string]string{"name": quote("A roof"), "location": `{"type":"Point","coordinates":[8.1,51]}`})
	field := w.add(sensorthings.Locations, map[string]string{"name": quote("field"), "location": `{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[20,20],[30,20],[30,30],[20,30],[20,20]]]}}`})
	w.add(sensorthings.Locations, map[string]string{"name": quote("text"), "location": quote("room 7")})
	link(bob, "Locations", roof, "Things", true)
	link(ann, "Locations", field, "Things", true)
	for i, d := range []struct {
		thing  *entity
		name   string
		symbol string
	}{{bob, "PM10", "%"}, {bob, "PM2", "ug/m3"}, {ann, "T", "°C"}} {
		s := w.add(sensorthings.Datastreams, map[string]string{"name": quote(d.name), "unitOfMeasurement": `{"name":"percent","symbol":` + quote(d.symbol) + `,"definition":null}`, "phenomenonTime": quote("2016-01-01T00:00:00Z/2016-01-01T09:00:00Z")})
		link(s, "Thing", d.thing, "Datastreams", false)
		for k := range 10 {
			at := time.Date(2016, 1, 1, k, 0, 0, 0, time.UTC)
			o := w.add(sensorthings.Observations, map[string]string{"result": string(rune('0' + k)), "phenomenonTime": quote(at.Format(time.RFC3339)), "parameters": `{"flag":"` + []string{"good", "bad"}[k%2] + `"}`})
			if k == 5 {
				o.props["resultTime"] = quote("2016-01-01T05:00:15.5Z")
			}
			link(o, "Datastream", s, "Observations", false)
		}
		if i == 2 {
			for _, r := range []string{`"7"`, `"text"`, `true`, `null`, `{"a":[1,2]}`, `12345678901234567890`, `9007199254740993`, `1e-7`} {
				o := w.add(sensorthings.Observations, map[string]string{"result": r, "phenomenonTime": quote("2016-01-02T00:00:00Z/2016-01-02T01:00:00Z")})
				link(o, "Datastream", s, "Observations", false)
			}
		}
	}
	return w
}

// matching lists the identifiers that a filter finds.
func (w world) matching(t *testing.T, s sensorthings.Set, filter string) []sensorthings.ID {
	t.Helper()
	f, err := query.ParseFilter(s, filter, now)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	var out []sensorthings.ID
	for _, e := range w[s] {
		ok, err := f.Match(e)
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		if ok {
			out = append(out, e.id)
		}
	}
	return out
}
