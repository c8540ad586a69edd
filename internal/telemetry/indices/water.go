package indices

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// ClassRule is water.class in force, with the limits of the standard.
type ClassRule struct {
	rule    *rules.Rule
	Classes []string // best first
	Worse   string   // than the last class
	good    int      // place of the class from which multiples count
	main    int
	bodies  map[string]map[string][]quality.LimitRef // water body → factor → limit of each class

	standard, source string // where the limits stand
	oxygen           string
	saturation       float64 // percent, that meets the best class
}

// ReadClass reads water.class and the limits in force on date (YYYY-MM-DD,
// Beijing time); faults wrap rules.ErrInvalid.
func ReadClass(set *rules.Set, date string) (*ClassRule, error) {
	rule, ok := set.At("water.class", date)
	if !ok {
		return nil, fmt.Errorf("rule water.class is missing: %w", rules.ErrInvalid)
	}
	c := &ClassRule{rule: rule, bodies: map[string]map[string][]quality.LimitRef{}}
	standard, err1 := rule.Text("standard")
	source, err2 := rule.Text("source_type")
	statistics, err3 := rule.Texts("statistics")
	excluded, err4 := rule.Texts("excluded")
	good, err5 := rule.Text("good")
	mainCount, err6 := rule.Float("main_pollutants")
	var err7, err8 error
	c.Classes, err7 = rule.Texts("classes")
	c.Worse, err8 = rule.Text("worse")
	if err := cmp.Or(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		return nil, err
	}
	c.main = int(mainCount)
	if c.good = slices.Index(c.Classes, good); c.good < 0 {
		return nil, fmt.Errorf("rule %s: %q is none of the classes: %w", rule.ID, good, rules.ErrInvalid)
	}
	conditions := rule.Table("condition")
	c.standard, c.source = standard, source
	var err error
	if c.oxygen, err = rule.Text("oxygen"); err != nil {
		return nil, err
	}
	if c.saturation, err = rule.Float("best_saturation_percent"); err != nil {
		return nil, err
	}
	for body := range conditions {
		condition, err := rule.TableText(conditions, body)
		if err != nil {
			return nil, err
		}
		c.bodies[body] = c.limits(set.Limits().Of(source), func(l *telemetry.Limit) bool {
			return strings.HasPrefix(l.Standard, standard) && slices.Contains(statistics, l.Statistic) && l.Op != "text" &&
				!slices.Contains(excluded, l.Factor) && (l.Condition == "" || l.Condition == condition) && rules.InForce(l, date)
		})
	}
	return c, nil
}

// limits arranges limits by factor and class; a factor counts when every class
// has its own.
func (c *ClassRule) limits(all []telemetry.Limit, use func(*telemetry.Limit) bool) map[string][]quality.LimitRef {
	out := map[string][]quality.LimitRef{}
	for i := range all {
		l := &all[i]
		class := slices.Index(c.Classes, l.Level)
		if class < 0 || !use(l) {
			continue
		}
		if out[l.Factor] == nil {
			out[l.Factor] = make([]quality.LimitRef, len(c.Classes))
		}
		out[l.Factor][class] = quality.RefOf(l)
	}
	maps.DeleteFunc(out, func(_ string, refs []quality.LimitRef) bool {
		return slices.ContainsFunc(refs, quality.LimitRef.IsZero)
	})
	return out
}

// Bodies lists the kinds of water the rule tells apart.
func (c *ClassRule) Bodies() []string { return slices.Sorted(maps.Keys(c.bodies)) }

// Body is the kind of water whose limits hold under a condition of the limit
// table, such as "lake or reservoir"; "" when the rule names none.
func (c *ClassRule) Body(condition string) string {
	for _, body := range c.Bodies() {
		if text, err := c.rule.TableText(c.rule.Table("condition"), body); err == nil && text == condition {
			return body
		}
	}
	return ""
}

// Version is the version of the rule.
func (c *ClassRule) Version() int { return c.rule.Version }

// Day judges the valid day means of a section. Means in another unit than the
// standard's are left out.
func (c *ClassRule) Day(o *telemetry.Outlet, day *quality.DayRow) ClassResult {
	values := map[string]float64{}
	for i := range day.Factors {
		f := &day.Factors[i]
		if f.Valid && f.Mean.OK && figures.RawUnit(o, f.Code) == telemetry.FactorUnit(f.Code) {
			values[f.Code] = f.Mean.V
		}
	}
	// A section that names no condition is a river's, as the rule limit.select assumes.
	return WaterClass(c, cmp.Or(c.Body(o.Condition), "river"), values)
}

// ClassResult is the class of a water and of each judged factor.
type ClassResult struct {
	Class      string             // the worst of PerFactor; "" = nothing was judged
	PerFactor  map[string]string  // factor → class
	OverClass3 map[string]float64 // factor worse than class III → C ÷ limit − 1; not oxygen and pH, which have no multiple
	Main       []string           // of these the three largest
}

// Water is what a class is judged from.
type Water struct {
	Body       string             // river, lake
	Values     map[string]float64 // by factor, in the units of the standard
	Saturation quality.Opt        // of oxygen, percent
}

// WaterClass judges water by single factors, knowing no saturation of oxygen.
func WaterClass(c *ClassRule, body string, values map[string]float64) ClassResult {
	return c.Judge(Water{Body: body, Values: values})
}

// Judge judges water by single factors: water.class (GB 3838-2002; Env. Office
// [2011] No. 22). Values are in the units of the standard by the factor codes
// of HJ 212; factors that the rule leaves out (temperature, total nitrogen,
// faecal coliform) and unknown codes are passed over. Lakes have their own
// limits of phosphorus. A value meets the best class whose limit it keeps;
// oxygen meets class I also with 90 % of its saturation.
func (c *ClassRule) Judge(w Water) ClassResult {
	r := ClassResult{PerFactor: map[string]string{}, OverClass3: map[string]float64{}}
	worst := -1
	for code, v := range w.Values {
		limits := c.bodies[w.Body][code]
		if limits == nil {
			continue
		}
		class := c.classOf(v, limits)
		if code == c.oxygen && w.Saturation.OK && w.Saturation.V >= c.saturation {
			class = 0
		}
		r.PerFactor[code] = c.name(class)
		worst = max(worst, class)
		if j := quality.JudgeExceed(v, limits[c.good]); j.Exceeds && j.Times.OK {
			r.OverClass3[code] = j.Times.V
		}
	}
	if worst >= 0 {
		r.Class = c.name(worst)
	}
	r.Main = slices.SortedFunc(maps.Keys(r.OverClass3), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.OverClass3[b], r.OverClass3[a]), strings.Compare(a, b))
	})
	r.Main = r.Main[:min(len(r.Main), c.main)]
	return r
}

// classOf is the place of the best class whose limit a value keeps, one behind
// the last for none.
func (c *ClassRule) classOf(v float64, limits []quality.LimitRef) int {
	class := slices.IndexFunc(limits, func(l quality.LimitRef) bool { return !quality.JudgeExceed(v, l).Exceeds })
	if class < 0 {
		return len(c.Classes)
	}
	return class
}

func (c *ClassRule) name(class int) string {
	if class == len(c.Classes) {
		return c.Worse
	}
	return c.Classes[class]
}

// Step writes the class down for a person: each factor with the limit it keeps
// and, where it is over class III, how far.
func (r ClassResult) Step(c *ClassRule, body string, values map[string]float64) quality.Step {
	s := quality.StepBy(c.rule, quality.StepVerdict)
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(r.PerFactor)) {
		v := quality.Num(values[code])
		s.Inputs = append(s.Inputs, quality.Input{Name: code, Value: v})
		part := code + " " + r.PerFactor[code]
		if times, ok := r.OverClass3[code]; ok {
			part += ": " + v + " ÷ " + c.bodies[body][code][c.good].Text() + " − 1 = " + quality.Num(times)
		}
		parts = append(parts, part)
	}
	s.Formula, s.Result = strings.Join(parts, "; "), r.Class
	return s
}
