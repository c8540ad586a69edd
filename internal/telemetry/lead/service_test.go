package lead

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// bench is the service over constructed rows, at a time that stands until it is moved.
type bench struct {
	*quality.Engine // for its Watch: an engine over an empty store
	t               *testing.T
	now             time.Time
	rows            map[telemetry.OutletID][]quality.HourRow
	snap            *telemetry.Snapshot
	reads           int
	s               *Service
	db              *db.DB
}

func (r *bench) Snapshot() *telemetry.Snapshot { return r.snap }
func (r *bench) Ready() bool                   { return true }
func (r *bench) Backlog() quality.Backlog      { return quality.Backlog{} }
func (r *bench) clock() time.Time              { return r.now }

func (r *bench) Hours(o telemetry.OutletID, from, to time.Time) (out []quality.HourRow, _ error) {
	r.reads++
	for _, row := range r.rows[o] {
		if row.At >= from.Unix() && row.At < to.Unix() {
			out = append(out, row)
		}
	}
	return out, nil
}

func (r *bench) Days(telemetry.OutletID, time.Time, time.Time) ([]quality.DayRow, error) {
	return nil, nil
}

func newBench(t *testing.T, url string) *bench {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &bench{t: t, db: d, now: time.Unix(october+33*daySeconds+2*hourSeconds, 0), rows: map[telemetry.OutletID][]quality.HourRow{}}
	r.snap = &telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Areas: map[string]*telemetry.Area{
		"540100": {Code: "540100"}, "540121": {Code: "540121", Parent: "540100"}, "540221": {Code: "540221"},
	}}
	s, err := store.Open(t.TempDir(), store.Options{Now: r.clock, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if r.Engine, err = quality.New(quality.Options{Store: s, Registry: r, Now: r.clock}); err != nil {
		t.Fatal(err)
	}
	if r.s, err = New(Options{DB: d, Engine: r, Registry: r, Now: r.clock}); err != nil {
		t.Fatal(err)
	}
	return r
}

// put gives an outlet in an area a month.
func (r *bench) put(id telemetry.OutletID, area string, p *plant) {
	o := *p.in.Outlet
	o.ID, o.Area, o.Enterprise = id, area, "E"+area
	r.snap.Outlets[id] = &o
	if !slices.Contains(r.snap.Order, id) {
		r.snap.Order = append(r.snap.Order, id)
	}
	r.rows[id] = p.in.Hours
}

func (r *bench) list(f Filter) []Lead {
	r.t.Helper()
	list, err := r.s.List(r.t.Context(), f)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *bench) tick() {
	r.t.Helper()
	if err := r.s.tick(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func tampered(id string, seed uint64) *plant {
	for _, x := range tamperings {
		if x.id == id {
			return x.make(seed)
		}
	}
	panic(id)
}

var officer = auth.Principal{ID: "u1", Post: auth.Post{Zh: "值班岗"}, Role: auth.Officer}

func eachDatabase(t *testing.T, fn func(t *testing.T, r *bench)) {
	t.Helper()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, newBench(t, database.URL(t)))
		})
	}
}

// TestLooks: a month is looked at once a day and when it was judged anew, the same
// evidence writes nothing, and what is no longer found says so and comes back.
func TestLooks(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *bench) {
		t.Helper()
		r.put(1, "540121", tampered("flat_top", 1))
		r.put(2, "540121", stack(2))
		r.tick()
		list := r.list(Filter{})
		if len(list) != 1 || list[0].Detector != "flat_top" || list[0].Outlet != 1 || list[0].Month != "2026-10" || list[0].Version != 1 || len(list[0].Spans) == 0 {
			t.Fatalf("%+v", list)
		}
		first := list[0]
		if _, until, ok, err := r.s.Looked(t.Context(), 2, "2026-10"); err != nil || !ok || until.Unix() != october+31*daySeconds {
			t.Errorf("%v %v %v", until, ok, err)
		}
		if n, last, err := r.s.Progress(t.Context()); err != nil || n != 2 || !last.Equal(r.now) {
			t.Errorf("%d %v %v", n, last, err)
		}
		reads := r.reads
		r.now = r.now.Add(2 * time.Hour)
		r.tick()
		if r.reads != reads {
			t.Error("nothing was due, but rows were read")
		}

		// Judged anew: it is gone, an hour after the last look at the earliest.
		r.put(1, "540121", stack(1))
		r.s.changed(1, october+40*hourSeconds, r.s.edge)
		r.tick()
		if got := r.list(Filter{State: "vanished"}); len(got) != 1 || got[0].ID != first.ID || got[0].Vanished.IsZero() || len(r.list(Filter{})) != 0 {
			t.Fatalf("%+v", got)
		}
		r.put(1, "540121", tampered("flat_top", 1))
		r.s.changed(1, october, r.s.edge)
		r.tick() // too soon
		if len(r.list(Filter{})) != 0 {
			t.Error("looked at again within the hour")
		}
		r.now = r.now.Add(2 * time.Hour)
		r.tick()
		if got := r.list(Filter{}); len(got) != 1 || got[0].ID != first.ID || !got[0].Vanished.IsZero() || !got[0].Found.Equal(first.Found) {
			t.Errorf("%+v", got)
		}

		// A restart looks at everything again and makes nothing twice.
		again, err := New(r.s.o)
		if err != nil {
			t.Fatal(err)
		}
		r.s = again
		was := r.list(Filter{State: "all"})[0].Changed
		r.now = r.now.Add(time.Hour)
		if err := r.s.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.list(Filter{State: "all"}); len(got) != 1 || !got[0].Changed.Equal(was) {
			t.Errorf("%+v", got)
		}
	})
}

// TestRunningMonth: the running month has its closed days in it, each day one more.
func TestRunningMonth(t *testing.T) {
	t.Parallel()
	r := newBench(t, testkit.Databases()[0].URL(t))
	r.put(1, "540121", stack(1))
	r.now = time.Unix(october+10*daySeconds+40*60, 0) // the tenth day is left to late frames
	r.tick()
	if _, until, _, err := r.s.Looked(t.Context(), 1, "2026-10"); err != nil || until.Unix() != october+9*daySeconds {
		t.Errorf("%v %v", until, err)
	}
	r.now = r.now.Add(time.Hour)
	r.tick()
	if _, until, _, err := r.s.Looked(t.Context(), 1, "2026-10"); err != nil || until.Unix() != october+10*daySeconds {
		t.Errorf("%v %v", until, err)
	}
	if _, _, ok, err := r.s.Looked(t.Context(), 1, "2026-09"); err != nil || !ok {
		t.Errorf("the month before was not looked at: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := r.s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// TestTogether: outlets of one enterprise are compared, and the one that stands for
// the pair is looked at again when the other was judged anew.
func TestTogether(t *testing.T) {
	t.Parallel()
	r := newBench(t, testkit.Databases()[0].URL(t))
	p := tampered("moving_together", 1)
	peer := p.in.Peers[0]
	r.put(1, "540121", p)
	r.put(9, "540121", &plant{peer, p.rnd})
	r.tick()
	if got := r.list(Filter{Detector: "moving_together"}); len(got) != 1 || got[0].Outlet != 1 || got[0].Peer != 9 {
		t.Fatalf("%+v", got)
	}
	r.put(9, "540121", stack(50))
	r.now = r.now.Add(2 * time.Hour)
	r.s.changed(9, october, r.s.edge)
	r.tick()
	if got := r.list(Filter{Detector: "moving_together"}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestSay: what people say of a lead is kept, recorded and counted, and lowers the
// rank of the detector at that outlet alone.
func TestSay(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *bench) {
		t.Helper()
		r.put(1, "540121", tampered("flat_top", 1))
		r.put(2, "540221", tampered("flat_top", 1))
		r.tick()
		list := r.list(Filter{})
		if len(list) != 2 || list[0].Rank != list[0].Score {
			t.Fatalf("%+v", list)
		}
		id := r.list(Filter{Outlet: 1})[0].ID
		for name, err := range map[string]error{
			"nothing":   r.s.Say(t.Context(), id, "", "", "", officer),
			"no reason": r.s.Say(t.Context(), id, Unhelpful, "", "", officer),
			"no text":   r.s.Say(t.Context(), id, Unhelpful, "other", " ", officer),
		} {
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := r.s.Say(t.Context(), "none", Looking, "", "", officer); !errs.Is(err, errs.NotFound) {
			t.Errorf("of none: %v", err)
		}
		for _, x := range []struct{ say, reason, note string }{{Looking, "", ""}, {Unhelpful, "innocent", "设定值"}} {
			if err := r.s.Say(t.Context(), id, x.say, x.reason, x.note, officer); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.s.Say(t.Context(), id, Unhelpful, "innocent", "", officer); !errs.Is(err, errs.Conflict) {
			t.Errorf("twice: %v", err)
		}
		l, notes, err := r.s.Get(t.Context(), id)
		if err != nil || l.State != Unhelpful || l.Rank != l.Score/2 || len(notes) != 2 || notes[1].Reason != "innocent" || notes[1].Post.Zh != "值班岗" {
			t.Errorf("%+v %+v %v", l, notes, err)
		}
		if other := r.list(Filter{Outlet: 2})[0]; other.Rank != other.Score {
			t.Errorf("of another outlet: %+v", other)
		}
		if got := r.list(Filter{State: Unhelpful}); len(got) != 1 || len(r.list(Filter{Outlet: 1})) != 0 {
			t.Errorf("%+v", got)
		}
		if err := r.s.Opened(t.Context(), id, "case-1", "26000000000000", officer); err != nil {
			t.Fatal(err)
		}
		counts, err := r.s.Counts(t.Context(), func(*telemetry.Outlet) bool { return true })
		if err != nil || counts["flat_top"] != (Counts{Found: 2, Unhelpful: 1, Cases: 1}) {
			t.Errorf("%+v %v", counts, err)
		}
		acts := map[string]int{}
		if err := audit.List(t.Context(), r.db, audit.Filter{}, func(e *audit.Entry) bool { acts[e.Act]++; return true }); err != nil || acts["lead.looking"] != 1 || acts["lead.unhelpful"] != 1 || acts["lead.case"] != 1 {
			t.Errorf("%v %v", acts, err)
		}
		// What was said stays when the evidence changes.
		r.put(1, "540121", tampered("flat_top", 3))
		r.now = r.now.Add(2 * time.Hour)
		r.s.changed(1, october, r.s.edge)
		r.tick()
		if l, _, err := r.s.Get(t.Context(), id); err != nil || l.State != Unhelpful || l.Case != "case-1" {
			t.Errorf("%+v %v", l, err)
		}
		if _, err := r.db.Exec(t.Context(), `DELETE FROM lead_log`); err == nil {
			t.Error("what was said can be deleted")
		}
	})
}

// TestQuiet: leads are left out by outlet or by area, of one detector or all, until
// the time is over or somebody ends it.
func TestQuiet(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *bench) {
		t.Helper()
		r.put(1, "540121", tampered("flat_top", 1))
		r.put(2, "540221", tampered("flat_top", 1))
		r.tick()
		until := r.now.Add(48 * time.Hour)
		for name, q := range map[string]Quiet{
			"no reason": {Until: until}, "past": {Reason: "x", Until: r.now}, "for ever": {Reason: "x", Until: r.now.AddDate(2, 0, 0)}, "no detector": {Reason: "x", Until: until, Detector: "x"},
		} {
			if err := r.s.Quieten(t.Context(), q, officer); !errs.Is(err, errs.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := r.s.Quieten(t.Context(), Quiet{Detector: "flat_top", Area: "540121", Reason: "量程更换中", Until: until}, officer); err != nil {
			t.Fatal(err)
		}
		if err := r.s.Quieten(t.Context(), Quiet{Detector: "too_smooth", Outlet: 2, Area: "540221", Reason: "x", Until: until}, officer); err != nil {
			t.Fatal(err)
		}
		if got := r.list(Filter{}); len(got) != 1 || got[0].Outlet != 2 {
			t.Errorf("%+v", got)
		}
		if got := r.list(Filter{State: "quiet"}); len(got) != 1 || got[0].Quiet.Reason != "量程更换中" {
			t.Errorf("%+v", got)
		}
		if got := r.list(Filter{Area: "540100", State: "all"}); len(got) != 1 || got[0].Outlet != 1 {
			t.Errorf("by area: %+v", got)
		}
		quiets, err := r.s.Quiets(t.Context())
		if err != nil || len(quiets) != 2 {
			t.Fatalf("%+v %v", quiets, err)
		}
		if err := r.s.Unquieten(t.Context(), quiets[1].ID, officer); err != nil || len(r.list(Filter{})) != 2 {
			t.Errorf("ended: %v", err)
		}
		if err := r.s.Unquieten(t.Context(), quiets[1].ID, officer); !errs.Is(err, errs.Conflict) {
			t.Errorf("twice: %v", err)
		}
		if err := r.s.Unquieten(t.Context(), "none", officer); !errs.Is(err, errs.NotFound) {
			t.Errorf("none: %v", err)
		}
		r.now = until
		if quiets, _ = r.s.Quiets(t.Context()); quiets[0].Active(r.now) {
			t.Error("its time is over")
		}
		if got := r.list(Filter{Outlets: func(o *telemetry.Outlet) bool { return o.ID == 2 }}); len(got) != 1 {
			t.Errorf("of others: %+v", got)
		}
	})
}
