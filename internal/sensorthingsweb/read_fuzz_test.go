package sensorthingsweb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// hostile are requests that broke other servers, or might.
var hostile = []string{
	"/Things?$filter=name eq", "/Things?$top=-1", "/Things?$expand=Nonsense", "/Locations?$filter=location/type eq 'Point'", "/Locations?$filter=location/type/x/y gt 3",
	"/Things(1)//Datastreams", "/Things(1)/../Things", "/./Things", "//", "/Things('a''b')", "/Things('a/b')", "/Things(%27a%2Fb%27)", "/Things()", "/Things(-1)",
	"/Things(99999999999999999999)", "/Things(1)(2)", "/Things(1", "/Things)1(", "/$ref", "/$value", "/Things/$value", "/Things(1)/$value", "/Things(1)/name/$ref", "/Things(1)/$ref/$ref",
	"/Things(1)/properties/$value/x", "/Things(1)/properties//x", "/Observations(1)/result/a/b/c", "/Things(1)/Things", "/%00", "/Things%00", "/Things(1)/name%2F$value",
	"/Things?$top=99999999999999999999", "/Things?$skip=9223372036854775807", "/Observations?$orderby=result&$skip=9223372036854775807", "/Observations?$orderby=result&$skip=400000&$top=200000",
	"/Observations?$skiptoken=.", "/Observations?$skiptoken=1.2&$orderby=phenomenonTime", "/Observations?$skiptoken=-9223372036854775808.-1&$orderby=phenomenonTime desc", "/Things?$skiptoken=9223372036854775807",
	"/Things?$filter=" + strings.Repeat("(", 3000), "/Things?$filter=" + strings.Repeat("not ", 3000) + "true", "/Things?$expand=" + strings.Repeat("Datastreams($expand=Thing($expand=", 300),
	"/Things?$expand=Datastreams/Thing/Datastreams/Thing/Datastreams/Thing", "/Things?$select=", "/Things?$orderby=", "/Things?$filter=", "/Things?$expand=", "/Things?$resultFormat=", "/Things?$count=",
	"/Things?&&&=&;;&%", "/Things?$filter=name%20eq%20'%FF%FE'", "/Things?$filter=1 div 0 eq 1", "/Things?$filter=geo.distance(name,1) gt 1", "/Observations?$filter=substring(result,-5,99) eq 'x'",
	"/Locations?$filter=st_within(location,geography'POLYGON((0 0))')", "/Locations?$filter=geo.intersects(location,geography'POLYGON((NaN 0,1 1,2 2,0 0))')", "/Observations?$filter=phenomenonTime gt 9999999-01-01T00:00:00Z",
	"/Observations?$filter=phenomenonTime sub duration'P99999999999D' gt now()", "/Observations?$resultFormat=CSV&$select=id", "/Observations?$resultFormat=GeoJSON&$expand=Datastream($expand=Thing($expand=Locations))",
	"/Observations?$resultFormat=dataArray&$select=Datastream", "/Things?$filter=Datastreams/any(d:d/Observations/any(o:o/result gt 8))", "/Things?$select=properties/a/b,properties/a,properties/zz",
}

// TestHostile wants an answer below 500 to each of them, and JSON where it says
// so.
func TestHostile(t *testing.T) {
	t.Parallel()
	h := handlerOver(sensorthingstest.World(), read.Limits{Rows: 100_000})
	for _, target := range hostile {
		check(t, h, target)
	}
}

func check(t *testing.T, h http.Handler, target string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
		w := ask(t, h, method, target)
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if method == http.MethodGet && strings.Contains(w.Header().Get("Content-Type"), "json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: no JSON: %s", method, target, w.Body)
		}
	}
}

// FuzzGET wants the same of any path and query.
func FuzzGET(f *testing.F) {
	for _, target := range hostile {
		if len(target) < 200 {
			f.Add(target)
		}
	}
	f.Add("/Datastreams(1)?$select=name&$expand=Observations($orderby=phenomenonTime desc;$top=2;$count=true;$select=result)")
	f.Add("/Things?$filter=geo.distance(Locations/location,geography'POINT(8 51)') lt 0.5")
	h := handlerOver(sensorthingstest.World(), read.Limits{Rows: 20_000, Inline: 2000})
	f.Fuzz(func(t *testing.T, target string) { check(t, h, target) })
}

// BenchmarkNewest answers with the newest of a Datastream with a million. What a
// store adds to it is measured with the store.
func BenchmarkNewest(b *testing.B) {
	h := handlerOver(many(1_000_000), read.Limits{})
	for name, target := range map[string]string{
		"1000": "/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=1000",
		"1":    "/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=1",
		"all":  "/Observations?$orderby=phenomenonTime desc&$top=1",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := ask(b, h, http.MethodGet, target); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
