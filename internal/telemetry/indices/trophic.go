package indices

import (
	"fmt"
	"math"
	"strings"

	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// trophicTerms are the five, in the order of the standard.
var trophicTerms = [...]string{"chla", "tp", "tn", "sd", "codmn"}

// TrophicRule is water.tli in force.
type TrophicRule struct {
	rule                                    *rules.Rule
	factor                                  float64
	terms                                   [len(trophicTerms)]trophicTerm
	oligoBelow, eutroAbove, moderate, heavy float64
}

type trophicTerm struct {
	a, b, weight float64
	unit         string
}

// ReadTrophic reads water.tli in force on date; faults wrap rules.ErrInvalid.
func ReadTrophic(set *rules.Set, date string) (*TrophicRule, error) {
	rule, ok := set.At("water.tli", date)
	if !ok {
		return nil, fmt.Errorf("rule water.tli is missing: %w", rules.ErrInvalid)
	}
	t := &TrophicRule{rule: rule}
	for name, to := range map[string]*float64{
		"factor": &t.factor, "oligotrophic_below": &t.oligoBelow, "eutrophic_above": &t.eutroAbove,
		"moderate_above": &t.moderate, "heavy_above": &t.heavy,
	} {
		v, err := rule.Float(name)
		if err != nil {
			return nil, err
		}
		*to = v
	}
	terms, sum := rule.Table("terms"), 0.0
	for i, name := range trophicTerms {
		table, _ := terms[name].(map[string]any)
		x := &t.terms[i]
		r := 0.0
		for key, to := range map[string]*float64{"a": &x.a, "b": &x.b, "r": &r} {
			v, err := rule.TableFloat(table, key)
			if err != nil {
				return nil, fmt.Errorf("term %s: %w", name, err)
			}
			*to = v
		}
		unit, err := rule.TableText(table, "unit")
		if err != nil {
			return nil, fmt.Errorf("term %s: %w", name, err)
		}
		x.unit, x.weight = unit, r*r
		sum += x.weight
	}
	for i := range t.terms {
		t.terms[i].weight /= sum
	}
	return t, nil
}

// Lake is what a trophic index is computed from; all must be above zero.
type Lake struct {
	ChlA  quality.Opt // chlorophyll a, mg/m3
	TP    quality.Opt // total phosphorus, mg/L
	TN    quality.Opt // total nitrogen, mg/L
	SD    quality.Opt // Secchi depth, m
	CODMn quality.Opt // permanganate index, mg/L
	Salt  bool        // a salt lake
}

func (l *Lake) terms() [len(trophicTerms)]quality.Opt {
	return [...]quality.Opt{l.ChlA, l.TP, l.TN, l.SD, l.CODMn}
}

// TrophicStatus tells what came of a trophic index.
type TrophicStatus string

// Trophic statuses, by the rule water.tli.
const (
	TrophicOK          TrophicStatus = "ok"
	TrophicNotComputed TrophicStatus = "not_computed" // one of the five is missing
	TrophicSaltLake    TrophicStatus = "salt_lake"    // computed, but without meaning
)

// Trophic levels.
const (
	Oligotrophic        = "oligotrophic"
	Mesotrophic         = "mesotrophic"
	LightlyEutrophic    = "light_eutrophic"
	ModeratelyEutrophic = "moderate_eutrophic"
	HeavilyEutrophic    = "heavy_eutrophic"
)

// TrophicResult is a trophic level index.
type TrophicResult struct {
	Status TrophicStatus
	TLI    quality.Opt
	Level  string             // "" unless Status is ok
	Parts  map[string]float64 // index of each measured term
}

// Trophic is the trophic level index of a lake: water.tli (Env. Office [2011]
// No. 22), the sum of five indices 10 × (a + b × ln x), weighed by their
// correlation with chlorophyll a. All five are needed: nothing is weighed anew
// where one is missing, or not above zero. Of a salt lake the index is given
// with its mark and without a level.
func Trophic(t *TrophicRule, l Lake) TrophicResult {
	r := TrophicResult{Status: TrophicOK, Parts: map[string]float64{}}
	sum := 0.0
	for i, x := range l.terms() {
		if !x.OK || x.V <= 0 {
			r.Status = TrophicNotComputed
			continue
		}
		part := t.factor * (t.terms[i].a + t.terms[i].b*math.Log(x.V))
		r.Parts[trophicTerms[i]] = part
		sum += t.terms[i].weight * part
	}
	switch {
	case r.Status == TrophicNotComputed:
		return r
	case l.Salt:
		r.Status = TrophicSaltLake
	default:
		r.Level = t.level(sum)
	}
	r.TLI = quality.Some(sum)
	return r
}

func (t *TrophicRule) level(tli float64) string {
	switch {
	case tli < t.oligoBelow:
		return Oligotrophic
	case tli <= t.eutroAbove:
		return Mesotrophic
	case tli <= t.moderate:
		return LightlyEutrophic
	case tli <= t.heavy:
		return ModeratelyEutrophic
	}
	return HeavilyEutrophic
}

// Step writes the index down for a person.
func (r TrophicResult) Step(t *TrophicRule, l Lake) quality.Step {
	s := quality.StepBy(t.rule, quality.StepConversion)
	s.Result = string(r.Status)
	var sum []string
	for i, x := range l.terms() {
		if x.OK {
			s.Inputs = append(s.Inputs, quality.Input{Name: trophicTerms[i], Value: quality.Num(x.V), Unit: t.terms[i].unit})
		}
		sum = append(sum, quality.Num(t.terms[i].weight)+" × "+quality.Num(r.Parts[trophicTerms[i]]))
	}
	if r.TLI.OK {
		s.Formula = strings.Join(sum, " + ") + " = " + quality.Num(r.TLI.V)
		if r.Status == TrophicOK {
			s.Result = quality.Num(r.TLI.V)
		}
	}
	return s
}
