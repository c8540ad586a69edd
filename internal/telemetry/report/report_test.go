package report_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 11, 23, 8, 30, 0, 0, i18n.Zone)

func day(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, i18n.Zone) }

func stack() *telemetry.Outlet {
	o := &telemetry.Outlet{ID: 7, Medium: telemetry.Gas, Area: "540102", Enterprise: "e1", Since: day(1)}
	for i, f := range []struct{ code, unit string }{{"a21002", "mg/m3"}, {"a34013", "mg/m3"}, {"a21005", "mg/m3"}, {"a19001", "%"}, {"a00000", "m3/s"}, {"a01013", "kPa"}} {
		o.Factors = append(o.Factors, telemetry.OutletFactor{Code: f.code, Unit: f.unit, Order: i})
	}
	return o
}

func works() *telemetry.Outlet {
	o := &telemetry.Outlet{ID: 8, Medium: telemetry.Water, Area: "540102", Enterprise: "e1", Since: day(1)}
	for i, code := range []string{"w01001", "w01018", "w00000"} {
		o.Factors = append(o.Factors, telemetry.OutletFactor{Code: code, Order: i})
	}
	return o
}

var limit = quality.LimitRef{ID: "gb.1", Op: "<=", Hi: quality.Some(50), Statistic: "hour"}

// fixed gives the same rows every time: NOx rises through the day, hour 5 is a
// calibration whose amount was put in, hour 7 is over the limit.
type fixed struct{ none bool }

func (f fixed) Hours(id telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	var out []quality.HourRow
	for t := from; t.Before(to) && t.Before(now) && !f.none; t = t.Add(time.Hour) {
		h := t.In(i18n.Zone).Hour()
		row := quality.HourRow{Outlet: id, At: t.Unix(), Rules: "00000000000000aa", Flow: quality.Some(36000), FlowBy: quality.FlowReported}
		if id == 8 {
			row.Flow = quality.Some(100)
			row.Factors = []quality.FactorHour{{Code: "w01018", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(30.25)}, {Code: "w01001", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(7.1)}}
			out = append(out, row)
			continue
		}
		x := quality.FactorHour{Code: "a21002", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(40.125 + float64(h)), Folded: quality.Some(42.5 + float64(h)), Fold: quality.FoldOK, Basis: quality.BasisFolded, Limit: limit}
		x.Judged, x.Rate = x.Folded, quality.Some(x.Mean.V*36000*1e-6)
		switch h {
		case 5:
			x = quality.FactorHour{Code: "a21002", Flag: "C", NSeen: 60, NValid: 20, NExpected: 60, Mean: quality.Some(45), Folded: quality.Some(47), Fold: quality.FoldOK, Limit: limit}
		case 8: // 50.5
			x.Over, x.Evidence = true, true
		}
		o2 := quality.FactorHour{Code: "a19001", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(14.6)}
		row.Factors = []quality.FactorHour{x, o2}
		out = append(out, row)
	}
	return out, nil
}

func (f fixed) Days(id telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error) {
	var out []quality.DayRow
	for t := from; t.Before(to) && t.Before(now) && !f.none; t = t.AddDate(0, 0, 1) {
		if t.Day() == 4 { // nothing came
			continue
		}
		row := quality.DayRow{Outlet: id, At: t.Unix(), Rules: "00000000000000aa", Flow: quality.Some(864000)}
		if id == 8 {
			row.Flow = quality.Some(2400)
			row.Factors = []quality.FactorDay{{Code: "w01018", NValid: 24, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(30.25), Total: quality.Some(72.6)}, {Code: "w01001", NValid: 24, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(7.08)}}
			out = append(out, row)
			continue
		}
		x := quality.FactorDay{Code: "a21002", NValid: 23, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(51.5), Max: quality.Some(63.125), Folded: quality.Some(54), Total: quality.Some(43.25)}
		if t.Day() == 3 {
			x.NValid, x.NSeen, x.Valid, x.Total = 11, 12, false, quality.Some(20.5)
		}
		row.Factors = []quality.FactorDay{x, {Code: "a19001", NValid: 24, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(14.6)}}
		out = append(out, row)
	}
	return out, nil
}

func (f fixed) Period(_ context.Context, id telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error) {
	p := report.PeriodAt(level, at)
	r := quality.PeriodRow{Outlet: id, Level: level, From: p.From.Unix(), To: p.To.Unix(), Until: min(p.To.Unix(), now.Unix()), Provisional: p.To.After(now), Profile: "hj75-2017", Rules: "00000000000000bb"}
	if f.none {
		return r, nil
	}
	n := 0.0
	for t := p.From; t.Before(p.To) && t.Before(now); t = t.AddDate(0, 0, 1) {
		if t.Before(day(1)) || t.Day() == 4 {
			continue
		}
		switch t.Day() {
		case 3:
			n += 20.5
		case 23: // the hours that are over
			n += 10.9395
		default:
			n += 43.25
		}
	}
	x := quality.PeriodFactor{
		Code: "a21002", Unit: "mg/m3", DaysValid: 21, DaysDue: 23, HoursValid: 480, HoursDue: 500, Mean: quality.Some(51.5), Max: quality.Some(63.125), Min: quality.Some(40.125), Folded: quality.Some(54),
		Capture: quality.Some(96), Measured: quality.Some(n), Substituted: quality.Some(1.5), Total: quality.Some(n + 1.5), SubstHours: 1, NoRule: 2, OverHours: 3,
	}
	if level == quality.LevelYear || level == quality.LevelQuarter {
		x.Limit, x.Over = quality.LimitRef{ID: "own", Op: "<=", Hi: quality.Some(100), Statistic: level}, true
	}
	r.Factors, r.Flow = []quality.PeriodFactor{x}, quality.Some(864000*n/43.25)
	start := time.Date(2026, 11, 23, 5, 0, 0, 0, i18n.Zone).Unix()
	r.Substitution = []quality.Substitution{{Factor: "a21002", From: start, To: start + 3600, Hours: 1, RunHours: 1, Kind: "calibration", Method: "t6-180", SourceHours: 180, Rate: quality.Some(1.5), Kg: quality.Some(1.5), Status: "ok"}}
	r.Transmission = quality.TransmissionResult{Transmission: quality.Some(99), Valid: quality.Some(96), TxValid: quality.Some(95.04)}
	return r, nil
}

func num(o quality.Opt) string {
	if !o.OK {
		return "."
	}
	return strconv.FormatFloat(math.Round(o.V*1e9)/1e9, 'f', -1, 64)
}

// dump writes every cell with what it is worth.
func dump(s *report.Sheet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s until %s provisional=%t layout=%s v%d rules=%v\n", s.Period.Level, s.Period.Date(), i18n.Stamp(s.Until), s.Provisional, s.Layout.ID, s.Layout.Version, s.Digests)
	for _, c := range s.Columns {
		fmt.Fprintf(&b, "column %s [%s]\n", c.ID, c.Unit)
	}
	line := func(r *report.Row) {
		name := r.Kind
		if strings.Contains("hour day month", r.Kind) {
			name = i18n.Stamp(r.From)
		}
		fmt.Fprintf(&b, "%s", name)
		for i := range r.Cells {
			x := &r.Cells[i]
			fmt.Fprintf(&b, " | %s%s", num(x.V), x.Unit)
			if x.V.OK && !x.Valid && x.Method == "" {
				b.WriteString("?")
			}
			if x.Of > 0 && x.N != x.Of {
				fmt.Fprintf(&b, " %d/%d", x.N, x.Of)
			}
			if x.Over {
				b.WriteString(" over")
			}
			if x.Method != "" {
				b.WriteString(" by " + x.Method)
			}
		}
		if len(r.Marks) > 0 {
			fmt.Fprintf(&b, " | marks %v", r.Marks)
		}
		if r.Running {
			b.WriteString(" | running")
		}
		b.WriteString("\n")
	}
	for i := range s.Rows {
		line(&s.Rows[i])
	}
	for i := range s.Sums {
		line(&s.Sums[i])
	}
	for _, l := range s.Limits {
		fmt.Fprintf(&b, "limit %s %s over %d warnings %d\n", l.Factor, num(l.Ref.Hi), l.Over, l.Warnings)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func maker() *report.Maker { return &report.Maker{Rows: fixed{}, Rules: rules.Default(), Now: now} }

func period(t *testing.T, level, date string) report.Period {
	t.Helper()
	p, ok := report.ParsePeriod(level, date)
	if !ok {
		t.Fatalf("%s %s is no period", level, date)
	}
	return p
}

func TestSheets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		outlet      *telemetry.Outlet
		level, date string
	}{
		{stack(), quality.LevelDay, "2026-11-23"},
		{stack(), quality.LevelMonth, "2026-11"},
		{stack(), quality.LevelQuarter, "2026-Q4"},
		{stack(), quality.LevelYear, "2026"},
		{works(), quality.LevelDay, "2026-11-22"},
		{works(), quality.LevelMonth, "2026-11"},
	} {
		t.Run(string(tt.outlet.Medium)+tt.level, func(t *testing.T) {
			t.Parallel()
			s, err := maker().Outlet(t.Context(), tt.outlet, period(t, tt.level, tt.date))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, string(tt.outlet.Medium)+"-"+tt.level, dump(s))
		})
	}
}

// TestSumsAddUp: the measured total is the sum of the rows that are shown, and
// the total that of measured and substituted.
func TestSumsAddUp(t *testing.T) {
	t.Parallel()
	for level, date := range map[string]string{quality.LevelDay: "2026-11-23", quality.LevelMonth: "2026-11", quality.LevelYear: "2026", quality.LevelQuarter: "2026-Q4"} {
		s, err := maker().Outlet(t.Context(), stack(), period(t, level, date))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range s.Columns {
			if c.ID != "a21002_amount" {
				continue
			}
			sum := 0.0
			for k := range s.Rows {
				if x := &s.Rows[k].Cells[i]; x.Valid {
					sum += x.V.V
				}
			}
			total := map[string]float64{}
			for k := range s.Sums {
				total[s.Sums[k].Kind] = s.Sums[k].Cells[i].In(c.Unit).V
			}
			if math.Abs(total[report.SumMeasured]-sum) > 1e-9*sum || sum == 0 {
				t.Errorf("%s: measured %v, the rows give %v", level, total[report.SumMeasured], sum)
			}
			if got := total[report.SumMeasured] + total[report.SumSubstituted]; math.Abs(total[report.SumTotal]-got) > 1e-9*got {
				t.Errorf("%s: total %v, its parts give %v", level, total[report.SumTotal], got)
			}
		}
	}
}

// TestNothing: an outlet without any row has a report all the same.
func TestNothing(t *testing.T) {
	t.Parallel()
	for level, date := range map[string]string{quality.LevelDay: "2026-11-22", quality.LevelMonth: "2026-11", quality.LevelYear: "2026"} {
		m := &report.Maker{Rows: fixed{none: true}, Rules: rules.Default(), Now: now}
		s, err := m.Outlet(t.Context(), stack(), period(t, level, date))
		if err != nil || len(s.Rows) == 0 {
			t.Fatalf("%s: %+v, %v", level, s, err)
		}
		for i := range s.Rows {
			for k := range s.Rows[i].Cells {
				if s.Rows[i].Cells[k].V.OK {
					t.Errorf("%s: a figure out of nothing in row %d", level, i)
				}
			}
		}
	}
}

// TestListSums: sums hold outlets of one medium and one factor, in kg.
func TestListSums(t *testing.T) {
	t.Parallel()
	second := stack()
	second.ID = 9
	l, err := maker().List(t.Context(), []*telemetry.Outlet{stack(), second, works()}, period(t, quality.LevelMonth, "2026-11"), nil)
	if err != nil {
		t.Fatal(err)
	}
	one := l.Entries[0].Lines
	if len(one) != 3 || one[0].Factor != "a34013" || one[1].Factor != "a21002" || one[2].Factor != "a21005" {
		t.Fatalf("factors %+v", one)
	}
	for _, s := range l.Sums {
		if s.Medium != telemetry.Gas || s.Factor != "a21002" {
			continue
		}
		if s.Outlets != 2 || s.OverHours != 6 || s.Total != quality.Some(2*one[1].Total.V) || s.Substituted != quality.Some(3) || s.NoRule != 4 {
			t.Errorf("sum %+v, one of two %+v", s, one[1])
		}
	}
	day, err := maker().List(t.Context(), []*telemetry.Outlet{stack(), works()}, period(t, quality.LevelDay, "2026-11-22"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := day.Entries[1].Lines[0]; got.Factor != "w01018" || got.Total != quality.Some(72.6) || day.Entries[1].Flow != quality.Some(2400) {
		t.Errorf("day of waste water %+v", got)
	}
	if got := day.Entries[0].Lines[1]; got.OverHours != 1 || got.Max != quality.Some(63.125) {
		t.Errorf("day of gas %+v", got)
	}
}

func TestCompleteness(t *testing.T) {
	t.Parallel()
	o := stack()
	o.Factors = o.Factors[:1] // NOx only
	o.Stops = []telemetry.Stop{{From: day(5), To: day(6)}}
	days, err := maker().Completeness(t.Context(), o, period(t, quality.LevelMonth, "2026-11"))
	if err != nil || len(days) != 30 {
		t.Fatalf("%d days, %v", len(days), err)
	}
	for d, want := range map[int]report.Share{1: {Seen: 24, Expected: 24}, 3: {Seen: 12, Expected: 24}, 4: {Expected: 24}, 5: {}, 23: {Seen: 8, Expected: 8}, 24: {}} {
		if got := days[d-1]; got.Seen != want.Seen || got.Expected != want.Expected {
			t.Errorf("day %d: %d of %d, want %d of %d", d, got.Seen, got.Expected, want.Seen, want.Expected)
		}
	}
	hours, err := maker().Completeness(t.Context(), o, period(t, quality.LevelDay, "2026-11-23"))
	if err != nil || len(hours) != 24 || hours[5].Percent() != quality.Some(100) || hours[8].Expected != 0 || hours[8].Percent().OK {
		t.Errorf("hours %+v, %v", hours, err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	second := stack()
	second.ID = 9
	for level, date := range map[string]string{quality.LevelDay: "2026-11-23", quality.LevelMonth: "2026-11", quality.LevelQuarter: "2026-Q4"} {
		list, err := maker().Compare(t.Context(), []*telemetry.Outlet{stack(), works(), second}, "a21002", period(t, level, date))
		if err != nil || len(list) != 2 || !list[0].Folded || list[0].Rank != 1 || list[1].Rank != 2 || !list[0].Mean.OK || list[0].Mean.V != 54 {
			t.Errorf("%s: %+v, %v", level, list, err)
		}
	}
	list, _ := maker().Compare(t.Context(), []*telemetry.Outlet{stack()}, "a21002", period(t, quality.LevelDay, "2026-11-23"))
	if c := list[0]; c.N != 7 || c.Of != 8 || c.Over != 0 || len(c.Points) != 24 || c.Points[5].Valid || c.Points[8].V.OK {
		t.Errorf("hours compared: %d of %d, %d over, %d points", c.N, c.Of, c.Over, len(c.Points))
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		level, date, from, to string
		days                  int
	}{
		{quality.LevelDay, "2026-11-23", "2026-11-23", "2026-11-24", 1},
		{quality.LevelMonth, "2026-02", "2026-02-01", "2026-03-01", 28},
		{quality.LevelQuarter, "2026-Q4", "2026-10-01", "2027-01-01", 92},
		{quality.LevelYear, "2024", "2024-01-01", "2025-01-01", 366},
	} {
		p, ok := report.ParsePeriod(tt.level, tt.date)
		if !ok || i18n.Short(p.From) != tt.from || i18n.Short(p.To) != tt.to || p.Days() != tt.days || p.Date() != tt.date || p.Next().Previous() != p {
			t.Errorf("%s %s: %+v, %t", tt.level, tt.date, p, ok)
		}
	}
	for _, bad := range [][2]string{{quality.LevelDay, "2026-13-01"}, {quality.LevelMonth, "2026-1"}, {quality.LevelQuarter, "2026-Q5"}, {quality.LevelQuarter, "2026"}, {quality.LevelYear, "x"}, {"week", "2026"}, {quality.LevelYear, "0001"}} {
		if p, ok := report.ParsePeriod(bad[0], bad[1]); ok {
			t.Errorf("%v is taken for %+v", bad, p)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	s := &telemetry.Snapshot{
		Areas: map[string]*telemetry.Area{
			"540000": {Code: "540000", Level: "province"}, "540100": {Code: "540100", Parent: "540000", Level: "prefecture"},
			"540102": {Code: "540102", Parent: "540100", Level: "county"}, "540202": {Code: "540202", Parent: "540200", Level: "county"}, "540200": {Code: "540200", Parent: "540000", Level: "prefecture"},
		},
		Enterprises: map[string]*telemetry.Enterprise{"e1": {ID: "e1"}}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{7: stack(), 8: works()}, Order: []telemetry.OutletID{7, 8},
	}
	s.Outlets[8].Area = "540202"
	for _, tt := range []struct {
		scope, ref string
		n          int
		ok         bool
	}{
		{report.ScopeRegion, "540000", 2, true},
		{report.ScopeRegion, "540100", 1, true},
		{report.ScopeCounty, "540202", 1, true},
		{report.ScopeEnterprise, "e1", 2, true},
		{report.ScopeCounty, "540100", 0, false},
		{report.ScopeRegion, "540102", 0, false},
		{report.ScopeEnterprise, "e9", 0, false},
		{report.ScopeOutlet, "7", 0, false},
	} {
		if list, ok := report.Outlets(s, tt.scope, tt.ref); ok != tt.ok || len(list) != tt.n {
			t.Errorf("%s %s: %d outlets, %t", tt.scope, tt.ref, len(list), ok)
		}
	}
}
