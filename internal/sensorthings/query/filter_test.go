package query_test

import (
	"slices"
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// filterCase is a filter and the identifiers it finds in newWorld.
type filterCase struct {
	set    sensorthings.Set
	filter string
	want   []sensorthings.ID
}

func runFilters(t *testing.T, cases []filterCase) {
	t.Helper()
	w := newWorld()
	for _, c := range cases {
		if got := w.matching(t, c.set, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s?$filter=%s\n got %v\nwant %v", c.set, c.filter, got, c.want)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	t.Run("request-data/filter", func(t *testing.T) {
		t.Parallel()
		runFilters(t, []filterCase{
			{sensorthings.Observations, "result gt 2 and result lt 5", ids(4, 5, 14, 15, 24, 25)},
			{sensorthings.Observations, "not result lt 1 and not result gt 1", ids(2, 12, 22)},
			{sensorthings.Observations, "result gt '3' and Datastream/id eq 1", ids(5, 6, 7, 8, 9, 10)},
			{sensorthings.Observations, "result eq '7'", ids(8, 18, 28, 31)},
			{sensorthings.Observations, "phenomenonTime gt 2016-01-01T09:30:00+02:00 and Datastream/Thing/name eq 'Bob''s'", ids(9, 10, 19, 20)},
			{sensorthings.Things, "geo.distance(Locations/location,geography'POINT(8 51)') lt 0.5", ids(1)},
			{sensorthings.Things, "Datastreams/id eq null", ids(3)},
			{sensorthings.Things, "Datastreams/name eq 'PM10' and Datastreams/Observations/result gt 8", ids(1)},
			{sensorthings.Things, "Datastreams/any(d:d/name eq 'T' and d/Observations/result eq 9)", ids(2)},
			{sensorthings.Observations, "12 div (result add 1) mod 4 mul 3 eq 6", ids(2, 6, 12, 16, 22, 26)},
			{sensorthings.Observations, "1 add result mul 2 sub -1 eq 4", ids(2, 12, 22)},
		})
	})
}

func ids(list ...sensorthings.ID) []sensorthings.ID { return list }

func TestFilterRefusals(t *testing.T) {
	t.Parallel()
	for text, at := range map[string]int{
		"name eq": 7, "nme eq 1": 0, "name EQ 'x'": 5, "length(name, 1) eq 1": 0, "lenght(name) eq 1": 0,
		"name": 0, "'a": 0, "(name eq 'a'": 12, "eq 1": 0, "name eq 'a' b": 12,
	} {
		_, err := query.ParseFilter(sensorthings.Things, text, now)
		e, ok := err.(*query.Error)
		if !ok || e.Status != 400 || e.At != at || e.Option != "$filter" {
			t.Errorf("%s: %#v", text, err)
		}
	}
}
