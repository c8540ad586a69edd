package sensorthingstest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/sensorthings"
)

// Begin is the time of the first Observation of World.
var Begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// World is a small network: two Things with their Locations and three
// Datastreams. Datastream 1 has the hourly results 0 to 9 (Observations 1 to
// 10), Datastream 2 results of all types of JSON (11 to 16), Datastream 3 none.
func World() *Memory {
	m := New()
	m.Add(sensorthings.Things, 1, props("name", "Station 7", "description", "on the roof", "properties", json.RawMessage(`{"owner":"city","depth":4,"a":{"b":"x"}}`)))
	m.Add(sensorthings.Things, 2, props("name", "Bob's", "description", "in the field"))
	m.Add(sensorthings.Locations, 1, props("name", "roof", "description", "d", "encodingType", "application/geo+json",
		"location", json.RawMessage(`{"type":"Point","coordinates":[8.4,49.0]}`)))
	m.Add(sensorthings.Locations, 2, props("name", "Acre", "description", "d", "encodingType", "application/geo+json",
		"location", json.RawMessage(`{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[8.1,51.0]}}`), "properties", json.RawMessage(`{}`)))
	m.Link(sensorthings.Things, 1, "Locations", 1)
	m.Link(sensorthings.Things, 2, "Locations", 2)
	m.Add(sensorthings.HistoricalLocations, 1, props("time", "2016-01-01T00:00:00Z"), 1)
	m.Link(sensorthings.HistoricalLocations, 1, "Locations", 1)
	m.Add(sensorthings.Sensors, 3, props("name", "S", "description", "d", "encodingType", "application/pdf", "metadata", "https://example.org/s.pdf"))
	m.Add(sensorthings.ObservedProperties, 2, props("name", "PM10", "definition", "https://example.org/pm10", "description", "fine dust <10 µm & more"))
	m.Add(sensorthings.ObservedProperties, 4, props("name", "Humidity", "definition", "https://example.org/rh", "description", "relative"))
	const om = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
	dust := json.RawMessage(`{"name":"microgram per m3","symbol":"ug/m3","definition":"ucum:ug/m3"}`)
	percent := json.RawMessage(`{"name":"percent","symbol":"%","definition":null}`)
	m.Add(sensorthings.Datastreams, 1, props("name", "PM10", "description", "d", "observationType", om+"OM_Measurement", "unitOfMeasurement", dust,
		"observedArea", json.RawMessage(`{"type":"Polygon","coordinates":[[[8,49],[9,49],[9,50],[8,49]]]}`)), 1, 3, 2)
	m.Add(sensorthings.Datastreams, 2, props("name", "Humidity", "description", "d", "observationType", om+"OM_Observation", "unitOfMeasurement", percent), 1, 3, 4)
	m.Add(sensorthings.Datastreams, 3, props("name", "PM10 field", "description", "d", "observationType", om+"OM_Measurement", "unitOfMeasurement", dust), 2, 3, 2)
	feature := json.RawMessage(`{"type":"Point","coordinates":[8.4,49.0]}`)
	m.Add(sensorthings.FeaturesOfInterest, 1, props("name", "air", "description", "d", "encodingType", "application/geo+json", "feature", feature))
	m.Add(sensorthings.FeaturesOfInterest, 2, props("name", "soil", "description", "d", "encodingType", "application/geo+json", "feature", feature))
	for i := range 10 {
		m.Observe(observation(sensorthings.ID(1+i), 1, 1, i, strconv.Itoa(i)))
	}
	for i, result := range []string{"1e-7", `"7"`, "true", "null", `{"a": [1, "<&>"]}`, "12345678901234567890"} {
		o := observation(sensorthings.ID(11+i), 2, 2, i, result)
		o.ResultTime, o.HasResultTime = o.Phenomenon.End+1_500_000, true
		if i == 4 {
			o.Phenomenon.End += time.Hour.Microseconds()
			o.Valid, o.HasValid = o.Phenomenon, true
			o.Quality, o.Parameters = json.RawMessage(`"good"`), json.RawMessage(`{"flag":"N"}`)
		}
		m.Observe(o)
	}
	return m
}

func observation(id, datastream, feature sensorthings.ID, hour int, result string) sensorthings.Observation {
	at := Begin.Add(time.Duration(hour) * time.Hour).UnixMicro()
	return sensorthings.Observation{ID: id, Datastream: datastream, Feature: feature, Phenomenon: sensorthings.Span{Start: at, End: at}, Result: json.RawMessage(result)}
}

// props takes names and values in turn; texts become JSON strings.
func props(list ...any) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(list, 2) {
		name, _ := pair[0].(string)
		switch v := pair[len(pair)-1].(type) {
		case string:
			var b strings.Builder
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			_ = enc.Encode(v) // a string always can be
			m[name] = strings.TrimSpace(b.String())
		case json.RawMessage:
			m[name] = string(v)
		}
	}
	return m
}
