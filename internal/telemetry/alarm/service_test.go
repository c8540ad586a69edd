package alarm

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/testkit"
	"plateau/rules"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// fakeEngine holds judged hours that tests change.
type fakeEngine struct {
	mu    sync.Mutex
	hours map[int64]quality.HourRow
	days  map[int64]quality.DayRow
}

func (f *fakeEngine) Watch() *quality.Watch    { return &quality.Watch{} }
func (f *fakeEngine) Ready() bool              { return true }
func (f *fakeEngine) Backlog() quality.Backlog { return quality.Backlog{} }

func (f *fakeEngine) First(telemetry.OutletID) (int64, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.hours) == 0 {
		return 0, false, nil
	}
	return slices.Min(slices.Collect(maps.Keys(f.hours))), true, nil
}

func (f *fakeEngine) Hours(_ telemetry.OutletID, from, to time.Time) (out []quality.HourRow, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range slices.Sorted(maps.Keys(f.hours)) {
		if at >= from.Unix() && at < to.Unix() {
			out = append(out, f.hours[at])
		}
	}
	return out, nil
}

func (f *fakeEngine) Days(_ telemetry.OutletID, from, to time.Time) (out []quality.DayRow, err error) {
	for _, at := range slices.Sorted(maps.Keys(f.days)) {
		if at >= from.Unix() && at < to.Unix() {
			out = append(out, f.days[at])
		}
	}
	return out, nil
}

func (f *fakeEngine) Examiner(snap *telemetry.Snapshot, o *telemetry.Outlet, rows []quality.HourRow) *quality.Examiner {
	return quality.NewExaminer(rules.Default(), snap.Limits, o, rows)
}

type fixed struct{ s *telemetry.Snapshot }

func (f fixed) Snapshot() *telemetry.Snapshot { return f.s }

// bench is a service over a scene.
type testBench struct {
	*Service
	engine *fakeEngine
	now    time.Time
	scene  *scene
}

func newBench(tb testing.TB, url, text string) *testBench {
	tb.Helper()
	d, err := db.Open(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	s := readScene(text)
	b := &testBench{engine: &fakeEngine{}, now: s.in.Now, scene: s}
	b.load(text)
	snap := &telemetry.Snapshot{Outlets: map[telemetry.OutletID]*telemetry.Outlet{7: s.out}, Order: []telemetry.OutletID{7}}
	if b.Service, err = New(Options{DB: d, Engine: b.engine, Registry: fixed{snap}, Now: func() time.Time { return b.now }}); err != nil {
		tb.Fatal(err)
	}
	return b
}

// load replaces the judged hours by those of a scene.
func (b *testBench) load(text string) {
	s := readScene(text)
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	b.engine.hours, b.engine.days = map[int64]quality.HourRow{}, map[int64]quality.DayRow{}
	for _, r := range s.in.Hours {
		b.engine.hours[r.At] = r
	}
	for _, r := range s.in.Days {
		b.engine.days[r.At] = r
	}
	b.now = s.in.Now
}

func (b *testBench) redo(tb testing.TB, hours float64) {
	tb.Helper()
	from := int64(0)
	if hours >= 0 {
		from = begin.Add(time.Duration(hours * float64(time.Hour))).Unix()
	}
	if _, err := b.derive(tb.Context(), 7, from); err != nil {
		tb.Fatal(err)
	}
}

func (b *testBench) all(tb testing.TB) []Episode {
	tb.Helper()
	list, err := query(tb.Context(), b.o.DB, "WHERE withdrawn_at IS NULL ORDER BY start_at, kind, factor, statistic, quiet")
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

var officer = auth.Principal{ID: "u1", Post: auth.Post{Zh: "值班员（示例）", En: "Duty officer (sample)"}, Role: auth.Officer}

const overScene = "limit a21002 hour <= 50\n"

func TestServiceOnBothDatabases(t *testing.T) {
	t.Parallel()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, d.URL(t), overScene+"a21002 40 55 55 40 C 40#20 40")
			ctx := t.Context()
			b.redo(t, -1)
			want := Derive(b.scene.in)
			if diff := cmp.Diff(want, b.all(t)); diff != "" {
				t.Fatalf("what was derived (-) is not what is stored (+):\n%s", diff)
			}
			list, err := b.List(ctx, Filter{})
			if err != nil || len(list) != 2 {
				t.Fatalf("%d alarms, %v", len(list), err)
			}
			for name, tt := range map[string]struct {
				f Filter
				n int
			}{
				"all":         {Filter{}, 2},
				"quiet":       {Filter{Quiet: true}, 1},
				"kind":        {Filter{Kinds: []Kind{Over}}, 1},
				"severity":    {Filter{Severity: Warn}, 1},
				"open":        {Filter{Open: new(true)}, 0},
				"closed":      {Filter{Open: new(false)}, 2},
				"acked":       {Filter{Acked: new(true)}, 0},
				"not acked":   {Filter{Acked: new(false)}, 2},
				"outlet":      {Filter{Outlets: []telemetry.OutletID{7}}, 2},
				"another":     {Filter{Outlets: []telemetry.OutletID{8}}, 0},
				"no outlet":   {Filter{Outlets: []telemetry.OutletID{}}, 0},
				"unseen":      {Filter{Sees: func(telemetry.OutletID) bool { return false }}, 0},
				"before":      {Filter{To: begin.Add(time.Hour)}, 0},
				"touched":     {Filter{From: begin.Add(2 * time.Hour), To: begin.Add(3 * time.Hour)}, 1},
				"after":       {Filter{From: begin.Add(3 * time.Hour)}, 1},
				"newest only": {Filter{Limit: 1}, 1},
			} {
				got, err := b.List(ctx, tt.f)
				if err != nil || len(got) != tt.n {
					t.Errorf("%s: %d alarms, want %d, %v", name, len(got), tt.n, err)
				}
			}
			over := list[1]
			if over.Kind != Over {
				t.Fatalf("not newest first: %+v", list)
			}
			acts(t, b, over.ID)
		})
	}
}

// acts goes through what somebody may do with an alarm.
func acts(t *testing.T, b *testBench, id string) {
	t.Helper()
	ctx := t.Context()
	other := officer
	other.ID = "u2"
	for i, tt := range []struct {
		do   func() error
		want errs.Kind
		ok   bool
	}{
		{func() error { return b.Acknowledge(ctx, "none", "", officer) }, errs.NotFound, false},
		{func() error { return b.TakeBack(ctx, id, officer) }, errs.Conflict, false},
		{func() error { return b.Acknowledge(ctx, id, " called ", officer) }, 0, true},
		{func() error { return b.Acknowledge(ctx, id, "", other) }, errs.Conflict, false},
		{func() error { return b.TakeBack(ctx, id, other) }, errs.Forbidden, false},
		{func() error { return b.TakeBack(ctx, id, officer) }, 0, true},
		{func() error { return b.CallFalse(ctx, id, "  ", officer) }, errs.Invalid, false},
		{func() error { return b.CallFalse(ctx, id, "serviced", officer) }, 0, true},
		{func() error { return b.CallTrue(ctx, id, officer) }, 0, true},
		{func() error { return b.Acknowledge(ctx, id, strings.Repeat("长", maxNote+1), officer) }, errs.Invalid, false},
	} {
		err := tt.do()
		if tt.ok != (err == nil) || err != nil && !errs.Is(err, tt.want) {
			t.Errorf("act %d: %v", i, err)
		}
	}
	log, err := b.History(ctx, id)
	var did []string
	for _, e := range log {
		did = append(did, e.Action+" "+e.Note)
	}
	if want := []string{"ack called", "unack ", "false serviced", "unfalse "}; err != nil || !slices.Equal(did, want) {
		t.Errorf("log %q, %v", did, err)
	}
	if _, err := b.o.DB.Exec(ctx, `DELETE FROM alarm_log`); err == nil {
		t.Error("the log of acts could be emptied")
	}
}

func sqlite(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "plateau.db")
}

// TestAcknowledgementSurvives: late data move the bounds of an episode, split
// it, join it, and take it away; who took note of it is not forgotten.
func TestAcknowledgementSurvives(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := newBench(t, sqlite(t), overScene+"a21002 40 40 55 55 40 40 40 40 40 40")
	b.redo(t, -1)
	id := b.all(t)[0].ID
	if err := b.Acknowledge(ctx, id, "seen", officer); err != nil {
		t.Fatal(err)
	}
	step := func(name, hours string, from float64, acked ...bool) []Episode {
		t.Helper()
		b.load(overScene + "a21002 " + hours)
		b.redo(t, from)
		list := b.all(t)
		var got []bool
		for _, e := range list {
			got = append(got, e.Ack.Done())
		}
		if !slices.Equal(got, acked) {
			t.Errorf("%s: acknowledged %v, want %v", name, got, acked)
		}
		return list
	}
	if l := step("begins an hour earlier", "40 55 55 55 40 40 40 40 40 40", 1, true); l[0].ID != id || l[0].Count != 3 {
		t.Errorf("earlier: %+v", l)
	}
	step("falls into two", "40 55 40 55 40 40 40 40 40 40", 2, true, false)
	if l := step("is one again, and longer", "40 55 55 55 55 55 40 40 40 40", 2, true); l[0].ID != id {
		t.Errorf("another ID: %+v", l)
	}
	step("was never there", "40 40 40 40 40 40 40 40 40 40", 1)
	gone, err := b.Get(ctx, id)
	if err != nil || gone.Withdrawn.IsZero() || !gone.Ack.Done() {
		t.Errorf("a withdrawn one somebody acted on: %+v, %v", gone, err)
	}
	if l := step("was there after all", "40 55 55 40 40 40 40 40 40 40", 1, true); l[0].ID != id && !l[0].Withdrawn.IsZero() {
		t.Errorf("back again: %+v", l)
	}
}

// TestRedoneInPart: whatever order hours come in and however often, deriving
// only what they touched ends with what a derivation of everything gives.
func TestRedoneInPart(t *testing.T) {
	t.Parallel()
	words := []string{"40", "40", "40", "55", "70", "=20", "C", "D", "F", "x", "-", "40#20", "-3", "T", "20/30"}
	const hours = 24 * 30
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; testkit.Race && runs > 5 {
			return // one after the other: what runs side by side, others watch
		}
		b := newBench(t, sqlite(t), overScene+"range a21002 0 100\na21002 720*40\na21026 720*40")
		text := func(cells [2][hours]string) string {
			s := overScene + "range a21002 0 100\n"
			for i, code := range []string{"a21002", "a21026"} {
				s += code
				for _, w := range cells[i] {
					s += " " + w
				}
				s += "\n"
			}
			return s
		}
		var cells [2][hours]string
		for i := range cells {
			for k := range cells[i] {
				cells[i][k] = "40"
			}
		}
		b.load(text(cells))
		b.redo(t, -1)
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			from := rapid.IntRange(0, hours-1).Draw(rt, "from")
			for at := from; at < min(hours, from+rapid.IntRange(1, 60).Draw(rt, "length")); at++ {
				cells[rapid.IntRange(0, 1).Draw(rt, "factor")][at] = rapid.SampledFrom(words).Draw(rt, "word")
			}
			b.load(text(cells))
			b.redo(t, float64(from))
		}
		got := lines(b.all(t))
		b.scene = readScene(text(cells))
		in := b.scene.in
		in.Hours, _ = b.engine.Hours(7, time.Unix(0, 0), in.Now)
		want := Derive(in)
		slices.SortStableFunc(want, compareEpisodes)
		if d := cmp.Diff(lines(want), got); d != "" {
			rt.Errorf("derived in parts (+) is not derived at once (-):\n%s", d)
		}
	})
}
