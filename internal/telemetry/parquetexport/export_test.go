package parquetexport

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// files lists what is under a folder.
func files(tb testing.TB, dir string) (out []string) {
	tb.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); err == nil && !d.IsDir() {
			out = append(out, rel)
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

// readAll reads the files of a table, in the order of their months.
func readAll[T any](tb testing.TB, dir, folder string) (rows []T) {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, folder, "month=*", "*.parquet"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("%s: %v, %v", folder, names, err)
	}
	for _, n := range names {
		part, err := parquet.ReadFile[T](n)
		if err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, part...)
	}
	return rows
}

// TestEveryValue reads back every row and holds it against the store and the
// judgement, value by value.
func TestEveryValue(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t), t.TempDir()
	w.fill()
	var told []int64
	o := w.options(dir)
	o.Progress = func(done, total int64) { told = append(told, done, total) }
	r, err := Write(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"judged/level=day/month=2026-10/part-0.parquet", "judged/level=day/month=2026-11/part-0.parquet",
		"judged/level=hour/month=2026-10/part-0.parquet", "judged/level=hour/month=2026-11/part-0.parquet",
		"records/kind=hour/month=2026-10/part-0.parquet", "records/kind=info/month=2026-10/part-0.parquet",
		"records/kind=minute/month=2026-10/part-0.parquet", "records/kind=minute/month=2026-11/part-0.parquet",
	}
	if d := cmp.Diff(want, files(t, dir)); d != "" {
		t.Error(d)
	}
	if n := len(told); n == 0 || told[n-2] != told[n-1] || told[n-1] != 14 {
		t.Errorf("progress: %v", told)
	}
	rows := map[string]int64{}
	for _, x := range r.Tables {
		rows[x.Name] = x.Rows
	}
	for _, k := range []string{"hour", "minute", "info"} {
		got := readAll[Reported](t, dir, "records/kind="+k)
		w.compareReported(t, k, got)
		if rows["records/kind="+k] != int64(len(got)) {
			t.Errorf("%s: %d rows in the report", k, rows["records/kind="+k])
		}
	}
	w.compareJudged(t, quality.LevelHour, readAll[Judged](t, dir, "judged/level=hour"))
	w.compareJudged(t, quality.LevelDay, readAll[Judged](t, dir, "judged/level=day"))
}

func (w *world) compareReported(t *testing.T, name string, got []Reported) {
	t.Helper()
	kind := tables[slices.Index(Kinds(), name)].kind
	type key struct {
		outlet             int64
		at                 time.Time
		factor, suffix, mn string
	}
	found := map[key]Reported{}
	for _, r := range got {
		found[key{r.Outlet, r.Instant, r.Factor, r.Suffix, ""}] = r
	}
	n := 0
	for id := range w.snap.Outlets {
		if err := w.store.Records(id, kind, math.MinInt64, math.MaxInt64, func(r *telemetry.Record) bool {
			for i := range r.Values {
				n++
				v := &r.Values[i]
				g, ok := found[key{int64(id), time.Unix(r.At, 0).UTC(), v.Code, v.Suffix, ""}]
				if !ok || g.Text != v.Source() || g.Flag != v.Flag || (g.Value != nil) != v.IsNum || v.IsNum && *g.Value != v.Dec.Float() || g.Revised != r.Revised || g.OutletName != w.snap.Outlets[id].Name.Zh {
					t.Errorf("%s of outlet %d: %+v is %+v in the file", name, id, v, g)
					continue
				}
				// The frame is one of the record's, and holds this very value.
				parts, err := w.store.Parts(id, kind, r.At)
				if err != nil {
					t.Error(err)
					return false
				}
				if !slices.ContainsFunc(parts, func(p telemetry.Record) bool {
					x, ok := p.Find(v.Code, v.Suffix)
					return ok && *x == *v && p.Parts[0].String() == g.Frame && time.UnixMicro(p.Received).Equal(g.Received) && p.RF == g.Resent
				}) {
					t.Errorf("%s of outlet %d: %+v comes from no frame of the record", name, id, g)
				}
			}
			return true
		}); err != nil {
			t.Error(err)
		}
	}
	if n != len(got) || n == 0 {
		t.Errorf("%s: %d values in the store, %d rows in the file", name, n, len(got))
	}
	if !slices.IsSortedFunc(got, func(a, b Reported) int { return a.Instant.Compare(b.Instant) }) && name == "hour" {
		t.Errorf("%s is not in order of time", name)
	}
}

func (w *world) compareJudged(t *testing.T, level string, got []Judged) {
	t.Helper()
	type key struct {
		outlet int64
		start  int64
		factor string
	}
	found := map[key]Judged{}
	for _, r := range got {
		found[key{r.Outlet, r.Start.Unix(), r.Factor}] = r
	}
	n, over := 0, 0
	check := func(id telemetry.OutletID, at int64, want Judged) {
		n++
		want.Outlet, want.OutletName, want.Start = int64(id), w.snap.Outlets[id].Name.Zh, time.Unix(at, 0).UTC()
		want.Unit = map[string]string{"a21002": "mg/m3", "a19001": "%"}[want.Factor]
		rule, err := w.engine.ValidityRule(w.snap.Outlets[id], level, at)
		if err != nil || rule.Version == 0 {
			t.Fatal(rule, err)
		}
		want.Rule, want.RuleVersion = rule.ID, int64(rule.Version)
		if d := cmp.Diff(want, found[key{int64(id), at, want.Factor}]); d != "" {
			t.Errorf("%s %s: %s", level, want.Start, d)
		}
		if want.Over {
			over++
		}
	}
	from, to := monthEnd.AddDate(0, -2, 0), monthEnd.AddDate(0, 2, 0)
	for id := range w.snap.Outlets {
		hours, err := w.engine.Hours(id, from, to)
		if err != nil {
			t.Fatal(err)
		}
		days, err := w.engine.Days(id, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(hours) && level == quality.LevelHour; i++ {
			h := &hours[i]
			for _, f := range h.Factors {
				check(id, h.At, Judged{
					Factor: f.Code, Mean: ptr(f.Mean), Folded: ptr(f.Folded), Min: ptr(f.Min), Max: ptr(f.Max), PartsSeen: int64(f.NSeen), PartsValid: int64(f.NValid), PartsDue: int64(f.NExpected),
					Valid: f.Valid, Mark: f.Flag, Rate: ptr(f.Rate), Flow: ptr(h.Flow), Value: ptr(f.Judged), Basis: string(f.Basis), LimitID: f.Limit.ID, LimitOp: f.Limit.Op,
					LimitLow: ptr(f.Limit.Lo), LimitHigh: ptr(f.Limit.Hi), LimitStatistic: f.Limit.Statistic, Over: f.Over, Finding: f.Over && f.Evidence, TimesOver: ptr(f.Times),
					Stopped: h.Stopped, Revised: h.Revised, Rules: h.Rules,
				})
			}
		}
		for i := 0; i < len(days) && level == quality.LevelDay; i++ {
			d := &days[i]
			for _, f := range d.Factors {
				check(id, d.At, Judged{
					Factor: f.Code, Mean: ptr(f.Mean), Folded: ptr(f.Folded), Min: ptr(f.Min), Max: ptr(f.Max), PartsSeen: int64(f.NSeen), PartsValid: int64(f.NValid), PartsDue: int64(f.NExpected),
					Valid: f.Valid, Mass: ptr(f.Total), Flow: ptr(d.Flow), Value: ptr(f.Judged), Basis: string(f.Basis), LimitID: f.Limit.ID, LimitOp: f.Limit.Op,
					LimitLow: ptr(f.Limit.Lo), LimitHigh: ptr(f.Limit.Hi), LimitStatistic: f.Limit.Statistic, Over: f.Over, Finding: f.Over && f.Evidence, TimesOver: ptr(f.Times),
					Revised: d.Revised, Rules: d.Rules,
				})
			}
		}
	}
	if n != len(got) || n == 0 || level == quality.LevelHour && over == 0 {
		t.Errorf("%s: %d rows judged, %d of them over, %d in the file", level, n, over, len(got))
	}
}

// TestWrittenByHand holds some rows against what was sent, not against the
// readers that the export uses.
func TestWrittenByHand(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t), t.TempDir()
	w.fill()
	o := w.options(dir)
	o.Kinds = []string{"hour", "info"}
	if _, err := Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	type row struct {
		At, Factor, Suffix, Text, Flag, MN string
		Value                              float64 // -1 = none
		After                              time.Duration
		Resent, Revised                    bool
	}
	var got []row
	for _, r := range append(readAll[Reported](t, dir, "records/kind=hour"), readAll[Reported](t, dir, "records/kind=info")...) {
		x := row{r.Instant.In(i18n.Zone).Format("2006-01-02 15:04"), r.Factor, r.Suffix, r.Text, r.Flag, r.MN, -1, r.Received.Sub(r.Instant), r.Resent, r.Revised}
		if r.Value != nil {
			x.Value = *r.Value
		}
		got = append(got, x)
	}
	const at = "2026-10-31 23:00"
	want := []row{
		{at, "a21002", "Avg", "9.5", "N", "M2", 9.5, 9 * time.Hour, true, true},
		{at, "a21002", "Cou", "+007.1", "N", "M2", 7.1, time.Hour, false, true},
		{at, "a19001", "Avg", "15.00", "N", "M2", 15, time.Hour, false, true},
		{at, "a21002", "ZsAvg", "1234567890.123456789", "N", "M2", 1234567890.1234567, 61 * time.Minute, true, true},
		{at, "i13013", "Info", "//12.5 mA;故障//", "", "M1", -1, time.Second, false, false},
		{at, "i11001", "Info", "0.30", "", "M1", 0.3, time.Second, false, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestParts: days cut at Beijing's midnight, months replaced whole, and never a
// part put over a whole.
func TestParts(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t), t.TempDir()
	w.fill()
	o := w.options(dir)
	o.Kinds, o.From = []string{"minute"}, monthEnd
	if _, err := Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	rows := readAll[Reported](t, dir, "records/kind=minute")
	if f := files(t, dir); len(f) != 1 || !strings.Contains(f[0], "month=2026-11") || len(rows) != 2*2*36 || !rows[0].Instant.Equal(monthEnd) || rows[0].Outlet != 2 {
		t.Errorf("%v, %d rows, %+v", f, len(rows), rows[0])
	}
	o.From = monthEnd.AddDate(0, 0, -1) // a part of October, which is not there yet
	if _, err := Write(t.Context(), o); err != nil || len(readAll[Reported](t, dir, "records/kind=minute")) != 2*2*72 {
		t.Error(err)
	}
	if _, err := Write(t.Context(), o); err == nil || !strings.Contains(err.Error(), "month=2026-10") || !strings.Contains(err.Error(), "whole months") {
		t.Errorf("a part over what is there: %v", err)
	}
	o.From = time.Time{}
	if _, err := Write(t.Context(), o); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Options){
		"ends before it begins": func(o *Options) { o.From, o.Until = monthEnd, monthEnd },
		`no kind "years"`:       func(o *Options) { o.Kinds = []string{"years"} },
	} {
		wrong := o
		change(&wrong)
		if _, err := Write(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// Nothing in that time: nothing is left behind.
	o.To, o.Until = t.TempDir(), monthEnd.AddDate(-1, 0, 0)
	if r, err := Write(t.Context(), o); err != nil || len(r.Tables) != 0 || len(files(t, o.To)) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBrokenOff: an export that is told to end, or cannot read, leaves whole
// files only.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill()
	ctx, cancel := context.WithCancel(t.Context())
	o := w.options(t.TempDir())
	o.Kinds, o.Progress = []string{"minute"}, func(done, _ int64) {
		if done == 3 { // in the second month
			cancel()
		}
	}
	if _, err := Write(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if f := files(t, o.To); len(f) != 1 || len(readAll[Reported](t, o.To, "records/kind=minute")) != 2*2*36 {
		t.Error(f)
	}
	o = w.options(t.TempDir())
	o.Store = broken{w.store}
	o.Kinds = []string{"hour"}
	if _, err := Write(t.Context(), o); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "records/kind=hour of 2026-10: outlet 1") {
		t.Error(err)
	}
	if f := files(t, o.To); len(f) != 0 {
		t.Error(f)
	}
}

var errBroken = errors.New("a damaged row")

// broken cannot read the parts of a record.
type broken struct{ Store }

func (broken) Parts(telemetry.OutletID, telemetry.Kind, int64) ([]telemetry.Record, error) {
	return nil, errBroken
}

// TestDuckDB asks the files by name of their folders, as docs/parquet.md shows.
func TestDuckDB(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("testdata/duckdb/node_modules/@duckdb/node-api"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("DuckDB is missing: sh scripts/test-deps.sh installs it")
		}
		t.Skip("DuckDB is missing: sh scripts/test-deps.sh installs it")
	}
	w, dir := newWorld(t), t.TempDir()
	w.fill()
	if _, err := Write(t.Context(), w.options(dir)); err != nil {
		t.Fatal(err)
	}
	records := "read_parquet('" + dir + "/records/**/*.parquet', hive_partitioning = true)"
	judged := "read_parquet('" + dir + "/judged/**/*.parquet', hive_partitioning = true, union_by_name = true)"
	ask := []string{
		"SELECT kind, month, count(*) FROM " + records + " GROUP BY ALL ORDER BY ALL",
		"SELECT text, value, flag, mn, epoch(instant), epoch_us(received) FROM " + records + " WHERE kind = 'hour' AND suffix = 'ZsAvg'",
		"SELECT typeof(instant), typeof(received), typeof(value), typeof(month) FROM " + records + " LIMIT 1",
		"SELECT text FROM " + records + " WHERE value IS NULL",
		"SELECT level, month, count(*), count(mean), count(limit_high), sum(over::INT), round(sum(mean), 6) FROM " + judged + " WHERE factor = 'a21002' GROUP BY ALL ORDER BY ALL",
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"testdata/duckdb/ask.mjs"}, ask...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][][]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := float64(monthEnd.Add(-time.Hour).Unix())
	want := [][][]any{
		{{"hour", "2026-10", 4.0}, {"info", "2026-10", 2.0}, {"minute", "2026-10", 144.0}, {"minute", "2026-11", 144.0}},
		{{"1234567890.123456789", 1234567890.1234567, "N", "M2", h, (h + 61*60) * 1e6}},
		{{"TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "VARCHAR"}},
		{{"//12.5 mA;故障//"}},
		w.sums(t),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// sums is the last question of TestDuckDB, asked of the judgement itself.
func (w *world) sums(t *testing.T) (out [][]any) {
	t.Helper()
	for _, level := range []string{quality.LevelDay, quality.LevelHour} {
		for _, m := range []time.Time{monthEnd.AddDate(0, -1, 0), monthEnd} {
			var n, means, limits, over, sum float64
			add := func(mean quality.Opt, hi quality.Opt, is bool) {
				n++
				if mean.OK {
					means, sum = means+1, sum+mean.V
				}
				if hi.OK {
					limits++
				}
				if is {
					over++
				}
			}
			for id := range w.snap.Outlets {
				hours, err := w.engine.Hours(id, m, m.AddDate(0, 1, 0))
				days, err2 := w.engine.Days(id, m, m.AddDate(0, 1, 0))
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				for i := range hours {
					if f := hours[i].Factor("a21002"); f != nil && level == quality.LevelHour {
						add(f.Mean, f.Limit.Hi, f.Over)
					}
				}
				for i := range days {
					if f := days[i].Factor("a21002"); f != nil && level == quality.LevelDay {
						add(f.Mean, f.Limit.Hi, f.Over)
					}
				}
			}
			out = append(out, []any{level, m.Format("2006-01"), n, means, limits, over, math.Round(sum*1e6) / 1e6})
		}
	}
	return out
}
