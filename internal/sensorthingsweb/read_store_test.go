package sensorthingsweb

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// stored copies a network in memory into a store, and returns what its entities
// are called there.
func stored(tb testing.TB, m *sensorthingstest.Memory) (*entitystore.Store, map[sensorthings.Set]map[sensorthings.ID]sensorthings.ID) {
	tb.Helper()
	s, err := entitystore.Open(tb.TempDir(), entitystore.Options{Now: noon, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	ctx := context.Background()
	names := map[sensorthings.Set]map[sensorthings.ID]sensorthings.ID{}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	// What single relations lead to comes first.
	order := []sensorthings.Set{sensorthings.Things, sensorthings.Locations, sensorthings.HistoricalLocations, sensorthings.Sensors, sensorthings.ObservedProperties, sensorthings.FeaturesOfInterest, sensorthings.Datastreams}
	must(s.Update(ctx, func(tx *entitystore.Tx) error {
		for _, set := range order {
			names[set] = map[sensorthings.ID]sensorthings.ID{}
			must(m.Entities(ctx, set, 0, func(e *sensorthings.Entity) bool {
				c := *e
				c.One = slices.Clone(e.One)
				i := 0
				for _, r := range set.Relations() {
					if !r.Many {
						c.One[i] = names[r.To][c.One[i]]
						i++
					}
				}
				var err error
				names[set][e.ID], err = tx.Create(&c)
				must(err)
				return true
			}))
		}
		for _, pair := range []struct {
			set      sensorthings.Set
			relation string
		}{{sensorthings.Things, "Locations"}, {sensorthings.HistoricalLocations, "Locations"}} {
			for old, id := range names[pair.set] {
				must(m.Related(ctx, pair.set, old, pair.relation, func(other sensorthings.ID) bool {
					must(tx.Link(pair.set, id, pair.relation, names[sensorthings.Locations][other]))
					return true
				}))
			}
		}
		return nil
	}))
	names[sensorthings.Observations] = map[sensorthings.ID]sensorthings.ID{}
	var list []sensorthings.Observation
	var was []sensorthings.ID
	write := func() {
		given, err := s.Append(ctx, list)
		must(err)
		for i, id := range given {
			names[sensorthings.Observations][was[i]] = id
		}
		list, was = list[:0], was[:0]
	}
	must(m.Observations(ctx, sensorthings.All(), func(o *sensorthings.Observation) bool {
		c := *o
		c.Result = slices.Clone(o.Result)
		c.Datastream, c.Feature = names[sensorthings.Datastreams][o.Datastream], names[sensorthings.FeaturesOfInterest][o.Feature]
		was = append(was, o.ID)
		if list = append(list, c); len(list) == 10_000 {
			write()
		}
		return true
	}))
	write()
	return s, names
}

// TestStoreAgrees asks the same of a network in memory and of the store.
func TestStoreAgrees(t *testing.T) {
	t.Parallel()
	m := sensorthingstest.World()
	s, names := stored(t, m)
	inMemory, onDisk := handlerOver(m, read.Limits{}), handlerOver(s, read.Limits{})
	ds := func(id sensorthings.ID) string { return strconv.FormatInt(names[sensorthings.Datastreams][id], 10) }
	feature := strconv.FormatInt(names[sensorthings.FeaturesOfInterest][2], 10)
	thing := strconv.FormatInt(names[sensorthings.Things][1], 10)
	back := map[string]string{}
	for was, id := range names[sensorthings.Observations] {
		back[strconv.FormatInt(id, 10)] = strconv.FormatInt(was, 10)
	}
	for _, query := range []string{
		"", "$orderby=phenomenonTime desc", "$orderby=phenomenonTime", "$orderby=id desc", "$orderby=result", "$orderby=resultTime desc", "$filter=result gt 2 and result lt 5",
		"$filter=phenomenonTime ge 2016-01-01T03:00:00Z", "$filter=phenomenonTime lt 2016-01-01T03:00:00Z&$orderby=phenomenonTime desc", "$filter=Datastream/Thing/name eq 'Station 7'",
		"$filter=FeatureOfInterest/name eq 'soil'", "$filter=resultTime gt 2016-01-01T02:00:00Z", "$filter=parameters/flag eq 'N'", "$filter=result eq null",
	} {
		for was, is := range map[string]string{
			"/Observations": "/Observations", "/Datastreams(1)/Observations": "/Datastreams(" + ds(1) + ")/Observations", "/Datastreams(2)/Observations": "/Datastreams(" + ds(2) + ")/Observations",
			"/FeaturesOfInterest(2)/Observations": "/FeaturesOfInterest(" + feature + ")/Observations",
		} {
			rest := "?$top=3&$select=id,result,resultTime,phenomenonTime,validTime,parameters,resultQuality&" + query
			want, got := follow(t, inMemory, was+rest), follow(t, onDisk, is+rest)
			for _, v := range got {
				v["@iot.id"] = json.RawMessage(back[string(v["@iot.id"])])
			}
			same := slices.EqualFunc(want, got, func(a, b map[string]json.RawMessage) bool {
				return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return string(x) == string(y) })
			})
			if !same {
				t.Errorf("%s%s:\n%s\nin memory\n%s", is, rest, got, want)
			}
			a, b := get(t, inMemory, was+"?$count=true&$top=0&"+query), get(t, onDisk, is+"?$count=true&$top=0&"+query)
			if *a.Count != *b.Count {
				t.Errorf("%s?%s: %d counted, %d in memory", is, query, *b.Count, *a.Count)
			}
		}
	}
	for target, want := range map[string]int{
		"/Things?$filter=Datastreams/Observations/result ge 9":                                               1,
		"/Things?$filter=Locations/name eq 'Acre'":                                                           1,
		"/Things(" + thing + ")/Datastreams?$expand=Observations($orderby=phenomenonTime desc;$top=1)":       2,
		"/HistoricalLocations?$expand=Thing,Locations&$filter=Locations/name eq 'roof'":                      1,
		"/Datastreams?$filter=Thing/id eq " + thing + "&$orderby=ObservedProperty/name":                      2,
		"/Locations?$expand=Things($expand=Datastreams($expand=Observations($orderby=phenomenonTime desc)))": 2,
		"/Things?$filter=geo.distance(Locations/location,geography'POINT(8 51)') lt 0.5":                     1,
	} {
		if n := len(follow(t, onDisk, target)); n != want {
			t.Errorf("%s: %d, want %d", target, n, want)
		}
	}
}

// BenchmarkStore answers with the newest of a Datastream with a million on disk.
func BenchmarkStore(b *testing.B) {
	m := many(1_000_000)
	m.Add(sensorthings.Sensors, 1, map[string]string{"name": `"S"`})
	m.Add(sensorthings.ObservedProperties, 1, map[string]string{"name": `"P"`})
	s, names := stored(b, m)
	h := handlerOver(s, read.Limits{})
	ds := "/Datastreams(" + strconv.FormatInt(names[sensorthings.Datastreams][1], 10) + ")/Observations"
	middle := sensorthingstest.Begin.Add(500_000 * time.Second).Format(time.RFC3339)
	for name, target := range map[string]string{
		"1000":     ds + "?$orderby=phenomenonTime desc&$top=1000",
		"1":        ds + "?$orderby=phenomenonTime desc&$top=1",
		"count":    ds + "?$count=true&$top=0",
		"middle":   ds + "?$top=1000&$filter=phenomenonTime ge " + middle,
		"all":      "/Observations?$orderby=phenomenonTime desc&$top=1",
		"filtered": ds + "?$filter=result gt 100&$count=true&$top=0",
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
