package quality

import "slices"

// QuotaRule is mswi.quota60 or mswi.quota700 in force.
type QuotaRule struct {
	ref
	Hours  float64  // a furnace and calendar year
	PMMax  Opt      // mg/m3; missing = no condition
	Marks  []string // that share the hours
	Others []string // that this rule leaves alone
}

// FurnaceMark is an operating-state mark of an incinerator's furnace.
type FurnaceMark struct {
	Mark  string
	Hours float64
	PM    Opt // largest hourly mean of particulate matter, mg/m3
}

// QuotaResult is what of the quota was used before a mark, and what the mark gets.
type QuotaResult struct {
	UsedBefore float64 // h
	Exempt     float64 // h
}

// Quota60 exempts hours of starting up, shutting down, faults and accidents of
// a waste incinerator's furnace: mswi.quota60 (Order 10 of 2019), up to 60 h a
// calendar year; and, by mswi.quota700, of baking and cooling down, up to 700 h
// without a condition on particulate matter. earlier are the furnace's marks of the year before this one;
// the quota is spent hour by hour in their order, so never more than it holds
// is used. A mark with particulate matter above 150 mg/m3 is neither exempt
// nor counted; so is one without a figure of it, because the condition is not shown.
func Quota60(r *QuotaRule, earlier []FurnaceMark, this FurnaceMark) QuotaResult {
	var q QuotaResult
	for _, m := range earlier {
		q.UsedBefore += r.exempt(m, q.UsedBefore)
	}
	q.Exempt = r.exempt(this, q.UsedBefore)
	return q
}

func (r *QuotaRule) exempt(m FurnaceMark, used float64) float64 {
	if !slices.Contains(r.Marks, m.Mark) || !r.meets(m.PM) {
		return 0
	}
	return max(0, min(m.Hours, r.Hours-used))
}

// meets reports whether particulate matter allows an hour to be exempt.
func (r *QuotaRule) meets(pm Opt) bool { return !r.PMMax.OK || pm.OK && pm.V <= r.PMMax.V }

// Step writes the quota down for a person.
func (q QuotaResult) Step(r *QuotaRule, this FurnaceMark) Step {
	s := r.step(StepValidity)
	s.Inputs = []Input{{"mark", this.Mark, ""}, {"hours", num(this.Hours), "h"}, {"PM", optText(this.PM), "mg/m3"}, {"used", num(q.UsedBefore), "h"}}
	s.Result = num(q.Exempt)
	if slices.Contains(r.Marks, this.Mark) && r.meets(this.PM) {
		s.Formula = "min(" + num(this.Hours) + ", " + num(r.Hours) + " − " + num(q.UsedBefore) + ") = " + s.Result
	}
	return s
}
