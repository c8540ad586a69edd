package proof

import (
	"database/sql"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/internal/testkit"
	"plateau/rules"
)

var surfaceColumns = []struct{ column, factor string }{
	{"water_temp_c", "w01010"},
	{"ph", "w01001"},
	{"do_mg_l", "w01009"},
	{"codmn_mg_l", "w01019"},
	{"nh3n_mg_l", "w21003"},
	{"tp_mg_l", "w21011"},
	{"tn_mg_l", "w21001"},
}

// classes of the page by the names of the program.
var classes = map[string]string{"Ⅰ": "I", "Ⅱ": "II", "Ⅲ": "III", "Ⅳ": "IV", "Ⅴ": "V", "劣Ⅴ": "worse_than_V"}

// section is a station of the national network and what its page gave.
type section struct {
	outlet    *telemetry.Outlet
	published map[int64]string
}

// surfaceUploads are the four-hourly uploads of all national stations on three
// days of 2021, moved into 2026. The mark is the page's: maintenance is M. Rows
// without a time cannot be sent; all with "no running conditions" are of these.
func surfaceUploads(t *testing.T) (sections []*section, ups []upload, timeless int) {
	t.Helper()
	byName := map[string]*section{}
	for _, row := range csvFile(t, "surface-water/cnemc/cnemc_4h_2021-04-01_03.csv") {
		if len(row["time"]) < 16 {
			timeless++
			continue
		}
		name := row["province"] + row["section"]
		s := byName[name]
		if s == nil {
			o := &telemetry.Outlet{
				ID: telemetry.OutletID(len(byName) + 1), Medium: telemetry.Surface, SourceType: "surface water", Condition: "river", Level: "III",
				Intervals: []telemetry.Interval{{Realtime: 4 * 3600}},
			}
			for _, c := range surfaceColumns {
				o.Factors = append(o.Factors, telemetry.OutletFactor{Code: c.factor})
			}
			s = &section{o, map[int64]string{}}
			byName[name] = s
			sections = append(sections, s)
		}
		mark := map[string]string{"正常": "N", "维护": "M"}[row["station_status"]]
		u := upload{outlet: s.outlet.ID, cn: 2011, at: moved(t, "2006-01-02 15:04", row["time"], 5)}
		for _, c := range surfaceColumns {
			switch v := row[c.column]; {
			case v != "--" && v != "*" && v != "":
				u.items = append(u.items, item{c.factor, "Rtd", v, mark})
			case v == "--" && mark != "N": // a mark alone
				u.items = append(u.items, item{c.factor, "Rtd", "", mark})
			}
		}
		if len(u.items) == 0 {
			continue
		}
		ups = append(ups, u)
		s.published[u.at.Unix()] = classes[row["class"]]
	}
	return sections, ups, timeless
}

// surfaceDays is the day mean of sampled values without flow: every valid value
// weighs the same (pH by the hydrogen-ion concentration). Six samples are due a
// day.
const surfaceDays = `
SELECT outlet, at - (at + 28800) % 86400 AS day, factor, 6 AS due, SUM(flag = 'N') AS n,
	CASE factor WHEN 'w01001' THEN -log10(AVG(CASE WHEN flag = 'N' THEN pow(10.0, -v) END)) ELSE AVG(CASE WHEN flag = 'N' THEN v END) END AS mean,
	MIN(CASE WHEN flag = 'N' THEN v END), MAX(CASE WHEN flag = 'N' THEN v END)
FROM reading GROUP BY 1, 2, 3`

// surfaceClass is section 11: the class of each factor by GB 3838-2002 (rivers)
// from the reference's table of limits, best class first whose limit is kept;
// the section's is the worst. Temperature and total nitrogen have none.
const surfaceClass = `
CREATE TABLE factorclass AS
	SELECT r.outlet, r.at, r.factor, CASE WHEN r.factor = 'w01001' THEN CASE WHEN r.v BETWEEN 6 AND 9 THEN 1 ELSE 6 END
		ELSE COALESCE((SELECT MIN(l.class) FROM lim l WHERE l.factor = r.factor AND CASE l.op WHEN '>=' THEN r.v >= l.v ELSE r.v <= l.v END), 6) END AS class
	FROM reading r WHERE r.flag = 'N' AND r.factor IN ('w01001','w01009','w01019','w21003','w21011');
`

func TestSurfaceWater(t *testing.T) {
	t.Parallel()
	notUnderRace(t) // before the series are read, which alone is dear under it
	sections, ups, timeless := surfaceUploads(t)
	var outlets []*telemetry.Outlet
	for _, s := range sections {
		outlets = append(outlets, s.outlet)
	}
	w := newWorld(t, time.Date(2026, 4, 4, 12, 0, 0, 0, beijing), outlets...)
	w.load(ups)
	w.loadLimits()
	w.send(shuffled(ups, 5))
	w.judge()
	c := newTally(t)
	days := map[telemetry.OutletID]map[int64]*quality.DayRow{}
	for id := range w.snap.Outlets {
		days[id] = w.days(id)
	}
	w.query(surfaceDays, func(scan func(...any)) {
		var id telemetry.OutletID
		var day int64
		var factor string
		var due, n int
		var mean, lo, hi sql.NullFloat64
		scan(&id, &day, &factor, &due, &n, &mean, &lo, &hi)
		at := fmt.Sprintf("section %d %s %s", id, time.Unix(day, 0).In(beijing).Format("01-02"), factor)
		row := days[id][day]
		if row == nil || row.Factor(factor) == nil {
			c.check("day means", false, "%s: no row", at)
			return
		}
		f := row.Factor(factor)
		valid := due > 0 && n*100 >= 75*due
		what := "day means"
		if !valid {
			what = "days not valid"
		}
		c.check(what, f.Valid == valid && f.NValid == n && f.NExpected == due && same(f.Mean, mean) && same(f.Min, lo) && same(f.Max, hi),
			"%s: %v %d of %d %v, SQL %v %d of %d %v", at, f.Valid, f.NValid, f.NExpected, f.Mean, valid, n, due, mean)
	})
	w.compareClasses(c, sections)
	c.done(map[string]int{
		"day means": 19_000, "days not valid": 14_000, "classes": 22_000, "classes as published": 21_000,
	})
	t.Logf("%d sections, %d frames, %d rows of the source without a time", len(sections), w.sent, timeless)
}

// loadLimits reads the classes of rivers from the reference's table.
func (w *world) loadLimits() {
	w.t.Helper()
	f, err := os.Open(filepath.Join(testkit.Shared(w.t), "reference", "limits.csv"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`CREATE TABLE lim(factor TEXT, class INT, op TEXT, v REAL)`)
	n := 0
	for _, rec := range all[1:] {
		class := 1 + strings.Index(" I II III IV V ", " "+rec[6]+" ")
		if rec[0] != "GB 3838" || class == 0 || rec[5] != "" && rec[5] != "river" || rec[10] == "range" {
			continue
		}
		n++
		w.exec(`INSERT INTO lim SELECT ?, value, ?, CAST(? AS REAL) FROM (SELECT CASE ? WHEN 'I' THEN 1 WHEN 'II' THEN 2 WHEN 'III' THEN 3 WHEN 'IV' THEN 4 ELSE 5 END AS value)`, rec[7], rec[10], rec[11], rec[6])
	}
	if n < 5*5 {
		w.t.Fatalf("only %d limits of rivers", n)
	}
}

// compareClasses holds the program's class of every stored record against SQL's,
// and against the class the national centre published with the same values.
func (w *world) compareClasses(c *tally, sections []*section) {
	w.t.Helper()
	rule, err := indices.ReadClass(rules.Default(), "2026-04-01")
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(surfaceClass)
	want := map[[2]int64]string{}
	w.query(`SELECT outlet, at, MAX(class) FROM factorclass GROUP BY 1, 2`, func(scan func(...any)) {
		var id, at int64
		var class int
		scan(&id, &at, &class)
		want[[2]int64{id, at}] = []string{"I", "II", "III", "IV", "V", "worse_than_V"}[class-1]
	})
	agree := 0
	for _, s := range sections {
		err := w.store.Records(s.outlet.ID, telemetry.KindRealtime, 0, 1<<40, func(r *telemetry.Record) bool {
			values := map[string]float64{}
			for _, v := range r.Values { // a mark alone that came later takes the value back
				if v.Flag == "N" && v.IsNum {
					values[v.Code] = v.Dec.Float()
				} else {
					delete(values, v.Code)
				}
			}
			got := indices.WaterClass(rule, "river", values).Class
			key := [2]int64{int64(s.outlet.ID), r.At}
			if got == "" && want[key] == "" {
				return true
			}
			c.check("classes", got == want[key], "section %d %s: %q, SQL %q of %v", s.outlet.ID, time.Unix(r.At, 0).In(beijing), got, want[key], values)
			if p := s.published[r.At]; p != "" && len(values) == len(surfaceColumns) {
				c.n["classes as published"]++
				if p == got {
					agree++
				}
			}
			return true
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	n := c.n["classes as published"]
	w.t.Logf("the national centre published the same class in %d of %d cases (lakes are judged here as rivers)", agree, n)
	if agree*100 < n*90 {
		w.t.Errorf("only %d of %d classes are those published", agree, n)
	}
}
