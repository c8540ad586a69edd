package proof

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// periodStart is the first hour of the year that is played in real time.
var periodStart = time.Date(2026, 1, 1, 0, 0, 0, 0, beijing)

// gapPlan is a stretch of hours in which the analysers of the turbine give
// nothing that counts.
type gapPlan struct {
	from, hours int
	mark        string // "" = lost; "late5", "late12": sent again so many days later; "slow12": the same without the mark of what is sent again
}

// gapPlans lays gaps over the year, of 1 to 40 hours, so that the capture rate
// of the first quarter is above 90 %, of the second between 75 and 90, of the
// third below 75, and one gap lies across the end of the first quarter.
func gapPlans(hours int) (out []gapPlan) {
	lengths := []int{1, 5, 24, 25, 3, 40}
	marks := []string{"C", "M", "", "D", "T", "late5", "late12", "slow12"}
	n := 0
	for k := 100; k < hours-60; n++ {
		out = append(out, gapPlan{k, lengths[n%len(lengths)], marks[n%len(marks)]})
		month := periodStart.Add(time.Duration(k) * time.Hour).In(beijing).Month()
		k += map[bool]int{true: 260, false: 90}[month <= 3 || month >= 10]
		if month >= 7 && month < 10 {
			k -= 58
		}
	}
	out = slices.DeleteFunc(out, func(g gapPlan) bool { return g.from < 2190 && g.from+g.hours > 2140 })
	return append(out, gapPlan{2150, 30, "M"})
}

// arrival is an upload and the day it comes.
type arrival struct {
	day int // since periodStart
	up  upload
}

// yearUploads play the turbine's hours of 2011 one after another through 2026:
// nitrogen oxides of the source, oxygen and a dry flow made from the load, as
// hour records. The source stands still (F) in 20 of 500 hours; of 97 hours one
// has no flow.
func yearUploads(t *testing.T) (out []arrival, hours int) {
	t.Helper()
	data := csvFile(t, "cems/gas-turbine/gt_2011.csv")
	plan := make([]string, len(data))
	for i := range plan {
		plan[i] = "N"
	}
	for k := range plan {
		if k%500 >= 300 && k%500 < 320 {
			plan[k] = "F"
		}
	}
	for _, g := range gapPlans(len(data)) {
		for k := g.from; k < g.from+g.hours; k++ {
			plan[k] = g.mark
		}
	}
	for k, row := range data {
		mark, late := plan[k], 0
		switch mark {
		case "":
			continue
		case "late5":
			mark, late = "N", 5
		case "late12", "slow12":
			mark, late = "N", 12
		}
		load := number(t, row["TEY"])
		flow, nox := fmt.Sprintf("%.0f", load*2500), row["NOX"]
		flowMark := mark
		if mark == "N" && k%97 == 50 {
			flowMark, flow = "D", ""
		}
		if mark == "D" {
			nox, flow = "", ""
		}
		u := upload{1, 2061, periodStart.Add(time.Duration(k) * time.Hour), []item{
			{"a21002", "Avg", nox, mark}, {"a19001", "Avg", fmt.Sprintf("%.2f", 19.5-load/30), mark}, {"a00000", "Avg", flow, flowMark},
		}, late > 0 && plan[k] != "slow12"}
		out = append(out, arrival{k/24 + late, u})
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return a.day - b.day })
	return out, len(data)
}

// periodHours are the hours of the outlet: stopped under a declared stop or with
// mark F, else valid or not; the rate of a valid hour with a valid flow is
// G = C × Q × 1e-6 kg/h (section 4, the measured concentration). A gap is an hour
// of the running source without a rate. came is what counts as received: values
// that came within ten days of their hour; only what is marked as sent again is
// held to that.
const periodHours = `
CREATE TABLE everyhour AS
	WITH RECURSIVE c(h) AS (SELECT %[1]d UNION ALL SELECT h + 3600 FROM c WHERE h + 3600 < %[2]d)
	SELECT h, CAST(strftime('%%Y', h + 28800, 'unixepoch') AS INT) AS y, CAST(strftime('%%m', h + 28800, 'unixepoch') AS INT) AS m, h - (h + 28800) %% 86400 AS day FROM c;
CREATE TABLE state AS
	SELECT e.h, e.m, (e.m + 2)/3 AS q, e.day,
		CASE WHEN EXISTS (SELECT 1 FROM stop s WHERE s.a <= e.h AND e.h < s.b) OR n.flag = 'F' THEN 'stopped' WHEN n.flag = 'N' THEN 'valid' ELSE 'invalid' END AS state,
		n.v AS c, CASE WHEN n.flag = 'N' AND w.flag = 'N' THEN n.v * w.v * 1e-6 END AS kg,
		(n.flag = 'N') + (o.flag = 'N') + (w.flag = 'N') AS good,
		CASE WHEN NOT a.rf OR a.received <= e.h + 3600 + 864000 THEN (n.v IS NOT NULL) + (o.v IS NOT NULL) + (w.v IS NOT NULL) ELSE 0 END AS came,
		(NOT a.rf OR a.received <= e.h + 3600 + 864000) AS intime
	FROM everyhour e
	LEFT JOIN reading n ON n.at = e.h AND n.factor = 'a21002' LEFT JOIN reading o ON o.at = e.h AND o.factor = 'a19001' LEFT JOIN reading w ON w.at = e.h AND w.factor = 'a00000'
	LEFT JOIN arrived a ON a.at = e.h;
CREATE INDEX state_h ON state(h);
`

// periodRuns is section 5: the capture rate of each quarter, the unbroken runs
// of gaps, and what stands in for each: the largest of the last 180, 720 or 2160
// valid hourly rates before the run, by the capture rate and the run's length.
const periodRuns = `
CREATE TABLE alpha AS SELECT q, 100.0*(COUNT(*) - SUM(state = 'invalid') - SUM(state = 'stopped'))/(COUNT(*) - SUM(state = 'stopped')) AS alpha FROM state GROUP BY q;
CREATE TABLE rates AS SELECT h, kg, ROW_NUMBER() OVER (ORDER BY h) AS rn FROM state WHERE state = 'valid' AND kg IS NOT NULL;
CREATE TABLE gaps AS
	SELECT h, m, q, gap, SUM(1 - gap) OVER (ORDER BY h) AS run FROM (SELECT *, state = 'invalid' OR (state = 'valid' AND kg IS NULL) AS gap FROM state);
CREATE TABLE runs AS
	SELECT run, MIN(h) AS start, COUNT(*) AS n, (SELECT COUNT(*) FROM rates r WHERE r.h < MIN(g.h)) AS before FROM gaps g WHERE gap GROUP BY run;
CREATE TABLE pieces AS
	SELECT p.*, CASE WHEN alpha >= 75 THEN (SELECT MAX(kg) FROM rates WHERE rn > before - win AND rn <= before) END AS value, MIN(win, before) AS used
	FROM (SELECT g.run, g.q, r.start, r.n, r.before, MIN(g.h) AS a, MAX(g.h) + 3600 AS b, COUNT(*) AS hours, al.alpha,
			CASE WHEN al.alpha >= 90 AND r.n <= 24 THEN 180 WHEN al.alpha >= 90 THEN 720 WHEN al.alpha >= 75 THEN 2160 END AS win
		FROM gaps g JOIN runs r ON r.run = g.run JOIN alpha al ON al.q = g.q WHERE g.gap GROUP BY g.run, g.q) p;
CREATE TABLE days AS
	SELECT day, m, (m + 2)/3 AS q, COUNT(*) - SUM(state = 'stopped') AS due, SUM(state = 'valid') AS n, AVG(CASE WHEN state = 'valid' THEN c END) AS mean FROM state GROUP BY day;
`

// periodFigures are the figures of a month, quarter or year. A month is valid
// with 25 valid days, February with 23; a longer period when its months are. The
// valid rate of transmission (section 8) is values received ÷ due × valid groups
// ÷ groups due, of running hours only.
const periodFigures = `
SELECT s.%[1]s AS period, COUNT(*) - SUM(s.state = 'stopped'), SUM(s.state = 'valid'), SUM(s.state = 'stopped'),
	100.0*(COUNT(*) - SUM(s.state = 'invalid') - SUM(s.state = 'stopped'))/(COUNT(*) - SUM(s.state = 'stopped')),
	SUM(CASE WHEN s.state = 'valid' THEN s.kg END),
	(SELECT SUM(p.value) FROM gaps g JOIN pieces p ON p.run = g.run AND p.q = g.q WHERE g.gap AND g.%[1]s = s.%[1]s AND p.value IS NOT NULL),
	(SELECT COUNT(*) FROM gaps g JOIN pieces p ON p.run = g.run AND p.q = g.q WHERE g.gap AND g.%[1]s = s.%[1]s AND p.value IS NOT NULL),
	(SELECT COUNT(*) FROM gaps g JOIN pieces p ON p.run = g.run AND p.q = g.q WHERE g.gap AND g.%[1]s = s.%[1]s AND p.value IS NULL),
	(SELECT SUM(due > 0) FROM days d WHERE d.%[1]s = s.%[1]s AND d.day + 86400 <= %[2]d), (SELECT SUM(n >= 20) FROM days d WHERE d.%[1]s = s.%[1]s AND d.day + 86400 <= %[2]d),
	(SELECT AVG(mean) FROM days d WHERE d.%[1]s = s.%[1]s AND n >= 20 AND d.day + 86400 <= %[2]d),
	(SELECT MIN(v >= CASE WHEN m = 2 THEN 23 ELSE 25 END) FROM (SELECT m, SUM(n >= 20) AS v FROM days d WHERE d.%[1]s = s.%[1]s AND d.day + 86400 <= %[2]d GROUP BY m)),
	100.0*SUM(CASE WHEN s.state <> 'stopped' THEN s.came END)/(3*SUM(s.state <> 'stopped')),
	100.0*SUM(s.state <> 'stopped' AND s.good = 3 AND s.intime)/SUM(s.state <> 'stopped')
FROM state s GROUP BY s.%[1]s ORDER BY 1`

func TestPeriods(t *testing.T) {
	t.Parallel()
	o := turbines()[0]
	o.Intervals = []telemetry.Interval{{Minute: 10}}
	o.Factors = []telemetry.OutletFactor{{Code: "a21002"}, {Code: "a19001"}, {Code: "a00000", Unit: "m3/h"}}
	o.Since = periodStart
	o.Stops = []telemetry.Stop{{From: periodStart.AddDate(0, 4, 9), To: periodStart.AddDate(0, 4, 12)}}
	w := newWorld(t, periodStart, o)
	arrivals, hours := yearUploads(t)
	end := periodStart.Add(time.Duration(hours) * time.Hour)
	w.exec(`CREATE TABLE stop(outlet INT, a INT, b INT); CREATE TABLE arrived(at INT PRIMARY KEY, received INT, rf INT)`)
	w.exec(`INSERT INTO stop VALUES(1, ?, ?)`, o.Stops[0].From.Unix(), o.Stops[0].To.Unix())
	for i := 0; i < len(arrivals); {
		var ups []upload
		k := i
		for ; k < len(arrivals) && arrivals[k].day == arrivals[i].day; k++ {
			ups = append(ups, arrivals[k].up)
		}
		w.clock.Store(periodStart.AddDate(0, 0, arrivals[i].day+1).Unix())
		w.load(ups)
		w.send(ups)
		for _, u := range ups {
			w.exec(`INSERT INTO arrived VALUES(?, ?, ?)`, u.at.Unix(), w.clock.Load(), u.rf)
		}
		i = k
	}
	w.clock.Store(end.Unix())
	w.judge()
	w.exec(fmt.Sprintf(periodHours, periodStart.Unix(), end.Unix()))
	w.exec(periodRuns)
	c := newTally(t)
	for level, column := range map[string]string{quality.LevelMonth: "m", quality.LevelQuarter: "q", quality.LevelYear: "y"} {
		w.comparePeriods(c, level, column, end)
	}
	c.done(map[string]int{
		"months": 11, "quarters": 4, "years": 1, "capture rates": 16, "emissions": 16, "means of periods": 16, "rates of transmission": 16,
		"runs substituted": 60, "runs without a rule": 25, "alphas": 4,
	})
	t.Logf("%d hours of the source, %d frames", hours, w.sent)
	bands := map[string]int{}
	w.query(`SELECT CASE WHEN alpha >= 90 THEN 'at least 90' WHEN alpha >= 75 THEN '75 to 90' ELSE 'below 75' END || CASE WHEN n > 24 THEN ', long' ELSE ', short' END FROM pieces`, func(scan func(...any)) {
		var band string
		scan(&band)
		bands[band]++
	})
	t.Logf("runs by capture rate and length: %v", bands)
	if len(bands) != 6 {
		t.Error("a line of the table of windows was not met")
	}
}

func (w *world) comparePeriods(c *tally, level, column string, end time.Time) {
	w.t.Helper()
	query := fmt.Sprintf(periodFigures, column, end.Unix())
	if level == quality.LevelYear {
		w.exec(`ALTER TABLE state ADD y INT DEFAULT 2026; ALTER TABLE gaps ADD y INT DEFAULT 2026; ALTER TABLE days ADD y INT DEFAULT 2026`)
	}
	type figures struct {
		n, due, valid, stopped, subst, noRule, daysDue, daysValid int
		alpha, measured, substituted, mean, tx, good              sql.NullFloat64
		ok                                                        bool
	}
	var all []figures
	w.query(query, func(scan func(...any)) {
		var f figures
		scan(&f.n, &f.due, &f.valid, &f.stopped, &f.alpha, &f.measured, &f.substituted, &f.subst, &f.noRule, &f.daysDue, &f.daysValid, &f.mean, &f.ok, &f.tx, &f.good)
		all = append(all, f)
	})
	for _, f := range all {
		at := periodStart
		switch level {
		case quality.LevelMonth:
			at = periodStart.AddDate(0, f.n-1, 3)
		case quality.LevelQuarter:
			at = periodStart.AddDate(0, 3*(f.n-1), 3)
		}
		row, err := w.engine.Period(w.t.Context(), 1, level, at)
		if err != nil {
			w.t.Fatal(err)
		}
		var p *quality.PeriodFactor
		for i := range row.Factors {
			if row.Factors[i].Code == "a21002" {
				p = &row.Factors[i]
			}
		}
		name := fmt.Sprintf("%s %d", level, f.n)
		if p == nil {
			c.check(level+"s", false, "%s: no nitrogen oxides", name)
			continue
		}
		c.check(level+"s", p.HoursDue == f.due && p.HoursValid == f.valid && p.HoursStopped == f.stopped && p.DaysDue == f.daysDue && p.DaysValid == f.daysValid && p.Valid == f.ok,
			"%s: %+v, SQL %+v", name, *p, f)
		c.check("capture rates", same(p.Capture, f.alpha), "%s: %v, SQL %v", name, p.Capture, f.alpha)
		c.check("means of periods", same(p.Mean, f.mean), "%s: %v, SQL %v", name, p.Mean, f.mean)
		c.check("emissions", same(p.Measured, f.measured) && same(p.Substituted, f.substituted) && p.SubstHours == f.subst && p.NoRule == f.noRule,
			"%s: %v kg and %v kg of %d h, %d h without a rule; SQL %v and %v of %d, %d", name, p.Measured, p.Substituted, p.SubstHours, p.NoRule, f.measured, f.substituted, f.subst, f.noRule)
		tx := row.Transmission
		c.check("rates of transmission", same(tx.Transmission, f.tx) && same(tx.Valid, f.good) && same(tx.TxValid, sql.NullFloat64{Float64: f.tx.Float64 * f.good.Float64 / 100, Valid: f.tx.Valid}),
			"%s: %+v, SQL %v × %v", name, tx, f.tx, f.good)
		if level == quality.LevelQuarter {
			w.compareRuns(c, f.n, row.Substitution)
		}
	}
}

// compareRuns holds every substitution of a quarter against SQL's.
func (w *world) compareRuns(c *tally, quarter int, got []quality.Substitution) {
	w.t.Helper()
	var want []quality.Substitution
	got = slices.DeleteFunc(slices.Clone(got), func(s quality.Substitution) bool { return s.Factor != "a21002" })
	w.query(fmt.Sprintf(`SELECT a, b, hours, n, alpha, win, value, used FROM pieces WHERE q = %d ORDER BY a`, quarter), func(scan func(...any)) {
		var s quality.Substitution
		var window, used sql.NullInt64
		var value sql.NullFloat64
		scan(&s.From, &s.To, &s.Hours, &s.RunHours, &s.Alpha.V, &window, &value, &used)
		s.Rate = quality.Opt{V: value.Float64, OK: value.Valid}
		s.Window, s.SourceHours = int(window.Int64), int(used.Int64)
		want = append(want, s)
	})
	if len(got) != len(want) {
		c.check("runs substituted", false, "quarter %d: %d runs, SQL %d", quarter, len(got), len(want))
		return
	}
	for i := range want {
		g, s := &got[i], &want[i]
		at := fmt.Sprintf("%d h from %s", s.Hours, time.Unix(s.From, 0).In(beijing).Format("01-02 15"))
		if i == 0 {
			c.check("alphas", same(g.Alpha, sql.NullFloat64{Float64: s.Alpha.V, Valid: true}), "quarter %d: %v, SQL %v", quarter, g.Alpha, s.Alpha)
		}
		equal := g.From == s.From && g.To == s.To && g.Hours == s.Hours && g.RunHours == s.RunHours && same(g.Rate, sql.NullFloat64{Float64: s.Rate.V, Valid: s.Rate.OK})
		if !s.Rate.OK {
			c.check("runs without a rule", equal && g.Status == "no_rule" && !g.Kg.OK, "%s: %+v, SQL %+v", at, *g, *s)
			continue
		}
		c.check("runs substituted", equal && g.Status == "ok" && g.Window == s.Window && g.SourceHours == s.SourceHours, "%s: %+v, SQL %+v", at, *g, *s)
	}
}
