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

// gasStart is the first ten minutes of the played series, midnight in Beijing.
var gasStart = time.Date(2026, 1, 5, 0, 0, 0, 0, beijing)

// turbines are three outlets, a year of the source each; the third sends a
// record a minute, the others one in ten. Of the second an engineer declared a
// stop of five days.
func turbines() []*telemetry.Outlet {
	var out []*telemetry.Outlet
	for id := telemetry.OutletID(1); id <= 3; id++ {
		out = append(out, &telemetry.Outlet{
			ID: id, Medium: telemetry.Gas, SourceType: "natural-gas turbine", Condition: "all", Level: "general (表1)",
			Intervals: []telemetry.Interval{{Realtime: 30, Minute: 10}},
			Factors:   []telemetry.OutletFactor{{Code: "a21002"}, {Code: "a21005"}, {Code: "a19001"}},
		})
	}
	out[2].Intervals[0].Minute = 1
	out[1].Stops = []telemetry.Stop{{From: gasStart.AddDate(0, 0, 20), To: gasStart.AddDate(0, 0, 25)}}
	return out
}

// gasUploads plays the hourly flue gas of a turbine faster: a row stands for
// ten minutes (or one), so that hours have unlike values. The source has no
// oxygen and no marks; those added, by row number k:
//
//	oxygen falls from 16.2 % to 13.7 % with the load; of every 41st six rows 20.9 (nothing can be folded),
//	of every 37th six rows from an analyser in maintenance
//	2 of 149 calibration, 1 of 331 over range (nitrogen oxides only), 1 of 401 without mark, 1 of 211 lost,
//	72 rows of 1368: the source stands still (F)
//	1 of 50 is sent again later with nitrogen oxides 5 mg/m3 higher: the later value counts
//	a record a minute: the first 12 to 17 minutes of an hour are calibration, so that 43 to 48 are left
func gasUploads(t *testing.T, id telemetry.OutletID, file string, minutes int) (ups []upload, rows int) {
	t.Helper()
	data := csvFile(t, file)
	for k, row := range data {
		if k%211 == 5 {
			continue
		}
		mark := "N"
		switch {
		case (k/72)%19 == 3:
			mark = "F"
		case k%149 < 2:
			mark = "C"
		case k%401 == 9:
			mark = ""
		case minutes == 1 && k%60 < 12+(k/60)%6:
			mark = "C"
		}
		nox, o2, o2mark := mark, fmt.Sprintf("%.2f", 19.5-number(t, row["TEY"])/30), mark
		if mark == "N" && k%331 == 7 {
			nox = "T"
		}
		if mark == "N" && (k/6)%37 == 1 {
			o2mark = "M"
		}
		if (k/6)%41 == 2 {
			o2 = "20.9"
		}
		u := upload{id, 2051, gasStart.Add(time.Duration(k*minutes) * time.Minute), []item{
			{"a21002", "Avg", row["NOX"], nox}, {"a21005", "Avg", row["CO"], mark}, {"a19001", "Avg", o2, o2mark},
		}, false}
		ups = append(ups, u)
		if k%50 == 3 {
			u.items = []item{{"a21002", "Avg", fmt.Sprintf("%.3f", number(t, row["NOX"])+5), nox}}
			ups = append(ups, u)
		}
	}
	return ups, len(data)
}

// gasHours is the validity and mean of hours from minute records: sections
// 2.2, 3 and 4 of the reference. ref_o2 is 15 for nitrogen oxides of gas
// turbines, the limit 50 mg/m3 (GB 13223-2011).
const gasHours = `
CREATE TABLE minutes AS
	SELECT outlet, at - at % 3600 AS hour, factor, v,
		CASE WHEN flag = '' THEN '?' ELSE flag END AS flag
	FROM reading WHERE cn = 2051;
CREATE TABLE counted AS
	SELECT outlet, hour, factor, SUM(step) AS seen,
		SUM(step*(flag='N')) AS n, SUM(step*(flag='F')) AS nf, SUM(step*(flag='C')) AS nc, SUM(step*(flag='M')) AS nm,
		SUM(step*(flag='D')) AS nd, SUM(step*(flag='T')) AS nt, SUM(step*(flag='?')) AS nq,
		AVG(CASE WHEN flag='N' THEN v END) AS mean, MIN(CASE WHEN flag='N' THEN v END) AS lo, MAX(CASE WHEN flag='N' THEN v END) AS hi
	FROM minutes NATURAL JOIN every GROUP BY outlet, hour, factor;
CREATE TABLE hours AS
	SELECT *, n >= 45 AS valid,
		CASE
			WHEN n >= 45 THEN 'N'
			WHEN nf >= 45 THEN 'F'
			WHEN MAX(nd, nm, nc) > 15 THEN CASE MAX(nd, nm, nc) WHEN nd THEN 'D' WHEN nm THEN 'M' ELSE 'C' END
			WHEN MAX(nd, nm, nc, nt, nf, nq) = 0 THEN 'Md'
			ELSE CASE MAX(nd, nm, nc, nt, nf, nq) WHEN nd THEN 'D' WHEN nm THEN 'M' WHEN nc THEN 'C' WHEN nt THEN 'T' WHEN nf THEN 'F' ELSE '?' END
		END AS mark,
		EXISTS (SELECT 1 FROM stop s WHERE s.outlet = counted.outlet AND s.a <= hour AND hour < s.b) AS stopped
	FROM counted;
CREATE INDEX hours_by ON hours(outlet, hour, factor);
CREATE TABLE folded AS
	SELECT h.*, o.mean AS o2,
		CASE WHEN h.factor <> 'a21002' THEN 'not_required'
			WHEN o.mean IS NULL OR o.mean < 0 OR NOT o.valid THEN 'o2_missing'
			WHEN o.mean >= 20.5 THEN 'o2_out_of_range'
			ELSE 'ok' END AS fold,
		CASE WHEN h.factor = 'a21002' AND o.valid AND o.mean >= 0 AND o.mean < 20.5 THEN h.mean * (21.0 - 15.0) / (21.0 - o.mean) END AS zs
	FROM hours h LEFT JOIN hours o ON o.outlet = h.outlet AND o.hour = h.hour AND o.factor = 'a19001';
CREATE INDEX folded_by ON folded(outlet, hour, factor);
`

// gasReported makes what the logger itself says of its hours (2061): means to
// two places, folded ones to one. Of 29 hours it folds one wrongly by 5 %, of
// 31 it marks one as faulty, of 7 it says nothing.
const gasReported = `
CREATE TABLE said AS
	SELECT outlet, hour, printf('%.2f', mean) AS avg, printf('%.1f', CASE WHEN (hour/3600) % 29 = 0 THEN zs*1.05 ELSE zs END) AS zsavg,
		CASE WHEN (hour/3600) % 31 = 0 THEN 'D' ELSE 'N' END AS flag
	FROM folded WHERE factor = 'a21002' AND valid AND zs IS NOT NULL AND (hour/3600) % 7 <> 0;
`

// gasJudged compares: the reported folded mean where its mark is N, else the
// recomputed one, unrounded against 50 mg/m3; nothing in a declared stop.
const gasJudged = `
SELECT f.outlet, f.hour, f.factor, f.valid, f.mark, f.seen, f.n, f.mean, f.lo, f.hi, f.fold, f.zs, f.stopped,
	CASE WHEN f.stopped OR f.mark = 'F' THEN 0 ELSE 60 END AS due,
	j.judged, (j.judged > 50.0) AS over, CASE WHEN j.judged > 50.0 THEN j.judged/50.0 - 1 END AS times,
	CASE WHEN f.valid AND f.zs IS NOT NULL AND j.flag = 'N' THEN 100*ABS(j.zsavg - f.zs)/f.zs END AS diff
FROM folded f LEFT JOIN (
	SELECT f.outlet, f.hour, f.factor, s.flag, CAST(s.zsavg AS REAL) AS zsavg,
		CASE WHEN NOT f.valid THEN NULL WHEN s.flag = 'N' THEN CAST(s.zsavg AS REAL) ELSE f.zs END AS judged
	FROM folded f LEFT JOIN said s ON s.outlet = f.outlet AND s.hour = f.hour WHERE f.factor = 'a21002'
) j ON j.outlet = f.outlet AND j.hour = f.hour AND j.factor = f.factor
ORDER BY 1, 2, 3`

// gasDays is section 3: the day mean is the arithmetic mean of the valid hours
// and needs 20; hours in a declared stop or marked F were not due. A folded day
// mean is of the valid hours that could be folded; with 20 valid hours of which
// fewer could be folded there is none.
const gasDays = `
WITH RECURSIVE clock(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM clock WHERE k < 23),
days AS (SELECT DISTINCT outlet, hour - (hour + 28800) % 86400 AS day FROM folded),
slots AS (SELECT d.outlet, d.day, d.day + 3600*k AS hour, c.factor FROM days d, clock, (SELECT 'a21002' AS factor UNION SELECT 'a21005' UNION SELECT 'a19001') c
	WHERE NOT EXISTS (SELECT 1 FROM stop s WHERE s.outlet = d.outlet AND s.a <= d.day + 3600*k AND d.day + 3600*k < s.b)),
whole AS (
	SELECT s.outlet, s.day, s.factor,
		SUM(CASE WHEN f.mark = 'F' THEN 0 ELSE 1 END) AS due, SUM(CASE WHEN f.valid THEN 1 ELSE 0 END) AS n,
		AVG(CASE WHEN f.valid THEN f.mean END) AS mean, MIN(CASE WHEN f.valid THEN f.lo END) AS lo, MAX(CASE WHEN f.valid THEN f.hi END) AS hi,
		AVG(CASE WHEN f.valid THEN f.zs END) AS zs, COUNT(CASE WHEN f.valid THEN f.zs END) AS nzs
	FROM slots s LEFT JOIN folded f ON f.outlet = s.outlet AND f.hour = s.hour AND f.factor = s.factor
	GROUP BY s.outlet, s.day, s.factor)
SELECT outlet, day, factor, due, n, n >= 20 AS valid, mean, lo, hi, CASE WHEN n >= 20 AND nzs < 20 THEN NULL ELSE zs END AS zs
FROM whole ORDER BY 1, 2, 3`

func TestGasTurbine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gasStart.AddDate(0, 0, 60), turbines()...)
	var ups []upload
	rows := 0
	for i, year := range []string{"2011", "2012", "2013"} {
		id := telemetry.OutletID(i + 1)
		u, n := gasUploads(t, id, "cems/gas-turbine/gt_"+year+".csv", w.snap.Outlets[id].Intervals[0].Minute)
		ups, rows = append(ups, u...), rows+n
	}
	w.load(ups)
	w.exec(`CREATE TABLE stop(outlet INT, a INT, b INT); CREATE TABLE every(outlet INT, step INT)`)
	for _, o := range w.snap.Outlets {
		w.exec(`INSERT INTO every VALUES(?,?)`, o.ID, o.Intervals[0].Minute)
		for _, s := range o.Stops {
			w.exec(`INSERT INTO stop VALUES(?,?,?)`, o.ID, s.From.Unix(), s.To.Unix())
		}
	}
	w.exec(gasHours)
	w.exec(gasReported)
	said := w.reportedHours()
	w.send(shuffled(append(slices.Clone(ups), said...), 7))
	w.judge()
	c := newTally(t)
	w.compareGasHours(c)
	w.compareGasDays(c)
	c.done(map[string]int{
		"hour means": 7_700, "hour marks": 7_700, "folded hours": 2_000, "hours not folded": 80, "verdicts of hours": 2_200, "hours over the limit": 1_900,
		"hours in a declared stop": 100, "differences to the reported": 1_600, "wrong reports": 40,
		"day means": 250, "days not valid": 50, "folded days": 100,
	})
	t.Logf("%d rows of the source, %d frames", rows, w.sent)
}

// reportedHours are the 2061 uploads of the table said.
func (w *world) reportedHours() (ups []upload) {
	w.t.Helper()
	q, err := w.db.QueryContext(w.t.Context(), `SELECT outlet, hour, avg, zsavg, flag FROM said`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer q.Close()
	for q.Next() {
		var id telemetry.OutletID
		var hour int64
		var avg, zs, flag string
		if err := q.Scan(&id, &hour, &avg, &zs, &flag); err != nil {
			w.t.Fatal(err)
		}
		ups = append(ups, upload{id, 2061, time.Unix(hour, 0), []item{{"a21002", "Avg", avg, ""}, {"a21002", "ZsAvg", zs, flag}}, false})
	}
	if err := q.Err(); err != nil {
		w.t.Fatal(err)
	}
	return ups
}

// query runs a query and calls row for each row.
func (w *world) query(query string, row func(scan func(...any))) {
	w.t.Helper()
	q, err := w.db.QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatalf("%v in %.300s", err, query)
	}
	defer q.Close()
	for q.Next() {
		row(func(dst ...any) {
			if err := q.Scan(dst...); err != nil {
				w.t.Fatal(err)
			}
		})
	}
	if err := q.Err(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) compareGasHours(c *tally) {
	w.t.Helper()
	judged := map[telemetry.OutletID]map[int64]*quality.HourRow{}
	rows := 0
	for id := range w.snap.Outlets {
		judged[id] = w.hours(id)
		for _, r := range judged[id] {
			rows += len(r.Factors)
		}
	}
	w.query(gasJudged, func(scan func(...any)) {
		var id telemetry.OutletID
		var hour int64
		var factor, mark, fold string
		var valid, stopped bool
		var seen, n, due int
		var mean, lo, hi, zs, figure, times, diff sql.NullFloat64
		var over sql.NullBool
		scan(&id, &hour, &factor, &valid, &mark, &seen, &n, &mean, &lo, &hi, &fold, &zs, &stopped, &due, &figure, &over, &times, &diff)
		rows--
		row := judged[id][hour]
		if row == nil || row.Factor(factor) == nil {
			c.check("hour means", false, "outlet %d %s %s: no row", id, time.Unix(hour, 0).In(beijing), factor)
			return
		}
		f := row.Factor(factor)
		at := fmt.Sprintf("outlet %d %s %s", id, time.Unix(hour, 0).In(beijing).Format("01-02 15:04"), factor)
		c.check("hour means", same(f.Mean, mean) && same(f.Min, lo) && same(f.Max, hi), "%s: %v (%v–%v), SQL %v (%v–%v)", at, f.Mean, f.Min, f.Max, mean, lo, hi)
		c.check("hour marks", f.Valid == valid && f.Flag == mark && f.NSeen == seen && f.NValid == n && f.NExpected == due,
			"%s: %v %q %d of %d, %d due; SQL %v %q %d of %d, %d due", at, f.Valid, f.Flag, f.NValid, f.NSeen, f.NExpected, valid, mark, n, seen, due)
		if factor != "a21002" || !valid {
			return
		}
		what := "folded hours"
		if fold != "ok" {
			what = "hours not folded"
		}
		c.check(what, string(f.Fold) == fold && same(f.Folded, zs), "%s: %s %v, SQL %s %v", at, f.Fold, f.Folded, fold, zs)
		c.check("verdicts of hours", same(f.Judged, figure), "%s: judged %v, SQL %v", at, f.Judged, figure)
		if stopped {
			c.check("hours in a declared stop", row.Stopped && !f.Over, "%s: %+v", at, f)
		} else if over.Bool {
			c.check("hours over the limit", f.Over && f.Evidence && same(f.Times, times), "%s: over %v by %v, SQL %v", at, f.Over, f.Times, times)
		} else if f.Over {
			c.check("verdicts of hours", false, "%s: over, SQL says it complies", at)
		}
		if diff.Valid {
			c.check("differences to the reported", same(f.DiffPct, diff) && f.Mismatch == (diff.Float64 > 2), "%s: %v %v, SQL %v", at, f.DiffPct, f.Mismatch, diff)
		}
		if diff.Float64 > 2 {
			c.check("wrong reports", f.Mismatch, "%s: not noticed", at)
		}
	})
	if rows != 0 {
		c.check("hour means", false, "the judgement has %d rows of factors more than SQL", rows)
	}
}

func (w *world) compareGasDays(c *tally) {
	w.t.Helper()
	judged := map[telemetry.OutletID]map[int64]*quality.DayRow{}
	rows := 0
	for id := range w.snap.Outlets {
		judged[id] = w.days(id)
		rows += len(judged[id])
	}
	seen := map[[2]int64]bool{}
	w.query(gasDays, func(scan func(...any)) {
		var id telemetry.OutletID
		var day int64
		var factor string
		var due, n int
		var valid bool
		var mean, lo, hi, zs sql.NullFloat64
		scan(&id, &day, &factor, &due, &n, &valid, &mean, &lo, &hi, &zs)
		at := fmt.Sprintf("outlet %d %s %s", id, time.Unix(day, 0).In(beijing).Format("01-02"), factor)
		seen[[2]int64{int64(id), day}] = true
		row := judged[id][day]
		if row == nil || row.Factor(factor) == nil {
			c.check("day means", false, "%s: no row", at)
			return
		}
		f := row.Factor(factor)
		what := "day means"
		if !valid {
			what = "days not valid"
		}
		c.check(what, f.Valid == valid && f.NValid == n && f.NExpected == due && same(f.Mean, mean) && same(f.Min, lo) && same(f.Max, hi),
			"%s: %v %d of %d %v (%v–%v), SQL %v %d of %d %v (%v–%v)", at, f.Valid, f.NValid, f.NExpected, f.Mean, f.Min, f.Max, valid, n, due, mean, lo, hi)
		if factor == "a21002" {
			c.check("folded days", same(f.Folded, zs), "%s: folded %v, SQL %v", at, f.Folded, zs)
		}
	})
	// A day wholly inside a declared stop has no slot in SQL; nothing may be due in it.
	for id, days := range judged {
		for at, row := range days {
			if seen[[2]int64{int64(id), at}] {
				rows--
				continue
			}
			for i := range row.Factors {
				if f := &row.Factors[i]; f.NExpected != 0 || f.Valid || f.Mean.OK {
					c.check("day means", false, "outlet %d %d: %+v", id, at, f)
				}
			}
			rows--
		}
	}
	if rows != 0 {
		c.check("day means", false, "%d days too many", rows)
	}
}
