package quality

import "strconv"

// Step writes the judgement of an hour by its parts down for a person.
func (h PartHour) Step(r *PartRule) Step {
	s := r.step(StepValidity)
	s.Inputs = []Input{{"n_valid", strconv.Itoa(h.NValid), ""}, {"n_expected", strconv.Itoa(h.NDue), ""}}
	need := h.NDue
	switch {
	case r.AnyPart:
		need = min(need, 1)
	case h.Service && r.Service > 0:
		need = min(need, r.Service)
	}
	s.Result = "not_valid"
	if h.Valid {
		s.Result = "valid"
	}
	s.Formula = "n = " + strconv.Itoa(h.NValid) + sign(h.NValid >= need) + strconv.Itoa(need)
	return s
}

// Step writes the day average down for a person; m and lost are what
// ShortTermDay gave.
func (r *ShortTermRule) Step(m MeanResult, lost int) Step {
	s := r.step(StepValidity)
	s.Result = "not_valid"
	if m.Valid {
		s.Result = "valid"
	}
	s.Inputs = []Input{{"n", num(m.Weight), ""}, {"lost", strconv.Itoa(lost), ""}, {"mean", optText(m.Mean), ""}}
	compare := " ≤ "
	if lost > r.MaxLost {
		compare = " > "
	}
	s.Formula = num(m.Sum) + " ÷ " + num(m.Weight) + " = " + optText(m.Mean) + "; " + strconv.Itoa(lost) + compare + strconv.Itoa(r.MaxLost)
	return s
}

// Step writes the filling of a gap down for a person.
func (r *NeighbourRule) Step(hours float64, before, after, filled Opt) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"N", num(hours), "h"}, {"before", optText(before), "kg/h"}, {"after", optText(after), "kg/h"}}
	s.Result = fillResult(filled)
	if filled.OK {
		s.Formula = "(" + num(before.V) + " + " + num(after.V) + ") ÷ 2 = " + num(filled.V)
	}
	return s
}

// Step writes the filling of a gap down for a person.
func (r *PrecedingRule) Step(factor string, values []float64, filled Opt) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"factor", factor, ""}, {"n_valid", strconv.Itoa(len(values)), ""}}
	s.Result = fillResult(filled)
	if filled.OK {
		s.Formula = "n = " + strconv.Itoa(len(values)) + ": " + num(filled.V)
	}
	return s
}

// Step writes the substitution down for a person.
func (p Part75Result) Step(r *Part75Rule, g Part75Gap) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{
		{"availability", optText(g.PMA), "%"},
		{"N", num(g.Hours), "h"},
		{"before", optText(g.Before), "kg/h"},
		{"after", optText(g.After), "kg/h"},
		{"window", strconv.Itoa(g.Window), "h"},
		{"n_valid", strconv.Itoa(len(g.Rates)), "h"},
	}
	s.Result = fillResult(p.Value)
	s.Formula = "MODC " + p.MODC + ": " + optText(p.Value)
	return s
}

// Step writes the substitution of a day of waste water down for a person.
func (r *WaterFillRule) Step(kg Opt, days int) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"n_valid", strconv.Itoa(days), "d"}}
	s.Result = fillResult(kg)
	if kg.OK {
		s.Formula = "max M(" + strconv.Itoa(days) + " d) = " + num(kg.V)
	}
	return s
}

func fillResult(v Opt) string {
	if !v.OK {
		return string(SubstituteNoRule)
	}
	return num(v.V)
}
