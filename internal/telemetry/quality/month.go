package quality

import "time"

// MonthRule is cems.month_valid in force.
type MonthRule struct {
	ref
	MinDays, MinDaysFebruary int
}

// MonthValid tells whether a month of stack gas is valid: cems.month_valid
// (HJ 76-2017 annex B), at least 25 valid days, in February 23.
func MonthValid(r *MonthRule, m time.Month, validDays int) bool { return validDays >= r.min(m) }

func (r *MonthRule) min(m time.Month) int {
	if m == time.February {
		return r.MinDaysFebruary
	}
	return r.MinDays
}

// Step writes the comparison down for a person.
func (r *MonthRule) Step(m time.Month, validDays int) Step {
	s := r.step(StepValidity)
	s.Inputs = []Input{{"n_valid", num(float64(validDays)), "d"}}
	s.Result = "not_valid"
	if MonthValid(r, m, validDays) {
		s.Result = "valid"
	}
	s.Formula = "n = " + num(float64(validDays)) + sign(s.Result == "valid") + num(float64(r.min(m)))
	return s
}
