package proof

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/testkit"
)

// alarmSeries is a set of real series as their source has them: nothing is
// added, no mark, no gap, no stop.
type alarmSeries struct {
	name    string
	outlets []*telemetry.Outlet
	uploads []upload
	now     time.Time
	// ours are limits that the test chose, because the source has none that
	// binds it.
	ours string
}

func ownLimit(o *telemetry.Outlet, factor, statistic string, hi float64) {
	o.Limits = append(o.Limits, telemetry.Limit{
		ID: factor + "." + statistic, Standard: "permit", EffectiveFrom: "2000-01-01", Factor: factor, Statistic: statistic, Op: "<=", Hi: &hi, Unit: telemetry.FactorUnit(factor), Certainty: "certain",
	})
}

// asTheyAre lists the real series.
func asTheyAre(t *testing.T) []alarmSeries {
	t.Helper()
	turbine := alarmSeries{name: "gas turbine, hourly", now: gasStart.AddDate(0, 11, 0), ours: "NOx 90, CO 15 mg/m3, hour"}
	for id := telemetry.OutletID(1); id <= 3; id++ {
		o := &telemetry.Outlet{ID: id, Medium: telemetry.Gas, SourceType: "none", Intervals: []telemetry.Interval{{Minute: 10}}, Factors: []telemetry.OutletFactor{{Code: "a21002"}, {Code: "a21005"}}}
		ownLimit(o, "a21002", "hour", 90)
		ownLimit(o, "a21005", "hour", 15)
		turbine.outlets = append(turbine.outlets, o)
		for k, row := range csvFile(t, fmt.Sprintf("cems/gas-turbine/gt_%d.csv", 2010+id)) { // a row an hour, without a clock
			turbine.uploads = append(turbine.uploads, upload{id, 2061, gasStart.Add(time.Duration(k) * time.Hour), []item{{"a21002", "Avg", row["NOX"], "N"}, {"a21005", "Avg", row["CO"], "N"}}, false})
		}
	}
	ups, _ := airUploads(t)
	air := alarmSeries{name: "ambient stations, hourly", outlets: analysers()[:3], now: time.Date(2027, 3, 2, 0, 0, 0, 0, beijing)}
	street := alarmSeries{name: "street analyser with gaps, hourly", outlets: analysers()[3:], now: time.Date(2027, 3, 2, 0, 0, 0, 0, beijing)}
	for _, u := range ups {
		s := &air
		if u.outlet == 4 {
			s = &street
		}
		s.uploads = append(s.uploads, u)
		s.now = maxTime(u.at.Add(2*time.Hour), s.now)
	}
	street.now = street.uploads[len(street.uploads)-1].at.Add(2 * time.Hour)
	air.now = air.uploads[len(air.uploads)-1].at.Add(2 * time.Hour)

	barcelona := alarmSeries{name: "sewage works Barcelona, daily", outlets: works()[:1]}
	for _, row := range csvFile(t, "wastewater/uci-barcelona/water_treatment_1990.csv") {
		u := upload{outlet: 1, cn: 2011, at: moved(t, "2006-01-02", row["date"], 36).Add(8 * time.Hour)}
		for _, c := range barcelonaColumns {
			it := item{c.factor, "Rtd", row[c.column], "N"}
			if it.text == "?" {
				continue
			}
			u.items = append(u.items, it)
		}
		barcelona.uploads = append(barcelona.uploads, u)
		barcelona.now = u.at.Add(48 * time.Hour)
	}
	melbourne := alarmSeries{name: "sewage works Melbourne inlet, daily", ours: "COD 950 mg/L, day", outlets: []*telemetry.Outlet{{
		ID: 1, Medium: telemetry.Water, SourceType: "none", Intervals: []telemetry.Interval{{Realtime: 86400}},
		Factors: []telemetry.OutletFactor{{Code: "w21003"}, {Code: "w01018"}, {Code: "w21001"}, {Code: "w00000", Unit: "m3/s"}},
	}}}
	ownLimit(melbourne.outlets[0], "w01018", "day", 950)
	for _, row := range csvFile(t, "wastewater/melbourne-eastern/etp_daily.csv") {
		at := moved(t, "2006-01-02", row["date"], 9).Add(8 * time.Hour)
		melbourne.uploads = append(melbourne.uploads, upload{1, 2011, at, []item{
			{"w21003", "Rtd", row["Ammonia"], "N"}, {"w01018", "Rtd", row["Chemical Oxygen Demand"], "N"}, {"w21001", "Rtd", row["Total Nitrogen"], "N"}, {"w00000", "Rtd", row["Average Outflow"], "N"},
		}, false})
		melbourne.now = at.Add(48 * time.Hour)
	}
	surface := alarmSeries{name: "national surface water stations, four-hourly", now: time.Date(2026, 4, 4, 0, 30, 0, 0, beijing)}
	sections, ups, _ := surfaceUploads(t)
	surface.uploads = ups
	for _, s := range sections {
		surface.outlets = append(surface.outlets, s.outlet)
	}
	return []alarmSeries{turbine, air, street, barcelona, melbourne, surface}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// original is what the source itself holds, beside the program.
type original struct {
	values map[telemetry.OutletID]map[string]map[int64]string // by factor and hour, usable ones
	any    map[telemetry.OutletID]map[int64]bool              // hours with anything
	first  map[telemetry.OutletID]int64
	// step is the resolution of a factor: the smallest difference between one
	// hour and the next that at least one in a hundred changes has; least the
	// smallest value.
	step, least map[telemetry.OutletID]map[string]float64
}

func originalOf(s *alarmSeries) *original {
	o := &original{values: map[telemetry.OutletID]map[string]map[int64]string{}, any: map[telemetry.OutletID]map[int64]bool{}, first: map[telemetry.OutletID]int64{}, step: map[telemetry.OutletID]map[string]float64{}, least: map[telemetry.OutletID]map[string]float64{}}
	for _, u := range s.uploads {
		hour := u.at.Unix() - u.at.Unix()%3600
		if o.values[u.outlet] == nil {
			o.values[u.outlet], o.any[u.outlet], o.first[u.outlet] = map[string]map[int64]string{}, map[int64]bool{}, hour
		}
		o.any[u.outlet][hour] = true
		o.first[u.outlet] = min(o.first[u.outlet], hour)
		for _, it := range u.items {
			if it.text == "" || it.flag != "N" {
				continue
			}
			if o.values[u.outlet][it.factor] == nil {
				o.values[u.outlet][it.factor] = map[int64]string{}
			}
			o.values[u.outlet][it.factor][hour] = it.text
		}
	}
	for id, factors := range o.values {
		o.step[id], o.least[id] = map[string]float64{}, map[string]float64{}
		for f, values := range factors {
			o.step[id][f], o.least[id][f] = resolution(values)
		}
	}
	return o
}

func resolution(values map[int64]string) (step, least float64) {
	changes := map[float64]int{}
	n := 0
	least = math.Inf(1)
	for at, text := range values {
		a, errA := strconv.ParseFloat(text, 64)
		if errA == nil {
			least = min(least, a)
		}
		b, errB := strconv.ParseFloat(values[at+3600], 64)
		if d := math.Round(1e6*math.Abs(a-b)) / 1e6; errA == nil && errB == nil && d > 0 {
			changes[d]++
			n++
		}
	}
	for d, k := range changes {
		if k*100 >= n && (step == 0 || d < step) {
			step = d
		}
	}
	return step, least
}

func (o *original) at(e *alarm.Episode, factor string, at int64) (float64, bool) {
	v, err := strconv.ParseFloat(o.values[e.Outlet][factor][at], 64)
	return v, err == nil
}

// isFalse applies the criteria of docs/alarms.md to one alarm. It looks at the
// source alone.
func (o *original) isFalse(e *alarm.Episode, factor string) bool {
	from, to := e.Start.Unix(), e.Last.Unix()
	before, okBefore := o.at(e, factor, from-3600)
	after, okAfter := o.at(e, factor, to)
	switch e.Kind {
	case alarm.Link: // something is there after all
		for h := from; h < to; h += 3600 {
			if o.any[e.Outlet][h] {
				return true
			}
		}
		return false
	case alarm.Missing: // nothing lacks
		for h := from; h < to; h += 3600 {
			if _, ok := o.at(e, factor, h); !ok {
				return false
			}
		}
		return true
	case alarm.Constant: // the lowest value there is, or both neighbours one step away: detection limit, resolution
		v, ok := o.at(e, factor, from)
		step := o.step[e.Outlet][factor] * 1.001
		near := func(x float64) bool { return math.Abs(x-v) <= step }
		return ok && (v == o.least[e.Outlet][factor] || okBefore && okAfter && near(before) && near(after))
	case alarm.Flat: // more than half of the hours differ from the one before: the analyser lives
		differ, pairs := 0, 0
		for h := from; h < to; h += 3600 {
			a, okA := o.at(e, factor, h)
			b, okB := o.at(e, factor, h+3600)
			if okA && okB {
				pairs++
				if a != b {
					differ++
				}
			}
		}
		return 2*differ > pairs
	case alarm.Negative, alarm.AboveRange: // one hour, and good again in the next
		return e.Count == 1 && okAfter && after >= 0
	case alarm.Over, alarm.Range: // one value, between two of at most half the limit
		half := e.Limit.Hi.V / 2
		return e.Count == 1 && okBefore && okAfter && e.Limit.Hi.OK && before <= half && after <= half
	default:
		return false
	}
}

// count of one kind in one set.
type alarmCount struct {
	kind         alarm.Kind
	n, open, bad int
	parts, quiet int
}

// TestAlarmsOnRealSeries sends every real series through the gateway, has it
// judged and its alarms derived and stored, counts them, and how many are false
// by the criteria of docs/alarms.md. The table there is held to what is counted.
func TestAlarmsOnRealSeries(t *testing.T) {
	t.Parallel()
	notUnderRace(t) // before the series are read, which alone is dear under it
	var table strings.Builder
	for _, s := range asTheyAre(t) {
		w := newWorld(t, s.now, s.outlets...)
		w.send(s.uploads)
		w.judge()
		d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "alarms.db"))
		if err != nil {
			t.Fatal(err)
		}
		service, err := alarm.New(alarm.Options{DB: d, Engine: w.engine, Registry: w, Now: func() time.Time { return s.now }})
		if err != nil {
			t.Fatal(err)
		}
		if err := service.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		from := originalOf(&s)
		months := 0.0
		for _, first := range from.first {
			months += s.now.Sub(time.Unix(first, 0)).Hours() / 24 / 30
		}
		counts := map[alarm.Kind]*alarmCount{}
		of := func(k alarm.Kind) *alarmCount {
			if counts[k] == nil {
				counts[k] = &alarmCount{kind: k}
			}
			return counts[k]
		}
		all, err := service.List(t.Context(), alarm.Filter{Parts: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			e, c := &all[i], of(all[i].Kind)
			if e.Parent != "" {
				c.parts++
				continue
			}
			c.n++
			if e.Open() {
				c.open++
			}
			bad := len(e.Factors) > 0
			for _, f := range e.Factors { // a group is false when all of it is
				bad = bad && from.isFalse(e, f)
			}
			if len(e.Factors) == 0 {
				bad = from.isFalse(e, e.Factor)
			}
			if bad {
				c.bad++
			}
		}
		quiet, err := service.List(t.Context(), alarm.Filter{Quiet: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range quiet {
			of(quiet[i].Kind).quiet++
		}
		if c := counts[alarm.Missing]; c != nil && c.bad > 0 {
			t.Errorf("%s: %d alarms of missing data where nothing lacks", s.name, c.bad)
		}
		if c := counts[alarm.Link]; c != nil && c.bad > 0 {
			t.Errorf("%s: %d alarms of a lost link where data came", s.name, c.bad)
		}
		kinds := []alarm.Kind{}
		for k := range counts {
			kinds = append(kinds, k)
		}
		slices.SortFunc(kinds, func(a, b alarm.Kind) int {
			return cmp.Compare(slices.Index(alarm.Kinds(), a), slices.Index(alarm.Kinds(), b))
		})
		for _, k := range kinds {
			c := counts[k]
			fmt.Fprintf(&table, "| %s | %.1f | %s | %d | %.2f | %d | %d | %d | %d |\n", s.name, months, k, c.n, float64(c.n)/months, c.open, c.parts, c.quiet, c.bad)
		}
		if len(kinds) == 0 {
			fmt.Fprintf(&table, "| %s | %.1f | – | 0 | 0.00 | 0 | 0 | 0 | 0 |\n", s.name, months)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("alarms on the real series:\n%s", table.String())
	doc, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "alarms.md"))
	if err != nil || !strings.Contains(string(doc), table.String()) {
		t.Errorf("the table of docs/alarms.md is not what was counted (%v); put this in:\n%s", err, table.String())
	}
}
