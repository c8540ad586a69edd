package quality

import "strings"

// FlowRule is cems.flow_std_dry in force.
type FlowRule struct {
	ref
	Seconds        float64 // of an hour
	Kelvin, Pascal float64 // standard state; Kelvin is also 0 degC
	// Factors the flow of an hour is computed from, with the moisture of DryRule.
	Velocity, Temperature, Pressure string
}

// Duct is what the flow of stack gas is computed from.
type Duct struct {
	AreaM2     float64 // cross-section
	Kv         float64 // velocity field coefficient
	VpMS       float64 // measured velocity, m/s
	TsC        float64 // gas temperature, degC, above -273
	BaPa, PsPa float64 // ambient pressure; static pressure against it, usually negative
	Xsw        float64 // water as a fraction of the volume, below 1
}

// FlowResult is the flow of stack gas, m3/h.
type FlowResult struct {
	Qs  float64 // wet, as it flows
	Qsn float64 // dry, at standard state
}

// FlowStdDry computes the flow of stack gas: cems.flow_std_dry (HJ 75-2017,
// calculation annex), Qs = 3600 × A × Kv × Vp and
// Qsn = Qs × 273 ÷ (273 + ts) × (Ba + Ps) ÷ 101325 × (1 − Xsw).
func FlowStdDry(r *FlowRule, d Duct) FlowResult {
	qs := r.Seconds * d.AreaM2 * d.Kv * d.VpMS
	return FlowResult{qs, qs * r.Kelvin / (r.Kelvin + d.TsC) * (d.BaPa + d.PsPa) / r.Pascal * (1 - d.Xsw)}
}

// Step writes the flow down for a person.
func (f FlowResult) Step(r *FlowRule, d Duct) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{
		{"A", num(d.AreaM2), "m2"},
		{"Kv", num(d.Kv), ""},
		{"Vp", num(d.VpMS), "m/s"},
		{"ts", num(d.TsC), "degC"},
		{"Ba", num(d.BaPa), "Pa"},
		{"Ps", num(d.PsPa), "Pa"},
		{"Xsw", num(d.Xsw), ""},
		{"Qs", num(f.Qs), "m3/h"},
	}
	k := num(r.Kelvin)
	s.Formula = num(r.Seconds) + " × " + num(d.AreaM2) + " × " + num(d.Kv) + " × " + operand(d.VpMS) + " = " + num(f.Qs) + "; " +
		operand(f.Qs) + " × " + k + " ÷ (" + k + " + " + operand(d.TsC) + ") × (" + num(d.BaPa) + " + " + operand(d.PsPa) + ") ÷ " +
		num(r.Pascal) + " × (1 − " + num(d.Xsw) + ") = " + num(f.Qsn)
	s.Result = num(f.Qsn)
	return s
}

// operand writes a number inside a formula: a negative one in brackets.
func operand(v float64) string {
	if s := num(v); strings.HasPrefix(s, "-") {
		return "(" + s + ")"
	}
	return num(v)
}

// EmissionRule is cems.emission_rate in force.
type EmissionRule struct {
	ref
	KgPerMg    float64
	FlowFactor string // dry flow at standard state, as loggers report it
}

// EmissionRate is G = C × Qsn × 1e-6 in kg/h: cems.emission_rate (HJ 75-2017,
// calculation annex). C is the measured concentration of dry gas at standard
// state in mg/m3, never the folded one; Qsn the dry flow in m3/h. A negative
// concentration gives a negative rate: what of it counts as zero drift is
// decided where totals are made, by the range of the analyser.
func EmissionRate(r *EmissionRule, c, qsn float64) float64 { return c * qsn * r.KgPerMg }

// Step writes the rate down for a person.
func (r *EmissionRule) Step(c, qsn float64) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"C", num(c), "mg/m3"}, {"Qsn", num(qsn), "m3/h"}}
	s.Result = num(EmissionRate(r, c, qsn))
	s.Formula = num(c) + " × " + operand(qsn) + " × " + num(r.KgPerMg) + " = " + s.Result
	return s
}

// NOxRule is cems.nox_as_no2 in force.
type NOxRule struct {
	ref
	MolarMass    float64 // of NO2, g/mol
	MolarMassNO  float64
	MolarVolume  float64 // L/mol
	NO, NO2, NOx string  // factors
}

// NOxAsNO2 expresses nitrogen oxides as NO2: cems.nox_as_no2 (HJ 76-2017
// annex B), (NO + NO2) × 46 ÷ 22.4, from ppm to mg/m3 at standard state.
func NOxAsNO2(r *NOxRule, noPPM, no2PPM float64) float64 {
	return (noPPM + no2PPM) * r.MolarMass / r.MolarVolume
}

// Step writes the conversion down for a person.
func (r *NOxRule) Step(noPPM, no2PPM float64) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"NO", num(noPPM), "ppm"}, {"NO2", num(no2PPM), "ppm"}}
	s.Result = num(NOxAsNO2(r, noPPM, no2PPM))
	s.Formula = "(" + num(noPPM) + " + " + operand(no2PPM) + ") × " + num(r.MolarMass) + " ÷ " + num(r.MolarVolume) + " = " + s.Result
	return s
}

// DryRule is cems.wet_to_dry in force.
type DryRule struct {
	ref
	MoistureFactor string
}

// WetToDry is C ÷ (1 − Xsw): cems.wet_to_dry (HJ 75-2017, calculation annex),
// for gases sampled hot and wet; xsw is the fraction of water by volume, below 1.
func WetToDry(wet, xsw float64) float64 { return wet / (1 - xsw) }

// Step writes the conversion down for a person.
func (r *DryRule) Step(wet, xsw float64) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"C", num(wet), ""}, {"Xsw", num(xsw), ""}}
	s.Result = num(WetToDry(wet, xsw))
	s.Formula = num(wet) + " ÷ (1 − " + num(xsw) + ") = " + s.Result
	return s
}
