package indices

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// SectionRule is water.section, water.river and water.do_saturation in force,
// with the classes they stand on.
type SectionRule struct {
	Class    *ClassRule
	section  *rules.Rule
	river    *rules.Rule
	oxygen   *rules.Rule
	below    float64
	ph       string
	grade    map[string]string                        // class → excellent, good, light, moderate, heavy
	separate map[string]map[string][]quality.LimitRef // water body → factor → limit of each class
	shares   struct{ excellent, good, moderate, heavy float64 }
	min      int
	good     []string
	a, b     float64 // of saturation
	kPa      float64
}

// ReadSection reads the rules in force on date; faults wrap rules.ErrInvalid.
func ReadSection(set *rules.Set, date string) (*SectionRule, error) {
	s := &SectionRule{grade: map[string]string{}, separate: map[string]map[string][]quality.LimitRef{}}
	var err error
	if s.Class, err = ReadClass(set, date); err != nil {
		return nil, err
	}
	for id, to := range map[string]**rules.Rule{"water.section": &s.section, "water.river": &s.river, "water.do_saturation": &s.oxygen} {
		rule, ok := set.At(id, date)
		if !ok {
			return nil, fmt.Errorf("rule %s is missing: %w", id, rules.ErrInvalid)
		}
		*to = rule
	}
	var count float64
	for _, n := range []struct {
		rule *rules.Rule
		name string
		to   *float64
	}{
		{s.section, "below_detection_share", &s.below},
		{s.river, "min_sections", &count},
		{s.river, "excellent_percent", &s.shares.excellent},
		{s.river, "good_percent", &s.shares.good},
		{s.river, "moderate_worse_percent", &s.shares.moderate},
		{s.river, "heavy_worse_percent", &s.shares.heavy},
		{s.oxygen, "numerator", &s.a},
		{s.oxygen, "offset", &s.b},
		{s.oxygen, "standard_kpa", &s.kPa},
	} {
		if *n.to, err = n.rule.Float(n.name); err != nil {
			return nil, err
		}
	}
	s.min = int(count)
	if s.ph, err = s.section.Text("ph_factor"); err != nil {
		return nil, err
	}
	if s.good, err = s.river.Texts("good_classes"); err != nil {
		return nil, err
	}
	separate, err := s.section.Texts("separate")
	if err != nil {
		return nil, err
	}
	grades := s.section.Table("grade")
	for _, class := range append(slices.Clone(s.Class.Classes), s.Class.Worse) {
		if s.grade[class], err = s.section.TableText(grades, class); err != nil {
			return nil, err
		}
	}
	conditions := s.Class.rule.Table("condition")
	for body := range conditions {
		condition, err := s.Class.rule.TableText(conditions, body)
		if err != nil {
			return nil, err
		}
		s.separate[body] = s.Class.limits(set.Limits().Of(s.Class.source), func(l *telemetry.Limit) bool {
			return strings.HasPrefix(l.Standard, s.Class.standard) && slices.Contains(separate, l.Factor) && l.Condition == condition && l.Op != "text" && rules.InForce(l, date)
		})
	}
	return s, nil
}

// Sample is one sampling of a section, or the mean of its day.
type Sample struct {
	Values     map[string]float64 // by factor; of what is in Below the detection limit
	Below      []string           // factors below detection
	Saturation quality.Opt        // of oxygen, percent
}

// SectionResult is the state of a section over a period.
type SectionResult struct {
	ClassResult
	Grade    string            // "" = nothing was judged
	Separate map[string]string // classes beside the class: total nitrogen of lakes
	Means    map[string]float64
}

// Section judges the means of a section's samples: water.section (Env. Office
// [2011] No. 22). A value below detection counts as half its limit in means;
// where all are below, the limit itself is judged. The mean of pH is that of
// the hydrogen ions.
func Section(s *SectionRule, body string, samples []Sample) SectionResult {
	type sum struct {
		v, limit float64
		n, below int
	}
	sums := map[string]*sum{}
	var sat, satN float64
	for i := range samples {
		for code, v := range samples[i].Values {
			x := sums[code]
			if x == nil {
				x = &sum{}
				sums[code] = x
			}
			x.n++
			switch {
			case slices.Contains(samples[i].Below, code):
				x.below++
				x.limit = max(x.limit, v)
				x.v += v * s.below
			case code == s.ph:
				x.v += math.Pow(10, -v)
			default:
				x.v += v
			}
		}
		if samples[i].Saturation.OK {
			sat, satN = sat+samples[i].Saturation.V, satN+1
		}
	}
	r := SectionResult{Separate: map[string]string{}, Means: map[string]float64{}}
	for code, x := range sums {
		m := x.v / float64(x.n)
		switch {
		case x.below == x.n:
			m = x.limit
		case code == s.ph:
			m = -math.Log10(m)
		}
		r.Means[code] = m
	}
	w := Water{Body: body, Values: r.Means}
	if satN > 0 {
		w.Saturation = quality.Some(sat / satN)
	}
	r.ClassResult = s.Class.Judge(w)
	r.Grade = s.grade[r.Class]
	for code, limits := range s.separate[body] {
		if v, ok := r.Means[code]; ok {
			r.Separate[code] = s.Class.name(s.Class.classOf(v, limits))
		}
	}
	return r
}

// Step writes the state down for a person.
func (r SectionResult) Step(s *SectionRule, body string) quality.Step {
	step := r.ClassResult.Step(s.Class, body, r.Means)
	own := quality.StepBy(s.section, step.Name)
	own.Inputs, own.Formula, own.Result = step.Inputs, step.Formula, r.Grade
	return own
}

// How a river was judged.
const (
	RiverByShare = "share" // of sections
	RiverByMean  = "mean"  // of the factors over the few sections there are
)

// RiverResult is the state of a river or basin.
type RiverResult struct {
	Grade       string // "" = no section was judged
	Method      string
	Class       string // by mean only
	Sections    int    // judged
	Good, Worse float64
}

// River judges a river by its sections: water.river (Env. Office [2011] No. 22).
// With five sections or more the shares of good ones and of those worse than
// class V decide; with fewer, the factors' means over the sections are judged
// as one section.
func River(s *SectionRule, body string, sections []Sample) RiverResult {
	r := RiverResult{}
	good, worse := 0, 0
	var judged []Sample
	for i := range sections {
		one := Section(s, body, sections[i:i+1])
		if one.Class == "" {
			continue
		}
		judged = append(judged, sections[i])
		if slices.Contains(s.good, one.Class) {
			good++
		}
		if one.Class == s.Class.Worse {
			worse++
		}
	}
	r.Sections = len(judged)
	if r.Sections == 0 {
		return r
	}
	r.Good, r.Worse = 100*float64(good)/float64(r.Sections), 100*float64(worse)/float64(r.Sections)
	if r.Sections < s.min {
		all := Section(s, body, judged)
		r.Method, r.Class, r.Grade = RiverByMean, all.Class, all.Grade
		return r
	}
	r.Method = RiverByShare
	// Shares are compared as counts, so that no division decides.
	atLeast := func(n int, percent float64) bool { return 100*float64(n) >= percent*float64(r.Sections) }
	switch {
	case atLeast(good, s.shares.excellent):
		r.Grade = "excellent"
	case atLeast(good, s.shares.good):
		r.Grade = "good"
	case !atLeast(worse, s.shares.moderate):
		r.Grade = "light"
	case !atLeast(worse, s.shares.heavy):
		r.Grade = "moderate"
	default:
		r.Grade = "heavy"
	}
	return r
}

// Step writes the state down for a person.
func (r RiverResult) Step(s *SectionRule) quality.Step {
	step := quality.StepBy(s.river, quality.StepVerdict)
	step.Inputs = []quality.Input{{Name: "sections", Value: quality.Num(float64(r.Sections))}, {Name: "good", Value: quality.Num(r.Good), Unit: "%"}, {Name: "worse", Value: quality.Num(r.Worse), Unit: "%"}}
	step.Result = r.Grade
	return step
}

// Saturation is the dissolved oxygen that water of a temperature holds at an
// air pressure, mg/L: water.do_saturation. A missing pressure is the standard
// one, which is far too high for the plateau.
func (s *SectionRule) Saturation(tempC float64, kPa quality.Opt) float64 {
	v := s.a / (s.b + tempC)
	if kPa.OK {
		v *= kPa.V / s.kPa
	}
	return v
}

// SaturationStep writes the saturation down for a person.
func (s *SectionRule) SaturationStep(tempC float64, kPa quality.Opt) quality.Step {
	step := quality.StepBy(s.oxygen, quality.StepConversion)
	v := quality.Num(s.Saturation(tempC, kPa))
	step.Formula = quality.Num(s.a) + " ÷ (" + quality.Num(s.b) + " + " + quality.Num(tempC) + ")"
	if kPa.OK {
		step.Formula += " × " + quality.Num(kPa.V) + " ÷ " + quality.Num(s.kPa)
	}
	step.Formula += " = " + v
	step.Inputs = []quality.Input{{Name: "t", Value: quality.Num(tempC), Unit: "degC"}}
	step.Result = v
	return step
}
