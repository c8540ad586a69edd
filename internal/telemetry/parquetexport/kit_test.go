package parquetexport

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// monthEnd is midnight of Beijing between two months; in UTC both its sides are
// in October.
var monthEnd = time.Date(2026, 11, 1, 0, 0, 0, 0, i18n.Zone)

// world is a real store, judged, with two months and two outlets.
type world struct {
	tb     testing.TB
	snap   *telemetry.Snapshot
	store  *store.Store
	engine *quality.Engine
}

// Snapshot implements quality.Registry.
func (w *world) Snapshot() *telemetry.Snapshot { return w.snap }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	limit := telemetry.Limit{ID: "own.1", Standard: "permit", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(10.0), Unit: "mg/m3", EffectiveFrom: "2020-01-01"}
	w := &world{tb: tb, snap: &telemetry.Snapshot{Version: 1, Order: []telemetry.OutletID{2, 1}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{}}}
	for _, id := range w.snap.Order {
		w.snap.Outlets[id] = &telemetry.Outlet{
			ID: id, Name: telemetry.Name{Zh: fmt.Sprintf("%d号排口", id)}, Medium: telemetry.Gas, SourceType: "natural-gas turbine", Limits: []telemetry.Limit{limit},
			Intervals: []telemetry.Interval{{Minute: 10}},
			Factors:   []telemetry.OutletFactor{{Code: "a21002", Unit: "mg/m3"}, {Code: "a19001", Unit: "%"}},
		}
	}
	w.snap.Devices["M2"] = &telemetry.Device{MN: "M2", Outlet: 1, From: monthEnd}
	w.snap.Past = []telemetry.Device{{MN: "M1", Outlet: 1, From: monthEnd.AddDate(0, -1, 0), To: monthEnd}}
	now := func() time.Time { return monthEnd.AddDate(0, 0, 3) }
	var err error
	if w.store, err = store.Open(tb.TempDir(), store.Options{Now: now, NoSync: true}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.store.Close() })
	if w.engine, err = quality.New(quality.Options{Store: w.store, Registry: w, Now: now}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// send stores a record; items are CODE-SUFFIX=TEXT:FLAG.
func (w *world) send(id telemetry.OutletID, k telemetry.Kind, at, received time.Time, items ...string) {
	w.tb.Helper()
	f := &store.Frame{MN: "M", Outlet: id, Kind: k, At: at.Unix(), Received: received, Verdict: telemetry.Stored, RF: received.Sub(at) > time.Hour, Raw: fmt.Append(nil, id, k, at, items)}
	for _, i := range items {
		name, rest, _ := strings.Cut(i, "=")
		code, suffix, _ := strings.Cut(name, "-")
		text, flag, _ := strings.Cut(rest, ":")
		v := telemetry.NewValue(code, suffix, []byte(text))
		v.Flag = flag
		f.Values = append(f.Values, v)
	}
	done := make(chan store.Result, 1)
	f.Done = func(r store.Result) { done <- r }
	if err := w.store.Submit(w.tb.Context(), f); err != nil {
		w.tb.Fatal(err)
	}
	if r := <-done; r.Err != nil {
		w.tb.Fatal(r.Err)
	}
}

// fill sends six hours on each side of the month's end, with a record in two
// frames, one that a later frame corrects, odd numbers and words.
func (w *world) fill() {
	w.tb.Helper()
	for at := monthEnd.Add(-6 * time.Hour); at.Before(monthEnd.Add(6 * time.Hour)); at = at.Add(10 * time.Minute) {
		for _, id := range w.snap.Order {
			so2 := fmt.Sprintf("a21002-Avg=%d.%02d:N", at.Hour()+int(id), at.Minute())
			w.send(id, telemetry.KindMinute, at, at.Add(15*time.Second), so2, "a19001-Avg=15.0:N")
		}
	}
	h := monthEnd.Add(-time.Hour)
	w.send(1, telemetry.KindHour, h, h.Add(time.Hour), "a21002-Avg=8.50:N", "a21002-Cou=+007.1:N", "a19001-Avg=15.00:N")
	w.send(1, telemetry.KindHour, h, h.Add(61*time.Minute), "a21002-ZsAvg=1234567890.123456789:N")
	w.send(1, telemetry.KindHour, h, h.Add(9*time.Hour), "a21002-Avg=9.5:N", "a19001-Avg=15.00:N")
	w.send(1, telemetry.KindInfo, h, h.Add(time.Second), "i13013-Info=//12.5 mA;故障//", "i11001-Info=0.30")
	if err := w.engine.CatchUp(w.tb.Context()); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) options(to string) Options {
	return Options{Store: w.store, Judged: w.engine, Registry: w.snap, To: to, Version: "test"}
}
