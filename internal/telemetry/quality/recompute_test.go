package quality

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/telemetry"
)

// told is a registry that changes and knows who did it.
type told struct {
	s *telemetry.Snapshot
}

func (r *told) Snapshot() *telemetry.Snapshot { return r.s }

func (r *told) set(outlets ...*telemetry.Outlet) {
	version := uint64(1)
	if r.s != nil {
		version = r.s.Version + 1
	}
	r.s = registry(outlets...).s
	r.s.Version = version
}

func (r *told) OutletAt(_ context.Context, id telemetry.OutletID, _ time.Time) (*telemetry.Outlet, error) {
	return r.s.Outlets[id], nil
}

func (r *told) LastChange(context.Context, telemetry.OutletID) (telemetry.LogEntry, bool, error) {
	return telemetry.LogEntry{Post: "值班员（示例）", Action: "update"}, true, nil
}

func (r *told) engine(tb testing.TB, m Store, now int64) *Engine {
	tb.Helper()
	e, err := New(Options{Store: m, Registry: r, History: r, Now: func() time.Time { return unix(now) }, Workers: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// limited is a turbine with an hour limit of its own.
func limited(id telemetry.OutletID, hi float64) *telemetry.Outlet {
	o := turbine(id)
	o.Limits = []telemetry.Limit{{ID: "own", Standard: "permit", EffectiveFrom: "2020-11-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: &hi}}
	return o
}

// longHistory are 200 days with two hours each, the last one the 21st.
func longHistory(m *memStore, o telemetry.OutletID) {
	for d := range 200 {
		start := at(21, 7, 0) - int64(d)*daySeconds
		m.add(append(hourOf(o, start, "a21002-Avg=20:N", "a19001-Avg=15:N"), hourOf(o, start+hourSeconds, "a21002-Avg=45:N", "a19001-Avg=15:N")...)...)
	}
}

func onePass(tb testing.TB, e *Engine) (more bool) {
	tb.Helper()
	more, err := e.pass(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return more
}

// TestOldHistoryInSlices: a change of the registry judges 200 days anew in
// bounded stretches; what arrives meanwhile is judged at once, and who, when,
// why and how much is told while it goes on and afterwards.
func TestOldHistoryInSlices(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	longHistory(m, 1)
	reg := &told{}
	reg.set(turbine(1))
	now := unix(at(22, 9, 0))
	e, err := New(Options{Store: m, Registry: reg, History: reg, Now: func() time.Time { return now }, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	catchUp(t, e)
	if _, ok := e.Recomputing(); ok {
		t.Error("a first judgement counts as a recompute")
	}
	reg.set(limited(1, 30))
	onePass(t, e)
	r, ok := e.Recomputing()
	if !ok || r.Hours != 200*24 || r.Done != sliceHours || r.Cause != CauseRegistry || r.By != "值班员（示例）" || r.Started == 0 || r.Rows == 0 {
		t.Errorf("after one pass: %+v", r)
	}
	if left, ok := r.Remaining(time.UnixMicro(r.Started).Add(time.Minute)); !ok || left < 2*time.Minute || left > 3*time.Minute {
		t.Errorf("a minute for %d of %d hours, %v still to come", r.Done, r.Hours, left)
	}
	if e.Backlog().Done() {
		t.Error("history that waits counts as done")
	}
	h := at(22, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=31:N", "a19001-Avg=15:N")...)
	now = now.Add(time.Second)
	onePass(t, e)
	row := oneHour(t, e, 1, h)
	if f := row.Factor("a21002"); !f.Over || f.Limit.ID != "own" {
		t.Errorf("what arrived meanwhile: %+v", f)
	}
	if x, _ := e.Recomputing(); x.Done != r.Done {
		t.Errorf("the pass took old history too: %d hours done", x.Done)
	}
	if onePass(t, e); e.Backlog().Cursor != m.Tail() {
		t.Errorf("backlog %+v", e.Backlog())
	}
	if x, _ := e.Recomputing(); x.Done != r.Done+sliceHours {
		t.Errorf("the next pass took no old history: %d hours done", x.Done)
	}
	catchUp(t, e)
	if _, ok := e.Recomputing(); ok || !e.Backlog().Done() {
		t.Errorf("not done: %+v", e.Backlog())
	}
	list, err := e.Recomputes(10)
	if err != nil || len(list) != 1 {
		t.Fatalf("recomputes %+v, %v", list, err)
	}
	r = list[0]
	if r.Ended == 0 || r.Done != r.Hours || r.Rows != 600 || r.Changed != 400 || r.Left || !slices.Equal(r.Outlets, []telemetry.OutletID{1}) || r.From != dayStart(at(21, 0, 0)-199*daySeconds) || r.To != at(22, 0, 0) {
		t.Errorf("in the end %+v", r)
	}
	fresh := newMemStore()
	fresh.recs, fresh.groups = m.recs, m.groups
	catchUp(t, reg.engine(t, fresh, at(22, 9, 0)))
	if d := gocmp.Diff(bytesOf(fresh), bytesOf(m)); d != "" {
		t.Errorf("a rebuild gives other bytes:\n%s", d)
	}
}

// TestAskedRecompute: a person has a range judged anew; a row that was lost is
// there again, who asked and why is kept, and a restart goes on with it.
func TestAskedRecompute(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	longHistory(m, 1)
	longHistory(m, 2)
	reg := &told{}
	reg.set(turbine(1), turbine(2))
	e := reg.engine(t, m, at(22, 9, 0))
	catchUp(t, e)
	want := bytesOf(m)
	delete(m.derived, derivedKey(TableHour, 1, at(20, 7, 0)))
	m.derived[derivedKey(TableHour, 1, at(20, 8, 0))] = []byte{codecVersion, 7}
	r, err := e.Recompute(RecomputeRequest{Outlets: []telemetry.OutletID{1}, From: unix(at(19, 5, 0)), To: unix(at(21, 1, 0)), By: "值班员（示例）", Why: "盘点"})
	if err != nil || r.Hours != 3*24 {
		t.Fatalf("%+v, %v", r, err)
	}
	catchUp(t, e)
	if d := gocmp.Diff(want, bytesOf(m)); d != "" {
		t.Errorf("rows afterwards:\n%s", d)
	}
	list, err := e.Recomputes(10)
	if err != nil || len(list) != 1 || list[0].By != "值班员（示例）" || list[0].Why != "盘点" || list[0].Changed != 2 || list[0].Rows != 9 {
		t.Errorf("recomputes %+v, %v", list, err)
	}
	all, err := e.Recompute(RecomputeRequest{Why: "全部"})
	if err != nil || len(all.Outlets) != 2 || all.Hours != 2*200*24 {
		t.Fatalf("%+v, %v", all, err)
	}
	onePass(t, e) // and the program is killed
	e = reg.engine(t, m, at(22, 10, 0))
	catchUp(t, e)
	list, err = e.Recomputes(10)
	if err != nil || len(list) != 2 || list[0].ID != all.ID || list[0].Ended == 0 || list[0].Changed != 0 || list[0].Rows != 1200 || list[0].Duration() < 0 {
		t.Errorf("after a restart %+v, %v", list, err)
	}
	for _, r := range []RecomputeRequest{{Outlets: []telemetry.OutletID{1}, From: unix(at(24, 0, 0))}, {From: unix(0), To: unix(daySeconds)}} {
		if _, err := e.Recompute(r); !errors.Is(err, ErrNothing) {
			t.Errorf("no history: %v", err)
		}
	}
	if _, err := e.Recompute(RecomputeRequest{Outlets: []telemetry.OutletID{7}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such outlet: %v", err)
	}
}

// TestChangeWhileRecomputing: another change begins it anew, also one that takes
// the first back.
func TestChangeWhileRecomputing(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	longHistory(m, 1)
	reg := &told{}
	reg.set(turbine(1))
	e := reg.engine(t, m, at(22, 9, 0))
	catchUp(t, e)
	want := bytesOf(m)
	reg.set(limited(1, 30))
	onePass(t, e)
	reg.set(turbine(1))
	catchUp(t, e)
	if d := gocmp.Diff(want, bytesOf(m)); d != "" {
		t.Errorf("a change taken back leaves:\n%s", d)
	}
	list, err := e.Recomputes(10)
	if err != nil || len(list) != 2 || !list[1].Left || list[1].Ended == 0 || list[0].Left || list[0].Changed != 120 {
		t.Errorf("recomputes %+v, %v", list, err)
	}
}

// TestDamagedRecord: a record that cannot be read stops its own hour and day, no
// other and no other outlet; the hour is not forgotten over a restart, and is
// judged when the record can be read again.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	bad := at(22, 7, 0)
	m.damaged = func(o telemetry.OutletID, k telemetry.Kind, from, to int64) bool {
		return o == 1 && k == telemetry.KindMinute && from <= bad && bad < to
	}
	for _, o := range []telemetry.OutletID{1, 2} {
		for h := range 4 {
			m.add(hourOf(o, at(22, 5+h, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
		}
	}
	reg := registry(turbine(1), turbine(2))
	now := at(22, 10, 0)
	start := func() *Engine {
		e, err := New(Options{Store: m, Registry: reg, Now: func() time.Time { return unix(now) }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	hours := func(e *Engine, o telemetry.OutletID) int {
		rows, err := e.Hours(o, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	e := start()
	catchUp(t, e)
	if hours(e, 1) != 3 || hours(e, 2) != 4 {
		t.Errorf("%d and %d hours judged, want 3 and 4", hours(e, 1), hours(e, 2))
	}
	failed := e.Failed()
	if len(failed) != 1 || failed[0].Outlet != 1 || failed[0].At != bad || failed[0].Level != LevelHour || failed[0].Fault == "" || e.Backlog().Failed != 1 || !e.Backlog().Done() {
		t.Errorf("failed %+v, backlog %+v", failed, e.Backlog())
	}
	e = start()
	catchUp(t, e)
	if len(e.Failed()) != 1 {
		t.Error("a restart forgot the hour")
	}
	m.damaged = nil
	catchUp(t, e)
	if len(e.Failed()) != 1 {
		t.Error("the hour was tried again at once")
	}
	now += retryAfter
	catchUp(t, e)
	if len(e.Failed()) != 0 || hours(e, 1) != 4 {
		t.Errorf("mended: %+v, %d hours", e.Failed(), hours(e, 1))
	}
	fresh := newMemStore()
	fresh.recs, fresh.groups = m.recs, m.groups
	catchUp(t, newEngine(t, fresh, reg, now))
	if d := gocmp.Diff(bytesOf(fresh), bytesOf(m)); d != "" {
		t.Errorf("a rebuild gives other bytes:\n%s", d)
	}
	// A day's own record.
	m.damaged = func(o telemetry.OutletID, k telemetry.Kind, _, _ int64) bool { return o == 2 && k == telemetry.KindDay }
	m.add(hourOf(2, at(22, 9, 0), "a21002-Avg=40:N")...)
	catchUp(t, e)
	if f := e.Failed(); len(f) != 1 || f[0].Level != LevelDay || f[0].At != at(22, 0, 0) || hours(e, 2) != 5 {
		t.Errorf("a day: %+v, %d hours", f, hours(e, 2))
	}
	m.damaged = nil
	m.add(hourOf(2, at(22, 9, 0), "a21002-Avg=41:N")...)
	catchUp(t, e)
	if f := e.Failed(); len(f) != 0 {
		t.Errorf("a frame for the day did not try it again: %+v", f)
	}
}

// TestCascadeIsRebuild: frames, changes of the registry, recomputes and kills
// between passes in any order leave the rows that judging from scratch gives.
func TestCascadeIsRebuild(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMemStore()
		reg := &told{}
		reg.set(turbine(1), turbine(2))
		now := at(22, 12, 0)
		e := reg.engine(t, m, now)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0:
				a, b := turbine(1), turbine(2)
				if rapid.Bool().Draw(rt, "first") {
					a = limited(1, float64(rapid.IntRange(1, 3).Draw(rt, "limit"))*20)
				}
				if rapid.Bool().Draw(rt, "second") {
					b.Stops = []telemetry.Stop{{From: unix(at(20, 0, 0)), To: unix(at(20, rapid.IntRange(1, 12).Draw(rt, "until"), 0))}}
				}
				reg.set(a, b)
			case 1:
				e = reg.engine(t, m, now) // killed
			case 2:
				_, err := e.Recompute(RecomputeRequest{From: unix(at(rapid.IntRange(18, 22).Draw(rt, "day"), 0, 0))})
				if err != nil && !errors.Is(err, ErrNothing) {
					rt.Fatal(err)
				}
			case 3, 4:
				onePass(t, e)
			default:
				var recs []telemetry.Record
				for range rapid.IntRange(1, 6).Draw(rt, "records") {
					o := telemetry.OutletID(rapid.IntRange(1, 2).Draw(rt, "outlet"))
					when := at(18, 0, 0) + 600*rapid.Int64Range(0, 5*144).Draw(rt, "slot")
					recs = append(recs, rec(o, telemetry.KindMinute, when, fmt.Sprintf("a21002-Avg=%d:N", rapid.IntRange(0, 90).Draw(rt, "value")), "a19001-Avg=15:N"))
				}
				m.add(recs...)
			}
		}
		catchUp(t, e)
		fresh := newMemStore()
		fresh.recs, fresh.groups = m.recs, m.groups
		catchUp(t, reg.engine(t, fresh, now))
		if d := gocmp.Diff(bytesOf(fresh), bytesOf(m)); d != "" {
			rt.Fatalf("a rebuild gives other bytes:\n%s", d)
		}
	})
}
