package simulator

import "math"

// Series is a measured or generated quantity as hourly means. At returns the
// mean of hour h since 1970-01-01T00:00Z and gap 0, or, where the source has no value, the last one before it and the length
// of the gap in hours. It depends on h alone.
type Series interface {
	At(h int64) (v float64, gap int)
}

// within is the value at share f of a period whose mean is v, between periods
// of the means before and after: two straight lines that meet the neighbours'
// and keep the mean, so that what a logger reports of a period is the series'
// own value. Nothing falls below zero that was not there before.
func within(before, v, after, f float64) float64 {
	from, to := meet(before, v), meet(v, after)
	mid := 2*v - (from+to)/2
	if f < 0.5 {
		return from + (mid-from)*2*f
	}
	return mid + (to-mid)*(2*f-1)
}

// meet is the value between two periods: half way, but at most twice the lower
// mean, or the line through that period would have to pass below zero.
func meet(a, b float64) float64 {
	if low := math.Min(a, b); low >= 0 {
		return math.Min((a+b)/2, 2*low)
	}
	return (a + b) / 2
}

// zone is the fixed zone of HJ 212 time stamps in hours (reference: UTC+8,
// whatever the longitude of the station).
const zone = 8

// generated makes a series from the figures of an Estimate: a level, a daily
// cycle, a slow and a fast part of the noise, and gaps.
type generated struct {
	e     Estimate
	seed  uint64
	scale float64 // applied to the value
	bias  float64 // multiplies the level, so that outlets of one kind differ
	lo    float64 // floor after scaling
}

// maxDeviation cuts the noise so that a generated extreme is as rare as the
// estimate's 99.5th percentile says, not rarer.
const maxDeviation = 2.6

func (g *generated) At(h int64) (float64, int) {
	if start, n := g.gap(h); n > 0 {
		v, _ := g.value(start-1), 0
		return v, n
	}
	return g.value(h), 0
}

func (g *generated) value(h int64) float64 {
	e := &g.e
	z := math.Sqrt(e.AC1)*smooth(g.seed^0x51, float64(h)/e.Tau()) +
		math.Sqrt(1-e.AC1)*smooth(g.seed^0xfa57, float64(h)/math.Max(1, e.Step/2))
	z = clamp(z, -maxDeviation, maxDeviation)
	hour := float64((h + zone) % 24)
	daily := e.DayAmp * math.Cos(2*math.Pi*(hour-e.PeakHour)/24)
	sd := math.Sqrt(math.Max(e.SD*e.SD-e.DayAmp*e.DayAmp/2, 0.0001))
	if e.Log {
		v := e.Median * g.bias * math.Exp(daily+sd*z)
		// Real concentrations have a shorter upper tail than a log-normal has.
		if knee := 0.85 * e.Q995; v > knee {
			v = knee + 0.25*e.Q995*(1-math.Exp(-(v-knee)/(0.25*e.Q995)))
		}
		return math.Max(g.lo, v*g.scale)
	}
	return math.Max(g.lo, (e.Median*g.bias+daily+sd*z)*g.scale)
}

// gap tells whether hour h lies in a generated gap: one gap in each block of
// GapMean/GapShare hours, of a length with the estimated mean and maximum.
func (g *generated) gap(h int64) (start int64, n int) {
	e := &g.e
	if e.GapShare <= 0 {
		return 0, 0
	}
	block := int64(e.GapMean/e.GapShare) + 2
	b := h / block
	k := mix(g.seed ^ 0x6a70 ^ uint64(b)*31)
	length := int64(math.Ceil(-e.GapMean * math.Log(1-unit(k))))
	length = max(1, min(length, int64(e.GapMax), block-1))
	start = b*block + int64(mix(k)%uint64(block-length))
	if h < start || h >= start+length {
		return 0, 0
	}
	return start, int(length)
}

// played runs a column of real data round and round from an offset that is a
// whole number of days, so that its hours of the day stay where they were.
type played struct {
	c      *Column
	offset int64 // hours
	scale  float64
	lo     float64
}

func (p *played) At(h int64) (float64, int) {
	v, gap := p.c.at(h + zone + p.offset)
	return math.Max(p.lo, v*p.scale), gap
}

// cycle adds a daily cycle of relative amplitude amp to a series that has none
// because it was sampled once a day. The amplitude is an assumption, not data.
type cycle struct {
	Series
	amp, peak float64
}

func (c cycle) At(h int64) (float64, int) {
	v, gap := c.Series.At(h)
	return v * (1 + c.amp*math.Cos(2*math.Pi*(float64((h+zone)%24)-c.peak)/24)), gap
}
