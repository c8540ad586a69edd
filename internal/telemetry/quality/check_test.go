package quality

import (
	"context"
	"errors"
	"strings"
	"testing"

	"plateau/internal/telemetry"
)

// TestCheck: what is stored is what computing it again gives; a changed row, one
// that is missing and one too many are named by outlet and time; what is not
// judged yet, or by another registry, is no fault.
func TestCheck(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for _, o := range []telemetry.OutletID{1, 2} {
		for h := range 30 {
			m.add(hourOf(o, at(22, h, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
		}
		m.add(rec(o, telemetry.KindDay, at(20, 0, 0), "a21002-Avg=40:N"))
		m.add(rec(o, telemetry.KindRealtime, at(19, 5, 3), "a21002-Rtd=40:N"))
	}
	reg := registry(turbine(1), turbine(2))
	catchUp(t, newEngine(t, m, reg, at(24, 8, 0)))
	check := func(r Registry) CheckReport {
		t.Helper()
		calls := 0
		got, err := newEngine(t, m, r, at(24, 8, 0)).Check(t.Context(), func(done, total int) {
			if calls++; done != calls || total != 2 {
				t.Errorf("progress %d of %d after %d calls", done, total, calls)
			}
		})
		if err != nil || calls != 2 {
			t.Fatalf("%v, %d calls of progress", err, calls)
		}
		return got
	}
	if r := check(reg); !r.OK() || r.Outlets != 2 || r.Hours != 62 || r.Days != 8 || r.Waiting != 0 || r.Pending != 0 {
		t.Fatalf("%+v", r)
	}
	row := m.derived[derivedKey(TableHour, 1, at(22, 3, 0))]
	row[len(row)-1] ^= 1
	delete(m.derived, derivedKey(TableHour, 2, at(22, 29, 0)))
	delete(m.derived, derivedKey(TableDay, 2, at(20, 0, 0)))
	m.derived[derivedKey(TableHour, 2, at(18, 7, 0))] = row
	want := []string{
		"outlet 1, hour from 2026-11-22 03:00: the stored row has other bytes",
		"outlet 2, hour from 2026-11-18 07:00: there is a row, but no record",
		"outlet 2, day from 2026-11-20 00:00: the row is missing",
		"outlet 2, hour from 2026-11-23 05:00: the row is missing",
	}
	r := check(reg)
	if r.OK() || len(r.Faults) != len(want) || r.FaultCount != int64(len(want)) {
		t.Fatalf("%+v", r)
	}
	for i, f := range r.Faults {
		if !strings.HasPrefix(f, want[i]) {
			t.Errorf("%q, want %q", f, want[i])
		}
	}
	// A damaged record is a fault of its day, not the end of the check.
	m.damaged = func(o telemetry.OutletID, k telemetry.Kind, from, to int64) bool {
		return o == 1 && k == telemetry.KindMinute && from <= at(22, 3, 0) && to > at(22, 3, 0) && to < lastTime
	}
	if r := check(reg); r.FaultCount != 4 || !strings.Contains(r.Faults[0], "its records cannot be read") {
		t.Errorf("with a damaged record: %+v", r)
	}
	m.damaged = func(o telemetry.OutletID, k telemetry.Kind, _, _ int64) bool {
		return o == 1 && k == telemetry.KindMinute
	}
	if r := check(reg); r.OK() || !strings.Contains(r.Faults[0], "outlet 1, records from") {
		t.Errorf("with a series that cannot be read: %+v", r)
	}
	m.damaged = nil
	// A frame that came while nobody judged touches an hour and its day.
	m.add(rec(1, telemetry.KindMinute, at(22, 3, 0), "a21002-Avg=60:N"))
	if r := check(reg); r.FaultCount != 3 || r.Waiting != 2 {
		t.Errorf("with a frame waiting: %+v", r)
	}
	other := turbine(2)
	other.MissingFlagIsN = true
	if r := check(registry(turbine(1), other)); r.FaultCount != 0 || r.Pending != 1 || r.Outlets != 2 {
		t.Errorf("with a changed registry: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newEngine(t, m, reg, at(24, 8, 0)).Check(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
