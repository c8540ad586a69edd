package sensorthings_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/sensorthingstest"
)

// Two readers joined answer as one that holds everything.
func TestJoinIsOneReader(t *testing.T) {
	t.Parallel()
	const client = sensorthings.FirstClientID
	one, outlets, clients := sensorthingstest.New(), sensorthingstest.New(), sensorthingstest.New()
	in := func(s sensorthings.Set, id sensorthings.ID) *sensorthingstest.Memory {
		if sensorthings.FromOutlets(s, id) {
			return outlets
		}
		return clients
	}
	add := func(s sensorthings.Set, id sensorthings.ID, to ...sensorthings.ID) {
		for _, m := range []*sensorthingstest.Memory{one, in(s, id)} {
			m.Add(s, id, map[string]string{"name": fmt.Sprintf(`"%s %d"`, s, id)}, to...)
		}
	}
	for i := range sensorthings.ID(3) {
		for _, base := range []sensorthings.ID{1, client} {
			for _, s := range []sensorthings.Set{sensorthings.Things, sensorthings.Locations, sensorthings.Sensors, sensorthings.ObservedProperties, sensorthings.FeaturesOfInterest} {
				add(s, base+i)
			}
		}
	}
	streams := []sensorthings.ID{sensorthings.FirstOutletDatastream, sensorthings.FirstOutletDatastream + 1, client, client + 1}
	add(sensorthings.Datastreams, streams[0], 1, 1, 1)
	add(sensorthings.Datastreams, streams[1], 2, 2, 1)
	add(sensorthings.Datastreams, streams[2], client, client, 1) // observes an outlet's factor
	add(sensorthings.Datastreams, streams[3], 2, client, client) // of an outlet's Thing
	link := func(m *sensorthingstest.Memory, thing, location sensorthings.ID) {
		one.Link(sensorthings.Things, thing, "Locations", location)
		m.Link(sensorthings.Things, thing, "Locations", location)
	}
	link(outlets, 1, 1)
	link(clients, client, client)
	link(clients, client+1, 1) // stands where an outlet is
	for i := range int64(20) {
		ds := streams[i%4]
		o := sensorthings.Observation{ID: i + 1, Datastream: ds, Feature: client + i%2, Phenomenon: sensorthings.Span{Start: i / 4, End: i / 4}, Result: []byte("1")}
		if ds < client {
			o.ID, o.Feature = ds<<32|i, ds-streams[0]+1
		} else if i%3 == 0 {
			o.Feature = 1 // an outlet's place
		}
		one.Observe(o)
		in(sensorthings.Observations, o.ID).Observe(o)
	}
	joined := sensorthings.Join(outlets, clients)
	ids := rapid.SampledFrom([]sensorthings.ID{0, 1, 2, 3, 4, streams[0], streams[1], streams[1] + 1, client - 1, client, client + 1, client + 2, client + 9})
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(sensorthings.Sets()).Draw(t, "set")
		id := ids.Draw(t, "id")
		most := rapid.IntRange(1, 30).Draw(t, "most")
		for _, r := range s.Relations() {
			if r.Many && r.To != sensorthings.Observations {
				same(t, r.Name, func(r2 sensorthings.Reader) any {
					var got []sensorthings.ID
					err := r2.Related(t.Context(), s, id, r.Name, func(x sensorthings.ID) bool { got = append(got, x); return len(got) < most })
					return fmt.Sprint(got, err)
				}, one, joined)
			}
		}
		same(t, "entity", func(r sensorthings.Reader) any {
			e, err := r.Entity(t.Context(), s, id)
			return fmt.Sprint(e, err)
		}, one, joined)
		same(t, "entities", func(r sensorthings.Reader) any {
			var got []sensorthings.ID
			err := r.Entities(t.Context(), s, id, func(e *sensorthings.Entity) bool { got = append(got, e.ID); return len(got) < most })
			return fmt.Sprint(got, err)
		}, one, joined)
		sc := sensorthings.Scan{Feature: rapid.SampledFrom([]sensorthings.ID{0, 0, 1, 2, client, client + 1}).Draw(t, "feature"), From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.Order(rapid.IntRange(0, 3).Draw(t, "order"))}
		if sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc || rapid.Bool().Draw(t, "one") {
			sc.Datastream = rapid.SampledFrom(streams).Draw(t, "datastream")
		}
		if rapid.Bool().Draw(t, "after") {
			i := rapid.Int64Range(0, 20).Draw(t, "mark")
			sc.After = &sensorthings.Mark{Start: i / 4, ID: rapid.SampledFrom([]sensorthings.ID{i, streams[0]<<32 | i, streams[1]<<32 | i}).Draw(t, "id")}
		}
		same(t, fmt.Sprintf("%+v", sc), func(r sensorthings.Reader) any {
			var got []sensorthings.ID
			err := r.Observations(t.Context(), sc, func(o *sensorthings.Observation) bool { got = append(got, o.ID); return len(got) < most })
			return fmt.Sprint(got, err)
		}, one, joined)
		same(t, "summary", func(r sensorthings.Reader) any {
			sum, err := r.Summary(t.Context(), id)
			return fmt.Sprint(sum, err)
		}, one, joined)
	})
}

func same(t *rapid.T, what string, ask func(sensorthings.Reader) any, want, got sensorthings.Reader) {
	if diff := cmp.Diff(ask(want), ask(got)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
