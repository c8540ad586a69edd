package quality

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// memStore is a journal and series in memory: the behaviour of the real store
// that the cascade relies on, without its cost.
type memStore struct {
	mu      sync.Mutex
	groups  []store.GroupMeta
	recs    map[seriesKey][]telemetry.Record // parts in order of arrival
	derived map[string][]byte
	cursor  uint64
	puts    []int // rows of each PutDerived
	fail    error
	damaged func(o telemetry.OutletID, k telemetry.Kind, from, to int64) bool
}

type seriesKey struct {
	outlet telemetry.OutletID
	kind   telemetry.Kind
}

func newMemStore() *memStore {
	return &memStore{recs: map[seriesKey][]telemetry.Record{}, derived: map[string][]byte{}}
}

func (m *memStore) add(rs ...telemetry.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := store.GroupMeta{Seq: uint64(len(m.groups) + 1)}
	for i, r := range rs {
		r.Parts = []telemetry.Locator{{Seq: g.Seq, Index: uint16(i)}}
		if r.Received == 0 {
			r.Received = r.At * 1e6
		}
		k := seriesKey{r.Outlet, r.Kind}
		m.recs[k] = append(m.recs[k], r)
		g.Entries = append(g.Entries, store.EntryMeta{Outlet: r.Outlet, Kind: r.Kind, At: r.At, Received: r.Received, Verdict: telemetry.Stored})
	}
	m.groups = append(m.groups, g)
}

func (m *memStore) merged(seq uint64, o telemetry.OutletID, k telemetry.Kind) []telemetry.Record {
	m.mu.Lock()
	parts := slices.Clone(m.recs[seriesKey{o, k}])
	m.mu.Unlock()
	parts = slices.DeleteFunc(parts, func(r telemetry.Record) bool { return r.Parts[0].Seq > seq })
	slices.SortStableFunc(parts, func(a, b telemetry.Record) int { return cmp.Compare(a.At, b.At) })
	var out []telemetry.Record
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1].At == p.At {
			r := &out[n-1]
			r.Values = slices.Clone(r.Values)
			r.Parts = append(slices.Clone(r.Parts), p.Parts...)
			for _, v := range p.Values {
				if old, ok := r.Find(v.Code, v.Suffix); ok {
					r.Revised = r.Revised || *old != v
					*old = v
				} else {
					r.Values = append(r.Values, v)
				}
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

func (m *memStore) Records(o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	return m.RecordsAt(math.MaxUint64, o, k, from, to, fn)
}

func (m *memStore) RecordsAt(seq uint64, o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	if m.fail != nil {
		return m.fail
	}
	if m.damaged != nil && m.damaged(o, k, from, to) {
		return fmt.Errorf("%w: a row", store.ErrDamaged)
	}
	var reused telemetry.Record
	for _, r := range m.merged(seq, o, k) {
		if r.At >= from && r.At < to {
			vs := append(reused.Values[:0], r.Values...)
			reused = r
			reused.Values = vs
			if !fn(&reused) {
				break
			}
		}
	}
	return nil
}

func (m *memStore) Parts(o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error) {
	return m.PartsAt(math.MaxUint64, o, k, at)
}

// SequenceAt: the groups of a memStore are received in order.
func (m *memStore) SequenceAt(t time.Time) (seq uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.groups {
		for _, x := range g.Entries {
			if x.Received > t.UnixMicro() {
				return seq, nil
			}
		}
		seq = g.Seq
	}
	return seq, nil
}

func (m *memStore) PartsAt(seq uint64, o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []telemetry.Record
	for _, r := range m.recs[seriesKey{o, k}] {
		if r.At == at && r.Parts[0].Seq <= seq {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memStore) Before(o telemetry.OutletID, k telemetry.Kind, t int64) (telemetry.Record, bool, error) {
	var last telemetry.Record
	ok := false
	for _, r := range m.merged(math.MaxUint64, o, k) {
		if r.At < t {
			last, ok = r, true
		}
	}
	return last, ok, nil
}

func (m *memStore) Latest(o telemetry.OutletID, k telemetry.Kind) (telemetry.Record, bool) {
	r, ok, _ := m.Before(o, k, math.MaxInt64)
	return r, ok
}

func (m *memStore) Groups(seq uint64, fn func(store.GroupMeta) bool) error {
	m.mu.Lock()
	gs := slices.Clone(m.groups[seq:])
	m.mu.Unlock()
	for _, g := range gs {
		if !fn(g) {
			break
		}
	}
	return nil
}

func (m *memStore) Tail() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.groups))
}

func (m *memStore) Wait(ctx context.Context, seq uint64) error {
	if m.Tail() > seq {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m *memStore) Cursor(string) (uint64, error) { return m.cursor, nil }

func derivedKey(table byte, o telemetry.OutletID, at int64) string {
	return string(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{table}, uint32(o)), uint64(at)))
}

func (m *memStore) PutDerived(rows []store.Derived, cursor string, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		k := derivedKey(r.Table, r.Outlet, r.At)
		if delete(m.derived, k); r.Value != nil {
			m.derived[k] = r.Value
		}
	}
	if cursor != "" {
		m.cursor = seq
	}
	m.puts = append(m.puts, len(rows))
	return nil
}

func (m *memStore) Derived(table byte, o telemetry.OutletID, from, to int64, fn func(int64, []byte) bool) error {
	m.mu.Lock()
	rows := map[int64][]byte{}
	var order []int64
	for k, v := range m.derived {
		at := int64(binary.BigEndian.Uint64([]byte(k[5:])))
		if k[:5] == derivedKey(table, o, 0)[:5] && at >= from && at < to {
			rows[at] = v
			order = append(order, at)
		}
	}
	m.mu.Unlock()
	slices.Sort(order)
	for _, at := range order {
		if !fn(at, rows[at]) {
			break
		}
	}
	return nil
}

func (m *memStore) DerivedNewest(table byte, o telemetry.OutletID, from, to int64, fn func(int64, []byte) bool) error {
	var rows []store.Derived
	_ = m.Derived(table, o, from, to, func(at int64, v []byte) bool {
		rows = append(rows, store.Derived{At: at, Value: v})
		return true
	})
	for _, r := range slices.Backward(rows) {
		if !fn(r.At, r.Value) {
			break
		}
	}
	return nil
}

// fixed is a registry that holds what it was given.
type fixed struct{ s *telemetry.Snapshot }

func (f fixed) Snapshot() *telemetry.Snapshot { return f.s }

func registry(outlets ...*telemetry.Outlet) fixed {
	s := &telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}}
	for _, o := range outlets {
		s.Outlets[o.ID] = o
		s.Order = append(s.Order, o.ID)
	}
	return fixed{s}
}

func turbine(id telemetry.OutletID) *telemetry.Outlet {
	return &telemetry.Outlet{
		ID: id, Medium: telemetry.Gas, SourceType: "natural-gas turbine", Condition: "all", Level: "general (表1)", Area: "540103",
		Intervals: []telemetry.Interval{{Realtime: 30, Minute: 10}},
		Factors: []telemetry.OutletFactor{
			{Code: "a21002", RangeHi: new(600.0), DetectionLimit: new(1.0)}, {Code: "a19001", RangeHi: new(25.0)}, {Code: "a01012"},
		},
	}
}

func works(id telemetry.OutletID) *telemetry.Outlet {
	return &telemetry.Outlet{
		ID: id, Medium: telemetry.Water, SourceType: "municipal sewage works outlet", Level: "1A", Area: "540102",
		Intervals: []telemetry.Interval{{Realtime: 60, Minute: 10}},
		Factors: []telemetry.OutletFactor{
			{Code: "w01001", RangeHi: new(14.0)},
			{Code: "w01018", RangeHi: new(200.0)},
			{Code: "w21003", RangeHi: new(30.0)},
			{Code: "w00000"},
			{Code: "w01010"},
		},
	}
}

// at is an instant of a fixed day in Beijing time.
func at(day, hour, minute int) int64 {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.FixedZone("", beijing)).Unix()
}

// rec builds a record from "code-Suffix=number:mark" items.
func rec(o telemetry.OutletID, k telemetry.Kind, when int64, items ...string) telemetry.Record {
	r := telemetry.Record{Outlet: o, Kind: k, At: when}
	for _, it := range items {
		var code, suffix, value, mark string
		for i, p := range []*string{&code, &suffix, &value, &mark} {
			sep := []string{"-", "=", ":", ""}[i]
			if sep == "" {
				*p = it
				break
			}
			a, b, ok := cut(it, sep, i == 2)
			if *p = a; !ok {
				break
			}
			it = b
		}
		v := telemetry.NewValue(code, suffix, []byte(value))
		v.Flag = mark
		r.Values = append(r.Values, v)
	}
	return r
}

// cut splits at sep, the last one when back is set (numbers may be negative).
func cut(s, sep string, back bool) (before, after string, found bool) {
	i := bytes.Index([]byte(s), []byte(sep))
	if back {
		i = bytes.LastIndex([]byte(s), []byte(sep))
	}
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// hourOf gives the six 10-minute records of an hour with the same items.
func hourOf(o telemetry.OutletID, start int64, items ...string) (out []telemetry.Record) {
	for m := range int64(6) {
		out = append(out, rec(o, telemetry.KindMinute, start+m*600, items...))
	}
	return out
}

func newEngine(tb testing.TB, m Store, reg Registry, now int64) *Engine {
	tb.Helper()
	e, err := New(Options{Store: m, Registry: reg, Now: func() time.Time { return unix(now) }})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func catchUp(tb testing.TB, e *Engine) {
	tb.Helper()
	if err := e.CatchUp(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func oneHour(t *testing.T, e *Engine, o telemetry.OutletID, start int64) HourRow {
	t.Helper()
	rows, err := e.Hours(o, unix(start), unix(start+hourSeconds))
	if err != nil || len(rows) != 1 {
		t.Fatalf("hours: %d rows, %v", len(rows), err)
	}
	return rows[0]
}

func near(a Opt, b float64) bool { return a.OK && math.Abs(a.V-b) < 1e-9 }

func TestHourFoldsAndJudges(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(23, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=66.1:N", "a19001-Avg=14.64:N", "a01012-Avg=96.2:N")...)
	m.add(rec(1, telemetry.KindHour, h, "a21002-Avg=66.1:N", "a21002-ZsAvg=62.4:N", "a19001-Avg=14.64:N"))
	e := newEngine(t, m, registry(turbine(1)), h+hourSeconds+300)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	f := row.Factor("a21002")
	if row.Source != SourceMinute || !f.Valid || f.NValid != 60 || f.Flag != "N" || !near(f.Mean, 66.1) {
		t.Errorf("hour = %+v", f)
	}
	if f.Fold != FoldOK || math.Abs(f.Folded.V-62.358490566) > 1e-6 {
		t.Errorf("folded %v (%s)", f.Folded, f.Fold)
	}
	if !f.Over || !f.Evidence || f.Basis != BasisReportedFolded || !near(f.Judged, 62.4) || math.Abs(f.Times.V-0.248) > 1e-9 {
		t.Errorf("verdict %+v", f)
	}
	if f.Mismatch || !f.DiffPct.OK || f.DiffPct.V > 0.1 {
		t.Errorf("difference %v, mismatch %v", f.DiffPct, f.Mismatch)
	}
	if x := row.Factor("a01012"); x.Over || !x.Limit.IsZero() || x.Fold != FoldNotRequired {
		t.Errorf("temperature was judged: %+v", x)
	}
}

func TestHourMarksAndSources(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	mixed := append(hourOf(1, h, "a21002-Avg=30:N", "a19001-Avg=14:N")[:4],
		rec(1, telemetry.KindMinute, h+2400, "a21002-Avg=300:C", "a19001-Avg=14:N"), rec(1, telemetry.KindMinute, h+3000, "a21002-Avg=300:C", "a19001-Avg=14:N"))
	var realtime []telemetry.Record
	for s := int64(0); s < 3600; s += 30 {
		realtime = append(realtime, rec(1, telemetry.KindRealtime, h+s, "a21002-Rtd=40:N", "a19001-Rtd=15:N"))
	}
	noMinutes := turbine(1)
	noMinutes.Intervals = []telemetry.Interval{{Realtime: 30}}
	lenient := turbine(1)
	lenient.MissingFlagIsN = true
	halted := turbine(1)
	halted.Stops = []telemetry.Stop{{From: unix(h - 100), To: unix(h + 7200)}}
	ten := []string{"a21002-Avg=60:N", "a19001-Avg=15:N"}
	for _, c := range []struct {
		name   string
		o      *telemetry.Outlet
		recs   []telemetry.Record
		source Source
		want   FactorHour
	}{
		{"forty valid minutes", turbine(1), mixed, SourceMinute, FactorHour{Flag: "C", NSeen: 60, NValid: 40, NExpected: 60}},
		{"real-time stands in", noMinutes, realtime, SourceRealtime, FactorHour{Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true}},
		{"real-time before the minutes come", turbine(1), realtime[:60], SourceRealtime, FactorHour{Flag: "Md", NSeen: 30, NValid: 30, NExpected: 60}},
		{"minutes go before real-time", turbine(1), append(hourOf(1, h, ten...), realtime...), SourceMinute, FactorHour{Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Over: true}},
		{"taken as reported", turbine(1), []telemetry.Record{rec(1, telemetry.KindHour, h, "a21002-Avg=20:N", "a19001-Avg=15:N")}, SourceReported, FactorHour{Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true}},
		{"reported as faulty", turbine(1), []telemetry.Record{rec(1, telemetry.KindHour, h, "a21002-Avg=20:D", "a19001-Avg=15:N")}, SourceReported, FactorHour{Flag: "D", NSeen: 60, NExpected: 60}},
		{"no mark, strict", turbine(1), hourOf(1, h, "a21002-Avg=20", "a19001-Avg=15:N"), SourceMinute, FactorHour{Flag: "?", NSeen: 60, NExpected: 60}},
		{"no mark, lenient", lenient, hourOf(1, h, "a21002-Avg=20", "a19001-Avg=15"), SourceMinute, FactorHour{Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true}},
		{"codes of 2005", turbine(1), hourOf(1, h, "03-Avg=60:N", "S01-Avg=15:N"), SourceMinute, FactorHour{Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Over: true}},
		{"source stopped by its mark", turbine(1), hourOf(1, h, "a21002-Avg=0:F", "a19001-Avg=20.9:F"), SourceMinute, FactorHour{Flag: "F", NSeen: 60}},
		{"declared stop", halted, hourOf(1, h, ten...), SourceMinute, FactorHour{Flag: "N", NSeen: 60, NValid: 60, Valid: true}},
		{"denser than the setting", turbine(1), []telemetry.Record{rec(1, telemetry.KindMinute, h, ten...), rec(1, telemetry.KindMinute, h+60, ten...)}, SourceMinute, FactorHour{Flag: "Md", NSeen: 2, NValid: 2, NExpected: 60}},
		{"over the end of the hour", turbine(1), []telemetry.Record{rec(1, telemetry.KindMinute, h+3300, ten...)}, SourceMinute, FactorHour{Flag: "Md", NSeen: 5, NValid: 5, NExpected: 60}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMemStore()
			m.add(c.recs...)
			e := newEngine(t, m, registry(c.o), h+hourSeconds)
			catchUp(t, e)
			row := oneHour(t, e, 1, h)
			got := *row.Factor("a21002")
			c.want.Code, c.want.InTime = "a21002", true
			counts := cmpopts.IgnoreFields(FactorHour{}, "Mean", "Min", "Max", "Cou", "Folded", "Fold", "Reported", "Judged", "Basis", "Limit", "Times", "DiffPct", "Reasons", "Evidence")
			if d := gocmp.Diff(c.want, got, counts); d != "" || row.Source != c.source {
				t.Errorf("source %d, want %d; -want +got:\n%s", row.Source, c.source, d)
			}
			if !c.want.Over {
				return
			}
			if !got.Limit.Hi.OK || got.Limit.Hi.V != 50 {
				t.Errorf("limit %+v", got.Limit)
			}
		})
	}
}

func TestOwnLimitGoesFirst(t *testing.T) {
	t.Parallel()
	o := turbine(1)
	o.Limits = []telemetry.Limit{
		{ID: "own", EffectiveFrom: "2026-11-23", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(30.0)},
	}
	m := newMemStore()
	for _, d := range []int{22, 23} {
		m.add(hourOf(1, at(d, 7, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	}
	e := newEngine(t, m, registry(o), at(23, 9, 0))
	catchUp(t, e)
	before, after := oneHour(t, e, 1, at(22, 7, 0)), oneHour(t, e, 1, at(23, 7, 0))
	if f := before.Factor("a21002"); f.Over || f.Limit.Hi.V != 50 {
		t.Errorf("the day before the permit: %+v", f.Limit)
	}
	if f := after.Factor("a21002"); !f.Over || f.Limit.ID != "own" || f.Fold != FoldOK {
		t.Errorf("since the permit: over %v, limit %+v, fold %s", f.Over, f.Limit, f.Fold)
	}
}

// TestRegistryChange: a limit entered later judges the hours it is in force
// for anew, without a word from outside.
func TestRegistryChange(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	m.add(hourOf(1, at(22, 7, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	m.add(hourOf(2, at(22, 7, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	first := registry(turbine(1), turbine(2))
	reg := &changing{s: first.s}
	e := newEngine(t, m, reg, at(22, 9, 0))
	catchUp(t, e)
	o := turbine(1)
	o.Limits = []telemetry.Limit{{ID: "own", EffectiveFrom: "2026-11-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(30.0)}}
	next := registry(o, first.s.Outlets[2])
	next.s.Version = 2
	reg.s = next.s
	m.puts = nil
	catchUp(t, e)
	if len(m.puts) != 1 || m.puts[0] != 4 {
		t.Errorf("rows written: %v, want the hour, twice what it was judged by, and that it was judged anew", m.puts)
	}
	row := oneHour(t, e, 1, at(22, 7, 0))
	if f := row.Factor("a21002"); !f.Over || f.Limit.ID != "own" {
		t.Errorf("hour after the change: %+v", f)
	}
}

type changing struct{ s *telemetry.Snapshot }

func (c *changing) Snapshot() *telemetry.Snapshot { return c.s }

func TestDays(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	incinerator := &telemetry.Outlet{
		ID: 3, Medium: telemetry.Gas, SourceType: "municipal waste incinerator", Condition: "existing plants from 2016-01-01", Level: "表4",
		Intervals: []telemetry.Interval{{Minute: 10}}, Factors: []telemetry.OutletFactor{{Code: "a21005"}, {Code: "a19001"}},
	}
	for hour := range 24 {
		h := at(22, hour, 0)
		if hour < 20 {
			m.add(hourOf(3, h, "a21005-Avg=90:N", "a19001-Avg=11:N")...)
		}
		cod := "w01018-Avg=40:N"
		if hour%2 == 1 {
			cod = "w01018-Avg=70:N"
		}
		flow := "w00000-Avg=100:N"
		if hour%2 == 1 {
			flow = "w00000-Avg=300:N"
		}
		if hour < 18 {
			m.add(hourOf(2, h, cod, "w21003-Avg=6:N", "w01001-Avg=7:N", flow, "w01010-Avg=8:N")...)
		}
	}
	e := newEngine(t, m, registry(works(2), incinerator), at(23, 0, 30))
	catchUp(t, e)
	days, err := e.Days(2, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
	if err != nil || len(days) != 1 {
		t.Fatalf("%d days, %v", len(days), err)
	}
	cod := days[0].Factor("w01018")
	if !cod.Valid || cod.NValid != 18 || cod.NExpected != 24 || !near(cod.Mean, 62.5) || !cod.Over || !cod.Evidence || math.Abs(cod.Times.V-0.25) > 1e-9 {
		t.Errorf("COD of the day: %+v", cod)
	}
	if want := 18 * 200 * 3.6; math.Abs(cod.Flow.V-want) > 1e-6 || math.Abs(cod.Total.V-62.5*want/1000) > 1e-6 {
		t.Errorf("flow %v, total %v", cod.Flow, cod.Total)
	}
	if nh3 := days[0].Factor("w21003"); nh3.Over || nh3.Limit.Hi.V != 8 { // 6 mg/L is allowed in water of 8 degC
		t.Errorf("ammonia in cold water: %+v", nh3)
	}
	if ph := days[0].Factor("w01001"); !ph.Limit.IsZero() || !near(ph.Mean, 7) || ph.Total.OK {
		t.Errorf("pH of the day: %+v", ph)
	}
	days, err = e.Days(3, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	co := days[0].Factor("a21005")
	if !co.Valid || co.NValid != 20 || !near(co.Folded, 90) || !co.Over || !co.Evidence || co.Limit.Hi.V != 80 {
		t.Errorf("CO of the day: %+v", co)
	}
	row := oneHour(t, e, 3, at(22, 5, 0))
	if f := row.Factor("a21005"); f.Over || f.Evidence || f.Limit.Hi.V != 100 {
		t.Errorf("hour of an incinerator: %+v", f)
	}
}

// TestLateFrame wants a late frame to touch its hour and its day, nothing else.
func TestLateFrame(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for hour := range 24 {
		m.add(hourOf(1, at(22, hour, 0), "a21002-Avg=30:N", "a19001-Avg=15:N")[1:]...)
		m.add(hourOf(1, at(23, hour, 0), "a21002-Avg=30:N", "a19001-Avg=15:N")...)
	}
	e := newEngine(t, m, registry(turbine(1), works(2)), at(24, 0, 5))
	catchUp(t, e)
	before := bytesOf(m)
	late := rec(1, telemetry.KindMinute, at(22, 7, 0), "a21002-Avg=300:N", "a19001-Avg=15:N")
	late.RF = true
	m.add(late)
	m.puts = nil
	catchUp(t, e)
	if len(m.puts) != 1 || m.puts[0] != 2 {
		t.Errorf("rows written: %v, want one hour and one day", m.puts)
	}
	changed := 0
	for k, v := range bytesOf(m) {
		if before[k] != v {
			changed++
			if k != derivedKey(TableHour, 1, at(22, 7, 0)) && k != derivedKey(TableDay, 1, at(22, 0, 0)) {
				t.Errorf("row %x changed", k)
			}
		}
	}
	if changed != 2 {
		t.Errorf("%d rows changed, want 2", changed)
	}
	m.puts = nil
	e.MarkDirty(1, unix(at(22, 3, 0)), unix(at(22, 5, 0)))
	if b := e.Backlog(); b.Done() || b.Dirty != 2 {
		t.Errorf("backlog after MarkDirty: %+v", b)
	}
	catchUp(t, e)
	if len(m.puts) != 1 || m.puts[0] != 3 || !e.Backlog().Done() || !e.Ready() {
		t.Errorf("rows written after MarkDirty: %v; backlog %+v", m.puts, e.Backlog())
	}
}

// bytesOf are the rows but for the log of recomputes, which tells when things
// were done.
func bytesOf(m *memStore) map[string]string {
	out := map[string]string{}
	for k, v := range m.derived {
		if k[0] != tableRecompute {
			out[k] = string(v)
		}
	}
	return out
}

// TestOrderOfArrival: whatever the order and the batches the frames come in,
// the derived rows have the same bytes as when judged from scratch.
func TestOrderOfArrival(t *testing.T) {
	t.Parallel()
	reg := registry(turbine(1), works(2))
	marks := []string{"N", "N", "N", "N", "C", "M", "D", "F", ""}
	rapid.Check(t, func(rt *rapid.T) {
		start := at(22, 20, 0)
		var recs []telemetry.Record
		taken := map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(rt, "n") {
			k := rapid.SampledFrom([]telemetry.Kind{telemetry.KindMinute, telemetry.KindMinute, telemetry.KindHour, telemetry.KindDay, telemetry.KindRealtime}).Draw(rt, "kind")
			step := int64(600)
			if k == telemetry.KindHour {
				step = 3600
			}
			when := start + step*rapid.Int64Range(0, 8*3600/step).Draw(rt, "slot")
			if k == telemetry.KindDay {
				when = dayStart(when)
			}
			o := telemetry.OutletID(rapid.IntRange(1, 2).Draw(rt, "outlet"))
			if id := fmt.Sprint(o, k, when); taken[id] { // a revision's outcome does depend on the order
				continue
			} else {
				taken[id] = true
			}
			mark := rapid.SampledFrom(marks).Draw(rt, "mark")
			v := rapid.IntRange(-5, 900).Draw(rt, "value")
			codes := []string{"a21002", "a19001"}
			if o == 2 {
				codes = []string{"w01018", "w00000", "w20117"}
			}
			var items []string
			for _, c := range codes {
				suffix := "Avg"
				if k == telemetry.KindRealtime {
					suffix = "Rtd"
				}
				items = append(items, fmt.Sprintf("%s-%s=%d.%d:%s", c, suffix, v/10, max(v, -v)%10, mark))
			}
			recs = append(recs, rec(o, k, when, items...))
		}
		run := func(list []telemetry.Record, size int) map[string]string {
			m := newMemStore()
			e := newEngine(t, m, reg, at(24, 0, 0))
			for len(list) > 0 {
				n := min(size, len(list))
				m.add(list[:n]...)
				list = list[n:]
				catchUp(t, e)
			}
			return bytesOf(m)
		}
		want := run(recs, len(recs)+1)
		if d := gocmp.Diff(want, run(rapid.Permutation(recs).Draw(rt, "order"), rapid.IntRange(1, 10).Draw(rt, "batch"))); d != "" {
			rt.Fatalf("derived rows depend on the order of arrival:\n%s", d)
		}
		m := newMemStore()
		m.add(recs...)
		e := newEngine(t, m, reg, at(24, 0, 0))
		catchUp(t, e)
		m.derived, m.cursor = map[string][]byte{}, 0
		catchUp(t, newEngine(t, m, reg, at(25, 0, 0)))
		if d := gocmp.Diff(want, bytesOf(m)); d != "" {
			rt.Fatalf("a rebuild gives other bytes:\n%s", d)
		}
	})
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(23, 7, 0)
	reg := registry(turbine(1))
	m.add(hourOf(1, h, "a21002-Avg=60:N", "a19001-Avg=15:N")...)
	alive := rec(1, telemetry.KindRealtime, h+3590, "a21002-Rtd=60:N")
	alive.Received = (h + 3990) * 1e6
	m.add(alive)
	catchUp(t, newEngine(t, m, reg, h+4000))
	e := newEngine(t, m, reg, h+4000)
	catchUp(t, e)
	if len(m.puts) != 1 {
		t.Errorf("the restart judged again: %v", m.puts)
	}
	if s, err := e.State(1, unix(h+4000)); err != nil || s.State != Exceed {
		t.Errorf("state after a restart: %+v, %v", s, err)
	}
}

func TestFailedPassIsRepeated(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(23, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=60:N", "a19001-Avg=15:N")...)
	e := newEngine(t, m, registry(turbine(1)), h+4000)
	m.fail = errors.New("disk")
	if err := e.CatchUp(t.Context()); !errors.Is(err, m.fail) {
		t.Fatalf("error = %v", err)
	}
	if e.Backlog().Done() {
		t.Error("a failed pass counts as done")
	}
	m.fail = nil
	catchUp(t, e)
	oneHour(t, e, 1, h)
}

// refusing is a store that refuses rows so many times.
type refusing struct {
	*memStore
	left atomic.Int32
}

func (r *refusing) PutDerived(rows []store.Derived, cursor string, seq uint64) error {
	if r.left.Add(-1) >= 0 {
		return errors.New("disk full")
	}
	return r.memStore.PutDerived(rows, cursor, seq)
}

// TestFailingIsSaidOnce: a fault that lasts is logged when it begins and when
// it ends.
func TestFailingIsSaidOnce(t *testing.T) {
	t.Parallel()
	m := &refusing{memStore: newMemStore()}
	m.left.Store(3)
	h := at(23, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=60:N")...)
	var said bytes.Buffer
	e, err := New(Options{
		Store: m, Registry: registry(turbine(1)), Now: func() time.Time { return unix(h + 4000) },
		Every: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&said, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	for !e.Ready() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if failed, on := strings.Count(said.String(), "judging failed"), strings.Count(said.String(), "judging goes on"); failed != 1 || on != 1 || m.left.Load() >= 0 {
		t.Errorf("%d times failed, %d times gone on:\n%s", failed, on, said.String())
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(23, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=66.1:N", "a19001-Avg=14.64:N")...)
	m.add(rec(1, telemetry.KindHour, h, "a21002-Avg=66.1:N", "a21002-ZsAvg=70:N"))
	e := newEngine(t, m, registry(turbine(1)), h+4000)
	catchUp(t, e)
	row := oneHour(t, e, 1, h)
	if row.Factors[0].Mismatch == false {
		t.Error("70 against 62.36 is no mismatch")
	}
	b := AppendHour(nil, &row)
	back, err := ReadHour(1, h, b)
	if d := gocmp.Diff(row, back, cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	partsAgree(t, &row, b)
	for i := range b {
		if _, err := ReadHour(1, h, b[:i]); !errors.Is(err, ErrRow) {
			t.Fatalf("a row cut at %d was read: %v", i, err)
		}
	}
}

// partsAgree: what reads parts of an hour's row finds what is in all of it.
func partsAgree(t *testing.T, r *HourRow, b []byte) {
	t.Helper()
	covered := coverageOf(b, nil)
	if len(covered) != len(r.Factors) {
		t.Fatalf("%d factors are covered, the row has %d", len(covered), len(r.Factors))
	}
	for i := range r.Factors {
		f := &r.Factors[i]
		if c := covered[i]; string(c.code) != f.Code || c.seen != f.NSeen || c.expected != f.NExpected {
			t.Errorf("%+v covers %s by %+v", f, c.code, c)
		}
		var one FactorHour
		if !findHourOf(&one, []string{f.Code}, b) || gocmp.Diff(*r.Factor(f.Code), one, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()) != "" {
			t.Errorf("%s is found as %+v", f.Code, one)
		}
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add([]byte{codecVersion, 0, 0, 0, 0})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ReadHour(1, 0, b); err == nil {
			if again, err := ReadHour(1, 0, AppendHour(nil, &r)); err != nil || gocmp.Diff(r, again, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()) != "" {
				t.Errorf("row does not survive: %v", err)
			}
			partsAgree(t, &r, b)
		}
		if r, err := ReadDay(1, 0, b); err == nil {
			if _, err := ReadDay(1, 0, AppendDay(nil, &r)); err != nil {
				t.Errorf("day does not survive: %v", err)
			}
		}
	})
}

func TestFactorCodesOf2005(t *testing.T) {
	t.Parallel()
	for old, want := range map[string]string{"01": "a34013", "03": "a21002", "S01": "a19001", "011": "w01018", "001": "w01001", "a21026": "a21026", "nonsense": "nonsense"} {
		if got := canon(old); got != want {
			t.Errorf("%s became %s, want %s", old, got, want)
		}
	}
	if _, ok := hj212.LookupFactor("a21026"); !ok {
		t.Error("factor table is empty")
	}
}
