package telemetryweb

import (
	"html"
	"strconv"
	"strings"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/sensorthingstest"
)

const firstThing = sensorthings.FirstClientID

// newThings holds an outlet's Thing, a greenhouse that is too hot and has been,
// and a well whose gauge is silent; another series has a rule with a fault.
func newThings() *sensorthingstest.Memory {
	m := sensorthingstest.New()
	quoted := strconv.Quote
	m.Add(sensorthings.Things, 7, map[string]string{"name": quoted("Outlet 7"), "description": quoted("of an outlet")})
	m.Add(sensorthings.Things, firstThing+1, map[string]string{"name": quoted("Greenhouse <1>"), "description": quoted("Tomatoes")})
	m.Add(sensorthings.Things, firstThing+2, map[string]string{"name": quoted("Well"), "description": quoted("Level of the ground water")})
	m.Add(sensorthings.Locations, firstThing+1, map[string]string{"name": quoted("Lhasa"), "location": `{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[91.1,29.65],[91.2,29.65],[91.2,29.7],[91.1,29.65]]]}}`})
	m.Link(sensorthings.Things, firstThing+1, "Locations", firstThing+1)
	m.Add(sensorthings.ObservedProperties, firstThing+1, map[string]string{"name": quoted("Air temperature")})
	series := func(id sensorthings.ID, thing sensorthings.ID, name, properties string) {
		m.Add(sensorthings.Datastreams, firstThing+id, map[string]string{"name": quoted(name), "unitOfMeasurement": `{"name":"x","symbol":"°C","definition":"x"}`, "properties": properties}, thing, firstThing+1, firstThing+1)
	}
	series(1, firstThing+1, "Air", `{"alarm":{"above":35,"below":5,"silentAfter":"PT2H"}}`)
	series(2, firstThing+1, "Door", `{"alarm":{"above":"hot"}}`)
	series(3, firstThing+2, "Level", `{"alarm":{"silentAfter":"PT2H"}}`)
	id := sensorthings.ID(0)
	observe := func(series sensorthings.ID, ago time.Duration, result string) {
		id++
		at := testNow.Add(-ago).UnixMicro()
		m.Observe(sensorthings.Observation{ID: id, Datastream: firstThing + series, Phenomenon: sensorthings.Span{Start: at, End: at}, Result: []byte(result)})
	}
	for hours, result := range map[int]string{9: "20", 8: "36.5", 7: "41.25", 6: "30", 2: "34", 1: "35.5", 0: "38.125"} {
		observe(1, time.Duration(hours)*time.Hour, result)
	}
	observe(2, time.Hour, `"open"`)
	observe(3, 30*time.Hour, `12.5`)
	return m
}

func TestThings(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	page := "/en/things/" + strconv.FormatInt(firstThing+1, 10)
	for _, s := range []scenario{
		{name: "list", actor: "officer", target: "/en/things", status: 200, contains: []string{"Greenhouse <1>", "Lhasa", "Air 38.125 °C", "above", "Well", "silent", "2 rows", "basemap.svg"}, lacks: []string{"Outlet 7", "<1>"}},
		{name: "filtered", actor: "officer", target: "/en/things?q=TOMATO", status: 200, contains: []string{"Greenhouse"}, lacks: []string{">Well<"}},
		{name: "filtered to nothing", actor: "officer", target: "/en/things?q=nowhere", status: 200, contains: []string{"nowhere", "Clear"}},
		{name: "thing", actor: "operator", target: page, status: 200, contains: []string{
			"Tomatoes", "38.125 °C", "Air temperature", "/sta/v1.1/Datastreams%281000000001%29/ObservedProperty", "/sta/v1.1/Things%281000000001%29", "$resultFormat=CSV",
			"above 35 °C", "below 5 °C", "41.25 °C", "2 h", "lasts", ">open<", "silent for", "<svg class=\"day wide\"",
			"not written rightly", "above is not a number",
		}},
		{name: "in Chinese", actor: "operator", target: strings.Replace(page, "/en/", "/zh/", 1), status: 200, contains: []string{"高于 35 °C", "持续中", "偏高"}},
		{name: "a week", actor: "operator", target: page + "?span=week", status: 200, contains: []string{"Last 7 days"}},
		{name: "alarms", actor: "officer", target: "/en/things/alarms", status: 200, contains: []string{"2 series have an alarm", "Greenhouse <1>", "Level", "silent", "above", "Ended in the last 7 days"}},
		{name: "unknown", actor: "officer", target: "/en/things/1999999999", status: 404},
		{name: "of an outlet", actor: "officer", target: "/en/things/7", status: 404},
		{name: "no number", actor: "officer", target: "/en/things/abc", status: 404},
		{name: "enterprise", actor: "enterprise", target: "/en/things", status: 403, contains: []string{"see things that clients made"}},
		{name: "nobody", target: "/en/things", status: 303, location: "/en/login?next=%2Fen%2Fthings"},
		{name: "from the outlets", actor: "officer", target: "/en/outlets", status: 200, contains: []string{`href="/en/things"`}},
		{name: "from the alarms", actor: "officer", target: "/en/alarms", status: 200, contains: []string{`href="/en/things/alarms"`}},
		{name: "not for enterprises", actor: "enterprise", target: "/en/outlets", status: 200, lacks: []string{"/things"}},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, r) })
	}
	t.Run("none yet", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2)
		r.Things, r.BaseURL = sensorthingstest.New(), "https://example.org/air/"
		w := r.ask("officer", "GET", "/en/things", nil)
		if body := html.UnescapeString(w.Body.String()); w.Code != 200 || !strings.Contains(body, "curl -H 'Authorization: Bearer TOKEN'") || !strings.Contains(body, " https://example.org/air/sta/v1.1/Things -d '{") || strings.Contains(body, `type="search"`) {
			t.Errorf("%d %s", w.Code, body)
		}
		if w := r.ask("officer", "GET", "/en/things/alarms", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "Nothing is open") {
			t.Errorf("%d", w.Code)
		}
	})
	t.Run("without SensorThings", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2)
		r.Things = nil
		if w := r.ask("officer", "GET", "/en/things", nil); w.Code != 404 {
			t.Errorf("%d", w.Code)
		}
		if w := r.ask("officer", "GET", "/en/alarms", nil); strings.Contains(w.Body.String(), "/things") {
			t.Error("a link leads nowhere")
		}
	})
}
