package quality

import (
	"math"
	"slices"

	"plateau/internal/telemetry"
)

// Profiles are other rules by which hours are valid and gaps are filled, offered
// for comparison. What is in force is in hour.go, substitute.go and month.go.

// PartRule judges an hour by its parts: quarters (part75.hour) or half-hours
// (ied.average).
type PartRule struct {
	ref
	N        int     // parts of an hour, at most 4
	Cover    float64 // share of a part that valid data must cover; 0 = any valid data
	Service  int     // parts that suffice in an hour with a service mark; 0 = no such ease
	AnyPart  bool    // one valid part makes the hour valid; else all that the source ran in are needed
	ofParts  bool    // the mean is that of the valid parts' means
	stopped  int8    // mark
	services []int8  // marks
}

// Part is a quarter or a half of an hour.
type Part struct {
	Valid   float64 // seconds of valid data
	Stopped float64 // seconds marked as stopped
	sum     float64
}

// PartHour is what the parts of an hour say of it.
type PartHour struct {
	Valid   bool
	NValid  int // valid parts
	NDue    int // parts that the source ran in
	Service bool
}

// HourOfParts judges an hour by its parts. service tells that there was
// calibration or maintenance in it.
func HourOfParts(r *PartRule, parts []Part, service bool) PartHour {
	h := PartHour{Service: service}
	length := float64(hourSeconds / r.N)
	for _, p := range parts[:r.N] {
		if p.Stopped >= length {
			continue
		}
		h.NDue++
		if r.good(p) {
			h.NValid++
		}
	}
	need := h.NDue
	if service && r.Service > 0 {
		need = min(need, r.Service)
	}
	if r.AnyPart {
		need = min(need, 1)
	}
	h.Valid = h.NDue > 0 && h.NValid >= need
	return h
}

func (r *PartRule) good(p Part) bool {
	return p.Valid > 0 && p.Valid >= r.Cover*float64(hourSeconds/r.N)
}

// partAcc sums an hour by its parts.
type partAcc [4]Part

func (a *partAcc) add(r *PartRule, mark int, from, seconds float64, v Opt) {
	length := float64(hourSeconds / r.N)
	for i := range r.N {
		s := min(from+seconds, float64(i+1)*length) - max(from, float64(i)*length)
		switch {
		case s <= 0:
		case mark == markN && v.OK:
			a[i].Valid += s
			a[i].sum += v.V * s
		case int8(mark) == r.stopped:
			a[i].Stopped += s
		}
	}
}

func (a *hourAcc) addPart(r *PartRule, mark int, from, seconds float64, v Opt) {
	if a.parts == nil {
		a.parts = &partAcc{}
	}
	a.parts.add(r, mark, from, seconds, v)
}

// apply judges the hour by its parts instead of by its minutes.
func (a *partAcc) apply(r *PartRule, acc *hourAcc, out *HourResult) {
	service := slices.ContainsFunc(r.services, func(m int8) bool { return acc.seconds[m] > 0 })
	h := HourOfParts(r, a[:], service)
	out.Valid, out.Parts = h.Valid, h.NValid
	switch {
	case h.Valid:
		out.Flag = marks[markN]
	case out.Flag == marks[markN]: // enough minutes, but not in enough parts
		out.Flag = marks[markMissing]
	}
	if !r.ofParts || h.NValid == 0 {
		return
	}
	sum := 0.0
	for _, p := range a[:r.N] {
		if r.good(p) {
			sum += p.sum / p.Valid
		}
	}
	if out.Min.V != out.Max.V {
		out.Mean = Some(sum / float64(h.NValid))
	}
}

// ShortTermRule is ied.average in force.
type ShortTermRule struct {
	ref
	MaxLost     int                // short-term averages a day may lose
	MaxLostDays int                // days a year may lose
	Confidence  map[string]float64 // percent of the day limit, by factor
}

// Validated is an average with its confidence interval taken off, not below
// zero: 2010/75/EU annex VI part 6.
func Validated(average, confidence float64) float64 { return max(0, average-confidence) }

// ShortTermHour are the short-term averages of an hour.
type ShortTermHour struct {
	Value Opt // their mean
	Valid int // how many are valid
	Due   int // how many the plant ran in
}

// ShortTermDay is the day average of valid short-term ones, and how many were
// discarded: ied.average (2010/75/EU annex VI part 8). The day is lost when
// more than five were discarded.
func ShortTermDay(r *ShortTermRule, hours []ShortTermHour) (m MeanResult, lost int) {
	for _, h := range hours {
		lost += max(0, h.Due-h.Valid)
		if h.Valid == 0 || !h.Value.OK {
			continue
		}
		m.NValid++
		m.Sum, m.Weight = m.Sum+h.Value.V*float64(h.Valid), m.Weight+float64(h.Valid)
		m.spread(h.Value.V)
	}
	if m.Weight > 0 {
		m.Mean = Some(m.Sum / m.Weight)
		m.exact()
	}
	m.Valid = m.Weight > 0 && lost <= r.MaxLost
	return m, lost
}

// NeighbourRule is hjt75.substitute in force.
type NeighbourRule struct {
	ref
	MaxHours float64
	Factors  []string
}

// NeighbourMean fills a gap of so many hours with the mean of the nearest valid
// rates before and after it: hjt75.substitute (HJ/T 75-2007). Longer gaps, and
// those that lack one of the two, take nothing.
func NeighbourMean(r *NeighbourRule, hours float64, before, after Opt) Opt {
	if hours > r.MaxHours || !before.OK || !after.OK {
		return Opt{}
	}
	return Some((before.V + after.V) / 2)
}

// PrecedingRule is hjt356.substitute in force.
type PrecedingRule struct {
	ref
	MinValues int
	Median    []string // factors that take the median
}

// Preceding fills a gap with the mean, of some factors the median, of the
// values of the period of equal length before it: hjt356.substitute
// (HJ/T 356-2007). values are the valid ones there.
func Preceding(r *PrecedingRule, factor string, values []float64) Opt {
	if len(values) < max(1, r.MinValues) {
		return Opt{}
	}
	if slices.Contains(r.Median, factor) {
		s := slices.Sorted(slices.Values(values))
		n := len(s)
		return Some((s[(n-1)/2] + s[n/2]) / 2)
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return Some(sum / float64(len(values)))
}

// Part75Rule is part75.substitute in force.
type Part75Rule struct {
	ref
	Availability                                       int // operating hours looked back over
	High, Middle, Low                                  float64
	HighGap, MiddleGap                                 float64
	HighPercentile, MiddlePercentile                   float64
	Mean, Initial, HighCode, MiddleCode, Most, Highest string // codes of the method of determination
	Windows                                            map[string]int
}

// Part75Gap is a run of hours without a valid rate.
type Part75Gap struct {
	PMA           Opt // monitor availability at its start, percent
	Hours         float64
	Before, After Opt       // nearest valid rates
	Rates         []float64 // valid rates looked back at, at most Window
	Window        int
	Potential     Opt // maximum potential rate
}

// Part75Result is what stands in for the rate, and the code of the method of
// determination; Value is missing where what the rule asks for is not known.
type Part75Result struct {
	Value Opt
	MODC  string
}

// Part75Substitute is the emission rate put in place of a gap's by monitor
// availability and length: part75.substitute (40 CFR 75.33(b); before there are
// hours enough to look back at, 75.31). Load is not looked at.
func Part75Substitute(r *Part75Rule, g Part75Gap) Part75Result {
	var mean Opt
	if g.Before.OK && g.After.OK {
		mean = Some((g.Before.V + g.After.V) / 2)
	}
	larger := func(p float64, code string) Part75Result {
		v := percentile(g.Rates, p)
		if !mean.OK {
			return Part75Result{MODC: code}
		}
		return Part75Result{most(v, mean), code}
	}
	switch {
	case len(g.Rates) < g.Window || !g.PMA.OK:
		return Part75Result{mean, r.Initial}
	case g.PMA.V >= r.High && g.Hours <= r.HighGap, g.PMA.V < r.High && g.PMA.V >= r.Middle && g.Hours <= r.MiddleGap:
		return Part75Result{mean, r.Mean}
	case g.PMA.V >= r.High:
		return larger(r.HighPercentile, r.HighCode)
	case g.PMA.V >= r.Middle:
		return larger(r.MiddlePercentile, r.MiddleCode)
	case g.PMA.V >= r.Low:
		return Part75Result{Some(slices.Max(g.Rates)), r.Most}
	}
	return Part75Result{g.Potential, r.Highest}
}

// percentile is by nearest rank; missing of nothing.
func percentile(values []float64, p float64) Opt {
	if len(values) == 0 {
		return Opt{}
	}
	s := slices.Sorted(slices.Values(values))
	return Some(s[max(0, int(math.Ceil(p/100*float64(len(s))-1e-9))-1)])
}

// confidence is the confidence interval of a factor in its unit; missing where
// the profile takes none off, or there is no limit of the day.
func (pl *plan) confidence(fp *factorPlan) Opt {
	if pl.setup.Profile != telemetry.ProfileIED || !fp.day.Hi.OK {
		return Opt{}
	}
	pct, ok := pl.p.shortTerm.Confidence[fp.role]
	return Opt{pct / 100 * fp.day.Hi.V, ok}
}
