package query_test

import (
	"errors"
	"strings"
	"testing"

	"plateau/internal/sensorthings/query"
)

func TestPath(t *testing.T) {
	t.Parallel()
	t.Run("resource-path/resource-path-to-entities", func(t *testing.T) {
		t.Parallel()
		for in, want := range map[string]string{
			"":                                       "",
			"/":                                      "",
			"/Things":                                "/Things",
			"/Things/":                               "/Things",
			"/Things(1)":                             "/Things(1)",
			"/Things%281%29":                         "/Things(1)",
			"/Things( 1 )":                           "/Things(1)",
			"/Things(1)/name":                        "/Things(1)/name",
			"/Things(1)/id":                          "/Things(1)/@iot.id",
			"/Things(1)/name/$value":                 "/Things(1)/name/$value",
			"/Things(1)/name/%24value":               "/Things(1)/name/$value",
			"/Datastreams(1)/unitOfMeasurement/name": "/Datastreams(1)/unitOfMeasurement/name",
			"/Things(1)/properties/a/b":              "/Things(1)/properties/a/b",
			"/Things(1)/properties/a'b/%E6%B0%B4":    "/Things(1)/properties/a'b/水",
			"/Datastreams(1)/Observations":           "/Datastreams(1)/Observations",
			"/Observations(1)/Datastream":            "/Observations(1)/Datastream",
			"/Datastreams(1)/Observations/$ref":      "/Datastreams(1)/Observations/$ref",
			"/Observations(1)/Datastream/$ref":       "/Observations(1)/Datastream/$ref",
			"/Things/$ref":                           "/Things/$ref",
			"/Things(1)/Datastreams(2)/Observations(3)/FeatureOfInterest/name/$value": "/Things(1)/Datastreams(2)/Observations(3)/FeatureOfInterest/name/$value",
		} {
			p, err := query.ParsePath(in)
			if err != nil || p.String() != want {
				t.Errorf("%s: %v %v", in, p, err)
			}
		}
		p, err := query.ParsePath("/Things(1)/Datastreams")
		if err != nil || p.Steps[0].Many || !p.Steps[0].Keyed || p.Steps[0].Key != 1 || !p.Steps[1].Many || p.Steps[1].Keyed || p.Steps[1].Relation.Name != "Datastreams" {
			t.Error(p, err)
		}
	})
	t.Run("request-data/status-code", func(t *testing.T) {
		t.Parallel()
		for in, status := range map[string]int{
			"/Nonsense":                      404,
			"/things":                        404,
			"/Things//Datastreams":           404,
			"/Things(1)/Nonsense":            404,
			"/Things(1)/datastreams":         404,
			"/Things/name":                   404,
			"/Things/Datastreams":            404,
			"/Things('a''b')":                404,
			"/Things('a/b')/name":            404,
			"/Things('a%2Fb')":               404,
			"/Things(x)":                     400,
			"/Things()":                      400,
			"/Things(1":                      400,
			"/Things('1)":                    400,
			"/Things(1.5)":                   400,
			"/Things(99999999999999999999)":  404,
			"/Things(%zz)":                   400,
			"/Things(1)/name/x":              404,
			"/Things(1)/$value":              404,
			"/Things(1)/name/$ref":           404,
			"/Things/$ref/x":                 404,
			"/$ref":                          404,
			"/Observations(1)/Datastream(1)": 404,
			"/Things(1)/Datastreams(1)(2)":   400,
			"/Things(1)" + strings.Repeat("/Datastreams(1)/Thing", 20): 400,
		} {
			_, err := query.ParsePath(in)
			var e *query.Error
			if !errors.As(err, &e) || e.Status != status || e.Message == "" {
				t.Errorf("%.60s: %#v, want %d", in, err, status)
			}
		}
	})
}
