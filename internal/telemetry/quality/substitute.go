package quality

import (
	"cmp"
	"slices"
	"strconv"
)

// CaptureRule is cems.capture_rate in force.
type CaptureRule struct {
	ref
	Required    float64  // percent
	SourceMarks []string // hours that the source is to blame for, not the instrument
}

// CaptureResult is a capture rate.
type CaptureResult struct {
	Alpha  Opt // percent; missing when the source never ran
	Enough bool
}

// CaptureRate is the share of the running hours that have valid data, in
// percent: cems.capture_rate (HJ 75-2017 section 12.1),
// (H − Hinvalid − Hstopped) ÷ (H − Hstopped) × 100. Stopped hours are not
// expected; when nothing is left the rate is missing, neither 0 nor 100.
func CaptureRate(r *CaptureRule, period, invalid, stopped float64) CaptureResult {
	running := period - stopped
	if running <= 0 {
		return CaptureResult{}
	}
	alpha := (running - invalid) / running * 100
	return CaptureResult{Some(alpha), alpha >= r.Required}
}

// Step writes the rate down for a person.
func (c CaptureResult) Step(r *CaptureRule, period, invalid, stopped float64) Step {
	s := r.step(StepValidity)
	s.Inputs = []Input{{"H", num(period), "h"}, {"invalid", num(invalid), "h"}, {"stopped", num(stopped), "h"}}
	s.Result = optText(c.Alpha)
	if c.Alpha.OK {
		s.Formula = "(" + num(period) + " − " + num(invalid) + " − " + num(stopped) + ") ÷ (" + num(period) + " − " + num(stopped) + ") × 100 % = " +
			num(c.Alpha.V) + " %" + sign(c.Enough) + num(r.Required) + " %"
	}
	return s
}

// SubstituteRule is cems.substitute_rate in force.
type SubstituteRule struct {
	ref
	Table5, Table6 []string // kinds of period
	Factors        []string
	High, Low      float64 // capture rate, percent
	ShortHours     float64
	ShortWindow    int // valid hours
	LongWindow     int
	LowWindow      int
	// Marks of hours that name a run of them; all others are of kind other.
	Maintenance, Calibration string
}

// Gap is a run of invalid hours whose emission rate is replaced.
type Gap struct {
	Kind  string  // of Table5 or Table6
	Alpha float64 // capture rate of the quarter, percent
	Hours float64 // the whole consecutive run
	// Anchor is the first hour not to be looked at: of table 5 that of the last
	// calibration that passed, of table 6 the start of the invalid period.
	Anchor int64
}

// RateRun is a stretch of hours with one emission rate, both ends included.
// Hours are counted from any one origin.
type RateRun struct {
	From, To int64
	Valid    bool
	KgH      float64
}

// SubstituteStatus tells what came of a substitution.
type SubstituteStatus string

// Substitution statuses, by the rule cems.substitute_rate.
const (
	SubstituteOK     SubstituteStatus = "ok"
	SubstituteNoRule SubstituteStatus = "no_rule"
)

// SubstituteResult is a substituted rate and where it came from.
type SubstituteResult struct {
	Status   SubstituteStatus
	Value    Opt    // kg/h
	Window   int    // valid hours the table asks to look back over; 0 without a rule
	Method   string // table and window, such as "t6-180"
	Hours    int    // valid hours there were, at most Window
	From, To int64  // the earliest and the latest of them
}

// SubstituteRate is the emission rate put in place of an invalid run's:
// cems.substitute_rate (HJ 75-2017 section 12.2, tables 5 and 6), the largest of
// the last valid hours before the anchor. The window counts valid hours and
// walks back over gaps; with fewer than it asks for, those there are serve.
// The order of history does not matter. The standard knows no hour with two
// rates; should history hold one, it counts once, with the larger.
func SubstituteRate(r *SubstituteRule, g Gap, history []RateRun) SubstituteResult {
	res := SubstituteResult{Status: SubstituteNoRule}
	table := r.table(g.Kind)
	window := r.window(g)
	if table == "" || window == 0 {
		return res
	}
	var runs []RateRun
	for _, h := range history {
		if h.To = min(h.To, g.Anchor-1); h.Valid && h.From <= h.To {
			runs = append(runs, h)
		}
	}
	if len(runs) == 0 {
		return res
	}
	slices.SortFunc(runs, func(a, b RateRun) int { return cmp.Compare(b.To, a.To) })
	res = SubstituteResult{Status: SubstituteOK, Window: window, Method: table + "-" + strconv.Itoa(window), To: runs[0].To}
	var here []RateRun // that hold hour h
	for h, next := runs[0].To, 0; res.Hours < window; h-- {
		here = slices.DeleteFunc(here, func(x RateRun) bool { return x.From > h })
		if len(here) == 0 { // a gap: on to the next run
			if next == len(runs) {
				break
			}
			h = runs[next].To
		}
		for ; next < len(runs) && runs[next].To == h; next++ {
			here = append(here, runs[next])
		}
		for _, x := range here {
			if !res.Value.OK || x.KgH > res.Value.V {
				res.Value = Some(x.KgH)
			}
		}
		res.Hours, res.From = res.Hours+1, h
	}
	return res
}

func (r *SubstituteRule) table(kind string) string {
	switch {
	case slices.Contains(r.Table5, kind):
		return "t5"
	case slices.Contains(r.Table6, kind):
		return "t6"
	}
	return ""
}

// window is the number of valid hours looked back over; 0 = the rule has none.
func (r *SubstituteRule) window(g Gap) int {
	switch {
	case g.Alpha < r.Low:
		return 0
	case g.Alpha < r.High:
		return r.LowWindow
	case g.Hours > r.ShortHours:
		return r.LongWindow
	}
	return r.ShortWindow
}

// Step writes the substitution down for a person.
func (s SubstituteResult) Step(r *SubstituteRule, g Gap) Step {
	t := r.step(StepConversion)
	t.Inputs = []Input{{"alpha", num(g.Alpha), "%"}, {"N", num(g.Hours), "h"}, {"anchor", strconv.FormatInt(g.Anchor, 10), "h"}}
	t.Result = string(s.Status)
	if s.Status == SubstituteOK {
		t.Inputs = append(t.Inputs,
			Input{"method", s.Method, ""}, Input{"window", strconv.Itoa(s.Window), "h"}, Input{"n_valid", strconv.Itoa(s.Hours), "h"},
			Input{"from", strconv.FormatInt(s.From, 10), "h"}, Input{"to", strconv.FormatInt(s.To, 10), "h"})
		t.Result = num(s.Value.V)
		t.Formula = "max G(" + strconv.Itoa(s.Hours) + " h) = " + t.Result
	}
	return t
}
