package ruleeval

import "plateau/internal/telemetry/quality"

// filled is what stands in for something missing.
type filled struct {
	Value  *float64 `json:"value"`
	Status string   `json:"status"`
}

func fill(v quality.Opt) filled {
	if !v.OK {
		return filled{nil, string(quality.SubstituteNoRule)}
	}
	return filled{&v.V, string(quality.SubstituteOK)}
}

// waterFill takes the days before the one that is filled, and how far back they
// are looked at where a check is known.
func (e *Evaluator) waterFill(in *fields) (any, quality.Trace) {
	rule := &e.rules.WaterFill
	day := in.whole("day", 1e6)
	from := day - int64(rule.Days)
	if v := in.opt("since_day", anyNumber); v.OK {
		from = int64(v.V)
	}
	var history []quality.DayTotal
	in.each("history", "a list of {day, valid, kg}", func(x *fields) {
		history = append(history, quality.DayTotal{Day: x.whole("day", 1e6), Valid: x.yesNo("valid"), Kg: x.opt("kg", amount).V})
	})
	if !in.end() {
		return nil, nil
	}
	kg, n := quality.SubstituteTotal(history, from, day)
	return fill(kg), quality.Trace{rule.Step(kg, n)}
}

func (e *Evaluator) neighbourMean(in *fields) (any, quality.Trace) {
	hours, before, after := in.num("consecutive_h", amount), in.opt("before_kg_h", anyNumber), in.opt("after_kg_h", anyNumber)
	if !in.end() {
		return nil, nil
	}
	v := quality.NeighbourMean(&e.rules.Neighbour, hours, before, after)
	return fill(v), quality.Trace{e.rules.Neighbour.Step(hours, before, after, v)}
}

// numbers reads a list of numbers.
func (f *fields) numbers(name string) []float64 {
	items := f.list(name, "a list of numbers")
	out := make([]float64, 0, len(items))
	for i, raw := range items {
		v, err := parse(raw)
		if err != nil {
			f.fail("%s[%d]: expected a number, got %s", name, i, shown(raw))
		}
		out = append(out, v)
	}
	return out
}

func (e *Evaluator) preceding(in *fields) (any, quality.Trace) {
	factor, values := in.text("factor"), in.numbers("values")
	if !in.end() {
		return nil, nil
	}
	v := quality.Preceding(&e.rules.Preceding, factor, values)
	return fill(v), quality.Trace{e.rules.Preceding.Step(factor, values, v)}
}

// partHour takes the quarters of an hour: minutes of valid data and minutes
// marked as stopped.
func (e *Evaluator) partHour(in *fields) (any, quality.Trace) {
	rule := e.rules.Part75Hour
	var parts []quality.Part
	in.each("quarters", "a list of four {valid_min, stopped_min}", func(x *fields) {
		parts = append(parts, quality.Part{Valid: 60 * x.num("valid_min", between(0, 15)), Stopped: 60 * x.opt("stopped_min", between(0, 15)).V})
	})
	service := in.optYesNo("service", false)
	if len(parts) != rule.N {
		in.fail("quarters: expected %d, got %d", rule.N, len(parts))
	}
	if !in.end() {
		return nil, nil
	}
	h := quality.HourOfParts(rule, parts, service)
	return struct {
		Valid  bool `json:"valid"`
		NValid int  `json:"n_valid"`
		NDue   int  `json:"n_due"`
	}{h.Valid, h.NValid, h.NDue}, quality.Trace{h.Step(rule)}
}

func (e *Evaluator) part75(in *fields) (any, quality.Trace) {
	rule := &e.rules.Part75
	g := quality.Part75Gap{
		PMA: in.opt("availability_pct", between(0, 100)), Hours: in.num("consecutive_h", amount), Before: in.opt("before_kg_h", anyNumber), After: in.opt("after_kg_h", anyNumber),
		Rates: in.numbers("rates"), Window: int(in.whole("window", 1e6)), Potential: in.opt("potential_kg_h", anyNumber),
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.Part75Substitute(rule, g)
	return struct {
		filled
		MODC string `json:"modc"`
	}{fill(r.Value), r.MODC}, quality.Trace{r.Step(rule, g)}
}

// shortTerm takes the hours of a day: the mean of their valid half-hours, how
// many are valid and how many the plant ran in.
func (e *Evaluator) shortTerm(in *fields) (any, quality.Trace) {
	rule := &e.rules.ShortTerm
	confidence := in.opt("confidence", amount)
	var hours []quality.ShortTermHour
	in.each("hours", "a list of {value, valid, due}", func(x *fields) {
		h := quality.ShortTermHour{Value: x.opt("value", anyNumber), Valid: int(x.whole("valid", 2)), Due: int(x.whole("due", 2))}
		if h.Value.OK && confidence.OK {
			h.Value.V = quality.Validated(h.Value.V, confidence.V)
		}
		hours = append(hours, h)
	})
	if !in.end() {
		return nil, nil
	}
	m, lost := quality.ShortTermDay(rule, hours)
	return struct {
		Valid bool     `json:"valid"`
		Lost  int      `json:"lost"`
		Mean  *float64 `json:"mean"`
	}{m.Valid, lost, orNull(m.Mean, m.Valid)}, quality.Trace{rule.Step(m, lost)}
}
