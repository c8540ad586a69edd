package quality

import "slices"

// PPMRule is cems.ppm in force.
type PPMRule struct {
	ref
	MolarVolume float64 // L/mol
	Units       []string
	Mass        map[string]float64 // g/mol by factor
}

func readPPM(r *reader) PPMRule {
	out := PPMRule{ref: r.open("cems.ppm"), Mass: map[string]float64{}}
	out.MolarVolume, out.Units = r.num("molar_volume"), r.texts("units")
	table := r.rule.Table("molar_mass")
	for factor := range table {
		v, err := r.rule.TableFloat(table, factor)
		if err != nil {
			r.err = err
		}
		out.Mass[factor] = v
	}
	return out
}

// MgM3 is C = ppm × M ÷ 22.4, mg/m3 at standard state: cems.ppm (HJ 75-2017,
// calculation annex). ok is false for a factor without a molar mass.
func (r *PPMRule) MgM3(factor string, ppm float64) (mg float64, ok bool) {
	m, ok := r.Mass[factor]
	return ppm * m / r.MolarVolume, ok
}

// per is what a reading in a unit is multiplied by to be in mg/m3; false for
// units that are no parts of the volume and for factors without a molar mass.
func (r *PPMRule) per(factor, unit string) (float64, bool) {
	m, ok := r.Mass[factor]
	return m / r.MolarVolume, ok && slices.Contains(r.Units, unit)
}

// Step writes the conversion down for a person.
func (r *PPMRule) Step(factor string, ppm float64) Step {
	s := r.step(StepConversion)
	mg, _ := r.MgM3(factor, ppm)
	s.Inputs = []Input{{factor, num(ppm), "ppm"}}
	s.Formula = operand(ppm) + " × " + num(r.Mass[factor]) + " ÷ " + num(r.MolarVolume) + " = " + num(mg)
	s.Result = num(mg)
	return s
}

// AlphaRule is cems.fold_alpha in force.
type AlphaRule struct {
	ref
	Air, Max float64            // percent
	AlphaS   map[string]float64 // by fuel
}

func readAlpha(r *reader) AlphaRule {
	out := AlphaRule{ref: r.open("cems.fold_alpha"), AlphaS: map[string]float64{}}
	out.Air, out.Max = r.num("air_o2"), r.num("o2_max")
	table := r.rule.Table("alpha_s")
	for fuel := range table {
		v, err := r.rule.TableFloat(table, fuel)
		if err != nil {
			r.err = err
		}
		out.AlphaS[fuel] = v
	}
	return out
}

// AlphaResult is a folded concentration with the excess air it was folded by.
type AlphaResult struct {
	FoldResult
	Alpha Opt
}

// FoldAlpha folds a concentration by excess air: cems.fold_alpha,
// C × α ÷ αs with α = 21 ÷ (21 − O2), for standards that give αs in place of a
// reference oxygen. Oxygen is looked at as in FoldO2.
func FoldAlpha(r *AlphaRule, c float64, o2, alphaS Opt) AlphaResult {
	switch {
	case !alphaS.OK || alphaS.V <= 0:
		return AlphaResult{FoldResult: FoldResult{Status: FoldNotRequired}}
	case !o2.OK || o2.V < 0:
		return AlphaResult{FoldResult: FoldResult{Status: FoldO2Missing}}
	case o2.V >= r.Max:
		return AlphaResult{FoldResult: FoldResult{Status: FoldO2Range}}
	}
	alpha := r.Air / (r.Air - o2.V)
	return AlphaResult{FoldResult{Some(c * alpha / alphaS.V), FoldOK}, Some(alpha)}
}

// Step writes the folding down for a person.
func (a AlphaResult) Step(r *AlphaRule, c float64, o2, alphaS Opt) Step {
	s := r.step(StepConversion)
	s.Inputs = []Input{{"C", num(c), ""}}
	s.Result = string(a.Status)
	if alphaS.OK {
		s.Inputs = append(s.Inputs, Input{"αs", num(alphaS.V), ""})
	}
	if o2.OK {
		s.Inputs = append(s.Inputs, Input{"O2", num(o2.V), "%"})
	}
	if a.Status == FoldOK {
		s.Formula = "α = " + num(r.Air) + " ÷ (" + num(r.Air) + " − " + num(o2.V) + ") = " + num(a.Alpha.V) + "; " + operand(c) + " × " + num(a.Alpha.V) + " ÷ " + num(alphaS.V) + " = " + num(a.Folded.V)
		s.Result = num(a.Folded.V)
	} else {
		s.Notes = append(s.Notes, Text{Key: "reason.fold_" + string(a.Status), Args: map[string]string{"o2": optText(o2)}})
	}
	return s
}
