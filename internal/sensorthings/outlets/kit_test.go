package outlets

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// day0 is a midnight in Beijing.
var day0 = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

type fixed struct {
	s atomic.Pointer[telemetry.Snapshot]
}

func (f *fixed) Snapshot() *telemetry.Snapshot { return f.s.Load() }

// kit is a source over a real store and the real judgement.
type kit struct {
	*Source
	store  *store.Store
	engine *quality.Engine
	reg    *fixed
	mu     sync.Mutex
	now    time.Time
}

func (k *kit) clock() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *kit) setClock(t time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = t
}

// region has a gas outlet whose NOx is folded, a water outlet registered by a
// code of 2005, and a section without coordinates.
func region() *telemetry.Snapshot {
	hi, o2, lo := 50.0, 15.0, 6.0
	nine := 9.0
	s := &telemetry.Snapshot{
		Version: 1,
		Areas:   map[string]*telemetry.Area{"540102": {Code: "540102", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "城关区", En: "Chengguan"}}},
		Enterprises: map[string]*telemetry.Enterprise{
			"e1": {ID: "e1", Name: telemetry.Name{Zh: "示例电厂", En: "Sample power plant"}, Area: "540102", Permit: "P1", Sample: true},
			"e2": {ID: "e2", Name: telemetry.Name{Zh: "示例水厂"}, Area: "540102"},
		},
		Limits: []telemetry.Limit{
			{ID: "gb.1", Standard: "GB 13223-2011", SourceType: "gas turbine", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: &hi, RefO2: &o2, Unit: "mg/m3", EffectiveFrom: "2012-01-01"},
			{ID: "gb.2", Standard: "GB 18918-2002", SourceType: "urban wastewater treatment plant", Factor: "w01001", Statistic: "day", Op: "range", Lo: &lo, Hi: &nine, Unit: "1", EffectiveFrom: "2003-07-01"},
		},
		Devices: map[string]*telemetry.Device{},
	}
	s.Outlets = map[telemetry.OutletID]*telemetry.Outlet{
		1: {
			ID: 1, Enterprise: "e1", Name: telemetry.Name{Zh: "1号排口", En: "Unit 1"}, Medium: telemetry.Gas, SourceType: "gas turbine", Area: "540102", Lon: 91.1, Lat: 29.65, Since: day0.AddDate(-1, 0, 0), Sample: true,
			Factors:   []telemetry.OutletFactor{{Code: "a21002", Order: 1}, {Code: "a19001", Order: 2}},
			Intervals: []telemetry.Interval{{Realtime: 60, Minute: 10}},
		},
		2: {
			ID: 2, Enterprise: "e2", Name: telemetry.Name{Zh: "总排口"}, Medium: telemetry.Water, SourceType: "urban wastewater treatment plant", Area: "540102", Lon: 91.2, Lat: 29.6, MissingFlagIsN: true,
			Factors: []telemetry.OutletFactor{{Code: "001", Order: 1}, {Code: "w00000", Order: 2}}, Intervals: []telemetry.Interval{{Minute: 10}},
		},
		3: {ID: 3, Enterprise: "e2", Name: telemetry.Name{Zh: "断面"}, Medium: telemetry.Surface, Area: "540102", Factors: []telemetry.OutletFactor{{Code: "w01001", Order: 1}}},
	}
	for id := range s.Outlets {
		s.Order = append(s.Order, id)
		mn := fmt.Sprintf("M%d", id)
		s.Devices[mn] = &telemetry.Device{MN: mn, Outlet: id, Password: "hunter2", From: day0.AddDate(0, -1, 0), Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	}
	slices.Sort(s.Order)
	return s
}

func newKit(tb testing.TB) *kit {
	tb.Helper()
	st, err := store.Open(tb.TempDir(), store.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	k := &kit{store: st, reg: &fixed{}, now: day0.Add(48 * time.Hour)}
	k.reg.s.Store(region())
	if k.engine, err = quality.New(quality.Options{Store: st, Registry: k.reg, Now: k.clock, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		tb.Fatal(err)
	}
	k.reopen(tb)
	return k
}

// reopen makes the source anew, as a restart does.
func (k *kit) reopen(tb testing.TB) {
	tb.Helper()
	var err error
	if k.Source, err = New(Options{Store: k.store, Registry: k.reg, Quality: k.engine, Now: k.clock}); err != nil {
		tb.Fatal(err)
	}
}

// send stores one frame a call of items "code-Suffix=value".
func (k *kit) send(tb testing.TB, outlet telemetry.OutletID, cn int, at time.Time, items ...string) {
	tb.Helper()
	k.sendAll(tb, frame(tb, outlet, cn, at, items...))
}

func frame(tb testing.TB, outlet telemetry.OutletID, cn int, at time.Time, items ...string) *store.Frame {
	tb.Helper()
	seg := fmt.Appendf(nil, "QN=20261123000000000;ST=31;CN=%d;PW=1;MN=M%d;Flag=5;CP=&&DataTime=%s", cn, outlet, hj212.AppendTime(nil, at))
	for _, it := range items {
		seg = append(append(seg, ';'), it...)
	}
	raw := hj212.AppendFrame(nil, append(seg, "&&"...))
	raw = raw[:len(raw)-2]
	var p hj212.Packet
	if err := p.Parse(raw[6 : len(raw)-4]); err != nil {
		tb.Fatal(err)
	}
	return &store.Frame{
		MN: fmt.Sprintf("M%d", outlet), Outlet: outlet, Kind: telemetry.KindOf(cn), At: at.Unix(), Received: at.Add(2 * time.Second),
		Raw: raw, Verdict: telemetry.Stored, Values: telemetry.ValuesOf(&p, nil),
	}
}

func (k *kit) sendAll(tb testing.TB, frames ...*store.Frame) {
	tb.Helper()
	var wg sync.WaitGroup
	wg.Add(len(frames))
	for _, f := range frames {
		f.Done = func(store.Result) { wg.Done() }
	}
	if err := k.store.SubmitBatch(tb.Context(), frames); err != nil {
		tb.Fatal(err)
	}
	wg.Wait()
}

// fill sends days of minute records of outlets 1 and 2, with some invalid ones.
func (k *kit) fill(tb testing.TB, from time.Time, hours int) {
	tb.Helper()
	var frames []*store.Frame
	for i := range hours * 6 {
		at := from.Add(time.Duration(i) * 10 * time.Minute)
		mark := "N"
		if i%37 == 5 {
			mark = "D"
		}
		frames = append(frames,
			frame(tb, 1, 2051, at, fmt.Sprintf("a21002-Min=1,a21002-Avg=%d.50,a21002-Max=99,a21002-Flag=%s", 30+i%40, mark), "a19001-Avg=14.2,a19001-Flag=N"),
			frame(tb, 2, 2051, at, fmt.Sprintf("001-Avg=7.%02d", i%100), "w00000-Avg=10,w00000-Cou=6000"))
	}
	k.sendAll(tb, frames...)
	k.judge(tb)
}

func (k *kit) judge(tb testing.TB) {
	tb.Helper()
	if err := k.engine.CatchUp(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	k.fresh()
}

// fresh makes the source look again at once.
func (k *kit) fresh() {
	k.looked.Lock()
	defer k.looked.Unlock()
	k.looked.at = time.Time{}
}

// stream finds a Datastream.
func (k *kit) stream(tb testing.TB, outlet telemetry.OutletID, code string, l level, suffix string) sensorthings.ID {
	tb.Helper()
	se := k.numbers.list.Load().byKey[key{outlet, code, l, suffix}]
	if se == nil {
		tb.Fatalf("no Datastream of outlet %d, %s, %s, %s", outlet, code, l, suffix)
	}
	return se.id
}

// copied is an observation of its own.
func copied(o *sensorthings.Observation) sensorthings.Observation {
	c := *o
	c.Result, c.Quality, c.Parameters = slices.Clone(o.Result), slices.Clone(o.Quality), slices.Clone(o.Parameters)
	return c
}

func read(tb testing.TB, r sensorthings.Reader, sc sensorthings.Scan) (out []sensorthings.Observation) {
	tb.Helper()
	if err := r.Observations(tb.Context(), sc, func(o *sensorthings.Observation) bool { out = append(out, copied(o)); return true }); err != nil {
		tb.Fatal(err)
	}
	return out
}
