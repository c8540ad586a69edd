package proof

import (
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// waterStart is midnight of the first played day, Beijing time.
var waterStart = time.Date(2026, 4, 1, 0, 0, 0, 0, beijing)

// works are three outlets of sewage works: Barcelona with one sample a day on
// its own days, Barcelona with a row an hour, Melbourne with a row an hour.
func works() []*telemetry.Outlet {
	factors := func(flow string, codes ...string) (out []telemetry.OutletFactor) {
		for _, c := range codes {
			out = append(out, telemetry.OutletFactor{Code: c})
		}
		return append(out, telemetry.OutletFactor{Code: "w00000", Unit: flow})
	}
	barcelona := []string{"w01001", "w01018", "w01012", "w01017"}
	list := []*telemetry.Outlet{
		{ID: 1, Intervals: []telemetry.Interval{{Realtime: 86400}}, Factors: factors("m3/d", barcelona...)},
		{ID: 2, Intervals: []telemetry.Interval{{Minute: 10}}, Factors: factors("m3/h", barcelona...)},
		{ID: 3, Intervals: []telemetry.Interval{{Minute: 10}}, Factors: factors("m3/s", "w21003", "w01018", "w21001", "w01010")},
	}
	for _, o := range list {
		o.Medium, o.SourceType, o.Level = telemetry.Water, "municipal sewage works outlet", "1A"
	}
	hi := 950.0 // the source is an inlet: a permit of the test's own makes some days comply
	list[2].Limits = []telemetry.Limit{{ID: "own", Standard: "permit", EffectiveFrom: "2026-01-01", Factor: "w01018", Statistic: "day", Op: "<=", Hi: &hi, Unit: "mg/L"}}
	return list
}

// barcelonaColumns by factor; the flow is that of the inlet.
var barcelonaColumns = []struct{ column, factor string }{
	{"PH-S", "w01001"},
	{"DQO-S", "w01018"},
	{"SS-S", "w01012"},
	{"DBO-S", "w01017"},
	{"Q-E", "w00000"},
}

// waterUploads are the works' uploads. What the sources do not hold, by row
// number k: of the hourly ones no water at all in 1 of 37, calibration in 1 of
// 11, nothing sent in 1 of 53; of the daily ones the plant stands still (F) in 1
// of 29. A missing cell (?) goes out as a mark D alone.
func waterUploads(t *testing.T) (ups []upload, rows int) {
	t.Helper()
	for k, row := range csvFile(t, "wastewater/uci-barcelona/water_treatment_1990.csv") {
		daily := upload{outlet: 1, cn: 2011, at: moved(t, "2006-01-02", row["date"], 36).Add(8 * time.Hour)}
		hourly := upload{outlet: 2, cn: 2061, at: waterStart.Add(time.Duration(k) * time.Hour)}
		for _, c := range barcelonaColumns {
			text, flag := row[c.column], "N"
			if text == "?" {
				text, flag = "", "D"
			}
			still := flag
			if k%29 == 9 {
				still = "F"
			}
			daily.items = append(daily.items, item{c.factor, "Rtd", text, still})
			if c.factor == "w00000" { // the day's m3 stand for the hour's amount
				if k%37 == 5 {
					text = "0"
				}
				hourly.items = append(hourly.items, item{c.factor, "Cou", text, flag})
				continue
			}
			if k%11 == 3 && flag == "N" {
				flag = "C"
			}
			hourly.items = append(hourly.items, item{c.factor, "Avg", text, flag})
		}
		ups = append(ups, daily)
		if k%53 != 17 {
			ups = append(ups, hourly)
		}
		rows++
	}
	for k, row := range csvFile(t, "wastewater/melbourne-eastern/etp_daily.csv") {
		rows++
		if k%53 == 17 {
			continue
		}
		u := upload{outlet: 3, cn: 2061, at: waterStart.Add(time.Duration(k) * time.Hour)}
		for _, c := range []struct{ column, factor string }{
			{"Ammonia", "w21003"}, {"Chemical Oxygen Demand", "w01018"}, {"Total Nitrogen", "w21001"}, {"Average Temperature", "w01010"}, {"Average Outflow", "w00000"},
		} {
			text, flag := row[c.column], "N"
			switch {
			case c.factor == "w00000" && k%37 == 5:
				text = "0"
			case c.factor != "w00000" && c.factor != "w01010" && k%11 == 3:
				flag = "C"
			}
			u.items = append(u.items, item{c.factor, "Avg", text, flag})
		}
		ups = append(ups, u)
	}
	return ups, rows
}

// waterDays is section 6.3. A row is a period of the factor: an hour, at the
// first outlet a day. q is the water of the period in m3: an amount, or a rate
// in m3/d or m3/s over the period. Due are the periods with water, and those of
// which nothing at all is known, but for one marked F, in which the source stood
// still; valid values must be 75 % of them. The day's
// flow is all measured water, its total mean × flow ÷ 1000 kg. pH goes by the
// hydrogen-ion concentration, and has no total.
const waterDays = `
CREATE TABLE periods AS
	SELECT f.outlet, f.at, f.at - (f.at + 28800) % 86400 AS day, f.factor, f.v AS c, f.flag = 'N' AND f.v IS NOT NULL AS valid,
		CASE f.outlet WHEN 1 THEN q.v WHEN 2 THEN q.v WHEN 3 THEN q.v*3600 END AS q
	FROM reading f LEFT JOIN reading q ON q.outlet = f.outlet AND q.at = f.at AND q.cn = f.cn AND q.factor = 'w00000' AND q.flag = 'N'
	WHERE f.factor <> 'w00000' AND f.factor <> 'w01010';
CREATE TABLE sums AS
	SELECT outlet, day, factor, TOTAL(q > 0) + CASE outlet WHEN 1 THEN 0 ELSE 24 - COUNT(*) END AS due, TOTAL(valid AND q > 0) AS n,
		SUM(CASE WHEN valid AND q > 0 THEN CASE factor WHEN 'w01001' THEN pow(10.0, -c)*q ELSE c*q END END) / SUM(CASE WHEN valid AND q > 0 THEN q END) AS weighted,
		SUM(q) AS flow
	FROM periods GROUP BY outlet, day, factor;
CREATE TABLE waterday AS
	SELECT outlet, day, factor, due, n, n*100 >= 75*due AND due > 0 AS valid, flow, CASE factor WHEN 'w01001' THEN -log10(weighted) ELSE weighted END AS mean
	FROM sums;
CREATE TABLE temperature AS
	SELECT outlet, at - (at + 28800) % 86400 AS day, AVG(v) AS c FROM reading WHERE factor = 'w01010' GROUP BY 1, 2;
`

// waterVerdicts are sections 9 and 12 with the limits of GB 18918-2002, class
// 1A: of ammonia nitrogen 5 mg/L above 12 °C and 8 mg/L at or below it; of COD
// 50 mg/L, at the third outlet 950 by its permit.
const waterVerdicts = `
SELECT d.outlet, d.day, d.factor, due, n, valid, mean, flow,
	CASE WHEN valid AND factor <> 'w01001' THEN mean*flow/1000 END AS total,
	CASE WHEN NOT valid THEN 0 ELSE mean > lim END AS over, CASE WHEN valid AND mean > lim THEN mean/lim - 1 END AS times
FROM (SELECT d.*, CASE factor WHEN 'w01018' THEN CASE d.outlet WHEN 3 THEN 950.0 ELSE 50.0 END WHEN 'w01012' THEN 10.0 WHEN 'w01017' THEN 10.0 WHEN 'w21001' THEN 15.0
	WHEN 'w21003' THEN CASE WHEN t.c <= 12 THEN 8.0 ELSE 5.0 END END AS lim
	FROM waterday d LEFT JOIN temperature t ON t.outlet = d.outlet AND t.day = d.day) d
ORDER BY 1, 2, 3`

// waterMonths is sections 6.3 and 6.4 for the outlet with a sample a day: the
// month's mean is that of its valid days, of which there must be 75 % of those
// due; a day without a valid total gets the largest valid one of the 30 days
// before it (the window is a convention), unless no water flowed. A day of which
// nothing came was due; one in which the source stood still was not.
const waterMonths = `
WITH RECURSIVE clock(day) AS (SELECT (SELECT MIN(day) FROM waterday WHERE outlet = 1) UNION ALL SELECT day + 86400 FROM clock WHERE day + 86400 <= %[1]d - 86400),
d AS (SELECT c.day, strftime('%%m', c.day + 28800, 'unixepoch') AS m, w.mean, w.valid, w.mean*w.flow/1000 AS kg,
		CASE WHEN w.day IS NULL THEN 1 ELSE w.due > 0 END AS due,
		CASE WHEN w.day IS NULL THEN 1 WHEN w.valid THEN 0 ELSE w.due > 0 AND (w.flow IS NULL OR w.flow > 0) END AS gap
	FROM clock c LEFT JOIN waterday w ON w.outlet = 1 AND w.factor = '%[2]s' AND w.day = c.day),
f AS (SELECT d.*, (SELECT MAX(kg) FROM d b WHERE b.valid AND b.day >= d.day - 30*86400 AND b.day < d.day) AS fill FROM d)
SELECT CAST(m AS INT), SUM(due), SUM(CASE WHEN valid THEN 1 ELSE 0 END), AVG(CASE WHEN valid THEN mean END), SUM(CASE WHEN valid THEN kg END),
	SUM(CASE WHEN gap THEN fill END), SUM(gap AND fill IS NOT NULL), SUM(gap AND fill IS NULL)
FROM f GROUP BY m ORDER BY m`

// compareWaterMonths holds every month of the first outlet against SQL.
func (w *world) compareWaterMonths(c *tally) {
	w.t.Helper()
	for _, factor := range []string{"w01018", "w01012", "w01017"} {
		w.query(fmt.Sprintf(waterMonths, w.clock.Load()/86400*86400-28800, factor), func(scan func(...any)) {
			var m, due, valid, filled, noRule int
			var mean, measured, substituted sql.NullFloat64
			scan(&m, &due, &valid, &mean, &measured, &substituted, &filled, &noRule)
			row, err := w.engine.Period(w.t.Context(), 1, quality.LevelMonth, time.Date(2026, time.Month(m), 5, 0, 0, 0, 0, beijing))
			if err != nil {
				w.t.Fatal(err)
			}
			for i := range row.Factors {
				f := &row.Factors[i]
				if f.Code != factor {
					continue
				}
				c.check("months of "+factor, f.DaysDue == due && f.DaysValid == valid && f.Valid == (100*valid >= 75*due) && same(f.Mean, mean) && same(f.Measured, measured) &&
					same(f.Substituted, substituted) && f.SubstHours == filled && f.NoRule == noRule,
					"%d: %+v\nSQL %d of %d days, mean %v, %v kg, %v kg for %d days, %d without", m, *f, valid, due, mean, measured, substituted, filled, noRule)
			}
		})
	}
}

func TestWasteWater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Date(2026, 12, 31, 12, 0, 0, 0, beijing), works()...)
	ups, rows := waterUploads(t)
	w.load(ups)
	w.send(shuffled(ups, 11))
	w.judge()
	w.exec(waterDays)
	c := newTally(t)
	days := map[telemetry.OutletID]map[int64]*quality.DayRow{}
	for id := range w.snap.Outlets {
		days[id] = w.days(id)
	}
	limits := map[float64]int{}
	w.query(waterVerdicts, func(scan func(...any)) {
		var id telemetry.OutletID
		var day int64
		var factor string
		var due, n int
		var valid bool
		var mean, flow, total, times sql.NullFloat64
		var over sql.NullBool
		scan(&id, &day, &factor, &due, &n, &valid, &mean, &flow, &total, &over, &times)
		at := fmt.Sprintf("outlet %d %s %s", id, time.Unix(day, 0).In(beijing).Format("01-02"), factor)
		row := days[id][day]
		if row == nil || row.Factor(factor) == nil {
			c.check("day means", false, "%s: no row", at)
			return
		}
		f := row.Factor(factor)
		what := "day means"
		switch {
		case !valid:
			what = "days not valid"
		case factor == "w01001":
			what = "day means of pH"
		}
		c.check(what, f.Valid == valid && f.NValid == n && f.NExpected == due && same(f.Mean, mean), "%s: %v %d of %d %v, SQL %v %d of %d %v", at, f.Valid, f.NValid, f.NExpected, f.Mean, valid, n, due, mean)
		c.check("day flows", same(f.Flow, flow), "%s: %v, SQL %v", at, f.Flow, flow)
		if valid && factor != "w01001" {
			c.check("day totals", same(f.Total, total), "%s: %v kg, SQL %v", at, f.Total, total)
			c.check("verdicts of days", f.Over == over.Bool && f.Evidence && same(f.Times, times), "%s: %v by %v, SQL %v by %v", at, f.Over, f.Times, over, times)
		}
		if f.Over {
			c.check("days over the limit", over.Bool, "%s", at)
			limits[f.Limit.Hi.V]++
		}
	})
	c.check("limits of ammonia by temperature", limits[5] > 0 && limits[8] > 0, "limits that were broken: %v", limits)
	w.slowWater(c)
	w.compareWaterMonths(c)
	c.done(map[string]int{
		"day means": 950, "days not valid": 40, "day means of pH": 290, "day flows": 1_300, "day totals": 950, "verdicts of days": 950,
		"days over the limit": 500, "limits of ammonia by temperature": 1, "day means of pH in binary steps": 12,
		"months of w01018": 12, "months of w01012": 12, "months of w01017": 12,
	})
	t.Logf("%d rows of the sources, %d frames", rows, w.sent)
}

// slowWater works the pH of the second outlet out without logarithms and powers
// of the machine: 10^-x by halving steps of square roots, its inverse by
// searching for it.
func (w *world) slowWater(c *tally) {
	w.t.Helper()
	days := w.days(2)
	type sums struct{ h, q float64 }
	all := map[int64]*sums{}
	w.query(`SELECT day, c, q FROM periods WHERE outlet = 2 AND factor = 'w01001' AND valid AND q > 0`, func(scan func(...any)) {
		var day int64
		var ph, q float64
		scan(&day, &ph, &q)
		if all[day] == nil {
			all[day] = &sums{}
		}
		all[day].h += tenToMinus(ph) * q
		all[day].q += q
	})
	for day, s := range all {
		want := s.h / s.q
		lo, hi := 0.0, 14.0
		for range 60 {
			if mid := (lo + hi) / 2; tenToMinus(mid) > want {
				lo = mid
			} else {
				hi = mid
			}
		}
		f := days[day].Factor("w01001")
		c.check("day means of pH in binary steps", f.Mean.OK && math.Abs(f.Mean.V-lo) < 1e-9, "%d: %v, worked out %v", day, f.Mean, lo)
	}
}

// tenToMinus is 10^-x for 0 ≤ x < 16: whole steps divide by ten, binary
// fractions by the square root of the step before.
func tenToMinus(x float64) float64 {
	r := 1.0
	for ; x >= 1; x-- {
		r /= 10
	}
	step := 10.0
	for range 52 {
		step = math.Sqrt(step)
		if x *= 2; x >= 1 {
			x--
			r /= step
		}
	}
	return r
}

// TestComparison shows that the comparison sees a fault: one wrong figure,
// one figure less.
func TestComparison(t *testing.T) {
	t.Parallel()
	if same(quality.Some(1+1e-6), sql.NullFloat64{Float64: 1, Valid: true}) || same(quality.Opt{}, sql.NullFloat64{Float64: 0, Valid: true}) || !same(quality.Some(1+1e-12), sql.NullFloat64{Float64: 1, Valid: true}) {
		t.Error("the tolerance lets a fault through, or calls rounding one")
	}
	for x := 0.0; x < 14; x += 0.37 {
		if d := tenToMinus(x)/math.Pow(10, -x) - 1; math.Abs(d) > 1e-12 {
			t.Errorf("10^-%s is off by %g", strconv.FormatFloat(x, 'f', 2, 64), d)
		}
	}
}
