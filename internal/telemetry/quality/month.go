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

// WaterFillRule is wpms.substitute_total in force.
type WaterFillRule struct {
	ref
	Days         int     // looked back over where no check is known
	MonthPercent float64 // valid days of the days due that a valid month needs
}

// DayTotal is the emission of a day of waste water, kg.
type DayTotal struct {
	Day   int64 // any count of days
	Valid bool
	Kg    float64
}

// SubstituteTotal is the emission put in place of a day of waste water without
// a valid one: wpms.substitute_total (HJ 356-2019 chapter 8), the largest valid
// day total of [from, day). None is found where no day of them is valid.
func SubstituteTotal(history []DayTotal, from, day int64) (kg Opt, days int) {
	for _, h := range history {
		if !h.Valid || h.Day < from || h.Day >= day {
			continue
		}
		days++
		if !kg.OK || h.Kg > kg.V {
			kg = Some(h.Kg)
		}
	}
	return kg, days
}
