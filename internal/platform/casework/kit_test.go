package casework

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func day(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// week is a calendar of Mondays to Fridays whose days end at 18:00; each hour of the
// clock is a working one.
type week struct{}

func (week) Due(start time.Time, span Span) (time.Time, bool) {
	local := start.In(zone)
	switch span.Unit {
	case Hours, WorkingHours:
		return local.Add(time.Duration(span.N) * time.Hour), false
	case Days:
		return local.AddDate(0, 0, span.N), false
	case WorkingDays:
	}
	d := local
	for n := 0; n < span.N; {
		if d = d.AddDate(0, 0, 1); works(d) {
			n++
		}
	}
	return time.Date(d.Year(), d.Month(), d.Day(), 18, 0, 0, 0, zone), false
}

func works(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }

func (week) WorkingDays(from, to time.Time) (n int) {
	a, b := from.In(zone), to.In(zone)
	last := b.Format(time.DateOnly)
	for d := a; d.Format(time.DateOnly) < last; {
		if d = d.AddDate(0, 0, 1); works(d) {
			n++
		}
	}
	return n
}

// places are a region, a prefecture and a county.
type places struct{}

func (places) Within(code, above string) bool {
	return above == "" || code == above || above == "540000" || above == "540100" && code == "540121"
}

func (places) Unit(id string) (string, bool) {
	area, ok := map[string]string{"water": "540121", "police": "540121", "office": "540100", "far": "540200"}[id]
	return area, ok
}

func (places) Codes() []string { return []string{"540000", "540100", "540121", "540200"} }

func (places) HasArea(code string) bool {
	return code == "540000" || code == "540100" || code == "540121" || code == "540200"
}

// rig is the service over a database, at a time that stands until it is moved.
type rig struct {
	*Service
	mu sync.Mutex
	at time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// units are the organisations of the people of the tests, by account.
var units = map[string][]string{"handler": {"water"}, "other": {"police"}, "both": {"water", "office"}}

func newRig(t *testing.T, url string, types *Types) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{at: day("2026-06-01T02:00:00Z")} // a Monday, ten in the morning
	if r.Service, err = New(t.Context(), Options{
		DB: d, Types: types, Calendars: func(string) Calendar { return week{} }, Places: places{}, Now: r.now,
		Units: func(_ context.Context, p auth.Principal) ([]string, error) { return units[p.ID], nil },
		Posts: func(_ context.Context, p auth.Principal) ([]string, error) { return []string{"post." + p.ID}, nil },
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

// eachDatabase runs a test on both.
func eachDatabase(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, d.URL(t))
		})
	}
}
