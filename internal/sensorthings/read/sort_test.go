package read_test

import (
	"errors"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Begin(read.Head)             {}

// An order without an index keeps what is skipped too; past what may be kept the
// request is refused before anything is read, also where the sum overflows.
func TestSkipInAnOrderWithoutIndex(t *testing.T) {
	t.Parallel()
	m := sensorthingstest.New()
	m.Add(sensorthings.Datastreams, 1, map[string]string{"name": `"a"`}, 0, 0, 0)
	m.Observe(sensorthings.Observation{ID: 1, Datastream: 1, Result: []byte("1")})
	s := read.New(read.Limits{}, func() time.Time { return time.Unix(1_700_000_000, 0) })
	path, err := query.ParsePath("/Observations")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options string
		refused bool
	}{
		{"$orderby=result&$skip=499899", false}, // with a page of 100 and the one behind it: 500,000
		{"$orderby=result&$skip=499900", true},
		{"$orderby=result&$skip=600000", true},
		{"$orderby=result&$skip=9223372036854775807", true},
		{"$orderby=result&$top=10000&$skip=9223372036854775707", true},
		{"$orderby=id&$skip=9223372036854775807", false},
		{"$skip=9223372036854775807", false},
	} {
		before := m.Reads.Load()
		err := s.Answer(t.Context(), read.Request{Reader: m, Base: "http://localhost", Path: path, Query: c.options}, discard{})
		if c.refused != errors.Is(err, sensorthings.ErrTooMuch) || !c.refused && err != nil {
			t.Errorf("%s: %v", c.options, err)
		}
		if c.refused && m.Reads.Load() != before {
			t.Errorf("%s: read %d rows", c.options, m.Reads.Load()-before)
		}
	}
}
