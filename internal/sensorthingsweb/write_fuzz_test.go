package sensorthingsweb_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// send sends what a fuzzer made up and holds that it is answered, never as a
// fault of the server.
func (s *server) send(method, path, kind, body string) {
	s.Helper()
	u, err := url.Parse("http://host/sta/v1.1" + path)
	if err != nil {
		return // no client gets it this far
	}
	r := httptest.NewRequestWithContext(s.Context(), http.MethodPost, "http://host/", strings.NewReader(body))
	r.Method, r.URL = method, u
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code >= 500 && w.Code != http.StatusNotImplemented || w.Code < 200 {
		s.Errorf("%s %s (%s) %q: %d %s", method, path, kind, body, w.Code, w.Body)
	}
	if strings.Contains(strings.ReplaceAll(w.Body.String(), "HTTP/1.1 501", ""), "HTTP/1.1 5") {
		s.Errorf("%q: inside of the batch: %s", body, w.Body)
	}
}

func FuzzCreate(f *testing.F) {
	s := newServer(f, nil)
	thing, datastream := s.station()
	f.Add("POST", "/Things", "application/json", `{"name":"T","description":"d","Locations":[`+aLocation+`],"Datastreams":[`+aDatastream(`,"Observations":[{"result":1}]`)+`]}`)
	f.Add("POST", "/"+datastream+"/Observations", "", `{"result":1e400,"phenomenonTime":"2016-01-01T00:00:00+23:59/2016-01-02T00:00:00Z"}`)
	f.Add("PATCH", "/"+thing, "application/json-patch+json", `[{"op":"copy","from":"","path":"/properties"},{"op":"test","path":"/name","value":null}]`)
	f.Add("PUT", "/"+thing, "application/json", `{"name":"\ud800","description":"\u0000","properties":{"a":{}}}`)
	f.Add("DELETE", "/Observations?$filter=result gt 1 and Datastream/id eq 2", "", ``)
	f.Add("POST", "/HistoricalLocations", "", `{"time":"9999-12-31T23:59:59Z","Thing":{"@iot.id":9223372036854775807},"Locations":[{"@iot.id":"1e9"}]}`)
	f.Fuzz(func(t *testing.T, method, path, kind, body string) {
		if method == http.MethodDelete && !strings.Contains(path, "$filter") {
			return // the station stays
		}
		s.TB = t
		s.send(method, path, kind, body)
	})
}

func FuzzBatch(f *testing.F) {
	s := newServer(f, nil)
	s.station()
	f.Add("multipart/mixed; boundary=batch", strings.ReplaceAll(batchBody, "THING", "Things(1000000000)"))
	f.Add("multipart/mixed; boundary=b", "--b\nContent-Type: application/http\n\nGET $x?$filter=name eq 'a b' HTTP/1.1\n--b--")
	f.Add("application/json", `{"requests":[{"id":"0","atomicityGroup":"g","method":"post","url":"Sensors","body":`+aSensor+`},{"id":"1","atomicityGroup":"g","method":"patch","url":"$0","body":{"name":"x"}},{"id":"2","dependsOn":["1","g"],"method":"get","url":"/sta/v1.1/$0/Datastreams?$expand=Thing"}]}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		if strings.Contains(strings.ToUpper(body), "DELETE") {
			return
		}
		s.TB = t
		s.send(http.MethodPost, "/$batch", kind, body)
	})
}

func FuzzDataArray(f *testing.F) {
	s := newServer(f, nil)
	_, datastream := s.station()
	f.Add(`[{"Datastream":` + link(datastream) + `,"components":["phenomenonTime","result","parameters","validTime","resultQuality","resultTime","FeatureOfInterest/id"],"dataArray":[["2016-01-01T00:00:00Z",1,{},null,"q","2016-01-01T00:00:00Z",null]]}]`)
	f.Add(`[{"Datastream":` + link(datastream) + `,"components":["phenomenonTime","result","result"],"dataArray":[["0001-01-01T00:00:00Z",1,2],[],{},[[]],["9999-12-31T23:59:59.999999999Z","\ud800",0]]}]`)
	f.Add(`[{"Datastream":{"@iot.id":"$x"},"components":[],"dataArray":[]}]`)
	f.Fuzz(func(t *testing.T, body string) {
		s.TB = t
		s.send(http.MethodPost, "/CreateObservations", "application/json", body)
	})
}
