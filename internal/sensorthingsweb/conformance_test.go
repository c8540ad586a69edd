package sensorthingsweb_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
)

// TestConformance walks through the requirements of writing, named by their ids
// behind http://www.opengis.net/spec/iot_sensing/1.1/req/.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, req := range []struct {
		id   string
		walk func(*testing.T, *server)
	}{
		{"create-update-delete/create-entity", createEntity},
		{"create-update-delete/link-to-existing-entities", linkToExisting},
		{"create-update-delete/deep-insert", deepInsert},
		{"create-update-delete/deep-insert-status-code", deepInsertStatus},
		{"create-update-delete/update-entity", updateEntity},
		{"create-update-delete/update-entity-put", updatePut},
		{"create-update-delete/update-entity-jsonpatch", updateJSONPatch},
		{"create-update-delete/delete-entity", deleteEntity},
		{"create-update-delete/historical-location-auto-creation", historyAuto},
		{"create-update-delete/historical-location-manual-creation", historyManual},
		{"batch-request/batch-request", batchRequest},
		{"data-array/data-array", dataArray},
	} {
		t.Run(req.id, func(t *testing.T) {
			t.Parallel()
			req.walk(t, newServer(t, nil))
		})
	}
	t.Run("conformance list", func(t *testing.T) {
		t.Parallel()
		root := newServer(t, nil).must(200, "GET", "/sta/v1.1", "").Body.String()
		for _, id := range []string{"create-update-delete", "batch-request/batch-request", "data-array/data-array"} {
			if !strings.Contains(root, `"http://www.opengis.net/spec/iot_sensing/1.1/req/`+id+`"`) {
				t.Errorf("the service root does not tell %s: %s", id, root)
			}
		}
	})
}

func createEntity(t *testing.T, s *server) {
	t.Helper()
	thing, datastream := s.station()
	e := s.get(thing)
	s.is("name", e["name"], "T")
	// A client's identifier is ignored, unknown members too; numbers stay as they are.
	other := s.create("Things", `{"@iot.id":5,"name":"<&>","description":"d","unknown":[1],"properties":{"big":12345678901234567890,"small":1e-7}}`)
	if other == "Things(5)" {
		t.Error("the client chose the identifier")
	}
	if body := s.must(200, "GET", other, "").Body.String(); !strings.Contains(body, `{"big":12345678901234567890,"small":1e-7}`) || !strings.Contains(body, `"<&>"`) {
		t.Errorf("%s", body)
	}
	// Results come back with the type they had; without a time the present one counts.
	for _, result := range []string{`1`, `"1"`, `true`, `null`, `1e-7`, `{"a":[1,{"b":null}]}`, `[1,"2"]`, `12345678901234567890.5`} {
		o := s.create(datastream+"/Observations", `{"result": `+result+`}`)
		body := s.must(200, "GET", o, "").Body.String()
		if !strings.Contains(body, `"result":`+result) || !strings.Contains(body, `"phenomenonTime":"2026-01-01T00:00:00Z"`) || !strings.Contains(body, `"resultTime":null`) {
			t.Errorf("%s: %s", result, body)
		}
	}
	o := s.create("Observations", `{"result":1,"phenomenonTime":"2016-01-01T12:00:00.5-0700","resultTime":"2016-01-02T00:00:00+08:00","validTime":"2016-01-01T00:00:00Z/2016-01-02T00:00:00Z","Datastream":`+link(datastream)+`}`)
	e = s.get(o)
	s.is("phenomenonTime", e["phenomenonTime"], "2016-01-01T19:00:00.5Z")
	s.is("resultTime", e["resultTime"], "2016-01-01T16:00:00Z")
	s.is("validTime", e["validTime"], "2016-01-01T00:00:00Z/2016-01-02T00:00:00Z")
	// Whatever is wrong is refused with 400 and leaves nothing.
	before := s.count("Things")
	for _, body := range []string{``, `{`, `[]`, `3`, `null`, `{}`, `{"name":"x"}`, `{"name":1,"description":"d"}`, `{"name":"x","description":"d","properties":"p"}`, `{"name":"x","description":"d"} {}`} {
		s.must(400, "POST", "Things", body)
	}
	s.is("Things", s.count("Things"), before)
	s.must(405, "POST", thing, `{"name":"x","description":"d"}`)
	s.must(404, "POST", "Things(999999999999)/Datastreams", aDatastream(""))
	s.must(404, "POST", "Nonsense", `{}`)
	s.must(415, "POST", "Things", `{"name":"x","description":"d"}`, "Content-Type", "text/xml")
	s.must(201, "POST", "Things", `{"name":"x","description":"d"}`, "Content-Type", "application/json; charset=utf-8")
	s.must(413, "POST", "Things", `{"name":"`+strings.Repeat("x", 5<<20)+`","description":"d"}`)
	long := strings.Repeat("长", 10_000) // nothing is cut
	s.is("name", s.get(s.create("Things", `{"name":"`+long+`","description":"d"}`))["name"], long)
}

func linkToExisting(t *testing.T, s *server) {
	t.Helper()
	sensor, property := s.create("Sensors", aSensor), s.create("ObservedProperties", aProperty)
	location := s.create("Locations", aLocation)
	thing := s.create("Things", `{"name":"T","description":"d","Locations":[`+link(location)+`]}`)
	d := s.create("Datastreams", `{`+aStream+`,"Thing":`+link(thing)+`,"Sensor":`+link(sensor)+`,"ObservedProperty":`+link(property)+`}`)
	s.is("Thing", s.get(d + "/Thing")["name"], "T")
	s.is("Datastreams of the Sensor", s.count(sensor+"/Datastreams"), 1)
	s.is("Things at the Location", s.count(location+"/Things"), 1)
	s.must(400, "POST", "Datastreams", `{`+aStream+`,"Thing":{"@iot.id":424242},"Sensor":`+link(sensor)+`,"ObservedProperty":`+link(property)+`}`)
	other := s.create(thing+"/Datastreams", aDatastream(""))
	s.must(400, "POST", d+"/Observations", `{"result":1,"Datastream":`+link(other)+`}`)
	s.must(201, "POST", d+"/Observations", `{"result":1,"Datastream":`+link(d)+`}`)
	s.is("Datastreams", s.count("Datastreams"), 2)
}

func deepInsert(_ *testing.T, s *server) {
	thing := s.create("Things", `{"name":"T","description":"d","Locations":[`+aLocation+`],"Datastreams":[`+aDatastream(`,"Observations":[{"phenomenonTime":"2016-01-01T00:00:00Z","result":21.5}]`)+`]}`)
	s.is("result", s.values(thing+"/Datastreams?$expand=Observations", "name"), "[D]")
	s.is("Observations", s.values("Observations", "result"), "[21.5]")
	s.is("feature", s.values("FeaturesOfInterest", "name"), "[L]")
	// Nothing is left of one that fails at its deepest place.
	s.must(400, "POST", "Things", `{"name":"T","description":"d","Locations":[`+aLocation+`],"Datastreams":[`+aDatastream(`,"Observations":[{"phenomenonTime":"never","result":21.5}]`)+`]}`)
	for _, set := range []string{"Things", "Locations", "Datastreams", "Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest", "HistoricalLocations"} {
		s.is(set, s.count(set), 1)
	}
}

func deepInsertStatus(t *testing.T, s *server) {
	t.Helper()
	s.create("Sensors", strings.TrimSuffix(aSensor, "}")+`,"Datastreams":[{`+aStream+`,"ObservedProperty":`+aProperty+`,"Thing":{"name":"T","description":"d"}}]}`)
	r := s.must(400, "POST", "Sensors", strings.TrimSuffix(aSensor, "}")+`,"Datastreams":[{`+aStream+`,"ObservedProperty":`+aProperty+`,"Thing":{"name":"T"}}]}`)
	if !strings.Contains(r.Body.String(), "Datastreams[0].Thing: a Thing needs description") {
		t.Errorf("%s", r.Body)
	}
	s.is("Sensors", s.count("Sensors"), 1)
}

func updateEntity(_ *testing.T, s *server) {
	thing, datastream := s.station()
	s.must(200, "PATCH", thing, `{"properties":{"a":1}}`)
	s.must(200, "PATCH", thing, `{"@iot.id":7,"properties":{"b":2}}`)
	e := s.get(thing)
	s.is("properties", e["properties"], "map[b:2]")
	s.is("name", e["name"], "T")
	s.must(400, "PATCH", thing, `{"name":3}`)
	s.must(400, "PATCH", thing, `{"Datastreams":[`+aDatastream("")+`]}`)
	s.must(404, "PATCH", "Things(424242)", `{}`)
	s.must(405, "PATCH", "Things", `{}`)
	s.must(404, "PATCH", "Things(424242)/Datastreams(1)", `{}`)
	sensor := s.create("Sensors", strings.Replace(aSensor, `"S"`, `"S2"`, 1))
	s.must(200, "PATCH", datastream, `{"Sensor":`+link(sensor)+`}`)
	s.is("Sensor", s.get(datastream + "/Sensor")["name"], "S2")
	o := s.create(datastream+"/Observations", `{"result":1,"phenomenonTime":"2016-01-01T00:00:00Z"}`)
	s.must(200, "PATCH", o, `{"result":null,"phenomenonTime":"2017-01-01T00:00:00Z"}`)
	s.must(204, "GET", o+"/result", "")
	s.is("phenomenonTime of the Datastream", s.get(datastream)["phenomenonTime"], "2017-01-01T00:00:00Z/2017-01-01T00:00:00Z")
	s.is("through a relation", s.must(200, "PATCH", o+"/Datastream", `{"name":"renamed"}`).Code, 200)
	s.is("name", s.get(datastream)["name"], "renamed")
}

func updatePut(_ *testing.T, s *server) {
	thing, datastream := s.station()
	s.must(200, "PATCH", thing, `{"properties":{"a":1}}`)
	s.must(400, "PUT", thing, `{"name":"only"}`)
	s.must(200, "PUT", thing, `{"name":"N","description":"D"}`)
	e := s.get(thing)
	s.is("properties", e["properties"], "<nil>")
	s.is("name", e["name"], "N")
	s.is("Datastreams", s.count(thing+"/Datastreams"), 1)
	s.must(404, "PUT", "Things(424242)", `{"name":"N","description":"D"}`)
	o := s.create(datastream+"/Observations", `{"result":1,"parameters":{"a":1}}`)
	s.must(200, "PUT", o, `{"result":2,"phenomenonTime":"2016-01-01T00:00:00Z"}`)
	s.is("parameters", s.get(o)["parameters"], "<nil>")
}

func updateJSONPatch(_ *testing.T, s *server) {
	const kind = "application/json-patch+json"
	thing, _ := s.station()
	s.must(200, "PATCH", thing, `[{"op":"add","path":"/properties","value":{"a":1}},{"op":"copy","from":"/name","path":"/properties/n"},{"op":"replace","path":"/name","value":"N"},{"op":"test","path":"/name","value":"N"},{"op":"move","from":"/properties/a","path":"/properties/b"}]`, "Content-Type", kind)
	e := s.get(thing)
	s.is("name", e["name"], "N")
	s.is("properties", e["properties"], "map[b:1 n:T]")
	s.must(409, "PATCH", thing, `[{"op":"replace","path":"/name","value":"X"},{"op":"test","path":"/name","value":"Y"}]`, "Content-Type", kind)
	s.must(400, "PATCH", thing, `[{"op":"remove","path":"/description"}]`, "Content-Type", kind)
	s.must(400, "PATCH", thing, `{"name":"X"}`, "Content-Type", kind)
	s.must(415, "PATCH", thing, `{}`, "Content-Type", "text/plain")
	s.is("name", s.get(thing)["name"], "N")
}

func deleteEntity(t *testing.T, s *server) {
	t.Helper()
	sets := []string{"Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest"}
	for _, tt := range []struct {
		set  string
		left string // how many of each set, in the order above, of one each
	}{
		{"Things", "01001101"},
		{"Locations", "10011111"},
		{"HistoricalLocations", "11011111"},
		{"Datastreams", "11101101"},
		{"Sensors", "11100101"},
		{"ObservedProperties", "11101001"},
		{"Observations", "11111101"},
		{"FeaturesOfInterest", "11111100"},
	} {
		s := newServer(t, nil)
		s.create("Things", `{"name":"T","description":"d","Locations":[`+aLocation+`],"Datastreams":[`+aDatastream(`,"Observations":[{"result":1}]`)+`]}`)
		self := strings.TrimPrefix(s.values(tt.set, "@iot.selfLink")[0], "http://host/sta/v1.1/")
		s.must(200, "DELETE", self, "")
		s.must(404, "GET", self, "")
		s.must(404, "DELETE", self, "")
		left := ""
		for _, set := range sets {
			left += fmt.Sprint(s.count(set))
		}
		s.is("left after DELETE "+tt.set, left, tt.left)
	}
	_, datastream := s.station()
	if allow := s.must(405, "DELETE", "Things", "").Header().Get("Allow"); !strings.Contains(allow, "POST") {
		t.Errorf("Allow %q", allow)
	}
	s.must(405, "DELETE", datastream+"/Observations", "")
	s.must(405, "DELETE", datastream+"/name", "")
	for i := range 10 {
		s.create(datastream+"/Observations", fmt.Sprintf(`{"result":%d}`, i))
	}
	s.must(400, "DELETE", datastream+"/Observations?$filter=result lt", "")
	s.must(400, "DELETE", datastream+"/Observations?$filter=result lt 5&$top=1", "")
	s.must(405, "DELETE", datastream+"/Observations?$top=1", "")
	s.is("count", s.count(datastream+"/Observations"), 10)
	s.is("deleted", s.must(200, "DELETE", datastream+"/Observations?$filter=result lt 4", "").Body, `{"deleted":4}`)
	s.is("count", s.count(datastream+"/Observations"), 6)
	s.must(200, "DELETE", "Things?$filter=name eq 'T'", "")
	s.is("Observations", s.count("Observations"), 0)
}

func historyAuto(_ *testing.T, s *server) {
	thing, _ := s.station()
	s.is("history", s.count(thing+"/HistoricalLocations"), 1)
	s.clock.Store(60)
	place := s.create("Locations", strings.TrimSuffix(aPlace, "}")+`,"Things":[`+link(thing)+`]}`)
	s.is("Locations", s.values(thing+"/Locations", "name"), "[L2]")
	s.is("times", s.values(thing+"/HistoricalLocations", "time"), "[2026-01-01T00:00:00Z 2026-01-01T00:01:00Z]")
	s.is("where", s.values(place+"/HistoricalLocations", "time"), "[2026-01-01T00:01:00Z]")
	s.clock.Store(120)
	s.create(thing+"/Locations", aLocation)
	s.clock.Store(180)
	s.must(200, "PATCH", thing, `{"Locations":[`+link(place)+`]}`)
	s.is("Locations", s.values(thing+"/Locations", "name"), "[L2]")
	s.is("history", s.count(thing+"/HistoricalLocations"), 4)
}

func historyManual(_ *testing.T, s *server) {
	thing, _ := s.station()
	place := s.create("Locations", aPlace)
	s.must(400, "POST", "HistoricalLocations", `{"time":"2030-01-01T00:00:00Z","Thing":`+link(thing)+`}`)
	s.must(400, "POST", "HistoricalLocations", `{"time":"2030-01-01T00:00:00Z","Locations":[`+link(place)+`]}`)
	s.create("HistoricalLocations", `{"time":"2020-01-01T00:00:00Z","Thing":`+link(thing)+`,"Locations":[`+link(place)+`]}`)
	s.is("Locations", s.values(thing+"/Locations", "name"), "[L]")
	s.create(thing+"/HistoricalLocations", `{"time":"2030-01-01T00:00:00Z","Locations":[`+link(place)+`]}`)
	s.is("Locations", s.values(thing+"/Locations", "name"), "[L2]")
}

const batchBody = `--batch
Content-Type: application/http

GET /sta/v1.1/Things?$select=name HTTP/1.1
Host: localhost

--batch
Content-Type: multipart/mixed; boundary="inner one"

--inner one
Content-Type: application/http
Content-ID: s1

POST /sta/v1.1/Sensors
Content-Type: application/json

` + aSensor + `
--inner one
Content-Type: application/http
Content-ID: <d1>

POST http://host/sta/v1.1/THING/Datastreams HTTP/1.1
Content-Type: application/json

{` + aStream + `,"Sensor":{"@iot.id":"$s1"},"ObservedProperty":` + aProperty + `}
--inner one
Content-Type: application/http

POST /$d1/Observations HTTP/1.1

{"result":1}
--inner one
Content-Type: application/http

PATCH $s1 HTTP/1.1

{"name":"patched"}
--inner one--
--batch
Content-Type: application/http

POST Things HTTP/1.1
Content-Type: application/json

{"name":"no description"}
--batch
Content-Type: multipart/mixed; boundary=i2

--i2
Content-Type: application/http

POST Sensors HTTP/1.1

` + aSensor + `
--i2
Content-Type: application/http

GET Sensors HTTP/1.1

--i2--
--batch
Content-Type: application/http

GET Things?$filter=name eq 'T'&$count=true HTTP/1.1

--batch--
`

func batchRequest(t *testing.T, s *server) {
	t.Helper()
	thing, datastream := s.station()
	for _, ends := range []string{"\n", "\r\n"} {
		before := s.count("Sensors")
		body := strings.ReplaceAll(strings.ReplaceAll(batchBody, "THING", thing), "\n", ends)
		r := s.must(200, "POST", "$batch", body, "Content-Type", `multipart/mixed; boundary="batch"`)
		got := flatten(t, r.Header().Get("Content-Type"), r.Body)
		if len(got) != 5 {
			t.Fatalf("%d parts: %q", len(got), got)
		}
		for i, want := range []string{`HTTP/1.1 200 OK|"name":"T"`, `s1:HTTP/1.1 201 Created|Location: http://host/sta/v1.1/Sensors(|d1:HTTP/1.1 201|HTTP/1.1 201|Observations(|HTTP/1.1 200`, `HTTP/1.1 400 Bad Request|needs description`, `HTTP/1.1 400 Bad Request|cannot stand in a change set`, `HTTP/1.1 200 OK|"@iot.count":1`} {
			rest := got[i]
			for w := range strings.SplitSeq(want, "|") {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Fatalf("part %d lacks %q (in order): %q", i, w, got[i])
				}
				rest = after
			}
		}
		s.is("Sensors: those of the change set that held", s.count("Sensors"), before+1)
		s.is("patched", s.count("Sensors?$filter=name eq 'patched'"), before)
	}
	s.must(400, "POST", "$batch", "--x", "Content-Type", "multipart/mixed; boundary=x")
	s.must(400, "POST", "$batch", "", "Content-Type", "multipart/mixed")
	t.Helper()
	s.must(415, "POST", "$batch", "", "Content-Type", "text/plain")
	s.must(405, "PUT", "$batch", "")
	jsonBatches(t, s, thing, datastream)
}

func jsonBatches(t *testing.T, s *server, thing, datastream string) {
	t.Helper()
	r := s.must(200, "POST", "%24batch", `{"requests":[
	 {"id":"0","method":"get","url":"Things?$count=true&$select=name"},
	 {"id":"a","atomicityGroup":"g","method":"post","url":"Sensors","body":`+strings.Replace(aSensor, `"S"`, `"json"`, 1)+`},
	 {"id":"b","atomicityGroup":"g","method":"post","url":"`+thing+`/Datastreams","body":{`+aStream+`,"Sensor":{"@iot.id":"$a"},"ObservedProperty":`+aProperty+`}},
	 {"id":"c","atomicityGroup":"h","method":"post","url":"Sensors","body":`+strings.Replace(aSensor, `"S"`, `"undone"`, 1)+`},
	 {"id":"d","atomicityGroup":"h","method":"delete","url":"Sensors(424242)"},
	 {"id":"e","dependsOn":["d"],"method":"delete","url":"`+datastream+`"},
	 {"id":"f","method":"post","url":"$b/Observations","body":{"result":5}},
	 {"id":"g","method":"get","url":"$b/Observations?$select=result"},
	 {"id":"i","method":"brew","url":"Things"}]}`, "Content-Type", "application/json")
	var out struct {
		Responses []struct {
			ID       string
			Status   int
			Location string
			Body     json.RawMessage
		}
	}
	if err := json.Unmarshal(r.Body.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	got := ""
	for _, one := range out.Responses {
		got += fmt.Sprintf("%s:%d ", one.ID, one.Status)
	}
	s.is("statuses", got, "0:200 a:201 b:201 c:424 d:404 e:424 f:201 g:200 i:400 ")
	s.is("undone", s.count("Sensors?$filter=name eq 'undone'"), 0)
	s.is("kept", s.count("Sensors?$filter=name eq 'json'"), 1)
	s.is("read back", string(out.Responses[7].Body), `{"value":[{"result":5}]}`)
	if !strings.HasPrefix(out.Responses[1].Location, "http://host/sta/v1.1/Sensors(") {
		t.Errorf("location %q", out.Responses[1].Location)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"requests":1}`, `{"requests":[{"method":"get","url":"Things"}]}`, `{"requests":[{"id":"1"},{"id":"1"}]}`, `{"requests":[{"id":"1","atomicityGroup":"g"},{"id":"2"},{"id":"3","atomicityGroup":"g"}]}`} {
		s.must(400, "POST", "$batch", body, "Content-Type", "application/json")
	}
}

// flatten reads a multipart answer: one text a part, a change set's joined.
func flatten(t *testing.T, contentType string, body io.Reader) (parts []string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	mr := multipart.NewReader(body, params["boundary"])
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind := p.Header.Get("Content-Type"); strings.HasPrefix(kind, "multipart/") {
			parts = append(parts, strings.Join(flatten(t, kind, p), "|"))
			continue
		}
		text := readAll(t, p)
		if id := p.Header.Get("Content-Id"); id != "" {
			text = id + ":" + text
			t.Helper()
		}
		parts = append(parts, text)
	}
}

func dataArray(t *testing.T, s *server) {
	t.Helper()
	_, datastream := s.station()
	feature := s.create("FeaturesOfInterest", `{"name":"F","description":"d","encodingType":"x","feature":1}`)
	id := strings.TrimSuffix(strings.TrimPrefix(link(feature), `{"@iot.id":`), "}")
	r := s.must(201, "POST", "CreateObservations", `[{"Datastream":`+link(datastream)+`,"components":["phenomenonTime","result","FeatureOfInterest/id"],"dataArray@iot.count":2,
	  "dataArray":[["2010-12-23T10:20:00-0700",20,`+id+`],["2010-12-23T10:21:00-0700",30,999],["2010-12-23T10:22:00Z",{"a":1},null]]},
	 {"Datastream":{"@iot.id":424242},"components":["phenomenonTime","result"],"dataArray":[["2010-12-23T10:20:00Z",1]]}]`)
	var rows []string
	if err := json.Unmarshal(r.Body.Bytes(), &rows); err != nil || len(rows) != 4 {
		t.Fatalf("%v %s", err, r.Body)
	}
	for i, want := range []string{"http://host/sta/v1.1/Observations(", "error", "http://host/sta/v1.1/Observations(", "error"} {
		if !strings.HasPrefix(rows[i], want) {
			t.Errorf("row %d: %s", i, rows[i])
		}
	}
	o := strings.TrimPrefix(rows[0], "http://host/sta/v1.1/")
	s.is("time", s.get(o)["phenomenonTime"], "2010-12-23T17:20:00Z")
	s.is("feature", s.get(o + "/FeatureOfInterest")["name"], "F")
	s.is("generated", s.get(strings.TrimPrefix(rows[2], "http://host/sta/v1.1/") + "/FeatureOfInterest")["name"], "L")
	for _, body := range []string{``, `{}`, `[1]`, `[{"Datastream":` + link(datastream) + `}]`, `[{"Datastream":` + link(datastream) + `,"components":["result"],"dataArray":[]}]`} {
		s.must(400, "POST", "CreateObservations", body)
	}
	s.must(405, "PUT", "CreateObservations", `[]`)
	// Ten thousand rows in one request.
	var b strings.Builder
	b.WriteString(`[{"Datastream":` + link(datastream) + `,"components":["result","phenomenonTime"],"dataArray":[`)
	for i := range 10_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `[%d,"2020-01-01T%02d:%02d:%02dZ"]`, i, i/3600, i/60%60, i%60)
	}
	b.WriteString(`]}]`)
	s.must(201, "POST", "CreateObservations", b.String())
	s.is("count", s.count(datastream+"/Observations"), 10_002)
	// And read as one.
	body := s.must(200, "GET", datastream+"/Observations?$resultFormat=dataArray&$top=2&$select=phenomenonTime,result&$orderby=phenomenonTime", "").Body.String()
	if !strings.Contains(body, `"dataArray":[["2010-12-23T10:22:00Z",{"a":1}],["2010-12-23T17:20:00Z",20]]`) {
		t.Errorf("%s", body)
	}
}
