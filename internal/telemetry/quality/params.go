package quality

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"plateau/rules"
)

// ref cites a rule in a trace.
type ref struct {
	id, hash, clause, clauseZh string
	version                    int
}

func (r ref) step(name string) Step {
	return Step{Name: name, Rule: r.id, Version: r.version, Hash: r.hash, Clause: r.clause, ClauseZh: r.clauseZh}
}

// HourRule is cems.hour_mean or wpms.hour_mean in force.
type HourRule struct {
	ref
	MinValid     float64 // minutes
	StateMarks   []string
	DeviceMarks  []string
	DeviceAbove  float64 // minutes
	TieOrder     []string
	MissingMark  string
	part         *PartRule // nil: by minutes
	stateIndexes []int8
	tieIndexes   []int8
	devIndexes   []int8
}

// FoldRule is cems.fold_o2 in force.
type FoldRule struct {
	ref
	Air, Max float64 // percent
	Factor   string
}

// DayRule is cems.day_mean in force.
type DayRule struct {
	ref
	MinHours int
}

// WaterDayRule is wpms.day in force.
type WaterDayRule struct {
	ref
	MinPercent float64
	FlowFactor string
	Totaliser  string // factor
}

// ReportedRule is judge.reported in force.
type ReportedRule struct {
	ref
	MaxPercent float64
	ByReported bool
	ValidMarks []string
	MinShare   float64 // of the limit, from suspect.reported
}

// MarkRule is judge.marks in force.
type MarkRule struct {
	ref
	HourMinutes float64  // minutes a mark must cover for the hour to be under it
	PM          string   // factor of particulate matter
	PMFolded    bool     // the condition on it looks at the folded mean
	Factors     []string // that can be exempt; none = all
	DayCounts   bool     // exempt hours count for the hours of a valid day
}

// evidenceOf tells how a source is judged.
type evidenceOf struct {
	evidence, warning []string
	borrow            map[string]string
	instantaneous     []string
}

func (e evidenceOf) is(statistic string) bool { return slices.Contains(e.evidence, statistic) }

// params are all rules in force in one period, read once.
type params struct {
	digest    string
	gasHour   HourRule
	waterHour HourRule
	fold      FoldRule
	gasDay    DayRule
	waterDay  WaterDayRule
	ph        ref
	phFactor  string
	exceed    ref
	reported  ReportedRule
	evidence  struct {
		ref
		media   map[string]evidenceOf
		sources map[string]evidenceOf
	}
	selects struct {
		ref
		conditions             map[string][]string
		permit, local, general []string
	}
	nh3 struct {
		ref
		threshold                                       float64
		temperature, factor, warm, cold, onlySourceType string
	}
	order struct {
		ref
		states               []State
		stopped, maintenance []string
		warnMin, instant     float64 // minutes; hours
	}
	offline struct {
		ref
		intervals, minMinutes float64
	}
	constant struct {
		ref
		hours         int
		minMinutes    int
		media, ignore []string
	}
	jump struct {
		ref
		ratio, share    float64
		minHours, hours int
	}
	negative struct {
		ref
		driftPercent float64
		sustained    int
		signed       []string
	}
	mismatch ref

	month      MonthRule
	flow       FlowRule
	emission   EmissionRule
	ppm        PPMRule
	nox        NOxRule
	dry        DryRule
	capture    CaptureRule
	substitute SubstituteRule
	waterFill  WaterFillRule

	// Of the profiles for comparison.
	part75Hour HourRule
	iedHour    HourRule
	shortTerm  ShortTermRule
	neighbour  NeighbourRule
	preceding  PrecedingRule
	part75     Part75Rule

	tx TransmissionRule

	marks  MarkRule
	quotas map[string]QuotaRule // by rule
	// The rules of the family mark.*, which say what marks there are: an accepted
	// mark carries what they said, only explanations cite them.
	markRules map[string]ref
}

// reader collects the first fault while parameters are read.
type reader struct {
	set  *rules.Set
	date string
	rule *rules.Rule
	err  error
}

func (r *reader) open(id string) ref {
	rule, ok := r.set.At(id, r.date)
	if !ok {
		r.err = errors.Join(r.err, fmt.Errorf("rule %s is missing: %w", id, rules.ErrInvalid))
		rule = &rules.Rule{ID: id, Params: map[string]any{}}
	}
	r.rule = rule
	return refOf(rule)
}

func refOf(rule *rules.Rule) ref {
	return ref{id: rule.ID, version: rule.Version, hash: rule.Hash, clause: rule.Source, clauseZh: rule.SourceZh}
}

func (r *reader) num(name string) float64 {
	v, err := r.rule.Float(name)
	r.err = errors.Join(r.err, err)
	return v
}

func (r *reader) text(name string) string {
	v, err := r.rule.Text(name)
	r.err = errors.Join(r.err, err)
	return v
}

func (r *reader) flag(name string) bool {
	v, ok := r.rule.Params[name].(bool)
	if !ok {
		r.err = errors.Join(r.err, fmt.Errorf("rule %s: parameter %s is neither true nor false: %w", r.rule.ID, name, rules.ErrInvalid))
	}
	return v
}

func (r *reader) texts(name string) []string {
	v, err := r.rule.Texts(name)
	r.err = errors.Join(r.err, err)
	return v
}

func (r *reader) tableTexts(t map[string]any, name string) []string {
	v, err := r.rule.TableTexts(t, name)
	r.err = errors.Join(r.err, err)
	return v
}

// numbers reads a table of numbers.
func (r *reader) numbers(name string) map[string]float64 {
	out := map[string]float64{}
	t := r.rule.Table(name)
	for k := range t {
		v, err := r.rule.TableFloat(t, k)
		r.err = errors.Join(r.err, err)
		out[k] = v
	}
	return out
}

func (r *reader) evidence(t map[string]any) evidenceOf {
	e := evidenceOf{
		evidence: r.tableTexts(t, "evidence"), warning: r.tableTexts(t, "warning"), instantaneous: r.tableTexts(t, "instantaneous"),
		borrow: map[string]string{},
	}
	if b, ok := t["borrow"].(map[string]any); ok {
		for k, v := range b {
			e.borrow[k], _ = v.(string)
		}
	}
	return e
}

// readParams reads the rules in force on date; a fault of any rule is an error.
func readParams(set *rules.Set, date string) (*params, error) {
	r := &reader{set: set, date: date}
	p := &params{digest: set.Digest(date)}

	h := HourRule{ref: r.open("cems.hour_mean")}
	h.MinValid, h.DeviceAbove = r.num("min_valid_minutes"), r.num("device_minutes")
	h.StateMarks, h.DeviceMarks, h.TieOrder = r.texts("state_marks"), r.texts("device_marks"), r.texts("tie_order")
	h.MissingMark = r.text("missing_mark")
	h.index()
	p.gasHour, p.waterHour = h, h
	p.waterHour.ref = r.open("wpms.hour_mean")
	p.waterHour.MinValid = r.num("min_valid_minutes")

	p.fold.ref = r.open("cems.fold_o2")
	p.fold.Air, p.fold.Max, p.fold.Factor = r.num("air_o2"), r.num("o2_max"), r.text("o2_factor")
	p.gasDay.ref = r.open("cems.day_mean")
	p.gasDay.MinHours = int(r.num("min_valid_hours"))
	p.waterDay.ref = r.open("wpms.day")
	p.waterDay.MinPercent, p.waterDay.FlowFactor, p.waterDay.Totaliser = r.num("min_valid_percent"), r.text("flow_factor"), r.text("totaliser_factor")
	p.ph = r.open("wpms.ph_mean")
	p.phFactor = r.text("factor")
	p.exceed = r.open("judge.exceed")
	p.reported.ref = r.open("judge.reported")
	p.reported.MaxPercent, p.reported.ByReported = r.num("max_difference_percent"), r.text("judge_by") == "reported"
	p.reported.ValidMarks = r.texts("valid_marks")

	p.evidence.ref = r.open("judge.evidence")
	p.evidence.media, p.evidence.sources = map[string]evidenceOf{}, map[string]evidenceOf{}
	for _, m := range []string{"gas", "water", "surface"} {
		p.evidence.media[m] = r.evidence(r.rule.Table(m))
	}
	for name, t := range r.rule.Table("source") {
		if t, ok := t.(map[string]any); ok {
			p.evidence.sources[name] = r.evidence(t)
		}
	}
	p.selects.ref = r.open("limit.select")
	p.selects.permit, p.selects.local, p.selects.general = r.texts("permit"), r.texts("local"), r.texts("general")
	p.selects.conditions = map[string][]string{}
	cond := r.rule.Table("default_conditions")
	for name := range cond {
		p.selects.conditions[name] = r.tableTexts(cond, name)
	}
	p.nh3.ref = r.open("limit.nh3_by_temperature")
	p.nh3.threshold, p.nh3.temperature, p.nh3.factor = r.num("threshold"), r.text("temperature_factor"), r.text("factor")
	p.nh3.warm, p.nh3.cold, p.nh3.onlySourceType = r.text("warm"), r.text("cold"), r.text("source_type")

	p.order.ref = r.open("state.order")
	for _, s := range r.texts("order") {
		st, ok := ParseState(s)
		if !ok {
			r.err = errors.Join(r.err, fmt.Errorf("rule state.order: unknown state %q: %w", s, rules.ErrInvalid))
		}
		p.order.states = append(p.order.states, st)
	}
	p.order.stopped, p.order.maintenance = r.texts("stopped_marks"), r.texts("maintenance_marks")
	p.order.warnMin, p.order.instant = r.num("warn_min_minutes"), r.num("instant_hours")
	p.offline.ref = r.open("state.offline")
	p.offline.intervals, p.offline.minMinutes = r.num("intervals"), r.num("min_minutes")
	p.constant.ref = r.open("suspect.constant")
	p.constant.hours, p.constant.minMinutes = int(r.num("hours")), int(r.num("min_minutes"))
	p.constant.media, p.constant.ignore = r.texts("media"), r.texts("ignore")
	p.jump.ref = r.open("suspect.jump")
	p.jump.ratio, p.jump.share = r.num("ratio"), r.num("limit_share")
	p.jump.minHours, p.jump.hours = int(r.num("min_hours")), int(r.num("hours"))
	p.negative.ref = r.open("suspect.negative")
	p.negative.driftPercent, p.negative.signed = r.num("drift_percent_of_range"), r.texts("signed")
	p.negative.sustained = int(r.num("sustained_hours"))
	p.mismatch = r.open("suspect.reported")
	p.reported.MinShare = r.num("min_abs_share_of_limit")
	p.readDerived(r)
	p.readProfiles(r)
	return p, r.err
}

// readProfiles reads the rules offered for comparison.
func (p *params) readProfiles(r *reader) {
	p.part75Hour, p.iedHour = p.gasHour, p.gasHour
	p.part75Hour.ref = r.open("part75.hour")
	q := &PartRule{ref: p.part75Hour.ref, N: int(r.num("quadrants")), Service: int(r.num("service_quadrants")), stopped: int8(markIndex(r.text("stopped_mark")))}
	for _, m := range r.texts("service_marks") {
		q.services = append(q.services, int8(markIndex(m)))
	}
	p.part75Hour.part = q
	p.iedHour.ref = r.open("ied.average")
	p.iedHour.part = &PartRule{
		ref: p.iedHour.ref, N: 60 / max(1, int(r.num("short_term_minutes"))), Cover: r.num("min_cover"), AnyPart: true, ofParts: true,
		stopped: int8(markIndex(r.text("stopped_mark"))),
	}
	p.shortTerm = ShortTermRule{ref: p.iedHour.ref, MaxLost: int(r.num("max_lost_averages")), MaxLostDays: int(r.num("max_lost_days")), Confidence: r.numbers("confidence_percent")}
	p.neighbour = NeighbourRule{ref: r.open("hjt75.substitute"), MaxHours: r.num("max_gap_hours"), Factors: r.texts("factors")}
	p.preceding = PrecedingRule{ref: r.open("hjt356.substitute"), MinValues: int(r.num("min_values")), Median: r.texts("median_factors")}
	s := &p.part75
	s.ref = r.open("part75.substitute")
	s.Availability = int(r.num("availability_hours"))
	s.High, s.Middle, s.Low = r.num("high_percent"), r.num("middle_percent"), r.num("low_percent")
	s.HighGap, s.MiddleGap = r.num("high_gap_hours"), r.num("middle_gap_hours")
	s.HighPercentile, s.MiddlePercentile = r.num("high_percentile"), r.num("middle_percentile")
	s.Mean, s.Initial, s.Most, s.Highest = r.text("modc_mean"), r.text("modc_initial"), r.text("modc_maximum"), r.text("modc_potential")
	s.HighCode, s.MiddleCode = r.text("modc_high_percentile"), r.text("modc_middle_percentile")
	s.Windows = map[string]int{}
	for code, n := range r.numbers("window_hours") {
		s.Windows[code] = int(n)
	}
}

// readDerived reads the rules of conversions, totals and longer periods.
func (p *params) readDerived(r *reader) {
	p.month.ref = r.open("cems.month_valid")
	p.month.MinDays, p.month.MinDaysFebruary = int(r.num("min_valid_days")), int(r.num("february_min_valid_days"))
	p.flow.ref = r.open("cems.flow_std_dry")
	p.flow.Seconds, p.flow.Kelvin, p.flow.Pascal = r.num("seconds_per_hour"), r.num("standard_kelvin"), r.num("standard_pa")
	p.flow.Velocity, p.flow.Temperature, p.flow.Pressure = r.text("velocity_factor"), r.text("temperature_factor"), r.text("pressure_factor")
	p.ppm = readPPM(r)
	p.emission.ref = r.open("cems.emission_rate")
	p.emission.KgPerMg, p.emission.FlowFactor = r.num("kg_per_mg"), r.text("flow_factor")
	p.nox.ref = r.open("cems.nox_as_no2")
	p.nox.MolarMass, p.nox.MolarMassNO, p.nox.MolarVolume = r.num("molar_mass_no2"), r.num("molar_mass_no"), r.num("molar_volume")
	p.nox.NO, p.nox.NO2, p.nox.NOx = r.text("no_factor"), r.text("no2_factor"), r.text("nox_factor")
	p.dry.ref = r.open("cems.wet_to_dry")
	p.dry.MoistureFactor = r.text("moisture_factor")
	p.capture.ref = r.open("cems.capture_rate")
	p.capture.Required, p.capture.SourceMarks = r.num("required_percent"), r.texts("source_marks")
	s := &p.substitute
	s.ref = r.open("cems.substitute_rate")
	s.Table5, s.Table6, s.Factors = r.texts("table5_kinds"), r.texts("table6_kinds"), r.texts("factors")
	s.High, s.Low, s.ShortHours = r.num("high_alpha_percent"), r.num("low_alpha_percent"), r.num("short_hours")
	s.ShortWindow, s.LongWindow, s.LowWindow = int(r.num("short_window")), int(r.num("long_window")), int(r.num("low_window"))
	s.Maintenance, s.Calibration = r.text("maintenance_mark"), r.text("calibration_mark")
	p.waterFill.ref = r.open("wpms.substitute_total")
	p.waterFill.Days, p.waterFill.MonthPercent = int(r.num("window_days")), r.num("month_min_valid_percent")
	p.tx.ref = r.open("net.tx_valid_rate")
	p.tx.GroupsPerHour, p.tx.Target, p.tx.BackfillDays = r.num("groups_per_hour"), r.num("target_percent"), r.num("backfill_days")
	p.tx.LateMarked = r.text("late_data") == "marked"
	p.marks.ref = r.open("judge.marks")
	p.marks.HourMinutes, p.marks.PM, p.marks.PMFolded = r.num("hour_minutes"), r.text("pm_factor"), r.text("pm_figure") == "folded"
	p.marks.Factors, p.marks.DayCounts = r.texts("exempt_factors"), r.flag("day_counts_exempt")
	p.quotas = map[string]QuotaRule{}
	for _, id := range []string{"mswi.quota60", "mswi.quota700"} {
		q := QuotaRule{ref: r.open(id), Hours: r.num("hours"), Marks: r.texts("marks"), Others: r.texts("other_marks")}
		if _, ok := r.rule.Params["pm_max"]; ok {
			q.PMMax = Some(r.num("pm_max"))
		}
		p.quotas[id] = q
	}
	p.markRules = map[string]ref{}
	for _, id := range r.set.IDs() {
		if rule, ok := r.set.At(id, r.date); ok && strings.HasPrefix(id, "mark.") {
			p.markRules[id] = refOf(rule)
		}
	}
}
