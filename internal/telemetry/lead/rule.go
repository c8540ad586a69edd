package lead

import (
	"errors"
	"fmt"
	"time"

	"plateau/rules"
)

// params are the thresholds of a detector in force on a day.
type params struct {
	rule *rules.Rule
	v    map[string]float64
}

// get is a threshold by its name. The rules are checked by NewRulebook, so a name
// that is not there is a programmer's error.
func (p *params) get(name string) float64 {
	v, ok := p.v[name]
	if !ok {
		panic("lead: rule " + p.rule.ID + " has no " + name)
	}
	return v
}

// Rulebook holds the thresholds of all detectors with their dates.
type Rulebook struct {
	set    *rules.Set
	read   map[*rules.Rule]*params
	shared map[*rules.Rule]Common
}

// CommonRule names the rule with what all detectors share.
const CommonRule = "lead.common"

// Common is what all detectors share, by rule lead.common.
type Common struct {
	aside  []string      // codes of parameters, which are no pollutants
	Months int           // the running one and those before it that are looked at at a start
	Settle time.Duration // after midnight, before a day is looked at
	Again  time.Duration // a window is not looked at again sooner, however often it is judged anew
	Drop   float64       // weight that each "not helpful" takes from a detector at its outlet
}

// NewRulebook reads the rules of all detectors; nil stands for the embedded ones.
// A fault wraps rules.ErrInvalid.
func NewRulebook(set *rules.Set) (*Rulebook, error) {
	if set == nil {
		set = rules.Default()
	}
	b := &Rulebook{set: set, read: map[*rules.Rule]*params{}, shared: map[*rules.Rule]Common{}}
	var faults []error
	for _, r := range set.Versions(CommonRule) {
		c, err := readCommon(r)
		faults = append(faults, err)
		b.shared[r] = c
	}
	if len(b.shared) == 0 {
		faults = append(faults, fmt.Errorf("rule %s is missing: %w", CommonRule, rules.ErrInvalid))
	}
	for _, d := range detectors {
		versions := set.Versions(d.Rule())
		if len(versions) == 0 {
			faults = append(faults, fmt.Errorf("rule %s is missing: %w", d.Rule(), rules.ErrInvalid))
		}
		for _, r := range versions {
			p := &params{r, map[string]float64{}}
			for name := range set.Shape(r.ID).Params {
				v, err := r.Float(name)
				faults = append(faults, err)
				p.v[name] = v
			}
			b.read[r] = p
		}
	}
	return b, errors.Join(faults...)
}

func readCommon(r *rules.Rule) (c Common, err error) {
	var faults []error
	num := func(name string) float64 {
		v, err := r.Float(name)
		faults = append(faults, err)
		return v
	}
	c.aside, err = r.Texts("parameters")
	faults = append(faults, err)
	c.Settle = time.Duration(num("settle_minutes") * float64(time.Minute))
	c.Months, c.Again, c.Drop = int(num("months")), time.Duration(num("again_minutes")*float64(time.Minute)), num("drop")
	return c, errors.Join(faults...)
}

// common is what is in force on a day; rules that have ended go on to hold here.
func (b *Rulebook) common(date string) Common {
	r, ok := b.set.At(CommonRule, date)
	if !ok {
		all := b.set.Versions(CommonRule)
		r = all[len(all)-1]
	}
	return b.shared[r]
}

// at is a detector's thresholds in force on a day, nil when there are none.
func (b *Rulebook) at(d *Detector, date string) *params {
	r, ok := b.set.At(d.Rule(), date)
	if !ok {
		return nil
	}
	return b.read[r]
}

// Rule is the version of a detector's rule in force on a day; nil for none.
func (b *Rulebook) Rule(d *Detector, date string) *rules.Rule {
	if p := b.at(d, date); p != nil {
		return p.rule
	}
	return nil
}

// Versions are all versions of a detector's rule, the oldest first.
func (b *Rulebook) Versions(d *Detector) []*rules.Rule { return b.set.Versions(d.Rule()) }
