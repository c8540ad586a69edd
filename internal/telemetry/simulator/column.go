package simulator

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Column is one quantity of a real data set on a regular time axis.
type Column struct {
	Values []float64 // NaN = the source has no value
	Step   float64   // hours between values
	lead   int       // values put before the first real one so that the axis starts at midnight
	gaps   []int32   // length in steps of the gap each missing value lies in
	last   []float64 // the value, or the last one before a gap
}

func newColumn(v []float64, step float64) *Column {
	c := &Column{Values: v, Step: step, gaps: make([]int32, len(v)), last: make([]float64, len(v))}
	for i := 0; i < len(v); {
		if !math.IsNaN(v[i]) {
			c.last[i] = v[i]
			i++
			continue
		}
		j := i
		for j < len(v) && math.IsNaN(v[j]) {
			j++
		}
		prev := 0.0
		switch {
		case i > 0:
			prev = c.last[i-1]
		case j < len(v):
			prev = v[j]
		}
		for ; i < j; i++ {
			c.gaps[i], c.last[i] = int32(j), prev // the end for now, the length below
		}
	}
	for i := 0; i < len(v); i++ {
		if end := int(c.gaps[i]); end > 0 {
			n := int32(end - i)
			for ; i < end; i++ {
				c.gaps[i] = n
			}
			i--
		}
	}
	return c
}

// at returns the value of hour h of the column's own axis, wrapped around. Days
// keep their mean; of what was read every few hours, the hours between lie on
// straight lines.
func (c *Column) at(h int64) (v float64, gap int) {
	n := int64(len(c.Values))
	if c.Step <= 1 {
		i := wrap(h, n)
		return c.last[i], int(c.gaps[i])
	}
	step := int64(c.Step)
	k := floorDiv(h, step)
	i, j := wrap(k, n), wrap(k+1, n)
	if c.gaps[i] > 0 {
		return c.last[i], int(c.gaps[i]) * int(step)
	}
	since := float64(h - k*step)
	if step >= 24 { // a day's sample stands for the day's mean
		return within(c.last[wrap(k-1, n)], c.last[i], c.last[j], (since+0.5)/c.Step), 0
	}
	w := since / c.Step
	return c.last[i]*(1-w) + c.last[j]*w, 0
}

func wrap(i, n int64) int64 { return ((i % n) + n) % n }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Real holds the real series of a folder, by "set/column".
type Real struct {
	dir  string
	cols map[string]*Column
}

// Column returns a column; nil when the folder does not hold it.
func (r *Real) Column(ref string) *Column {
	if r == nil {
		return nil
	}
	return r.cols[ref]
}

// Dir is the folder the series were read from.
func (r *Real) Dir() string { return r.dir }

// Refs returns how many columns were read.
func (r *Real) Refs() int { return len(r.cols) }

// realSet describes one file, or several that follow each other.
type realSet struct {
	set, glob string
	step      float64
	missing   string
	columns   []string
	// timeCol and layout: rows are laid on a regular axis by their time; absent
	// rows are missing. Empty: rows follow each other.
	timeCol, layout string
	// sampled: a missing row is the rhythm of sampling, not an outage, and is
	// bridged in a straight line.
	sampled bool
	// where: only rows with this column and value prefix.
	where [2]string
	// suffix is added to the names of the columns in the file.
	suffix string
}

// realSets are the sets that are read. Where they come from stands in
// estimates.csv.
var realSets = []realSet{
	{set: "gt", glob: "cems/gas-turbine/gt_*.csv", step: 1, columns: []string{"NOX", "CO", "TEY"}},
	{set: "beijing-dingling", glob: "cems/ambient-so2-no2/beijing_dingling_2016.csv", step: 1, missing: "NA", columns: []string{"PM10", "SO2", "NO2", "CO"}, timeCol: "datetime", layout: "2006-01-02 15:04"},
	{set: "beijing-gucheng", glob: "cems/ambient-so2-no2/beijing_gucheng_2016.csv", step: 1, missing: "NA", columns: []string{"PM10", "SO2", "NO2", "CO"}, timeCol: "datetime", layout: "2006-01-02 15:04"},
	{set: "beijing-huairou", glob: "cems/ambient-so2-no2/beijing_huairou_2016.csv", step: 1, missing: "NA", columns: []string{"PM10", "SO2", "NO2", "CO"}, timeCol: "datetime", layout: "2006-01-02 15:04"},
	{set: "airq", glob: "cems/analyser-with-gaps/airquality_hourly.csv", step: 1, missing: "-200", columns: []string{"CO_GT", "NOx_GT", "NO2_GT"}, timeCol: "datetime", layout: "2006-01-02 15:04"},
	{set: "barcelona", glob: "wastewater/uci-barcelona/water_treatment_1990.csv", step: 24, missing: "?", columns: []string{"Q-E", "PH-S", "DQO-S", "SS-S", "COND-S"}, timeCol: "date", layout: "2006-01-02", sampled: true},
	{set: "melbourne", glob: "wastewater/melbourne-eastern/etp_daily.csv", step: 24, columns: []string{"Average Outflow", "Ammonia", "Chemical Oxygen Demand", "Total Nitrogen"}, timeCol: "date", layout: "2006-01-02", sampled: true},
	{set: "caina", glob: "surface-water/cnemc/cnemc_4h_2021-04-01_03.csv", step: 4, missing: "--", columns: surfaceColumns, timeCol: "time", layout: "2006-01-02 15:04", where: [2]string{"section", "才纳"}},
	// Mirui is published only now and then: its few values follow each other.
	{set: "mirui", glob: "surface-water/cnemc/cnemc_national_2025-11_a.csv", step: 12, missing: "--", columns: surfaceColumns, where: [2]string{"section", "米瑞"}, suffix: "_raw"},
}

var surfaceColumns = []string{"water_temp_c", "ph", "do_mg_l", "conductivity_us_cm", "turbidity_ntu", "codmn_mg_l", "nh3n_mg_l", "tp_mg_l", "tn_mg_l"}

// OpenReal reads the real series below dir (the folder that holds cems/,
// wastewater/ and surface-water/, or its parent with data/). A set that is
// absent is left out; an error means that none is there or one is damaged, and
// is fs.ErrNotExist when there is no such folder.
func OpenReal(dir string) (*Real, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("real series: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		dir = filepath.Join(dir, "data")
	}
	r := &Real{dir: dir, cols: map[string]*Column{}}
	for _, s := range realSets {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(s.glob)))
		if err != nil {
			return nil, fmt.Errorf("real series: %w", err)
		}
		vals := make(map[string][]float64, len(s.columns))
		var start time.Time
		for _, f := range files {
			if err := readSet(f, s, vals, &start); err != nil {
				return nil, fmt.Errorf("real series %s: %w", f, err)
			}
		}
		for _, c := range s.columns {
			v := vals[c]
			if len(v) == 0 {
				continue
			}
			if s.sampled {
				bridge(v)
			}
			// The axis must start at midnight, so that hours of the day stay.
			lead := 0
			if s.step < 24 {
				lead = start.Hour() / int(s.step)
				v = append(slices.Repeat(v[:1], lead), v...)
			}
			col := newColumn(v, s.step)
			col.lead = lead
			r.cols[s.set+"/"+c] = col
		}
	}
	if len(r.cols) == 0 {
		return nil, fmt.Errorf("no real series in %s: expected a folder cems, wastewater or surface-water", dir)
	}
	return r, nil
}

// readSet appends the columns of one file to vals.
func readSet(file string, s realSet, vals map[string][]float64, start *time.Time) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	cr := csv.NewReader(f)
	cr.FieldsPerRecord = -1
	head, err := cr.Read()
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, h := range head {
		at[h] = i
	}
	for _, c := range s.columns {
		if _, ok := at[c+s.suffix]; !ok {
			return fmt.Errorf("no column %q", c+s.suffix)
		}
	}
	for {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.where[0] != "" && !strings.HasPrefix(rec[at[s.where[0]]], s.where[1]) {
			continue
		}
		slot := -1
		if s.timeCol != "" {
			t, err := time.Parse(s.layout, rec[at[s.timeCol]])
			if err != nil {
				continue // rows without a time carry no reading
			}
			if start.IsZero() {
				*start = t
			}
			slot = int(t.Sub(*start).Hours() / s.step)
		}
		for _, c := range s.columns {
			vals[c] = put(vals[c], slot, parseCell(rec[at[c+s.suffix]], s.missing))
		}
	}
}

// parseCell reads a number; NaN for the set's mark of a missing value and for
// anything that is no number.
func parseCell(text, missing string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || text == missing {
		return math.NaN()
	}
	return v
}

// put places v at slot, filling what lies before with missing values; a
// negative slot appends.
func put(vals []float64, slot int, v float64) []float64 {
	if slot < 0 {
		return append(vals, v)
	}
	for len(vals) <= slot {
		vals = append(vals, math.NaN())
	}
	vals[slot] = v
	return vals
}

// bridge fills missing values in a straight line between their neighbours.
func bridge(v []float64) {
	prev := -1
	for i := range v {
		if math.IsNaN(v[i]) {
			continue
		}
		if prev < 0 {
			for k := range i {
				v[k] = v[i]
			}
		}
		for k := prev + 1; prev >= 0 && k < i; k++ {
			v[k] = v[prev] + (v[i]-v[prev])*float64(k-prev)/float64(i-prev)
		}
		prev = i
	}
	for k := prev + 1; prev >= 0 && k < len(v); k++ {
		v[k] = v[prev]
	}
}
