package quality

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// limitSource finds the limit that binds an outlet: those entered for it (its
// permit, a local standard) first, then the national standards'. Among them
// the rank of the standard decides, of equal rank the stricter one binds.
type limitSource struct{ standards *rules.Limits }

// find returns the limit of a statistic. temp is the water temperature, which
// chooses the ammonia limit of sewage works; unknown takes the stricter.
func (s limitSource) find(p *params, o *telemetry.Outlet, factor, statistic, date string, temp Opt) (telemetry.Limit, bool) {
	var own *telemetry.Limit
	for i := range o.Limits {
		l := &o.Limits[i]
		if canon(l.Factor) != factor || l.Statistic != statistic || l.Op == "text" || !rules.InForce(l, date) {
			continue
		}
		if own == nil || rules.Before(l, own, p.rank) {
			own = l
		}
	}
	std, ok := s.standards.Find(rules.Query{
		SourceType: o.SourceType, Level: o.Level, Conditions: conditions(p, o, factor, temp),
		Factor: factor, Statistic: statistic, Date: date, Rank: p.rank,
	})
	if own == nil {
		return std, ok
	}
	l := *own
	if l.RefO2 == nil && ok { // a permit states the figure, the standard the reference oxygen
		l.RefO2 = std.RefO2
	}
	return l, true
}

// rank of a standard by how its name begins: the permit, local standards, those
// of an industry, general ones.
func (p *params) rank(standard string) int {
	begins := func(prefix string) bool { return strings.HasPrefix(standard, prefix) }
	switch {
	case slices.ContainsFunc(p.selects.permit, begins):
		return 0
	case slices.ContainsFunc(p.selects.local, begins):
		return 1
	case slices.ContainsFunc(p.selects.general, begins):
		return 3
	}
	return 2
}

// conditions that hold of an outlet.
func conditions(p *params, o *telemetry.Outlet, factor string, temp Opt) []string {
	var c []string
	if o.Condition != "" {
		c = append(c, o.Condition)
	} else {
		c = slices.Clone(p.selects.conditions[o.SourceType])
	}
	if factor == p.nh3.factor && o.SourceType == p.nh3.onlySourceType {
		if temp.OK && temp.V <= p.nh3.threshold {
			c = append(c, p.nh3.cold)
		} else {
			c = append(c, p.nh3.warm)
		}
	}
	return c
}

// factorPlan is what judging one factor of an outlet on one day needs.
type factorPlan struct {
	code      string // of the registry, else as sent
	role      string // code of 2017, by which rules and limits know it
	required  bool
	detection Opt
	rangeLo   Opt
	rangeHi   Opt
	unit      string      // that the logger sends
	hour, day *boundLimit // never nil, like those that follow
	instant   *boundLimit
	coldHour  *boundLimit // ammonia of sewage works in cold water
	coldDay   *boundLimit
	refO2     Opt
	toMg      float64 // to mg/m3 or mg/L; 0 = no mass concentration
	toHour    float64 // to m3/h; 0 = no flow
	wet       bool    // measured in wet gas
}

// boundLimit is a limit with the reference to it and its weight as evidence.
type boundLimit struct {
	LimitRef
	evidence bool
}

var noLimit = &boundLimit{}

// plan is how an outlet is judged on one day (Beijing time).
type plan struct {
	outlet   *telemetry.Outlet
	p        *params
	date     string
	evidence evidenceOf
	hourRule *HourRule
	factors  []factorPlan
	index    map[string]int
	setup    *telemetry.Setup
	o2       int // index of oxygen, -1
	flow     int
	temp     int
	isNH3    int
	moist    int
}

func newPlan(p *params, src limitSource, o *telemetry.Outlet, date string) *plan {
	pl := &plan{outlet: o, p: p, date: date, index: map[string]int{}, o2: -1, flow: -1, temp: -1, isNH3: -1, moist: -1, setup: o.SetupAt(date)}
	pl.hourRule = p.hourRuleOf(o, pl.setup)
	e, ok := p.evidence.sources[o.SourceType]
	if !ok {
		e = p.evidence.media[string(o.Medium)]
	}
	pl.evidence = e
	pl.factors = make([]factorPlan, 0, len(o.Factors))
	for i := range o.Factors {
		f := &o.Factors[i]
		if _, dup := pl.index[f.Code]; dup {
			continue
		}
		pl.add(src, f.Code, f)
	}
	return pl
}

// share lets the plan point to the limits of others that are the same: most
// outlets are bound by few.
func (pl *plan) share(limits map[boundLimit]*boundLimit) {
	for i := range pl.factors {
		f := &pl.factors[i]
		for _, l := range []**boundLimit{&f.hour, &f.day, &f.instant, &f.coldHour, &f.coldDay} {
			known := limits[**l]
			if known == nil {
				known = *l
				limits[*known] = known
			}
			*l = known
		}
	}
}

// clone is a plan of one's own, to which factors may be added.
func (pl *plan) clone() *plan {
	c := *pl
	c.factors, c.index = slices.Clone(pl.factors), maps.Clone(pl.index)
	return &c
}

// add appends a factor; f is nil for one that only the frames know.
func (pl *plan) add(src limitSource, code string, f *telemetry.OutletFactor) int {
	p := pl.p
	role := canon(code)
	fp := factorPlan{code: code, role: role, unit: telemetry.FactorUnit(role), coldHour: noLimit, coldDay: noLimit}
	if f != nil {
		fp.required = true
		fp.unit = cmp.Or(f.Unit, fp.unit)
		fp.detection, fp.rangeLo, fp.rangeHi = ptr(f.DetectionLimit), ptr(f.RangeLo), ptr(f.RangeHi)
	}
	flowFactor, per := p.waterDay.FlowFactor, "mg/L"
	if pl.outlet.Medium == telemetry.Gas {
		flowFactor, per = p.emission.FlowFactor, "mg/m3"
		fp.wet = slices.Contains(pl.setup.Wet, code) || slices.Contains(pl.setup.Wet, role)
	}
	fp.toMg, _ = ratio(fp.unit, per)
	if mg, ok := p.ppm.per(role, fp.unit); ok && pl.outlet.Medium == telemetry.Gas {
		fp.toMg = mg
	}
	fp.toHour = perHour[plainUnit.Replace(fp.unit)]
	bind := func(statistic string, temp Opt) *boundLimit {
		l, ok := src.find(p, pl.outlet, role, statistic, pl.date, temp)
		if !ok {
			other := pl.evidence.borrow[statistic]
			if statistic == "instantaneous" && slices.Contains(pl.evidence.instantaneous, role) {
				other = "day"
			}
			if other == "" {
				return noLimit
			}
			if l, ok = src.find(p, pl.outlet, role, other, pl.date, temp); !ok {
				return noLimit
			}
		}
		if l.RefO2 != nil && !fp.refO2.OK {
			fp.refO2 = Some(*l.RefO2)
		}
		return &boundLimit{limitRef(&l).inUnit(&l, fp.unit, fp.toMg), pl.evidence.is(statistic)}
	}
	fp.hour, fp.day, fp.instant = bind("hour", Opt{}), bind("day", Opt{}), bind("instantaneous", Opt{})
	if role == p.nh3.factor {
		cold := Some(p.nh3.threshold)
		fp.coldHour, fp.coldDay = bind("hour", cold), bind("day", cold)
		pl.isNH3 = len(pl.factors)
	}
	i := len(pl.factors)
	switch role {
	case p.fold.Factor:
		pl.o2 = i
	case flowFactor:
		pl.flow = i
	case p.dry.MoistureFactor:
		pl.moist = i
	case p.nh3.temperature:
		pl.temp = i
	}
	pl.factors = append(pl.factors, fp)
	pl.index[code] = i
	if _, taken := pl.index[role]; !taken { // registered by the code of 2005, sent by that of 2017
		pl.index[role] = i
	}
	return i
}

// hourOf finds the hour of a factor by its place in the plan; nil for none.
func (pl *plan) hourOf(row *HourRow, i int) *FactorHour {
	if i < 0 {
		return nil
	}
	return row.Factor(pl.factors[i].code)
}

// limitFor picks hour or day limit by water temperature.
func (pl *plan) limitFor(i int, day bool, temp Opt) *boundLimit {
	f := &pl.factors[i]
	cold := i == pl.isNH3 && temp.OK && temp.V <= pl.p.nh3.threshold
	switch {
	case day && cold:
		return f.coldDay
	case day:
		return f.day
	case cold:
		return f.coldHour
	}
	return f.hour
}

func ptr(p *float64) Opt {
	if p == nil {
		return Opt{}
	}
	return Some(*p)
}
