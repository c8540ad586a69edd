package write

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/query"
)

type fixture struct {
	*testing.T
	*Writer
	clock atomic.Int64 // seconds since the start of 2026
}

func open(t *testing.T, outlets sensorthings.Reader) *fixture {
	t.Helper()
	f := &fixture{T: t}
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, int(f.clock.Load()), 0, time.UTC) }
	s, err := entitystore.Open(t.TempDir(), entitystore.Options{Now: now, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	f.Writer = New(Options{Store: s, Outlets: outlets, Now: now})
	return f
}

func (f *fixture) path(p string) *query.Path {
	f.Helper()
	path, err := query.ParsePath(p)
	if err != nil {
		f.Fatalf("%s: %v", p, err)
	}
	return path
}

func (f *fixture) post(p, body string) sensorthings.ID {
	f.Helper()
	m, err := f.Post(f.Context(), f.path(p), []byte(body))
	if err != nil {
		f.Fatalf("POST %s %s: %v", p, body, err)
	}
	return m.ID
}

// refused holds that a write fails with a status and a message, and changes nothing.
func (f *fixture) refused(method, p, body string, status int, message string) {
	f.Helper()
	before := f.store.Generation()
	err := f.do(method, p, body)
	if StatusOf(err) != status || !strings.Contains(err.Error(), message) {
		f.Errorf("%s %s %s: %v, want %d %q", method, p, body, err, status, message)
	}
	if f.store.Generation() != before {
		f.Errorf("%s %s %s changed something", method, p, body)
	}
}

func (f *fixture) do(method, p, body string) (err error) {
	f.Helper()
	path := f.path(p)
	switch method {
	case "POST":
		_, err = f.Post(f.Context(), path, []byte(body))
	case "PATCH":
		_, err = f.Patch(f.Context(), path, []byte(body))
	case "PUT":
		_, err = f.Put(f.Context(), path, []byte(body))
	case "JSONPATCH":
		_, err = f.JSONPatch(f.Context(), path, []byte(body))
	case "DELETE":
		_, err = f.Delete(f.Context(), path)
	}
	return err
}

func (f *fixture) ok(method, p, body string) {
	f.Helper()
	if err := f.do(method, p, body); err != nil {
		f.Fatalf("%s %s %s: %v", method, p, body, err)
	}
}

func (f *fixture) get(s sensorthings.Set, id sensorthings.ID) *sensorthings.Entity {
	f.Helper()
	e, err := f.store.Entity(f.Context(), s, id)
	if err != nil {
		f.Fatalf("%s(%d): %v", s, id, err)
	}
	return e
}

func (f *fixture) obs(id sensorthings.ID) *sensorthings.Observation {
	f.Helper()
	o, err := f.store.Observation(f.Context(), id)
	if err != nil {
		f.Fatalf("Observations(%d): %v", id, err)
	}
	return o
}

func (f *fixture) ids(s sensorthings.Set, id sensorthings.ID, relation string) (ids []sensorthings.ID) {
	f.Helper()
	if err := f.store.Related(f.Context(), s, id, relation, func(id sensorthings.ID) bool { ids = append(ids, id); return true }); err != nil {
		f.Fatal(err)
	}
	return ids
}

func (f *fixture) all(s sensorthings.Set) (ids []sensorthings.ID) {
	f.Helper()
	if err := f.store.Entities(f.Context(), s, 0, func(e *sensorthings.Entity) bool { ids = append(ids, e.ID); return true }); err != nil {
		f.Fatal(err)
	}
	return ids
}

const (
	sensor   = `{"name":"S","description":"d","encodingType":"application/pdf","metadata":"http://e/x.pdf"}`
	observed = `{"name":"P","definition":"http://e/p","description":"d"}`
	unit     = `"unitOfMeasurement":{"name":"n","symbol":"s","definition":null}`
	stream   = `"name":"D","description":"d","observationType":"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",` + unit
	place0   = `{"name":"L","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[8.4,49]}}`
	place1   = `{"name":"L2","description":"d","encodingType":"application/vnd.geo+json","location":{"type":"Point","coordinates":[9,50]}}`
	words    = `{"name":"W","description":"d","encodingType":"text/plain","location":"behind the house"}`
)

func datastream(more string) string {
	return `{` + stream + `,"Sensor":` + sensor + `,"ObservedProperty":` + observed + more + `}`
}

// station makes a Thing with a Location and a Datastream.
func (f *fixture) station() (thing, location, datastream1 sensorthings.ID) {
	f.Helper()
	thing = f.post("/Things", `{"name":"T","description":"d","Locations":[`+place0+`],"Datastreams":[`+datastream("")+`]}`)
	return thing, f.ids(sensorthings.Things, thing, "Locations")[0], f.ids(sensorthings.Things, thing, "Datastreams")[0]
}

func TestDeepInsertInEveryDirection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ set, body string }{
		{"Things", `{"name":"T","description":"d","properties":{"a": 1},"Locations":[` + place0 + `],"Datastreams":[` + datastream(`,"Observations":[{"result":1},{"result":"x"}]`) + `]}`},
		{"Locations", strings.TrimSuffix(place0, "}") + `,"Things":[{"name":"T","description":"d","Datastreams":[` + datastream(`,"Observations":[{"result":1},{"result":"x"}]`) + `]}]}`},
		{"Sensors", strings.TrimSuffix(sensor, "}") + `,"Datastreams":[{` + stream + `,"ObservedProperty":` + observed + `,"Thing":{"name":"T","description":"d","Locations":[` + place0 + `]},"Observations":[{"result":1},{"result":"x"}]}]}`},
		{"ObservedProperties", strings.TrimSuffix(observed, "}") + `,"Datastreams":[{` + stream + `,"Sensor":` + sensor + `,"Thing":{"name":"T","description":"d","Locations":[` + place0 + `]},"Observations":[{"result":1},{"result":"x"}]}]}`},
		{"Datastreams", datastream(`,"Thing":{"name":"T","description":"d","Locations":[` + place0 + `]},"Observations":[{"result":1},{"result":"x"}]`)},
		{"FeaturesOfInterest", `{"name":"F","description":"d","encodingType":"application/geo+json","feature":{"type":"Point","coordinates":[1,2]},"Observations":[{"result":1,"Datastream":` + datastream(`,"Thing":{"name":"T","description":"d","Locations":[`+place0+`]},"Observations":[{"result":"x"}]`) + `}]}`},
		{"Observations", `{"result":1,"Datastream":` + datastream(`,"Thing":{"name":"T","description":"d","Locations":[`+place0+`]},"Observations":[{"result":"x"}]`) + `}`},
		{"HistoricalLocations", `{"time":"2026-01-01T00:00:00Z","Locations":[` + place0 + `],"Thing":{"name":"T","description":"d","Datastreams":[` + datastream("") + `]}}`},
	} {
		t.Run(tt.set, func(t *testing.T) {
			t.Parallel()
			f := open(t, nil)
			f.post("/"+tt.set, tt.body)
			for _, s := range []sensorthings.Set{sensorthings.Things, sensorthings.Locations, sensorthings.Datastreams, sensorthings.Sensors, sensorthings.ObservedProperties} {
				if n := len(f.all(s)); n != 1 {
					t.Errorf("%d %s", n, s)
				}
			}
			thing, ds := f.all(sensorthings.Things)[0], f.all(sensorthings.Datastreams)[0]
			d := f.get(sensorthings.Datastreams, ds)
			if d.To("Thing") != thing || d.To("Sensor") != f.all(sensorthings.Sensors)[0] || d.To("ObservedProperty") != f.all(sensorthings.ObservedProperties)[0] {
				t.Errorf("%+v", d.One)
			}
			if got := f.ids(sensorthings.Things, thing, "Locations"); len(got) != 1 || got[0] != f.all(sensorthings.Locations)[0] {
				t.Errorf("Locations %v", got)
			}
			if tt.set == "HistoricalLocations" {
				return
			}
			if got := f.ids(sensorthings.Things, thing, "HistoricalLocations"); len(got) != 1 || len(f.ids(sensorthings.HistoricalLocations, got[0], "Locations")) != 1 {
				t.Errorf("history %v", got)
			}
			sum, err := f.store.Summary(t.Context(), ds)
			if err != nil || sum.Count != 2 {
				t.Errorf("%+v, %v", sum, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	thing, location, ds := f.station()
	other := f.post("/Things", `{"name":"U","description":"d"}`)
	bare := f.post(fmt.Sprintf("/Things(%d)/Datastreams", other), datastream(""))
	one := f.post("/Observations", fmt.Sprintf(`{"result":1,"Datastream":{"@iot.id":%d}}`, ds))
	history := f.ids(sensorthings.Things, thing, "HistoricalLocations")[0]
	at := func(format string, ids ...any) string { return fmt.Sprintf(format, ids...) }
	for _, tt := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"POST", "/Things", ``, 400, "not JSON"},
		{"POST", "/Things", `{"name":`, 400, "not JSON"},
		{"POST", "/Things", "{\"name\":\"\xff\",\"description\":\"d\"}", 400, "UTF-8"},
		{"POST", "/Things", `[]`, 400, "is an array"},
		{"POST", "/Things", `{}`, 400, "needs name, description"},
		{"POST", "/Things", `{"name":1,"description":"d"}`, 400, "name: is a number, write a string"},
		{"POST", "/Things", `{"name":null,"description":"d"}`, 400, "name: is null"},
		{"POST", "/Things", `{"name":"n","description":"d","properties":[]}`, 400, "properties: is an array"},
		{"POST", "/Things", `{"name":"n","description":"d","Locations":{"@iot.id":1}}`, 400, "Locations: is an object, write an array"},
		{"POST", "/Things", `{"name":"n","description":"d","Locations":[{"@iot.id":99}]}`, 400, "Locations[0]: there is no Locations(99)"},
		{"POST", "/Things", `{"name":"n","description":"d","Locations":[{"@iot.id":"x"}]}`, 400, "whole numbers"},
		{"POST", "/Things", `{"name":"n","description":"d","Locations":[` + place0 + `,` + place1 + `]}`, 400, "two Locations have the encodingType"},
		{"POST", "/Things", `{"name":"n","description":"d","Datastreams":[` + datastream(`,"Thing":{"name":"x","description":"y"}`) + `]}`, 400, "Datastreams[0].Thing: is given twice"},
		{"POST", "/Things", `{"name":"n","description":"d","Datastreams":[{` + stream + `,"Sensor":` + sensor + `}]}`, 400, "Datastreams[0]: a Datastream needs a ObservedProperty"},
		{"POST", "/Things", `{"name":"n","description":"d","Datastreams":[` + datastream(`,"Observations":[{"result":1}]`) + `]}`, 400, "Datastreams[0].Observations[0]: the Thing of"},
		{"POST", "/Locations", `{"name":"L","description":"d","encodingType":"application/geo+json","location":"here"}`, 400, "location: is a string"},
		{"POST", "/Locations", `{"name":"L","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[1,"2"]}}`, 400, "location.coordinates: are not those of a Point"},
		{"POST", "/Locations", `{"name":"L","description":"d","encodingType":"application/geo+json","location":{"type":"Circle"}}`, 400, "none of GeoJSON"},
		{"POST", "/Locations", `{"name":"L","description":"d","encodingType":"application/geo+json","location":null}`, 400, "location: is null"},
		{"POST", "/HistoricalLocations", at(`{"time":"soon","Thing":{"@iot.id":%d},"Locations":[{"@iot.id":%d}]}`, thing, location), 400, "time: is no instant"},
		{"POST", "/HistoricalLocations", at(`{"time":"2026-01-01T00:00:00Z","Thing":{"@iot.id":%d}}`, thing), 400, "needs Locations"},
		{"POST", "/Observations", `{"result":1}`, 400, "needs a Datastream"},
		{"POST", "/Observations", at(`{"Datastream":{"@iot.id":%d}}`, ds), 400, "needs result"},
		{"POST", "/Observations", at(`{"result":1,"Datastream":{"@iot.id":%d}}`, bare), 400, "has no Location"},
		{"POST", "/Observations", `{"result":1,"Datastream":{"@iot.id":1000000999}}`, 400, "Datastream: there is no Datastreams(1000000999)"},
		{"POST", "/Observations", at(`{"result":1,"phenomenonTime":"yesterday","Datastream":{"@iot.id":%d}}`, ds), 400, "phenomenonTime: is neither"},
		{"POST", "/Observations", at(`{"result":1,"validTime":"2026-01-01T00:00:00Z","Datastream":{"@iot.id":%d}}`, ds), 400, "validTime: is no period"},
		{"POST", "/Observations", at(`{"result":1,"parameters":3,"Datastream":{"@iot.id":%d}}`, ds), 400, "parameters: is a number"},
		{"POST", at("/Datastreams(%d)/Observations", ds), at(`{"result":1,"Datastream":{"@iot.id":%d}}`, bare), 400, "given twice"},
		{"POST", "/Datastreams(1000000999)/Observations", `{"result":1}`, 404, "there is no Datastreams(1000000999)"},
		{"POST", at("/Things(%d)/Datastreams(%d)/Observations", other, ds), `{"result":1}`, 404, "there is no Datastreams"},
		{"POST", at("/Things(%d)", thing), `{"name":"n","description":"d"}`, 405, "posted to a set"},
		{"PATCH", "/Things", `{}`, 405, "for one entity"},
		{"PATCH", "/Things(1000000999)", `{}`, 404, "there is no"},
		{"PATCH", at("/Things(%d)", thing), `{"name":null}`, 400, "name: is null"},
		{"PATCH", at("/Things(%d)", thing), `{"Locations":[` + place0 + `]}`, 400, "Locations[0]: holds an entity"},
		{"PATCH", at("/Datastreams(%d)", ds), `{"Thing":null}`, 400, "Thing: is null"},
		{"PATCH", at("/Datastreams(%d)", ds), `{"unitOfMeasurement":{"name":1}}`, 400, "unitOfMeasurement.name: is a number"},
		{"PATCH", at("/Observations(%d)", one), `{"phenomenonTime":null}`, 400, "phenomenonTime: is null"},
		{"PUT", at("/Things(%d)", thing), `{"name":"n"}`, 400, "needs description"},
		{"PUT", at("/Observations(%d)", one), `{"result":2}`, 400, "needs phenomenonTime"},
		{"JSONPATCH", at("/Things(%d)", thing), `{}`, 400, "array of operations"},
		{"JSONPATCH", at("/Things(%d)", thing), `[{"op":"remove","path":"/name"}]`, 400, "needs name"},
		{"JSONPATCH", at("/Things(%d)", thing), `[{"op":"remove","path":"/nothing"}]`, 400, "does not fit"},
		{"JSONPATCH", at("/Things(%d)", thing), `[{"op":"test","path":"/name","value":"X"},{"op":"replace","path":"/name","value":"Y"}]`, 409, "not as the patch expects"},
		{"DELETE", "/Things", ``, 405, "for one entity"},
		{"DELETE", "/Things(1000000999)", ``, 404, "there is no"},
		{"DELETE", at("/Things(%d)/Datastreams(%d)", other, ds), ``, 404, "there is no"},
		{"DELETE", at("/Things(%d)/HistoricalLocations(%d)", other, history), ``, 404, "there is no"},
		{"DELETE", at("/Things(%d)/name", thing), ``, 405, "only be read"},
	} {
		f.refused(tt.method, tt.path, tt.body, tt.status, tt.message)
	}
	deep := strings.Repeat(`{"name":"n","description":"d","Locations":[{"name":"n","description":"d","encodingType":"x","location":1,"Things":[`, 200)
	f.refused("POST", "/Things", deep+strings.Repeat(`]}]}`, 200), 400, "more than 64 deep")
}

func TestGeneratedFeature(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	thing, location, ds := f.station()
	under := fmt.Sprintf("/Datastreams(%d)/Observations", ds)
	feature := func() sensorthings.ID { return f.obs(f.post(under, `{"result":1}`)).Feature }
	first := feature()
	e := f.get(sensorthings.FeaturesOfInterest, first)
	if string(e.Get("feature")) != `{"type":"Point","coordinates":[8.4,49]}` || string(e.Get("encodingType")) != `"application/geo+json"` || string(e.Get("name")) != `"L"` {
		t.Errorf("%s", e.Properties)
	}
	if again := feature(); again != first {
		t.Error("two features of one Location")
	}
	// Another Thing at the same Location shares it.
	second := f.post("/Things", fmt.Sprintf(`{"name":"T2","description":"d","Locations":[{"@iot.id":%d}],"Datastreams":[%s]}`, location, datastream(`,"Observations":[{"result":1}]`)))
	if got := f.all(sensorthings.FeaturesOfInterest); len(got) != 1 {
		t.Errorf("features %v", got)
	}
	f.ok("DELETE", fmt.Sprintf("/FeaturesOfInterest(%d)", first), "")
	if again := feature(); again == first {
		t.Error("the deleted feature came back")
	}
	// A Thing that moves is somewhere else; the other one stays.
	f.post(fmt.Sprintf("/Things(%d)/Locations", thing), place1)
	moved := feature()
	if string(f.get(sensorthings.FeaturesOfInterest, moved).Get("feature")) != `{"type":"Point","coordinates":[9,50]}` {
		t.Error("the feature is still the old one")
	}
	// GeoJSON is chosen of several Locations, and words where there is nothing else.
	f.post(fmt.Sprintf("/Things(%d)/Locations", thing), words)
	if got := feature(); got != moved {
		t.Error("another Location than the GeoJSON one was taken")
	}
	third := f.post("/Things", `{"name":"T3","description":"d","Locations":[`+words+`],"Datastreams":[`+datastream("")+`]}`)
	o := f.post(fmt.Sprintf("/Datastreams(%d)/Observations", f.ids(sensorthings.Things, third, "Datastreams")[0]), `{"result":1}`)
	if string(f.get(sensorthings.FeaturesOfInterest, f.obs(o).Feature).Get("feature")) != `"behind the house"` {
		t.Error("no feature of a Location in words")
	}
	// A Location that is described anew is another place for what is observed from now on.
	now := f.ids(sensorthings.Things, second, "Locations")[0]
	f.ok("PATCH", fmt.Sprintf("/Locations(%d)", now), `{"location":{"type":"Point","coordinates":[7,7]}}`)
	o = f.post(fmt.Sprintf("/Datastreams(%d)/Observations", f.ids(sensorthings.Things, second, "Datastreams")[0]), `{"result":1}`)
	if string(f.get(sensorthings.FeaturesOfInterest, f.obs(o).Feature).Get("feature")) != `{"type":"Point","coordinates":[7,7]}` {
		t.Error("the feature of the old place was taken")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	thing, location, _ := f.station()
	here := func() []sensorthings.ID { return f.ids(sensorthings.Things, thing, "Locations") }
	history := func() []sensorthings.ID { return f.ids(sensorthings.Things, thing, "HistoricalLocations") }
	f.clock.Store(100)
	second := f.post("/Locations", strings.TrimSuffix(place1, "}")+fmt.Sprintf(`,"Things":[{"@iot.id":%d}]}`, thing))
	if got := here(); len(got) != 1 || got[0] != second || len(history()) != 2 {
		t.Errorf("%v, history %v", got, history())
	}
	last := history()[1]
	if e := f.get(sensorthings.HistoricalLocations, last); string(e.Get("time")) != `"2026-01-01T00:01:40Z"` || f.ids(sensorthings.HistoricalLocations, last, "Locations")[0] != second {
		t.Errorf("%s", e.Properties)
	}
	// Another encoding describes the same place beside it.
	f.post(fmt.Sprintf("/Things(%d)/Locations", thing), words)
	if got := here(); len(got) != 2 || len(f.ids(sensorthings.HistoricalLocations, history()[2], "Locations")) != 2 {
		t.Errorf("%v", got)
	}
	// A link to where it is changes nothing; one back moves it.
	f.ok("PATCH", fmt.Sprintf("/Things(%d)", thing), fmt.Sprintf(`{"Locations":[{"@iot.id":%d}]}`, second))
	if len(history()) != 3 {
		t.Error("a note without a move")
	}
	f.ok("PATCH", fmt.Sprintf("/Things(%d)", thing), fmt.Sprintf(`{"Locations":[{"@iot.id":%d}]}`, location))
	if got := here(); len(got) != 2 || len(history()) != 4 {
		t.Errorf("%v, history %v", got, history())
	}
	// A client's note that is later than all moves it, an earlier one does not.
	f.post(fmt.Sprintf("/Things(%d)/HistoricalLocations", thing), fmt.Sprintf(`{"time":"2025-01-01T00:00:00Z","Locations":[{"@iot.id":%d}]}`, second))
	if got := here(); len(got) != 2 {
		t.Errorf("moved by an old note: %v", got)
	}
	f.post("/HistoricalLocations", fmt.Sprintf(`{"time":"2027-01-01T00:00:00+08:00","Thing":{"@iot.id":%d},"Locations":[{"@iot.id":%d}]}`, thing, second))
	if got := here(); len(got) != 1 || got[0] != second {
		t.Errorf("not moved by a later note: %v", got)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	thing, _, ds := f.station()
	at := fmt.Sprintf("/Things(%d)", thing)
	f.ok("PATCH", at, `{"@iot.id":5,"properties":{"a":1, "b":{"c":1e-7}},"unknown":1}`)
	f.ok("PATCH", at, `{"properties":{"z":12345678901234567890}}`)
	e := f.get(sensorthings.Things, thing)
	if e.ID != thing || string(e.Get("properties")) != `{"z":12345678901234567890}` || string(e.Get("name")) != `"T"` {
		t.Errorf("%s", e.Properties)
	}
	f.ok("JSONPATCH", at, `[{"op":"add","path":"/properties/k","value":"<&>"},{"op":"copy","from":"/name","path":"/properties/n"},{"op":"test","path":"/properties/z","value":12345678901234567890}]`)
	if got := string(f.get(sensorthings.Things, thing).Get("properties")); !strings.Contains(got, `"k":"<&>"`) || !strings.Contains(got, `"n":"T"`) || !strings.Contains(got, `12345678901234567890`) {
		t.Errorf("%s", got)
	}
	f.ok("PUT", at, `{"name":"N","description":"D"}`)
	if e := f.get(sensorthings.Things, thing); e.Get("properties") != nil || string(e.Get("name")) != `"N"` || len(f.ids(sensorthings.Things, thing, "Datastreams")) != 1 {
		t.Errorf("%s", e.Properties)
	}
	// Single relations are replaced, many are added to.
	s := f.post("/Sensors", sensor)
	f.ok("PATCH", fmt.Sprintf("/Datastreams(%d)", ds), fmt.Sprintf(`{"Sensor":{"@iot.id":%d},"phenomenonTime":"nonsense that is ignored"}`, s))
	other := f.post("/Things", `{"name":"U","description":"d"}`)
	f.ok("PATCH", fmt.Sprintf("/Things(%d)", other), fmt.Sprintf(`{"Datastreams":[{"@iot.id":"%d"}]}`, ds))
	f.ok("JSONPATCH", fmt.Sprintf("/Things(%d)", other), fmt.Sprintf(`[{"op":"add","path":"/Datastreams/-","value":{"@iot.id":%d}}]`, ds))
	if d := f.get(sensorthings.Datastreams, ds); d.To("Sensor") != s || d.To("Thing") != other || len(f.ids(sensorthings.Things, thing, "Datastreams")) != 0 {
		t.Errorf("%v", d.One)
	}
	// Observations.
	fo := f.post("/FeaturesOfInterest", `{"name":"F","description":"d","encodingType":"x","feature":1}`)
	o := f.post("/Observations", fmt.Sprintf(`{"result": {"a": [1, 2]},"phenomenonTime":"2026-01-01T00:00:00+01:00/2026-01-01T01:00:00+01:00","resultTime":"2026-01-01T00:00:00.5Z","resultQuality":"q","parameters":{"f":1},"validTime":"2026-01-01T00:00:00Z/2026-01-02T00:00:00Z","Datastream":{"@iot.id":%d},"FeatureOfInterest":{"@iot.id":%d}}`, ds, fo))
	at = fmt.Sprintf("/Observations(%d)", o)
	got := f.obs(o)
	if string(got.Result) != `{"a":[1,2]}` || got.Phenomenon.End-got.Phenomenon.Start != 3600e6 || !got.HasValid || !got.HasResultTime || string(got.Quality) != `"q"` || got.Feature != fo {
		t.Errorf("%+v", got)
	}
	f.ok("PATCH", at, `{"result":null,"resultTime":null}`)
	f.ok("JSONPATCH", at, `[{"op":"replace","path":"/parameters/f","value":2}]`)
	if got := f.obs(o); string(got.Result) != "null" || got.HasResultTime || string(got.Parameters) != `{"f":2}` || !got.HasValid || string(got.Quality) != `"q"` {
		t.Errorf("%+v", got)
	}
	f.ok("PUT", at, `{"result":7,"phenomenonTime":"2026-01-01T00:00:00Z"}`)
	if got := f.obs(o); string(got.Result) != "7" || got.HasValid || got.Quality != nil || got.Parameters != nil || got.Feature != fo || got.Datastream != ds {
		t.Errorf("%+v", got)
	}
}

// fixed is a Reader that knows a few entities of outlets.
type fixed struct {
	sensorthings.Reader
	there map[Ref]*sensorthings.Entity
}

func (r fixed) Entity(_ context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	if e := r.there[Ref{s, id}]; e != nil {
		return e, nil
	}
	return nil, sensorthings.ErrNotFound
}

func (fixed) Related(context.Context, sensorthings.Set, sensorthings.ID, string, func(sensorthings.ID) bool) error {
	return nil
}

func (fixed) Observation(_ context.Context, id sensorthings.ID) (*sensorthings.Observation, error) {
	if id == sensorthings.FirstOutletObservation {
		return &sensorthings.Observation{ID: id, Datastream: sensorthings.FirstOutletDatastream}, nil
	}
	return nil, sensorthings.ErrNotFound
}

func TestOutletsAreReadOnly(t *testing.T) {
	t.Parallel()
	outlets := fixed{there: map[Ref]*sensorthings.Entity{}}
	ds := sensorthings.FirstOutletDatastream
	for s, id := range map[sensorthings.Set]sensorthings.ID{sensorthings.Things: 7, sensorthings.Locations: 7, sensorthings.Sensors: 7, sensorthings.ObservedProperties: 7, sensorthings.FeaturesOfInterest: 7, sensorthings.Datastreams: ds} {
		e := &sensorthings.Entity{Set: s, ID: id, Properties: make([]json.RawMessage, len(s.Properties())), One: []sensorthings.ID{7, 7, 7}}
		if s == sensorthings.Locations {
			e.Properties[0], e.Properties[1], e.Properties[2], e.Properties[3] = json.RawMessage(`"O"`), json.RawMessage(`"o"`), json.RawMessage(`"application/geo+json"`), json.RawMessage(`{"type":"Point","coordinates":[94,29]}`)
		}
		outlets.there[Ref{s, id}] = e
	}
	f := open(t, outlets)
	thing, location, mine := f.station()
	for _, tt := range []struct{ method, path, body string }{
		{"PATCH", "/Things(7)", `{"name":"x"}`},
		{"PUT", "/Sensors(7)", sensor},
		{"JSONPATCH", "/Locations(7)", `[]`},
		{"DELETE", "/ObservedProperties(7)", ``},
		{"DELETE", fmt.Sprintf("/Datastreams(%d)", ds), ``},
		{"PATCH", fmt.Sprintf("/Observations(%d)", sensorthings.FirstOutletObservation), `{"result":1}`},
		{"POST", "/Things(7)/Datastreams", datastream("")},
		{"POST", "/Things(7)/Locations", place0},
		{"POST", "/Things(7)/HistoricalLocations", fmt.Sprintf(`{"time":"2027-01-01T00:00:00Z","Locations":[{"@iot.id":%d}]}`, location)},
		{"POST", "/Datastreams", datastream(`,"Thing":{"@iot.id":7}`)},
		{"POST", fmt.Sprintf("/Datastreams(%d)/Observations", ds), `{"result":1}`},
		{"POST", "/Observations", fmt.Sprintf(`{"result":1,"Datastream":{"@iot.id":%d}}`, ds)},
		{"POST", "/Locations", strings.TrimSuffix(place0, "}") + `,"Things":[{"@iot.id":7}]}`},
		{"POST", "/Things", fmt.Sprintf(`{"name":"n","description":"d","Datastreams":[{"@iot.id":%d}]}`, ds)},
		{"PATCH", fmt.Sprintf("/Things(%d)", thing), fmt.Sprintf(`{"Datastreams":[{"@iot.id":%d}]}`, ds)},
		{"PATCH", fmt.Sprintf("/Datastreams(%d)", mine), `{"Thing":{"@iot.id":7}}`},
	} {
		f.refused(tt.method, tt.path, tt.body, 409, "HJ 212 outlet")
	}
	f.refused("DELETE", "/Things(8)", "", 404, "there is no Things(8)")
	// Links to what outlets have are allowed where nothing of theirs changes.
	d := f.post("/Datastreams", fmt.Sprintf(`{%s,"Thing":{"@iot.id":%d},"Sensor":{"@iot.id":7},"ObservedProperty":{"@iot.id":7}}`, stream, thing))
	if o := f.obs(f.post(fmt.Sprintf("/Datastreams(%d)/Observations", d), `{"result":1,"FeatureOfInterest":{"@iot.id":7}}`)); o.Feature != 7 {
		t.Errorf("%+v", o)
	}
	f.ok("PATCH", fmt.Sprintf("/Things(%d)", thing), `{"Locations":[{"@iot.id":7}]}`)
	o := f.obs(f.post(fmt.Sprintf("/Datastreams(%d)/Observations", d), `{"result":1}`))
	if got := string(f.get(sensorthings.FeaturesOfInterest, o.Feature).Get("feature")); got != `{"type":"Point","coordinates":[94,29]}` {
		t.Error(got)
	}
	f.post("/Sensors(7)/Datastreams", fmt.Sprintf(`{%s,"Thing":{"@iot.id":%d},"ObservedProperty":{"@iot.id":7}}`, stream, thing))
	rows, err := f.CreateObservations(t.Context(), fmt.Appendf(nil, `[{"Datastream":{"@iot.id":%d},"components":["phenomenonTime","result"],"dataArray":[["2026-01-01T00:00:00Z",1]]},{"Datastream":{"@iot.id":%d},"components":["phenomenonTime","result"],"dataArray":[["2026-01-01T00:00:00Z",1]]}]`, ds, d))
	if err != nil || !strings.Contains(rows[0].Fault, "HJ 212 outlet") || rows[1].Fault != "" {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestSessionNamesAndRollback(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	thing, _, _ := f.station()
	err := f.Update(t.Context(), func(s *Session) error {
		r, err := s.Post(t.Context(), f.path("/Sensors"), []byte(sensor))
		if err != nil {
			return err
		}
		s.Name("x", r)
		r, err = s.Post(t.Context(), f.path(fmt.Sprintf("/Things(%d)/Datastreams", thing)), []byte(`{`+stream+`,"Sensor":{"@iot.id":"$x"},"ObservedProperty":`+observed+`,"Observations":[{"result":1}]}`))
		if err != nil {
			return err
		}
		s.Name("d", r)
		rows, err := s.CreateObservations(t.Context(), []byte(`[{"Datastream":{"@iot.id":"$d"},"components":["phenomenonTime","result"],"dataArray":[["2026-01-01T00:00:00Z",1],[1]]}]`))
		if err == nil && (rows[0].ID == 0 || rows[1].Fault == "") {
			t.Errorf("%+v", rows)
		}
		return err
	})
	if err != nil || len(f.all(sensorthings.Datastreams)) != 2 {
		t.Fatal(err)
	}
	err = f.Update(t.Context(), func(s *Session) error {
		if _, err := s.Post(t.Context(), f.path("/Sensors"), []byte(sensor)); err != nil {
			return err
		}
		_, err := s.Post(t.Context(), f.path("/Things"), []byte(`{"name":"n","description":"d","Datastreams":[{"@iot.id":"$nobody"}]}`))
		return err
	})
	if StatusOf(err) != 400 || len(f.all(sensorthings.Sensors)) != 2 {
		t.Errorf("%v, Sensors %v", err, f.all(sensorthings.Sensors))
	}
}
