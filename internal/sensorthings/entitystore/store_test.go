package entitystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"plateau/internal/sensorthings"
)

func open(tb testing.TB, dir string, o Options) *Store {
	tb.Helper()
	s, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			tb.Error(err)
		}
	})
	return s
}

func inMemory(tb testing.TB) *Store {
	tb.Helper()
	return open(tb, "db", Options{FS: vfs.NewMem(), NoSync: true, CacheMB: 8, MemMB: 4})
}

func update(tb testing.TB, s *Store, fn func(*Tx) error) {
	tb.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		tb.Fatal(err)
	}
}

func entity(set sensorthings.Set, name string, one ...sensorthings.ID) *sensorthings.Entity {
	e := &sensorthings.Entity{Set: set, Properties: make([]json.RawMessage, len(set.Properties())), One: one}
	e.Properties[0] = json.RawMessage(fmt.Sprintf("%q", name))
	return e
}

// stream makes a Thing with a Datastream; Sensor and ObservedProperty are those
// of an outlet.
func stream(tb testing.TB, s *Store) (thing, ds sensorthings.ID) {
	tb.Helper()
	update(tb, s, func(x *Tx) (err error) {
		if thing, err = x.Create(entity(sensorthings.Things, "thing")); err != nil {
			return err
		}
		ds, err = x.Create(entity(sensorthings.Datastreams, "stream", thing, 7, 8))
		return err
	})
	return thing, ds
}

var t0 = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func observation(ds sensorthings.ID, at int64, result string) sensorthings.Observation {
	return sensorthings.Observation{Datastream: ds, Phenomenon: sensorthings.Span{Start: at, End: at}, Result: json.RawMessage(result)}
}

func add(tb testing.TB, s *Store, obs ...sensorthings.Observation) []sensorthings.ID {
	tb.Helper()
	ids, err := s.Append(context.Background(), obs)
	if err != nil {
		tb.Fatal(err)
	}
	return ids
}

func scan(tb testing.TB, r sensorthings.Reader, sc sensorthings.Scan) (ids []sensorthings.ID) {
	tb.Helper()
	if err := r.Observations(context.Background(), sc, func(o *sensorthings.Observation) bool {
		ids = append(ids, o.ID)
		return true
	}); err != nil {
		tb.Fatal(err)
	}
	return ids
}

func all(ds sensorthings.ID, o sensorthings.Order) sensorthings.Scan {
	return sensorthings.Scan{Datastream: ds, From: math.MinInt64, To: math.MaxInt64, Order: o}
}

func TestResultTexts(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	_, ds := stream(t, s)
	texts := []string{
		"1", "1.0", "-0", "-0.0", "0", "0.00", "-1.50", "1e-7", "1E5", "12345678901234567890", "123456789012345.67", "0.1234567", "0.12345678",
		`"1"`, "true", "null", `{"a":[1]}`, "99999999999999999", "-99999999999999999", "100000000000000000", "9.9999999",
	}
	for i, text := range texts {
		o := observation(ds, t0+int64(i), text)
		if i%2 == 1 {
			o.Phenomenon.End += 1500
			o.HasResultTime, o.ResultTime = true, t0-7
			o.HasValid, o.Valid = true, sensorthings.Span{Start: math.MinInt64, End: math.MaxInt64}
			o.Quality, o.Parameters = json.RawMessage(`"good"`), json.RawMessage(`{"x":1}`)
			o.Feature = 9
		}
		id := add(t, s, o)[0]
		got, err := s.Observation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		o.ID = id
		if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", o) {
			t.Errorf("%s: got %+v, want %+v", text, *got, o)
		}
	}
}

func TestKeyOrder(t *testing.T) {
	t.Parallel()
	times := []int64{math.MinInt64, -1e18, -1001, -1000, -999, -1, 0, 1, 999, 1000, 1001, t0, math.MaxInt64}
	for i, at := range times {
		k := appendTime(nil, at)
		if got := timeOf(k); got != at {
			t.Errorf("%d came back as %d", at, got)
		}
		if i > 0 && string(appendTime(nil, times[i-1])) >= string(k) {
			t.Errorf("%d does not sort behind %d", at, times[i-1])
		}
	}
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	thing, ds := stream(t, s)
	ids := add(t, s, observation(ds, t0, "1"), observation(ds, t0+2e6, "2"), observation(ds, t0+1e6, "3"))
	if got := scan(t, s, all(ds, sensorthings.ByTimeDesc)); fmt.Sprint(got) != fmt.Sprint([]sensorthings.ID{ids[1], ids[2], ids[0]}) {
		t.Errorf("newest first: %v", got)
	}
	if got := scan(t, s, sensorthings.All()); fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("by identifier: %v", got)
	}
	e, err := s.Entity(t.Context(), sensorthings.Datastreams, ds)
	if err != nil || string(e.Get("phenomenonTime")) != `"2026-11-01T00:00:00Z/2026-11-01T00:00:02Z"` || e.To("Thing") != thing {
		t.Errorf("%+v, %v", e, err)
	}
	n := 0
	if err := s.Related(t.Context(), sensorthings.Sensors, 7, "Datastreams", func(id sensorthings.ID) bool { n++; return id == ds }); err != nil || n != 1 {
		t.Errorf("the Sensor of an outlet has %d Datastreams, %v", n, err)
	}
	update(t, s, func(x *Tx) error { return x.Delete(sensorthings.Things, thing) })
	if _, err := s.Observation(t.Context(), ids[0]); !errors.Is(err, sensorthings.ErrNotFound) {
		t.Errorf("an observation outlived its Thing: %v", err)
	}
	if _, err := s.Append(t.Context(), []sensorthings.Observation{observation(ds, t0, "1")}); !errors.Is(err, sensorthings.ErrNotFound) {
		t.Errorf("appended to a Datastream that is gone: %v", err)
	}
}

// TestUsualFeatureGone deletes the feature that a Datastream's first observation
// set as the usual one, with others left, which say theirs themselves.
func TestUsualFeatureGone(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	_, ds := stream(t, s)
	var feature sensorthings.ID
	update(t, s, func(x *Tx) (err error) {
		feature, err = x.Create(entity(sensorthings.FeaturesOfInterest, "feature"))
		return err
	})
	first := observation(ds, t0, "1")
	first.Feature = feature
	ids := add(t, s, first, observation(ds, t0+1e6, "2"))
	update(t, s, func(x *Tx) error { return x.Delete(sensorthings.FeaturesOfInterest, feature) })
	ids = append(ids[1:], add(t, s, observation(ds, t0+2e6, "3"))...)
	if got := scan(t, s, all(ds, sensorthings.ByTime)); fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("left: %v, want %v", got, ids)
	}
	if _, err := s.Append(t.Context(), []sensorthings.Observation{first}); !errors.Is(err, sensorthings.ErrNotFound) {
		t.Errorf("appended with a feature that is gone: %v", err)
	}
	update(t, s, func(x *Tx) error { return x.Delete(sensorthings.Observations, ids[0]) })
	verified(t, s)
}
