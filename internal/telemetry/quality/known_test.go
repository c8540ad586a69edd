package quality

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// pastRegistry is a registry whose past can be asked for.
type pastRegistry struct {
	from  []int64 // Unix seconds
	snaps []*telemetry.Snapshot
}

func (l *pastRegistry) change(at int64, outlets ...*telemetry.Outlet) {
	s := registry(outlets...).s
	s.Version = uint64(len(l.snaps) + 1)
	l.from, l.snaps = append(l.from, at), append(l.snaps, s)
}

func (l *pastRegistry) Snapshot() *telemetry.Snapshot { return l.snaps[len(l.snaps)-1] }

func (l *pastRegistry) OutletAt(_ context.Context, id telemetry.OutletID, at time.Time) (*telemetry.Outlet, error) {
	for i, from := range slices.Backward(l.from) {
		if from <= at.Unix() {
			if o := l.snaps[i].Outlets[id]; o != nil {
				return o, nil
			}
			break
		}
	}
	return nil, errs.New(errs.NotFound, "problem.not_found")
}

func (l *pastRegistry) LastChange(context.Context, telemetry.OutletID) (telemetry.LogEntry, bool, error) {
	return telemetry.LogEntry{}, false, nil
}

// rowsKnown are all rows of an outlet as known at an instant, by their keys.
func rowsKnown(t interface {
	Helper()
	Fatal(args ...any)
}, e *Engine, id telemetry.OutletID, when, from, to int64,
) map[string]string {
	t.Helper()
	k, err := e.AsKnown(unix(when))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	o, err := k.Outlet(context.Background(), id)
	if errors.Is(err, ErrNotFound) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	hours, err := o.Hours(unix(from), unix(to))
	if err != nil {
		t.Fatal(err)
	}
	for i := range hours {
		out[derivedKey(TableHour, id, hours[i].At)] = string(AppendHour(nil, &hours[i]))
	}
	days, err := o.Days(unix(from), unix(to))
	if err != nil {
		t.Fatal(err)
	}
	for i := range days {
		out[derivedKey(TableDay, id, days[i].At)] = string(AppendDay(nil, &days[i]))
	}
	return out
}

// judgedRows are the hour and day rows that the engine keeps.
func judgedRows(m *memStore) map[string]string {
	out := bytesOf(m)
	for k := range out {
		if k[0] != TableHour && k[0] != TableDay {
			delete(out, k)
		}
	}
	return out
}

// TestAsKnownIsWhatWasJudged: records come in any order, are corrected and sent
// late, the registry changes between them; whatever the instant, what is known
// of it afterwards has the bytes the engine had then.
func TestAsKnownIsWhatWasJudged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMemStore()
		now := at(22, 12, 0)
		reg := &pastRegistry{}
		gas, water := turbine(1), works(2)
		reg.change(now, gas)
		e, err := New(Options{Store: m, Registry: reg, History: reg, Now: func() time.Time { return unix(now) }})
		if err != nil {
			rt.Fatal(err)
		}
		type moment struct {
			at   int64
			rows map[string]string
		}
		var moments []moment
		start := at(21, 20, 0)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			now += int64(rapid.IntRange(60, 5000).Draw(rt, "passes"))
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				o := *gas
				o.Limits = []telemetry.Limit{{
					ID: "own", Standard: "permit", EffectiveFrom: "2026-11-01", Factor: "a21002", Statistic: "hour", Op: "<=",
					Hi: new(float64(rapid.IntRange(10, 60).Draw(rt, "limit"))),
				}}
				o.MissingFlagIsN = rapid.Bool().Draw(rt, "lenient")
				o.Factors = o.Factors[:rapid.IntRange(1, len(o.Factors)).Draw(rt, "factors")]
				gas = &o
				reg.change(now, gas, water)
			case 1:
				o := *water
				from := start + int64(rapid.IntRange(0, 20).Draw(rt, "stop"))*1800
				o.Stops = []telemetry.Stop{{From: unix(from), To: unix(from + 7200)}}
				o.Intervals = []telemetry.Interval{{Realtime: 60, Minute: rapid.SampledFrom([]int{0, 5, 10}).Draw(rt, "minute")}}
				water = &o
				reg.change(now, gas, water)
			default:
				var recs []telemetry.Record
				for range rapid.IntRange(1, 8).Draw(rt, "records") {
					k := rapid.SampledFrom([]telemetry.Kind{telemetry.KindMinute, telemetry.KindMinute, telemetry.KindHour, telemetry.KindDay, telemetry.KindRealtime}).Draw(rt, "kind")
					when := start + 600*rapid.Int64Range(0, 30).Draw(rt, "slot")
					if k == telemetry.KindHour {
						when = hourStart(when)
					}
					if k == telemetry.KindDay {
						when = dayStart(when)
					}
					o := telemetry.OutletID(rapid.IntRange(1, 2).Draw(rt, "outlet"))
					if reg.Snapshot().Outlets[o] == nil {
						continue // such frames would be kept in quarantine
					}
					codes, suffix := []string{"a21002", "a19001"}, "Avg"
					if o == 2 {
						codes = []string{"w01018", "w00000", "w20117"}
					}
					if k == telemetry.KindRealtime {
						suffix = "Rtd"
					}
					var items []string
					for _, c := range codes {
						items = append(items, fmt.Sprintf("%s-%s=%d:%s", c, suffix, rapid.IntRange(0, 90).Draw(rt, "value"), rapid.SampledFrom([]string{"N", "N", "D", ""}).Draw(rt, "mark")))
					}
					r := rec(o, k, when, items...)
					r.Received = now * 1e6
					recs = append(recs, r)
				}
				if len(recs) > 0 {
					m.add(recs...)
				}
			}
			catchUp(t, e)
			if rapid.Bool().Draw(rt, "look") {
				moments = append(moments, moment{now, judgedRows(m)})
			}
		}
		now += 3600
		for _, x := range moments {
			got := rowsKnown(rt, e, 1, x.at, start-daySeconds, start+2*daySeconds)
			maps.Copy(got, rowsKnown(rt, e, 2, x.at, start-daySeconds, start+2*daySeconds))
			if d := gocmp.Diff(x.rows, got); d != "" {
				rt.Fatalf("as known at %s:\n%s", unix(x.at), d)
			}
		}
	})
}

// TestAsKnownExplains: a corrected hour tells of the value before and after.
func TestAsKnownExplains(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(22, 7, 0)
	first := hourOf(1, h, "a21002-Avg=20:N", "a19001-Avg=15:N")
	for i := range first {
		first[i].Received = (h + 3700) * 1e6
	}
	m.add(first...)
	fixed := rec(1, telemetry.KindMinute, h, "a21002-Avg=80:N")
	fixed.Received = (h + 9000) * 1e6
	m.add(fixed)
	e := newEngine(t, m, registry(turbine(1)), h+10000)
	catchUp(t, e)
	k, err := e.AsKnown(unix(h + 8999))
	if err != nil {
		t.Fatal(err)
	}
	o, err := k.Outlet(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	was, err := o.Explain("a21002", LevelHour, unix(h))
	if err != nil {
		t.Fatal(err)
	}
	now, err := e.Explain(1, "a21002", LevelHour, unix(h))
	if err != nil {
		t.Fatal(err)
	}
	if !near(was.Value, 20) || was.Over || len(was.Revisions) != 0 || now.Value.V <= 20 || len(now.Revisions) != 2 {
		t.Errorf("was %+v with %d revisions, is %+v with %d", was.Value, len(was.Revisions), now.Value, len(now.Revisions))
	}
	if was.Inputs.Hash == now.Inputs.Hash || was.Inputs.Rules != now.Inputs.Rules || was.Inputs.Records != 6 {
		t.Errorf("inputs %+v and %+v", was.Inputs, now.Inputs)
	}
	if _, err := o.Explain("a21002", LevelHour, unix(h+9500)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a value to come: %v", err)
	}
	if _, err := e.AsKnown(unix(h + 10001)); !errors.Is(err, ErrFuture) {
		t.Errorf("an instant to come: %v", err)
	}
	if k, err := e.AsKnown(unix(h)); err != nil || k.Seq != 0 {
		t.Errorf("before everything: %+v, %v", k, err)
	}
	n := 0
	if err := o.Records(telemetry.KindMinute, unix(h), unix(h+3600), func(r *telemetry.Record) bool { n++; return !r.Revised }); err != nil || n != 6 {
		t.Errorf("%d records, %v", n, err)
	}
}

// TestAsKnownOnRealStores does the same with the embedded store and a registry
// in a database: a limit is changed and a value corrected, each is invisible
// before it happened.
func TestAsKnownOnRealStores(t *testing.T) {
	t.Parallel()
	h := at(22, 7, 0)
	now := h + 100
	clock := func() time.Time { return unix(now) }
	d, err := db.Open(t.Context(), testkit.Databases()[0].URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	reg, err := telemetry.Open(t.Context(), d, clock)
	if err != nil {
		t.Fatal(err)
	}
	o := *turbine(1)
	o.Enterprise, o.Name.Zh, o.ID = "E1", "1号排口", 1
	if err := reg.Load(t.Context(), telemetry.LoadInput{
		Areas:       []telemetry.Area{{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "西藏自治区"}}, {Code: "540100", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "拉萨市"}}, {Code: "540103", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "堆龙德庆区"}}},
		Enterprises: []telemetry.Enterprise{{ID: "E1", Name: telemetry.Name{Zh: "示例"}, Area: "540103"}}, Outlets: []telemetry.Outlet{o},
	}, auth.System); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.TempDir(), store.Options{Now: clock, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	e, err := New(Options{Store: s, Registry: reg, History: reg, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	send := func(recs ...telemetry.Record) {
		for _, r := range recs {
			done := make(chan store.Result, 1)
			if err := s.Submit(t.Context(), &store.Frame{
				MN: "M1", Outlet: 1, Kind: r.Kind, At: r.At, Received: unix(now), Raw: fmt.Append(nil, r.At, r.Values), Verdict: telemetry.Stored,
				Values: r.Values, Done: func(r store.Result) { done <- r },
			}); err != nil {
				t.Fatal(err)
			}
			if r := <-done; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		catchUp(t, e)
	}
	rows := func() map[string]string {
		out := map[string]string{}
		for _, table := range []byte{TableHour, TableDay} {
			if err := s.Derived(table, 1, 0, lastTime, func(at int64, v []byte) bool {
				out[derivedKey(table, 1, at)] = string(v)
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	var moments []int64
	var want []map[string]string
	var months []PeriodRow
	look := func() {
		month, err := e.Period(t.Context(), 1, LevelMonth, unix(h))
		if err != nil {
			t.Fatal(err)
		}
		moments, want, months = append(moments, now), append(want, rows()), append(months, month)
		now += 600
	}
	send(hourOf(1, h, "a21002-Avg=20:N", "a19001-Avg=15:N")...)
	look()
	if err := reg.EditOutlet(t.Context(), 1, auth.System, func(o *telemetry.Outlet) error {
		o.Limits = []telemetry.Limit{{Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(10.0), Unit: "mg/m3", EffectiveFrom: "2026-01-01"}}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	catchUp(t, e)
	look()
	send(rec(1, telemetry.KindMinute, h, "a21002-Avg=80:N"))
	look()
	send(rec(1, telemetry.KindDay, at(22, 0, 0), "a21002-Avg=20:N"))
	look()
	for i := range moments {
		if d := gocmp.Diff(want[i], rowsKnown(t, e, 1, moments[i], h-daySeconds, h+daySeconds)); d != "" {
			t.Errorf("moment %d:\n%s", i, d)
		}
		k, err := e.AsKnown(unix(moments[i]))
		if err != nil {
			t.Fatal(err)
		}
		o, err := k.Outlet(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		month, err := o.Period(LevelMonth, unix(h))
		if d := gocmp.Diff(months[i], month); err != nil || d != "" {
			t.Errorf("month at moment %d (%v):\n%s", i, err, d)
		}
		if i > 0 && gocmp.Equal(want[i], want[i-1]) {
			t.Errorf("moment %d: nothing changed", i)
		}
	}
}
