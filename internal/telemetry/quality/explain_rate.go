package quality

import "plateau/internal/telemetry"

// mean is the valid mean of a factor of a judged hour, by its place in the plan.
func (pl *plan) meanOf(row *HourRow) func(i int) Opt {
	return func(i int) Opt {
		f := pl.hourOf(row, i)
		if f == nil || !f.Valid {
			return Opt{}
		}
		return f.Mean
	}
}

func (pl *plan) moisture(row *HourRow) Opt {
	if pl.moist < 0 {
		return Opt{}
	}
	return moistureOf(&pl.factors[pl.moist], pl.meanOf(row)(pl.moist))
}

// basics are the steps that made a concentration before it was folded: nitrogen
// oxides of NO and NO2, dry gas of wet.
func (pl *plan) basics(row *HourRow, f *FactorHour) Trace {
	var out Trace
	if f.Wet.OK {
		xsw := pl.moisture(row)
		if !xsw.OK {
			s := pl.p.dry.step(StepConversion)
			s.Notes = []Text{{Key: "reason.moisture_missing"}}
			return append(out, s)
		}
		out = append(out, pl.p.dry.Step(f.Wet.V, xsw.V))
	}
	n := &pl.p.nox
	no, no2 := row.Factor(n.NO), row.Factor(n.NO2)
	if f.Code != n.NOx || f.Wet.OK || no == nil || no2 == nil || !no.Mean.OK || !no2.Mean.OK {
		return out
	}
	if i, ok := pl.index[n.NOx]; !ok || pl.factors[i].required || f.Reported.There {
		return out
	}
	a, okA := n.ppm(&pl.factors[pl.index[n.NO]], no.Mean.V, n.MolarMassNO)
	b, okB := n.ppm(&pl.factors[pl.index[n.NO2]], no2.Mean.V, n.MolarMass)
	if okA && okB {
		out = append(out, n.Step(a, b))
	}
	return out
}

// emission are the steps to the mass of an hour of gas: the flow and the rate.
func (pl *plan) emission(row *HourRow, f *FactorHour) Trace {
	if !f.Rate.OK {
		return nil
	}
	fp := &pl.factors[pl.index[f.Code]]
	flow := pl.p.emission.step(StepFlow)
	switch row.FlowBy {
	case FlowComputed:
		if d, ok := pl.duct(pl.meanOf(row), pl.moisture(row)); ok {
			flow = FlowStdDry(&pl.p.flow, d).Step(&pl.p.flow, d)
			flow.Name = StepFlow
		}
	case FlowReported:
		q := pl.hourOf(row, pl.flow)
		if q == nil {
			return nil
		}
		unit := &pl.factors[pl.flow]
		flow.Formula = num(q.Mean.V)
		if unit.wet {
			flow.Formula += " × (1 − " + num(pl.moisture(row).V) + ")"
		}
		flow.Formula += " × " + num(unit.toHour) + " = " + num(row.Flow.V)
		flow.Inputs = []Input{{"Qr", num(q.Mean.V), unit.unit}}
		flow.Result = num(row.Flow.V)
	case FlowNone, FlowAmount, FlowTotaliser:
		return nil
	}
	flow.Inputs = append(flow.Inputs, Input{"Qsn", num(row.Flow.V), "m3/h"})
	c := pl.zeroDrift(fp, f.Mean.V)
	s := pl.p.emission.Step(c.V*fp.toMg, row.Flow.V)
	s.Name = StepEmission
	s.Inputs = append(s.Inputs, Input{"G", num(f.Rate.V), "kg/h"})
	if f.Mean.V < 0 {
		s.Notes = append(s.Notes, Text{Key: "reason.zero_drift", Args: map[string]string{"value": num(f.Mean.V), "percent": num(pl.p.negative.driftPercent)}})
	}
	return Trace{flow, s}
}

// dayEmission is the step to the mass of a day.
func (x *explainer) dayEmission(pl *plan, f *FactorDay) Trace {
	if !f.Total.OK {
		return nil
	}
	if x.o.Medium != telemetry.Gas {
		s := pl.p.waterDay.step(StepEmission)
		s.Formula = num(f.Mean.V) + " × " + num(f.Flow.V) + " ÷ 1000 = " + num(f.Total.V)
		if k := pl.factors[pl.index[f.Code]].toMg; k != 1 {
			s.Formula = num(f.Mean.V) + " × " + num(k) + " × " + num(f.Flow.V) + " ÷ 1000 = " + num(f.Total.V)
		}
		s.Inputs = []Input{{"Q", num(f.Flow.V), "m3"}, {"M", num(f.Total.V), "kg"}}
		s.Result = num(f.Total.V)
		return Trace{s}
	}
	n := 0
	for i := range x.out.Hours {
		if x.out.Hours[i].Rate.OK {
			n++
		}
	}
	s := pl.p.emission.step(StepEmission)
	s.Formula = "Σ G = " + num(f.Total.V)
	s.Inputs = []Input{{"n_valid", num(float64(n)), "h"}, {"M", num(f.Total.V), "kg"}}
	s.Result = num(f.Total.V)
	return Trace{s}
}
