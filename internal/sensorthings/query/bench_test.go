package query_test

import (
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// observation is a row over what a store hands out, as an adapter makes it.
type observation struct{ *sensorthings.Observation }

func (o observation) ID() sensorthings.ID { return o.Observation.ID }

func (o observation) Property(name string) (query.Value, error) {
	switch name {
	case "result":
		return query.JSON(o.Result), nil
	case "phenomenonTime":
		return query.Time(o.Phenomenon), nil
	case "parameters":
		return query.JSON(o.Parameters), nil
	}
	return query.Null(), nil
}

func (o observation) One(sensorthings.Relation) (query.Row, error) { return nil, nil }

func (o observation) Many(sensorthings.Relation, func(query.Row) (bool, error)) error { return nil }

func BenchmarkMatch(b *testing.B) {
	at, err := query.ParseSpan("2016-01-01T05:00:00Z")
	if err != nil {
		b.Fatal(err)
	}
	row := &observation{&sensorthings.Observation{ID: 7, Phenomenon: at, Result: []byte("21.5"), Parameters: []byte(`{"a":1,"flag":"good"}`)}}
	for _, filter := range []string{
		"result gt 5 and phenomenonTime ge 2016-01-01T00:00:00Z",
		"parameters/flag eq 'good'",
		"result mul 2 add 1 gt 40 or not (id lt 7)",
	} {
		b.Run(filter, func(b *testing.B) {
			f, err := query.ParseFilter(observations, filter, now)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.Match(row); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkMatchPolygon(b *testing.B) {
	f, err := query.ParseFilter(locations, "st_within(location,"+square+")", now)
	if err != nil {
		b.Fatal(err)
	}
	for name, location := range map[string]string{"near": `{"type":"Point","coordinates":[1,2]}`, "far": `{"type":"Point","coordinates":[100,2]}`} {
		b.Run(name, func(b *testing.B) {
			row := &entity{id: 1, props: map[string]string{"location": location}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Match(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Numbers, times and conditions need no memory.
func TestMatchAllocatesNothing(t *testing.T) {
	row := &observation{&sensorthings.Observation{ID: 7, Result: []byte("21.5"), Parameters: []byte(`{"flag":"good"}`)}}
	for _, filter := range []string{"result gt 5 and phenomenonTime ge 1969-01-01T00:00:00Z", "parameters/flag eq 'good'"} {
		f, err := query.ParseFilter(observations, filter, now)
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(100, func() {
			if ok, err := f.Match(row); !ok || err != nil {
				t.Fatal(ok, err)
			}
		})
		if n >= 1 {
			t.Errorf("%s: %v allocations", filter, n)
		}
	}
}
