package sensorthingsweb_test

import (
	"encoding/json"
	"testing"
)

// TestObservedArea is datamodel/datastream/properties: the area of all
// observations' features is made by the server, and made anew when one goes.
func TestObservedArea(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	_, ds := s.station()
	area := func(want string) {
		t.Helper()
		got, err := json.Marshal(s.get(ds)["observedArea"])
		if err != nil || string(got) != want {
			t.Errorf("observedArea %s, want %s (%v)", got, want, err)
		}
	}
	observe := func(geometry string) string {
		t.Helper()
		return s.create(ds+"/Observations", `{"result":1,"FeatureOfInterest":{"name":"f","description":"d","encodingType":"application/geo+json","feature":`+geometry+`}}`)
	}
	area("null")
	s.must(200, "PATCH", ds, `{"observedArea":{"type":"Point","coordinates":[7,7]}}`) // the server's to say
	area("null")
	first := observe(`{"type":"Point","coordinates":[1,2]}`)
	area(`{"coordinates":[1,2],"type":"Point"}`)
	second := observe(`{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[3,5]}}`)
	area(`{"coordinates":[[[1,2],[1,5],[3,5],[3,2],[1,2]]],"type":"Polygon"}`)
	s.must(200, "DELETE", first, "")
	area(`{"coordinates":[3,5],"type":"Point"}`)
	s.must(200, "DELETE", second, "")
	area("null")
}
