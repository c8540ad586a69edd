package quality

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
	"plateau/rules"
)

// twoVersions are the project's rules, but from the date on a valid hour takes
// 55 minutes.
func twoVersions(t *testing.T, from, lastOfFirst string) *rules.Set {
	t.Helper()
	dir := os.DirFS(filepath.Join(testkit.Root(), "rules"))
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range append(names, "limits.csv") {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	first := string(files["cems.hour_mean.toml"].Data)
	swap := func(old, now string) string {
		if !strings.Contains(first, old) {
			t.Fatalf("the rule file does not hold %q", old)
		}
		return strings.NewReplacer(old, now).Replace(first)
	}
	second := strings.NewReplacer("version = 1", "version = 2", "2018-03-01", from, "min_valid_minutes = 45", "min_valid_minutes = 55").Replace(first)
	files["cems.hour_mean@2.toml"] = &fstest.MapFile{Data: []byte(second)}
	files["cems.hour_mean.toml"] = &fstest.MapFile{Data: []byte(swap(`effective_from = "2018-03-01"`, "effective_from = \"2018-03-01\"\neffective_to = \""+lastOfFirst+`"`))}
	set, err := rules.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func engineWith(t *testing.T, m Store, reg Registry, set *rules.Set, now int64) *Engine {
	t.Helper()
	e, err := New(Options{Store: m, Registry: reg, Rules: set, Now: func() time.Time { return unix(now) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fiveOfSix is an hour with fifty valid minutes.
func fiveOfSix(o telemetry.OutletID, start int64) []telemetry.Record {
	return hourOf(o, start, "a21002-Avg=20:N", "a19001-Avg=15:N")[:5]
}

// TestVersionByDateOfData: what counts is when it was measured, not when it is
// judged; results cite the version.
func TestVersionByDateOfData(t *testing.T) {
	t.Parallel()
	set := twoVersions(t, "2026-11-23", "2026-11-22")
	m := newMemStore()
	last, first := at(22, 23, 0), at(23, 0, 0) // Beijing time
	m.add(fiveOfSix(1, first)...)
	m.add(fiveOfSix(1, last)...)
	e := engineWith(t, m, registry(turbine(1)), set, at(24, 8, 0))
	catchUp(t, e)
	rows := map[string]HourRow{}
	for _, c := range []struct {
		hour    int64
		valid   bool
		version int
		formula string
	}{{last, true, 1, "n(N) = 50 ≥ 45"}, {first, false, 2, "n(N) = 50 < 55"}} {
		row := oneHour(t, e, 1, c.hour)
		rows[row.Rules] = row
		if f := row.Factor("a21002"); f.Valid != c.valid {
			t.Errorf("%s: valid %v", unix(c.hour), f.Valid)
		}
		x, err := e.Explain(1, "a21002", LevelHour, unix(c.hour))
		if err != nil {
			t.Fatal(err)
		}
		rule, _ := set.At("cems.hour_mean", dateOf(c.hour))
		if s := x.Steps[1]; s.Version != c.version || s.Hash != rule.Hash || s.Formula != c.formula {
			t.Errorf("%s: cites %+v", unix(c.hour), s)
		}
	}
	if len(rows) != 2 {
		t.Error("both hours cite the same digest of rules")
	}
}

// TestNewRulesReachOldRows: a program with other rules judges anew what falls
// under them, and only that.
func TestNewRulesReachOldRows(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for _, day := range []int{20, 21, 22, 23} {
		m.add(fiveOfSix(1, at(day, 7, 0))...)
	}
	reg := registry(turbine(1))
	catchUp(t, newEngine(t, m, reg, at(24, 8, 0)))
	m.puts = nil
	e := engineWith(t, m, reg, twoVersions(t, "2026-11-22", "2026-11-21"), at(24, 8, 0))
	catchUp(t, e)
	// The file of the first version has changed too (it ends now), so its hash
	// and the rows that cite it are others; what they say is as before.
	for day, valid := range map[int]bool{20: true, 21: true, 22: false, 23: false} {
		if row := oneHour(t, e, 1, at(day, 7, 0)); row.Factor("a21002").Valid != valid || row.Rules != e.rules.Digest(dateOf(row.At)) {
			t.Errorf("the %dth: %+v", day, row)
		}
	}
	m.puts = nil
	later := engineWith(t, m, reg, twoVersions(t, "2026-11-23", "2026-11-22"), at(24, 8, 0))
	catchUp(t, later)
	if len(m.puts) != 1 || m.puts[0] < 3 {
		t.Errorf("rows written: %v", m.puts)
	}
	fresh := newMemStore()
	fresh.recs, fresh.groups = m.recs, m.groups
	catchUp(t, engineWith(t, fresh, reg, twoVersions(t, "2026-11-23", "2026-11-22"), at(24, 8, 0)))
	if d := gocmp.Diff(bytesOf(fresh), bytesOf(m)); d != "" {
		t.Errorf("a rebuild gives other bytes:\n%s", d)
	}
}

// TestRegistryChangeSurvivesKill: the change was made, the program was killed
// before it had judged anew.
func TestRegistryChangeSurvivesKill(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for _, o := range []telemetry.OutletID{1, 2} {
		m.add(hourOf(o, at(22, 7, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	}
	m.add(rec(1, telemetry.KindDay, at(20, 0, 0), "a21002-Avg=40:N")) // a day without hours
	catchUp(t, newEngine(t, m, registry(turbine(1), turbine(2)), at(22, 9, 0)))
	o := turbine(1)
	o.Limits = []telemetry.Limit{{ID: "own", EffectiveFrom: "2026-11-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(30.0)}}
	m.puts = nil
	e := newEngine(t, m, registry(o, turbine(2)), at(22, 9, 0))
	catchUp(t, e)
	if len(m.puts) != 1 || m.puts[0] != 4 {
		t.Errorf("rows written: %v, want the hour, twice what it was judged by, and that it was judged anew", m.puts)
	}
	if list, err := e.Recomputes(9); err != nil || len(list) != 1 || list[0].Rows != 3 || list[0].Changed != 1 || list[0].Cause != CauseRegistry {
		t.Errorf("recomputes %+v, %v", list, err) // an hour and two days
	}
	row := oneHour(t, e, 1, at(22, 7, 0))
	if f := row.Factor("a21002"); !f.Over || f.Limit.ID != "own" {
		t.Errorf("hour after the change: %+v", f)
	}
	if !e.Backlog().Done() {
		t.Errorf("backlog %+v", e.Backlog())
	}
	m.puts = nil
	catchUp(t, newEngine(t, m, registry(o, turbine(2)), at(22, 9, 0)))
	if len(m.puts) != 0 {
		t.Errorf("a restart without a change wrote %v", m.puts)
	}
	// Names and places judge nothing.
	named := *o
	named.Name.Zh, named.Lon = "别的名字", 91
	catchUp(t, newEngine(t, m, registry(&named, turbine(2)), at(22, 9, 0)))
	if len(m.puts) != 0 {
		t.Errorf("another name wrote %v", m.puts)
	}
}

// growing is a registry in which an outlet appears between two looks at it.
type growing struct {
	looks int
	list  []*telemetry.Snapshot
}

func (g *growing) Snapshot() *telemetry.Snapshot {
	s := g.list[min(g.looks, len(g.list)-1)]
	g.looks++
	return s
}

// TestAdoptedMeanwhile: the frames of an outlet that was registered after the
// pass looked at the registry are judged all the same.
func TestAdoptedMeanwhile(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(22, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	later := registry(turbine(1)).s
	later.Version = 2
	e := newEngine(t, m, &growing{list: []*telemetry.Snapshot{registry().s, later}}, h+hourSeconds)
	catchUp(t, e)
	oneHour(t, e, 1, h)
}

// TestUnreadableRows: rows of another form or damaged ones are computed again.
func TestUnreadableRows(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for h := range 4 {
		m.add(hourOf(1, at(23, h, 0), "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	}
	reg := registry(turbine(1))
	catchUp(t, newEngine(t, m, reg, at(23, 4, 0)))
	want := bytesOf(m)
	m.derived[derivedKey(TableHour, 1, at(23, 1, 0))] = []byte{99, 1, 2}
	m.derived[derivedKey(TableDay, 1, at(23, 0, 0))] = []byte{codecVersion}
	e := newEngine(t, m, reg, at(23, 4, 0))
	catchUp(t, e)
	catchUp(t, e)
	if d := gocmp.Diff(want, bytesOf(m)); d != "" {
		t.Errorf("rows after damage:\n%s", d)
	}
	// Met by a query or by the day of a late frame later on.
	m.derived[derivedKey(TableHour, 1, at(23, 2, 0))] = nil
	m.add(rec(1, telemetry.KindDay, at(23, 0, 0), "a21002-Avg=40:N"))
	catchUp(t, e)
	catchUp(t, e)
	oneHour(t, e, 1, at(23, 2, 0))
}

// TestRepeatTouchesNothing: an equal repeat is not in the journal (the store
// keeps it out); a message or a frame of a refused kind makes no work either.
func TestRepeatTouchesNothing(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	h := at(22, 7, 0)
	m.add(hourOf(1, h, "a21002-Avg=40:N", "a19001-Avg=15:N")...)
	e := newEngine(t, m, registry(turbine(1)), h+hourSeconds)
	catchUp(t, e)
	m.puts = nil
	m.groups = append(m.groups, store.GroupMeta{Seq: uint64(len(m.groups) + 1), Entries: []store.EntryMeta{
		{Outlet: 1, Kind: telemetry.KindMessage, Received: (h + 1) * 1e6, Verdict: telemetry.Stored},
		{Outlet: 1, Kind: telemetry.KindMinute, At: h, Received: (h + 1) * 1e6, Verdict: telemetry.Quarantined},
		{Outlet: 1, Kind: telemetry.KindRealtime, At: h + 60, Received: (h + 1) * 1e6, Verdict: telemetry.Stored}, // the hour has minutes
	}})
	catchUp(t, e)
	if len(m.puts) != 1 || m.puts[0] != 0 {
		t.Errorf("rows written: %v", m.puts)
	}
}
