package proof

import (
	"database/sql"
	"fmt"
	"math/big"
	"strconv"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// analyser columns of the three stations of Beijing by factor; carbon monoxide
// is published in ug/m3.
var stationFactors = []struct{ column, factor, item string }{
	{"PM2.5", "a34004", "PM2.5_24h"},
	{"PM10", "a34002", "PM10_24h"},
	{"SO2", "a21026", "SO2_24h"},
	{"NO2", "a21004", "NO2_24h"},
	{"CO", "a21005", ""},
	{"O3", "a05024", ""},
}

// airUploads reads the hourly values of three stations over a year and of a
// street analyser over half a year, moved by whole years into the time of the
// rules. A station's missing value (NA) is not sent; the street analyser sends
// its -200 with the mark of a fault, as a logger passes on what it is given.
func airUploads(t *testing.T) (ups []upload, hours int) {
	t.Helper()
	for i, name := range []string{"dingling", "gucheng", "huairou"} {
		for _, row := range csvFile(t, "cems/ambient-so2-no2/beijing_"+name+"_2016.csv") {
			u := upload{outlet: telemetry.OutletID(i + 1), cn: 2061, at: moved(t, "2006-01-02 15:04", row["datetime"], 10)}
			for _, f := range stationFactors {
				if v := row[f.column]; v != "NA" {
					u.items = append(u.items, item{f.factor, "Avg", v, "N"})
				}
			}
			if hours++; len(u.items) > 0 {
				ups = append(ups, u)
			}
		}
	}
	for _, row := range csvFile(t, "cems/analyser-with-gaps/airquality_hourly.csv") {
		u := upload{outlet: 4, cn: 2061, at: moved(t, "2006-01-02 15:04", row["datetime"], 22)}
		for _, f := range []struct{ column, factor string }{{"CO_GT", "a21005"}, {"NO2_GT", "a21004"}} {
			flag := "N"
			if row[f.column] == "-200" {
				flag = "D"
			}
			u.items = append(u.items, item{f.factor, "Avg", row[f.column], flag})
		}
		hours++
		ups = append(ups, u)
	}
	return ups, hours
}

func moved(t *testing.T, layout, text string, years int) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(layout, text, beijing)
	if err != nil {
		t.Fatal(err)
	}
	return at.AddDate(years, 0, 0)
}

func analysers() (out []*telemetry.Outlet) {
	for id := telemetry.OutletID(1); id <= 4; id++ {
		o := &telemetry.Outlet{ID: id, Medium: telemetry.Gas, SourceType: "ambient air", Intervals: []telemetry.Interval{{Minute: 10}}}
		for _, f := range stationFactors {
			if id < 4 || f.factor == "a21005" || f.factor == "a21004" {
				o.Factors = append(o.Factors, telemetry.OutletFactor{Code: f.factor, Unit: "ug/m3"})
			}
		}
		out = append(out, o)
	}
	return out
}

// airDays is section 3 again for hours taken as reported: the day mean of the
// valid hours, of which there must be 20 of the 24 due.
const airDays = `
SELECT outlet, at - (at + 28800) % 86400 AS day, factor, SUM(flag = 'N') AS n,
	AVG(CASE WHEN flag = 'N' THEN v END) AS mean, MIN(CASE WHEN flag = 'N' THEN v END), MAX(CASE WHEN flag = 'N' THEN v END), SUM(flag = 'N') >= 20 AS valid,
	CAST(TOTAL(CASE WHEN flag = 'N' THEN v END) AS INT) AS whole
FROM reading WHERE cn = 2061 GROUP BY 1, 2, 3`

func TestAirAnalysers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Date(2027, 3, 2, 0, 0, 0, 0, beijing), analysers()...)
	ups, hours := airUploads(t)
	w.load(ups)
	w.send(shuffled(ups, 3))
	w.judge()
	c := newTally(t)
	for id := range w.snap.Outlets {
		w.compareReportedHours(c, id)
	}
	days := map[telemetry.OutletID]map[int64]*quality.DayRow{}
	for id := range w.snap.Outlets {
		days[id] = w.days(id)
	}
	iaqi := newIAQI(t)
	w.query(airDays, func(scan func(...any)) {
		var id telemetry.OutletID
		var day, whole int64
		var factor string
		var n int
		var valid bool
		var mean, lo, hi sql.NullFloat64
		scan(&id, &day, &factor, &n, &mean, &lo, &hi, &valid, &whole)
		at := fmt.Sprintf("outlet %d %s %s", id, time.Unix(day, 0).In(beijing).Format("2006-01-02"), factor)
		row := days[id][day]
		if row == nil || row.Factor(factor) == nil {
			c.check("day means", false, "%s: no row", at)
			return
		}
		f := row.Factor(factor)
		what := "day means"
		if !valid {
			what = "days not valid"
		}
		c.check(what, f.Valid == valid && f.NValid == n && f.NExpected == 24 && same(f.Mean, mean) && same(f.Min, lo) && same(f.Max, hi),
			"%s: %v %d of %d %v (%v–%v), SQL %v %d %v (%v–%v)", at, f.Valid, f.NValid, f.NExpected, f.Mean, f.Min, f.Max, valid, n, mean, lo, hi)
		if valid && id < 4 {
			iaqi.compare(c, factor, f.Mean, whole, int64(n), at)
		}
	})
	c.done(map[string]int{
		"hour means": 150_000, "hours without a value": 2_000, "day means": 6_500, "days not valid": 250,
		"air quality indices of HJ 633-2012": 4_000, "air quality indices of HJ 633-2026": 4_000,
	})
	t.Logf("%d hours of the sources, %d frames", hours, w.sent)
}

// compareReportedHours holds hours taken as reported against their source.
func (w *world) compareReportedHours(c *tally, id telemetry.OutletID) {
	w.t.Helper()
	judged := w.hours(id)
	w.query(fmt.Sprintf(`SELECT at, factor, v, flag FROM reading WHERE outlet = %d AND cn = 2061`, id), func(scan func(...any)) {
		var at int64
		var factor, flag string
		var v sql.NullFloat64
		scan(&at, &factor, &v, &flag)
		row := judged[at]
		if row == nil || row.Factor(factor) == nil {
			c.check("hour means", false, "outlet %d %d %s: no row", id, at, factor)
			return
		}
		f := row.Factor(factor)
		if flag == "N" {
			c.check("hour means", f.Valid && f.Flag == "N" && same(f.Mean, v) && row.Source == quality.SourceReported, "outlet %d %d %s: %+v", id, at, factor, f)
			return
		}
		c.check("hours without a value", !f.Valid && f.Flag == flag && !f.Mean.OK && !f.Judged.OK, "outlet %d %d %s: %+v", id, at, factor, f)
	})
}

// iaqiTables are section 11 of the reference, in ug/m3.
var iaqiTables = map[string]map[string][]int64{
	"2012": {"PM2.5_24h": {0, 35, 75, 115, 150, 250, 350, 500}, "PM10_24h": {0, 50, 150, 250, 350, 420, 500, 600}, "SO2_24h": {0, 50, 150, 475, 800, 1600, 2100, 2620}, "NO2_24h": {0, 40, 80, 180, 280, 565, 750, 940}},
	"2026": {"PM2.5_24h": {0, 35, 60, 115, 150, 250, 350, 500}, "PM10_24h": {0, 50, 120, 250, 350, 420, 500, 600}, "SO2_24h": {0, 50, 150, 475, 800, 1600, 2100, 2620}, "NO2_24h": {0, 40, 80, 180, 280, 565, 750, 940}},
}

var iaqiIndex = []int64{0, 50, 100, 150, 200, 300, 400, 500}

type iaqiCheck struct {
	t     *testing.T
	rules map[string]*indices.AirRule
}

func newIAQI(t *testing.T) *iaqiCheck {
	t.Helper()
	x := &iaqiCheck{t, map[string]*indices.AirRule{}}
	for edition, date := range map[string]string{"2012": "2020-01-01", "2026": "2026-11-24"} {
		rule, ok := rules.Default().At("air.iaqi", date)
		if !ok {
			t.Fatalf("no air.iaqi on %s", date)
		}
		r, err := indices.ReadAir(rule)
		if err != nil {
			t.Fatal(err)
		}
		x.rules[edition] = r
	}
	return x
}

// compare holds the index of the judgement's day mean against one worked out in
// whole numbers: the mean is sum ÷ n, and the index is rounded up once.
func (x *iaqiCheck) compare(c *tally, factor string, mean quality.Opt, sum, n int64, at string) {
	item := ""
	for _, f := range stationFactors {
		if f.factor == factor {
			item = f.item
		}
	}
	for edition, rule := range x.rules {
		points := iaqiTables[edition][item]
		if points == nil {
			continue
		}
		want := iaqiIndex[len(iaqiIndex)-1]
		for i := 1; i < len(points); i++ {
			if sum <= points[i]*n {
				// ceil((Ihi−Ilo)·(sum−BPlo·n) ÷ ((BPhi−BPlo)·n)) + Ilo
				a, b := (iaqiIndex[i]-iaqiIndex[i-1])*(sum-points[i-1]*n), (points[i]-points[i-1])*n
				want = (a+b-1)/b + iaqiIndex[i-1]
				break
			}
		}
		exact, _ := new(big.Rat).SetString(strconv.FormatFloat(mean.V, 'f', -1, 64))
		got, ok := rule.IAQI(item, exact)
		c.check("air quality indices of HJ 633-"+edition, ok && int64(got) == want, "%s: %d, worked out %d of mean %v", at, got, want, mean.V)
	}
}
