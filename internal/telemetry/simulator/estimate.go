package simulator

import (
	_ "embed"
	"math"
	"slices"
)

//go:embed estimates.csv
var estimatesCSV []byte

// Estimate describes a series in a few figures, from which a series like it
// can be generated. The figures of estimates.csv were estimated from the real
// series by EstimateColumn; TestEstimates holds the file against the data.
type Estimate struct {
	Ref      string  // "set/column"
	N        int     // values there
	Step     float64 // hours between values
	Log      bool    // SD and DayAmp are of the natural logarithm
	Median   float64
	Q995     float64 // 99.5th percentile
	SD       float64 // standard deviation
	AC1      float64 // autocorrelation from one value to the next
	DayAmp   float64 // amplitude of the daily cycle (first harmonic); 0 for daily series
	PeakHour float64 // local hour at which the daily cycle is highest
	GapShare float64 // share of missing values
	GapMean  float64 // mean length of a gap, hours
	GapMax   float64 // longest gap, hours
	Source   string
}

// Tau is the time in hours over which half of the slow noise is forgotten.
func (e *Estimate) Tau() float64 {
	if e.AC1 <= 0.01 {
		return e.Step
	}
	return math.Max(e.Step, -e.Step/math.Log(math.Min(e.AC1, 0.995)))
}

// EstimateColumn estimates the figures of a column. log asks for the figures
// of the logarithm, right for concentrations; values at or below zero count as
// half the smallest positive one. The sampling rhythm of daily series is no gap.
func EstimateColumn(ref string, c *Column, log bool) Estimate {
	e := Estimate{Ref: ref, Step: c.Step, Log: log}
	var vals []float64
	low := math.Inf(1)
	for _, v := range c.Values[c.lead:] {
		if !math.IsNaN(v) {
			vals = append(vals, v)
			if v > 0 {
				low = math.Min(low, v)
			}
		}
	}
	e.N = len(vals)
	if e.N == 0 {
		return e
	}
	sorted := slices.Clone(vals)
	slices.Sort(sorted)
	e.Median, e.Q995 = sorted[len(sorted)/2], sorted[min(len(sorted)-1, int(float64(len(sorted))*0.995))]
	x := make([]float64, len(c.Values)) // transformed, NaN kept
	for i, v := range c.Values {
		if x[i] = v; i < c.lead {
			x[i] = math.NaN()
		}
		if log && !math.IsNaN(x[i]) {
			x[i] = math.Log(math.Max(x[i], low/2))
		}
	}
	mean := meanOf(x)
	e.SD, e.AC1 = spread(x, mean)
	if c.Step <= 4 {
		e.DayAmp, e.PeakHour = dayCycle(x, c.Step, mean)
	}
	gaps := 0
	for i := 0; i < len(c.gaps); i++ {
		if n := int(c.gaps[i]); n > 0 {
			gaps++
			e.GapMax = math.Max(e.GapMax, float64(n)*c.Step)
			i += n - 1
		}
	}
	if gaps > 0 {
		missing := float64(len(c.Values) - c.lead - e.N)
		e.GapShare = missing / float64(len(c.Values)-c.lead)
		e.GapMean = missing / float64(gaps) * c.Step
	}
	return e
}

func meanOf(x []float64) float64 {
	s, n := 0.0, 0
	for _, v := range x {
		if !math.IsNaN(v) {
			s += v
			n++
		}
	}
	return s / float64(max(n, 1))
}

// spread returns the standard deviation and the lag-1 autocorrelation over
// neighbours that are both there.
func spread(x []float64, mean float64) (sd, ac1 float64) {
	var ss, cc float64
	n, m := 0, 0
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		ss += (v - mean) * (v - mean)
		n++
		if i > 0 && !math.IsNaN(x[i-1]) {
			cc += (v - mean) * (x[i-1] - mean)
			m++
		}
	}
	if n < 2 || m == 0 || ss == 0 {
		return 0, 0
	}
	return math.Sqrt(ss / float64(n)), clamp(cc/float64(m)/(ss/float64(n)), 0, 0.995)
}

// dayCycle fits the first harmonic of the hour of the day. The first value is
// at local midnight.
func dayCycle(x []float64, step, mean float64) (amp, peak float64) {
	var a, b float64
	n := 0
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		w := 2 * math.Pi * math.Mod(float64(i)*step, 24) / 24
		a += (v - mean) * math.Cos(w)
		b += (v - mean) * math.Sin(w)
		n++
	}
	a, b = 2*a/float64(n), 2*b/float64(n)
	return math.Hypot(a, b), math.Mod(math.Atan2(b, a)/(2*math.Pi)*24+24, 24)
}

// estimates is estimates.csv by Ref.
var estimates = loadEstimates()

func loadEstimates() map[string]Estimate {
	m := map[string]Estimate{}
	for _, r := range table(estimatesCSV) {
		e := Estimate{
			Ref: r["ref"], N: int(number(r["n"])), Step: number(r["step_h"]), Log: r["form"] == "log",
			Median: number(r["median"]), Q995: number(r["q995"]), SD: number(r["sd"]), AC1: number(r["ac1"]),
			DayAmp: number(r["day_amp"]), PeakHour: number(r["peak_hour"]),
			GapShare: number(r["gap_share"]), GapMean: number(r["gap_mean_h"]), GapMax: number(r["gap_max_h"]), Source: r["source"],
		}
		m[e.Ref] = e
	}
	return m
}
