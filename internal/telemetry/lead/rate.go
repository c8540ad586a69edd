package lead

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Rate is how often a detector found something in a real series. Nobody tampered
// with these series as far as is known, so a hit in them is as a rule an innocent
// one: the rate is what a reader has to expect of honest data.
type Rate struct {
	Detector string
	Series   string // id of a Series
	Windows  int    // in which the detector had what it needs
	Hits     int    // of them, those in which it found something
	Version  int    // of the detector's rule
	On       string // day of the measurement, YYYY-MM-DD
}

// Series is a real series that rates are measured on.
type Series struct {
	ID, Name, Source, Licence string
}

// RealSeries are the real series, by id. None of them is part of the program.
var RealSeries = []Series{
	{"gas-turbine", "Flue gas of a gas turbine, hourly, 2011 to 2013", "UCI data set 551 (Kaya, Tufekci, Uzun 2019)", "CC BY 4.0"},
	{"ambient-air", "Ambient air at three stations in Beijing, hourly, March 2016 to February 2017", "UCI data set 501 (Chen 2019)", "CC BY 4.0"},
	{"street-air", "Certified analysers at a street in Italy, hourly, March to September 2004", "UCI data set 360 (De Vito 2008)", "CC BY 4.0"},
	{"sewage-barcelona", "Sewage works, inlet and outlet, daily, 1990", "UCI data set 106 (Bejar, Cortes, Poch 1993)", "CC BY 4.0"},
	{"sewage-melbourne", "Eastern Treatment Plant, inlet, daily, 2014 to 2017", "Bagherzadeh 2021, Mendeley Data", "CC BY 4.0"},
	{"sections-4h", "National automatic stations of surface water, every four hours, 1 to 3 April 2021", "China National Environmental Monitoring Centre, public page", "none stated"},
	{"sections-daily", "98 sections of surface water, daily, May to December 2020", "China National Environmental Monitoring Centre, public page", "none stated"},
}

//go:embed rates.csv
var ratesFile string

var rateColumns = []string{"detector", "series", "windows", "hits", "rule_version", "measured_on"}

// Rates are the rates as they were measured last, written down in rates.csv.
var Rates = sync.OnceValue(func() []Rate {
	list, err := ReadRates(strings.NewReader(ratesFile))
	if err != nil {
		panic("lead: rates.csv: " + err.Error()) // part of the program
	}
	return list
})

// ReadRates reads what WriteRates wrote.
func ReadRates(r io.Reader) ([]Rate, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], rateColumns) {
		return nil, fmt.Errorf("the columns must be %s", strings.Join(rateColumns, ","))
	}
	var out []Rate
	for _, c := range rows[1:] {
		x := Rate{Detector: c[0], Series: c[1], On: c[5]}
		for i, to := range []*int{&x.Windows, &x.Hits, &x.Version} {
			if *to, err = strconv.Atoi(c[2+i]); err != nil {
				return nil, err
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// WriteRates writes rates as CSV.
func WriteRates(w io.Writer, list []Rate) error {
	out := csv.NewWriter(w)
	_ = out.Write(rateColumns) // Flush tells
	for _, x := range list {
		_ = out.Write([]string{x.Detector, x.Series, strconv.Itoa(x.Windows), strconv.Itoa(x.Hits), strconv.Itoa(x.Version), x.On})
	}
	out.Flush()
	return out.Error()
}

// Measure runs all detectors over the real series of a folder (that with cems,
// wastewater and surface-water in it), a month or as many hours at a time. Those
// that look at marks, reports, gas parameters or clocks find nothing to look at
// there and have no rate.
func Measure(b *Rulebook, folder fs.FS, on string) ([]Rate, error) {
	type key struct{ detector, series string }
	sums := map[key]*Rate{}
	for _, s := range RealSeries {
		windows, err := readSeries(folder, s.ID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.ID, err)
		}
		for _, w := range windows {
			for _, f := range b.Look(w) {
				if !f.Looked || f.Detector.ID == "day_night" && s.ID == "gas-turbine" { // its hours have no clock
					continue
				}
				k := key{f.Detector.ID, s.ID}
				if sums[k] == nil {
					sums[k] = &Rate{Detector: f.Detector.ID, Series: s.ID, Version: f.Version, On: on}
				}
				sums[k].Windows++
				if len(f.Hits) > 0 {
					sums[k].Hits++
				}
			}
		}
	}
	var out []Rate
	for _, d := range detectors {
		for _, s := range RealSeries {
			if x := sums[key{d.ID, s.ID}]; x != nil {
				out = append(out, *x)
			}
		}
	}
	return out, nil
}

// rateColumn is a column of a source with the factor it stands for.
type rateColumn struct {
	column, code string
	floor        float64 // values up to it say nothing, in the source's unit
	missing      string
}

// rows reads a CSV file as maps by column.
func rows(folder fs.FS, name string, fn func(row map[string]string) error) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	head, err := r.Read()
	if err != nil {
		return err
	}
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		row := make(map[string]string, len(head))
		for i, h := range head {
			row[h] = rec[i]
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

// collector puts rows into windows.
type collector struct {
	windows []*Input
	by      map[string]*Input
}

// window is the one of a name, made when it is asked for first.
func (c *collector) window(name string, id int, medium telemetry.Medium, columns []rateColumn, from, to int64) *Input {
	if c.by == nil {
		c.by = map[string]*Input{}
	}
	if w := c.by[name]; w != nil {
		return w
	}
	o := &telemetry.Outlet{ID: telemetry.OutletID(id), Medium: medium}
	for _, x := range columns {
		f := telemetry.OutletFactor{Code: x.code}
		if x.floor > 0 {
			f.DetectionLimit = &x.floor
		}
		o.Factors = append(o.Factors, f)
	}
	w := &Input{Outlet: o, From: from, To: to}
	c.by[name] = w
	c.windows = append(c.windows, w)
	return w
}

func (c *collector) sorted() []*Input {
	for _, w := range c.windows {
		slices.SortFunc(w.Hours, func(a, b quality.HourRow) int { return cmp.Compare(a.At, b.At) })
		w.Hours = slices.CompactFunc(w.Hours, func(a, b quality.HourRow) bool { return a.At == b.At }) // published twice
		slices.SortFunc(w.Days, func(a, b quality.DayRow) int { return cmp.Compare(a.At, b.At) })
		w.Days = slices.CompactFunc(w.Days, func(a, b quality.DayRow) bool { return a.At == b.At })
	}
	return c.windows
}

func hourOf(row map[string]string, columns []rateColumn, limits map[string]float64) quality.HourRow {
	h := quality.HourRow{Source: quality.SourceReported}
	for _, x := range columns {
		v, err := strconv.ParseFloat(row[x.column], 64)
		if err != nil || row[x.column] == x.missing {
			continue // NA, a dash
		}
		f := quality.FactorHour{Code: x.code, Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(v), Judged: quality.Some(v), Basis: quality.BasisMean, Fold: quality.FoldNotRequired}
		if l := limits[x.code]; l > 0 {
			f.Limit = quality.LimitRef{ID: "national", Op: "<=", Hi: quality.Some(l), Statistic: "hour"}
			f.Over = v > l
		}
		h.Factors = append(h.Factors, f)
	}
	return h
}

// nationalLimits are upper hour limits of the table, in ug/m3 where asked for.
func nationalLimits(source, level, date string, micro bool, codes ...string) map[string]float64 {
	out := map[string]float64{}
	for _, code := range codes {
		l, ok := rules.Default().Limits().Find(rules.Query{SourceType: source, Level: level, Factor: code, Statistic: "hour", Date: date})
		if !ok || l.Hi == nil {
			continue
		}
		out[code] = *l.Hi
		if micro && strings.HasPrefix(l.Unit, "mg") {
			out[code] *= 1000
		}
	}
	return out
}

func parseDay(layout, text string) (int64, error) {
	t, err := time.ParseInLocation(layout, text, time.FixedZone("", 8*3600))
	return t.Unix(), err
}

// monthOf bounds the calendar month of an instant in Beijing time.
func monthOf(at int64) (name string, from, to int64) {
	t := time.Unix(at, 0).In(time.FixedZone("", beijing))
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
	return first.Format("2006-01"), first.Unix(), first.AddDate(0, 1, 0).Unix()
}

func readSeries(folder fs.FS, id string) ([]*Input, error) {
	switch id {
	case "gas-turbine":
		return readTurbine(folder)
	case "ambient-air":
		return readAmbient(folder)
	case "street-air":
		return readStreet(folder)
	case "sewage-barcelona":
		return readDaily(folder, "wastewater/uci-barcelona/water_treatment_1990.csv", "date", nil,
			[]rateColumn{{column: "DBO-E", code: bodCode}, {column: "DQO-E", code: codCode}}, []rateColumn{{column: "DBO-S", code: bodCode}, {column: "DQO-S", code: codCode}})
	case "sewage-melbourne":
		return readDaily(folder, "wastewater/melbourne-eastern/etp_daily.csv", "date", nil, []rateColumn{
			{column: "Ammonia", code: nh3Code}, {column: "Total Nitrogen", code: tnCode}, {column: "Biological Oxygen Demand", code: bodCode}, {column: "Chemical Oxygen Demand", code: codCode},
		})
	case "sections-4h":
		return readSections(folder)
	case "sections-daily":
		return readDaily(folder, "surface-water/cnemc/cnemc_daily_98_2020.csv", "snapshot_date", func(row map[string]string) (string, bool) { return row["section"], row["station_status"] == "正常" },
			[]rateColumn{{column: "nh3n_mg_l_raw", code: nh3Code, floor: 0.025}, {column: "tn_mg_l_raw", code: tnCode, floor: 0.05}})
	}
	return nil, fmt.Errorf("no series %s", id)
}

// readTurbine puts the rows of a year one hour apart: no dates are published. Energy
// yield stands for the load.
func readTurbine(folder fs.FS) ([]*Input, error) {
	columns := []rateColumn{{column: "NOX", code: "a21002"}, {column: "CO", code: "a21005"}}
	limits := nationalLimits("natural-gas turbine", "general (表1)", "2026-01-01", false, "a21002")
	const size = 30 * 24
	c := &collector{}
	for id, year := range []string{"2011", "2012", "2013"} {
		start, err := parseDay("2006-01-02", "2026-01-01")
		if err != nil {
			return nil, err
		}
		k := int64(0)
		if err := rows(folder, "cems/gas-turbine/gt_"+year+".csv", func(row map[string]string) error {
			n := k / size
			w := c.window(fmt.Sprint(year, n), id+1, telemetry.Gas, columns, start+n*size*hourSeconds, start+(n+1)*size*hourSeconds)
			h := hourOf(row, columns, limits)
			load, err := strconv.ParseFloat(row["TEY"], 64)
			h.At, h.Flow = start+k*hourSeconds, quality.Some(load)
			w.Hours = append(w.Hours, h)
			k++
			return err
		}); err != nil {
			return nil, err
		}
	}
	return c.sorted(), nil
}

func readAmbient(folder fs.FS) ([]*Input, error) {
	columns := []rateColumn{
		{column: "PM2.5", code: "a34004", floor: 3},
		{column: "PM10", code: "a34002", floor: 5},
		{column: "SO2", code: "a21026", floor: 2},
		{column: "NO2", code: "a21004", floor: 2},
		{column: "CO", code: "a21005", floor: 100},
		{column: "O3", code: "a05024", floor: 2},
	}
	limits := nationalLimits("ambient air", "grade 2", "2026-01-01", true, "a21026", "a21004", "a21005", "a05024")
	c := &collector{}
	for id, name := range []string{"dingling", "gucheng", "huairou"} {
		if err := rows(folder, "cems/ambient-so2-no2/beijing_"+name+"_2016.csv", func(row map[string]string) error {
			at, err := parseDay("2006-01-02 15:04", row["datetime"])
			month, from, to := monthOf(at)
			w := c.window(name+month, id+1, telemetry.Gas, columns, from, to)
			h := hourOf(row, columns, limits)
			h.At = at
			if len(h.Factors) > 0 {
				w.Hours = append(w.Hours, h)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	for _, w := range c.windows { // the stations of one month beside each other
		for _, x := range c.windows {
			if x != w && x.From == w.From {
				w.Peers = append(w.Peers, x)
			}
		}
	}
	return c.sorted(), nil
}

func readStreet(folder fs.FS) ([]*Input, error) {
	const none = "-200"
	columns := []rateColumn{
		{column: "CO_GT", code: "a21005", missing: none}, {column: "NOx_GT", code: "a21002", missing: none}, {column: "NO2_GT", code: "a21004", missing: none}, {column: "C6H6_GT", code: "a25002", missing: none},
	}
	c := &collector{}
	err := rows(folder, "cems/analyser-with-gaps/airquality_hourly.csv", func(row map[string]string) error {
		at, err := parseDay("2006-01-02 15:04", row["datetime"])
		month, from, to := monthOf(at)
		h := hourOf(row, columns, nil)
		h.At = at
		if w := c.window(month, 1, telemetry.Gas, columns, from, to); len(h.Factors) > 0 {
			w.Hours = append(w.Hours, h)
		}
		return err
	})
	return c.sorted(), err
}

// readDaily makes months of days; each set of columns is a measuring point, and so
// is each name that of tells, where it says that the row counts.
func readDaily(folder fs.FS, file, day string, of func(row map[string]string) (string, bool), points ...[]rateColumn) ([]*Input, error) {
	c := &collector{}
	err := rows(folder, file, func(row map[string]string) error {
		at, err := parseDay("2006-01-02", row[day])
		if err != nil {
			return err
		}
		month, from, to := monthOf(at)
		name, counts := "", true
		if of != nil {
			name, counts = of(row)
		}
		for i, columns := range points {
			w := c.window(fmt.Sprint(name, " ", i, month), i+1, telemetry.Water, columns, from, to)
			d := quality.DayRow{At: at}
			h := hourOf(row, columns, nil)
			for _, f := range h.Factors {
				d.Factors = append(d.Factors, quality.FactorDay{Code: f.Code, Valid: true, Mean: f.Mean})
			}
			if counts && len(d.Factors) > 0 {
				w.Days = append(w.Days, d)
			}
		}
		return nil
	})
	return c.sorted(), err
}

func readSections(folder fs.FS) ([]*Input, error) {
	columns := []rateColumn{{column: "nh3n_mg_l", code: nh3Code, floor: 0.025}, {column: "tn_mg_l", code: tnCode, floor: 0.05}}
	from, err := parseDay("2006-01-02", "2021-03-31")
	if err != nil {
		return nil, err
	}
	c := &collector{}
	err = rows(folder, "surface-water/cnemc/cnemc_4h_2021-04-01_03.csv", func(row map[string]string) error {
		at, err := parseDay("2006-01-02 15:04", row["time"])
		if err != nil || at < from || at >= from+4*daySeconds || row["station_status"] != "正常" {
			return nil //nolint:nilerr // rows without a time, and stale ones, are part of the source
		}
		h := hourOf(row, columns, nil)
		h.At = at
		w := c.window(row["province"]+row["section"], 1, telemetry.Surface, columns, from, from+4*daySeconds)
		w.Hours = append(w.Hours, h)
		return nil
	})
	return c.sorted(), err
}
