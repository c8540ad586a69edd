package quality

import (
	"plateau/internal/telemetry"
	"plateau/rules"
)

// Rules are the rules in force on one day whose functions ask for nothing but
// their input. The engine has its own, with those that need a history.
type Rules struct {
	Hour         HourRule
	Fold         FoldRule
	Day          DayRule
	Month        MonthRule
	Flow         FlowRule
	Emission     EmissionRule
	NOx          NOxRule
	Dry          DryRule
	Capture      CaptureRule
	Substitute   SubstituteRule
	WaterDay     WaterDayRule
	Transmission TransmissionRule
	WaterFill    WaterFillRule
	Neighbour    NeighbourRule
	Preceding    PrecedingRule
	Part75Hour   *PartRule
	Part75       Part75Rule
	ShortTerm    ShortTermRule
	Exceed       ExceedRule
	Quota        QuotaRule
	QuotaLong    QuotaRule // mswi.quota700
	PPM          PPMRule
	Alpha        AlphaRule

	p      *params
	limits limitSource
	date   string
}

// ReadRules reads the rules in force on date (YYYY-MM-DD, Beijing time); a
// fault of any rule is an error that wraps rules.ErrInvalid.
func ReadRules(set *rules.Set, date string) (*Rules, error) {
	p, err := readParams(set, date)
	if err != nil {
		return nil, err
	}
	out := &Rules{
		Hour: p.gasHour, Fold: p.fold, Day: p.gasDay, WaterDay: p.waterDay, Month: p.month, Flow: p.flow, Emission: p.emission,
		NOx: p.nox, Dry: p.dry, Capture: p.capture, Substitute: p.substitute, Transmission: p.tx, PPM: p.ppm,
		WaterFill: p.waterFill, Neighbour: p.neighbour, Preceding: p.preceding, Part75Hour: p.part75Hour.part, Part75: p.part75, ShortTerm: p.shortTerm,
		p: p, limits: limitSource{set.Limits()}, date: date,
	}
	r := &reader{set: set, date: date}
	out.Alpha = readAlpha(r)
	out.Exceed.ref = r.open("judge.exceed")
	out.Exceed.Decimals = int(r.num("display_decimals"))
	out.Quota, out.QuotaLong = p.quotas["mswi.quota60"], p.quotas["mswi.quota700"]
	return out, r.err
}

// AmmoniaLimit is the day limit of ammonia nitrogen at a sewage works:
// limit.nh3_by_temperature (GB 18918-2002 table 1, note 2), by the level of the
// standard (1A, 1B, 2) and the water's temperature; unknown takes the stricter.
func (r *Rules) AmmoniaLimit(level string, waterTempC Opt) (telemetry.Limit, bool) {
	o := &telemetry.Outlet{Medium: telemetry.Water, SourceType: r.p.nh3.onlySourceType, Level: level}
	return r.limits.find(r.p, o, r.p.nh3.factor, "day", r.date, waterTempC)
}

// StepBy begins a step that cites a rule, for packages that compute by rules of their own.
func StepBy(rule *rules.Rule, name string) Step { return refOf(rule).step(name) }

// Num writes a number as steps show it.
func Num(v float64) string { return num(v) }
