package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// MakeDatastream makes a thing with a place and one, and returns its path.
func MakeDatastream(ctx context.Context, s *Server, name string) (string, error) {
	thing := `{"name":"` + name + `","description":"` + name + `",
"Locations":[{"name":"bank","description":"bank","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[94.36,29.65]}}],"Datastreams":[{"name":"level","description":"level",
"observationType":"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
"unitOfMeasurement":{"name":"metre","symbol":"m","definition":"http://unitsofmeasure.org/ucum.html#m"},
"ObservedProperty":{"name":"level","definition":"http://example.org/level","description":"level"},
"Sensor":{"name":"gauge","description":"gauge","encodingType":"application/pdf","metadata":"http://example.org/gauge.pdf"}}]}`
	if _, err := s.Ask(ctx, http.MethodPost, "/sta/v1.1/Things", []byte(thing), http.StatusCreated); err != nil {
		return "", err
	}
	got, err := s.Ask(ctx, http.MethodGet, "/sta/v1.1/Datastreams?$filter=Thing/name%20eq%20'"+name+"'&$orderby=id%20desc&$top=1&$select=id", nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	var list struct {
		Value []map[string]any `json:"value"`
	}
	if err := json.Unmarshal(got, &list); err != nil {
		return "", fmt.Errorf("datastream: %w: %.300s", err, got)
	}
	if len(list.Value) == 0 {
		return "", fmt.Errorf("datastream: none: %.300s", got)
	}
	switch id := list.Value[0]["@iot.id"].(type) {
	case string:
		return fmt.Sprintf("/sta/v1.1/Datastreams('%s')", id), nil
	case float64:
		return fmt.Sprintf("/sta/v1.1/Datastreams(%.0f)", id), nil
	}
	return "", fmt.Errorf("datastream: %.300s", got)
}

// PathOf is what Get takes of an address; "" of none.
func PathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	return u.RequestURI()
}
