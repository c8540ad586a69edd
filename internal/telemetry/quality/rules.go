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
	Exceed       ExceedRule
	Quota        QuotaRule

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
		Hour: p.gasHour, Fold: p.fold, Day: p.gasDay, WaterDay: p.waterDay,
		p: p, limits: limitSource{set.Limits()}, date: date,
	}
	r := &reader{set: set, date: date}
	out.Month.ref = r.open("cems.month_valid")
	out.Month.MinDays, out.Month.MinDaysFebruary = int(r.num("min_valid_days")), int(r.num("february_min_valid_days"))
	out.Flow.ref = r.open("cems.flow_std_dry")
	out.Flow.Seconds, out.Flow.Kelvin, out.Flow.Pascal = r.num("seconds_per_hour"), r.num("standard_kelvin"), r.num("standard_pa")
	out.Emission.ref = r.open("cems.emission_rate")
	out.Emission.KgPerMg = r.num("kg_per_mg")
	out.NOx.ref = r.open("cems.nox_as_no2")
	out.NOx.MolarMass, out.NOx.MolarVolume = r.num("molar_mass_no2"), r.num("molar_volume")
	out.Dry.ref = r.open("cems.wet_to_dry")
	out.Dry.MoistureFactor = r.text("moisture_factor")
	out.Capture.ref = r.open("cems.capture_rate")
	out.Capture.Required = r.num("required_percent")
	s := &out.Substitute
	s.ref = r.open("cems.substitute_rate")
	s.Table5, s.Table6, s.Factors = r.texts("table5_kinds"), r.texts("table6_kinds"), r.texts("factors")
	s.High, s.Low, s.ShortHours = r.num("high_alpha_percent"), r.num("low_alpha_percent"), r.num("short_hours")
	s.ShortWindow, s.LongWindow, s.LowWindow = int(r.num("short_window")), int(r.num("long_window")), int(r.num("low_window"))
	out.Transmission.ref = r.open("net.tx_valid_rate")
	out.Transmission.GroupsPerHour, out.Transmission.Target = r.num("groups_per_hour"), r.num("target_percent")
	out.Transmission.BackfillDays = r.num("backfill_days")
	out.Exceed.ref = r.open("judge.exceed")
	out.Exceed.Decimals = int(r.num("display_decimals"))
	out.Quota.ref = r.open("mswi.quota60")
	out.Quota.Hours, out.Quota.PMMax = r.num("hours"), r.num("pm_max")
	out.Quota.Marks, out.Quota.Others = r.texts("marks"), r.texts("other_marks")
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
