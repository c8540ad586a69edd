package report

import (
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// perHour are the flows that loggers use, in m3/h.
var perHour = map[string]float64{"L/s": 3.6, "m3/s": 3600, "m3/h": 1, "m3/d": 1.0 / 24, "t/h": 1}

// mgPerM3 are the mass concentrations that loggers use, in mg/m3.
var mgPerM3 = map[string]float64{"mg/m3": 1, "ug/m3": 1e-3, "g/m3": 1e3, "mg/L": 1e3, "ug/L": 1}

// hourFlow is what flowed in an hour, m3: the reported amount, else the mean
// flow over the hour; only of a valid hour.
func hourFlow(o *telemetry.Outlet, row *quality.HourRow) quality.Opt {
	code := FlowFactor(o.Medium)
	f := row.Factor(code)
	switch {
	case f == nil || !f.Valid:
	case f.Cou.OK:
		return f.Cou
	case f.Mean.OK:
		if k, ok := perHour[Unit(o, code)]; ok {
			return quality.Some(f.Mean.V * k)
		}
	}
	return quality.Opt{}
}

// hourAmount is what was emitted in a valid hour, kg: cems.emission_rate for
// one hour, never with the folded figure.
func hourAmount(r *quality.EmissionRule, o *telemetry.Outlet, row *quality.HourRow, f *quality.FactorHour) quality.Opt {
	flow := hourFlow(o, row)
	k, ok := mgPerM3[Unit(o, f.Code)]
	if !ok || !flow.OK || !f.Valid || !f.Mean.OK {
		return quality.Opt{}
	}
	return quality.Some(max(0, quality.EmissionRate(r, f.Mean.V*k, flow.V)))
}
