package sensorthingsweb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// answer of a set, as clients read it.
type answer struct {
	Count *int                         `json:"@iot.count"`
	Value []map[string]json.RawMessage `json:"value"`
	Next  string                       `json:"@iot.nextLink"`
}

func get(tb testing.TB, h http.Handler, target string) (a answer) {
	tb.Helper()
	w := ask(tb, h, http.MethodGet, target)
	if w.Code != http.StatusOK {
		tb.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		tb.Fatalf("GET %s: %v", target, err)
	}
	return a
}

// follow asks for a set and goes on while there is a link, with what stands
// behind its "?" alone, as the Grafana plugin does.
func follow(tb testing.TB, h http.Handler, target string) (all []map[string]json.RawMessage) {
	tb.Helper()
	path, _, _ := strings.Cut(target, "?")
	for range 100 {
		a := get(tb, h, target)
		all = append(all, a.Value...)
		if a.Next == "" {
			return all
		}
		_, query, _ := strings.Cut(a.Next, "?")
		target = path + "?" + query
	}
	tb.Fatalf("GET %s: pages without end", path)
	return nil
}

// TestClients replays what clients were seen to send.
func TestClients(t *testing.T) {
	t.Parallel()
	h := handlerOver(sensorthingstest.World(), read.Limits{})
	cases := map[string]func(t *testing.T){
		"qgis": func(t *testing.T) {
			t.Helper()
			if a := get(t, h, "/Locations?$top=0&$count=true"); a.Count == nil || *a.Count != 2 || len(a.Value) != 0 {
				t.Errorf("feature count: %+v", a)
			}
			if n := len(follow(t, h, "/Datastreams(1)/Observations?$top=3&$count=false")); n != 10 {
				t.Errorf("%d observations over pages, want 10", n)
			}
			const point = "location/type eq 'Point' or location/geometry/type eq 'Point'"
			if n := len(follow(t, h, "/Locations?$filter="+point)); n != 2 {
				t.Errorf("%d points, want 2", n)
			}
			if n := len(follow(t, h, "/Locations?$filter=location/type eq 'Polygon' or location/geometry/type eq 'Polygon'")); n != 0 {
				t.Errorf("%d polygons, want 0", n)
			}
			if n := len(follow(t, h, "/Datastreams?$filter=observedArea/type eq 'Polygon' or observedArea/geometry/type eq 'Polygon'")); n != 1 {
				t.Errorf("%d areas, want 1", n)
			}
			box := "(geo.intersects(location, geography'POLYGON ((8.3 48.9, 8.5 48.9, 8.5 49.1, 8.3 49.1, 8.3 48.9))')) and (" + point + ")"
			if n := len(follow(t, h, "/Locations?$top=200&$count=false&$filter="+box)); n != 1 {
				t.Errorf("%d in the extent, want 1", n)
			}
			a := get(t, h, "/Locations?$top=200&$count=false&$expand=Things($top=100;$expand=Datastreams($top=10;$expand=Observations($orderby=phenomenonTime desc;$top=1)))")
			var things []struct {
				Self        string `json:"@iot.selfLink"`
				Datastreams []struct {
					PhenomenonTime string
					Observations   []struct{ Result json.RawMessage }
				}
			}
			if err := json.Unmarshal(a.Value[0]["Things"], &things); err != nil {
				t.Fatal(err)
			}
			ds := things[0].Datastreams[0]
			if things[0].Self != "http://host/sta/v1.1/Things(1)" || ds.PhenomenonTime != "2016-01-01T00:00:00Z/2016-01-01T09:00:00Z" || string(ds.Observations[0].Result) != "9" {
				t.Errorf("expanded: %+v", things[0])
			}
		},
		"grafana": func(t *testing.T) {
			t.Helper()
			urls := map[string]string{}
			for _, v := range get(t, h, "").Value {
				urls[string(v["name"])] = string(v["url"])
			}
			if urls[`"Things"`] != `"http://host/sta/v1.1/Things"` || len(urls) != 8 {
				t.Errorf("sets of the root: %v", urls)
			}
			if n := len(follow(t, h, "/Datastreams(1)/Observations?$filter=phenomenonTime ge 2016-01-01T02:00:00.000Z and phenomenonTime le 2016-01-01T08:00:00.000Z&$top=2")); n != 7 {
				t.Errorf("%d observations, want 7", n)
			}
			if a := get(t, h, "/Things?$filter=startswith(name,'S')&$count=true&$skip=0&$top=10"); *a.Count != 1 || len(a.Value) != 1 {
				t.Errorf("picker by name: %+v", a)
			}
			if a := get(t, h, "/Observations?$filter=startswith(@iot.id,'1')&$count=true&$skip=0&$top=3"); *a.Count != 8 || len(a.Value) != 3 {
				t.Errorf("picker by identifier: %d of %d", len(a.Value), *a.Count)
			}
		},
		"pygeoapi": func(t *testing.T) {
			t.Helper()
			if a := get(t, h, "/Things?$skip=0&$top=10&$expand=Locations,Datastreams"); len(a.Value) != 2 || string(a.Value[1]["Datastreams"]) == "" {
				t.Errorf("things: %+v", a)
			}
			a := get(t, h, "/Datastreams?$skip=0&$top=10&$expand=Sensor,ObservedProperty,Thing,Thing/Locations,Observations($select=@iot.id;$orderby=phenomenonTime desc),Observations/FeatureOfInterest($select=feature)&$filter=Thing/@iot.id eq 1")
			var obs []map[string]json.RawMessage
			if err := json.Unmarshal(a.Value[0]["Observations"], &obs); err != nil {
				t.Fatal(err)
			}
			if len(a.Value) != 2 || len(obs) != 10 || string(obs[0]["@iot.id"]) != "10" || !strings.Contains(string(obs[0]["FeatureOfInterest"]), `"Point"`) {
				t.Errorf("datastreams: %d, first %s", len(a.Value), a.Value[0])
			}
			if a := get(t, h, "/Datastreams?$filter=st_within(Thing/Locations/location,  geography'POLYGON ((8 48,  9 48, 9 50, 8 50, 8 48))')&$count=true&$top=0"); *a.Count != 2 {
				t.Errorf("%d inside, want 2", *a.Count)
			}
			if w := ask(t, h, http.MethodGet, "/Things(1)?$skip=0&$top=10&$expand=Locations,Datastreams"); w.Code != http.StatusOK {
				t.Errorf("one thing: %d %s", w.Code, w.Body)
			}
		},
		"stam": func(t *testing.T) {
			t.Helper()
			w := ask(t, h, http.MethodOptions, "/Things")
			if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
				t.Errorf("preflight: %d %v", w.Code, w.Header())
			}
			w = ask(t, h, http.MethodGet, "/Things?$expand=Locations")
			if w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("things: %d %v", w.Code, w.Header())
			}
			w = ask(t, h, http.MethodGet, "/Things?$expand=Locations&$resultFormat=GeoJSON&$filter=geo.intersects(Locations/location,geography'POLYGON((8 50,9 50,9 52,8 52,8 50))')")
			if !strings.Contains(w.Body.String(), `"coordinates":[8.1,51.0]`) || strings.Contains(w.Body.String(), "Station 7") {
				t.Errorf("features: %s", w.Body)
			}
		},
		"frost-client": func(t *testing.T) {
			t.Helper()
			a := get(t, h, "/Observations?$orderby=phenomenonTime desc&$top=1")
			if len(a.Value) != 1 || string(a.Value[0]["@iot.id"]) != "10" || a.Next == "" {
				t.Errorf("latest: %+v", a)
			}
			r := request(http.MethodGet, "/Things")
			r.Header.Set("Authorization", "Bearer token")
			if n := len(follow(t, h, "/Observations?$orderby=phenomenonTime desc&$top=3")); n != 16 {
				t.Errorf("%d observations over pages, want 16", n)
			}
		},
		"scripts": func(t *testing.T) {
			t.Helper()
			a := get(t, h, "/Observations?%24filter=result+gt+2+and+result+lt+5&%24top=10")
			b := get(t, h, "/Datastreams(1)/Observations?$expand=Datastream($select=name%3B$expand=Thing)&$top=1")
			if len(a.Value) != 2 || !strings.Contains(string(b.Value[0]["Datastream"]), "Station 7") {
				t.Errorf("%v %v", a, b)
			}
		},
	}
	for name, fn := range cases {
		t.Run(name, fn)
	}
}

// TestPagesCover follows the links of every order and wants each entity once.
func TestPagesCover(t *testing.T) {
	t.Parallel()
	h := handlerOver(sensorthingstest.World(), read.Limits{Page: 3})
	for _, order := range []string{"", "id", "id desc", "phenomenonTime", "phenomenonTime desc", "phenomenonTime desc,id desc", "phenomenonTime desc,id", "result", "resultTime desc", "Datastream/name,result desc"} {
		for _, path := range []string{"/Observations", "/Datastreams(1)/Observations", "/Datastreams(2)/Observations", "/FeaturesOfInterest(2)/Observations", "/Things(1)/Datastreams", "/Things"} {
			if !strings.HasSuffix(path, "Observations") && order != "" && order != "id" && order != "id desc" {
				continue
			}
			for _, rest := range []string{"", "&$filter=id ge 0", "&$filter=phenomenonTime ge 2016-01-01T01:00:00Z", "&$filter=Datastream/Thing/id eq 1", "&$skip=1", "&$top=2"} {
				if strings.Contains(rest, "T") && !strings.HasSuffix(path, "Observations") {
					continue
				}
				target := path + "?$count=true" + rest
				if order != "" {
					target += "&$orderby=" + order
				}
				want := *get(t, h, target).Count
				if rest == "&$skip=1" {
					want--
				}
				seen := map[string]bool{}
				all := follow(t, h, target)
				for _, v := range all {
					seen[string(v["@iot.id"])] = true
				}
				if len(all) != want || len(seen) != want {
					t.Errorf("%s: %d rows, %d different, want %d", target, len(all), len(seen), want)
				}
			}
		}
	}
}

// TestPeriods orders what starts at one time by its end, over pages as well.
func TestPeriods(t *testing.T) {
	t.Parallel()
	m := sensorthingstest.World()
	start := sensorthingstest.Begin.AddDate(1, 0, 0)
	for i := range 4 {
		m.Observe(sensorthings.Observation{
			ID: sensorthings.ID(20 + i), Datastream: 3, Result: []byte("1"),
			Phenomenon: sensorthings.Span{Start: start.UnixMicro(), End: start.Add(time.Duration(3-i) * time.Hour).UnixMicro()},
		})
	}
	h := handlerOver(m, read.Limits{})
	for _, path := range []string{"/Observations", "/Datastreams(3)/Observations"} {
		for _, top := range []string{"1", "2", "3", "4", "9"} {
			for order, want := range map[string]string{"phenomenonTime": "23 22 21 20", "phenomenonTime desc": "20 21 22 23"} {
				var got []string
				for _, v := range follow(t, h, path+"?$filter=phenomenonTime ge 2017-01-01T00:00:00Z&$top="+top+"&$orderby="+order) {
					got = append(got, string(v["@iot.id"]))
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%s by %s, %s a page: %v, want %s", path, order, top, got, want)
				}
			}
		}
	}
}
