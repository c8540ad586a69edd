package ruleeval

import (
	"maps"
	"slices"

	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
)

// evaluator applies one rule: it reads the fields, ends the reading, computes.
// Its result is of no account where a field did not fit.
type evaluator func(*Evaluator, *fields) (any, quality.Trace)

var evaluators = map[string]evaluator{
	"cems.hour_mean":           (*Evaluator).hourMean,
	"cems.fold_o2":             (*Evaluator).foldO2,
	"cems.flow_std_dry":        (*Evaluator).flowStdDry,
	"cems.emission_rate":       (*Evaluator).emissionRate,
	"cems.nox_as_no2":          (*Evaluator).noxAsNO2,
	"cems.wet_to_dry":          (*Evaluator).wetToDry,
	"cems.day_mean":            (*Evaluator).dayMean,
	"cems.month_valid":         (*Evaluator).monthValid,
	"cems.capture_rate":        (*Evaluator).captureRate,
	"cems.substitute_rate":     (*Evaluator).substituteRate,
	"wpms.day":                 (*Evaluator).waterDay,
	"wpms.ph_mean":             (*Evaluator).phMean,
	"net.tx_valid_rate":        (*Evaluator).txValidRate,
	"judge.exceed":             (*Evaluator).judgeExceed,
	"limit.nh3_by_temperature": (*Evaluator).ammoniaLimit,
	"water.class":              (*Evaluator).waterClass,
	"water.tli":                (*Evaluator).waterTLI,
	"air.iaqi":                 (*Evaluator).airIAQI,
	"mswi.quota60":             (*Evaluator).quota60,
	"mswi.quota700":            (*Evaluator).quota700,
	"wpms.substitute_total":    (*Evaluator).waterFill,
	"hjt75.substitute":         (*Evaluator).neighbourMean,
	"hjt356.substitute":        (*Evaluator).preceding,
	"part75.hour":              (*Evaluator).partHour,
	"part75.substitute":        (*Evaluator).part75,
	"ied.average":              (*Evaluator).shortTerm,
	"cems.ppm":                 (*Evaluator).ppm,
	"cems.fold_alpha":          (*Evaluator).foldAlpha,
	"air.aqi":                  (*Evaluator).airAQI,
	"air.valid":                (*Evaluator).airValid,
	"water.section":            (*Evaluator).waterSection,
	"water.river":              (*Evaluator).waterRiver,
	"water.do_saturation":      (*Evaluator).oxygenSaturation,
}

// orNull is a number of a result, null where it is missing or does not count.
func orNull(o quality.Opt, counts bool) *float64 {
	if !o.OK || !counts {
		return nil
	}
	return &o.V
}

// textOrNull is a text of a result, null where it is empty.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (e *Evaluator) hourMean(in *fields) (any, quality.Trace) {
	var runs []quality.Run
	total := 0.0
	in.each("runs", "a list of {flag, minutes, value}", func(x *fields) {
		r := quality.Run{Flag: x.text("flag"), Minutes: x.num("minutes", between(0, 60)), Value: x.opt("value", anyNumber)}
		runs = append(runs, r)
		total += r.Minutes
	})
	if total > 60+1e-6 {
		in.fail("runs: expected at most 60 minutes in all, got %s", quality.Num(total))
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.HourMean(&e.rules.Hour, runs)
	return struct {
		Valid  bool     `json:"valid"`
		Flag   string   `json:"flag"`
		NValid float64  `json:"n_valid"`
		Mean   *float64 `json:"mean"`
	}{r.Valid, r.Flag, r.NValid, orNull(r.Mean, r.Valid)}, quality.Trace{r.Step(&e.rules.Hour, runs)}
}

func (e *Evaluator) foldO2(in *fields) (any, quality.Trace) {
	air := e.rules.Fold.Air
	c, o2 := in.num("conc", anyNumber), in.opt("o2_pct", anyNumber)
	ref := in.opt("ref_o2_pct", bound{"a number of 0 or more and below " + quality.Num(air), func(v float64) bool { return v >= 0 && v < air }})
	if !in.end() {
		return nil, nil
	}
	r := quality.FoldO2(&e.rules.Fold, c, o2, ref)
	return struct {
		Folded *float64           `json:"folded"`
		Status quality.FoldStatus `json:"status"`
	}{orNull(r.Folded, true), r.Status}, quality.Trace{r.Step(&e.rules.Fold, c, o2, ref)}
}

func (e *Evaluator) flowStdDry(in *fields) (any, quality.Trace) {
	rule := &e.rules.Flow
	d := quality.Duct{
		AreaM2: in.num("area_m2", amount), Kv: in.num("kv", amount), VpMS: in.num("vp_m_s", anyNumber),
		TsC: in.num("ts_c", above(-rule.Kelvin)), BaPa: in.num("ba_pa", amount), PsPa: in.num("ps_pa", anyNumber), Xsw: in.num("xsw", fraction),
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.FlowStdDry(rule, d)
	return struct {
		Qs  float64 `json:"qs_m3_h"`
		Qsn float64 `json:"qsn_m3_h"`
	}{r.Qs, r.Qsn}, quality.Trace{r.Step(rule, d)}
}

func (e *Evaluator) emissionRate(in *fields) (any, quality.Trace) {
	c, q := in.num("conc_std_dry", anyNumber), in.num("qsn_m3_h", anyNumber)
	if !in.end() {
		return nil, nil
	}
	return struct {
		G float64 `json:"kg_h"`
	}{quality.EmissionRate(&e.rules.Emission, c, q)}, quality.Trace{e.rules.Emission.Step(c, q)}
}

func (e *Evaluator) noxAsNO2(in *fields) (any, quality.Trace) {
	no, no2 := in.num("no_ppm", anyNumber), in.num("no2_ppm", anyNumber)
	if !in.end() {
		return nil, nil
	}
	return struct {
		C float64 `json:"mg_m3"`
	}{quality.NOxAsNO2(&e.rules.NOx, no, no2)}, quality.Trace{e.rules.NOx.Step(no, no2)}
}

func (e *Evaluator) wetToDry(in *fields) (any, quality.Trace) {
	c, xsw := in.num("conc_wet", anyNumber), in.num("xsw", fraction)
	if !in.end() {
		return nil, nil
	}
	return struct {
		Dry float64 `json:"dry"`
	}{quality.WetToDry(c, xsw)}, quality.Trace{e.rules.Dry.Step(c, xsw)}
}

func (e *Evaluator) dayMean(in *fields) (any, quality.Trace) {
	const expected = "a list of 24 numbers or null"
	items := in.list("hours", expected)
	if len(items) != 24 {
		in.fail("hours: expected %s, got %d", expected, len(items))
	}
	hours := make([]quality.Opt, len(items))
	for i, raw := range items {
		if isNull(raw) {
			continue
		}
		v, err := parse(raw)
		if err != nil {
			in.fail("hours[%d]: expected a number or null, got %s", i, shown(raw))
		}
		hours[i] = quality.Some(v)
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.DayMean(&e.rules.Day, hours)
	return struct {
		Valid  bool     `json:"valid"`
		NValid int      `json:"n_valid"`
		Mean   *float64 `json:"mean"`
	}{r.Valid, r.NValid, orNull(r.Mean, r.Valid)}, nil
}

// monthValid takes the month as a number, or with its year as "2026-02".
func (e *Evaluator) monthValid(in *fields) (any, quality.Trace) {
	m := in.month("month")
	days := int(in.whole("valid_days", 31))
	if !in.end() {
		return nil, nil
	}
	return struct {
		Valid bool `json:"valid"`
	}{quality.MonthValid(&e.rules.Month, m, days)}, quality.Trace{e.rules.Month.Step(m, days)}
}

func (e *Evaluator) captureRate(in *fields) (any, quality.Trace) {
	period := in.num("period_h", amount)
	invalid, stopped := in.num("invalid_h", amount), in.num("stopped_h", amount)
	switch {
	case stopped > period:
		in.fail("stopped_h: expected at most period_h, %s, got %s", quality.Num(period), quality.Num(stopped))
	case invalid > period-stopped: // an hour is invalid or stopped, not both
		in.fail("invalid_h: expected at most period_h less stopped_h, %s, got %s", quality.Num(period-stopped), quality.Num(invalid))
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.CaptureRate(&e.rules.Capture, period, invalid, stopped)
	return struct {
		Alpha *float64 `json:"alpha_pct"`
	}{orNull(r.Alpha, true)}, quality.Trace{r.Step(&e.rules.Capture, period, invalid, stopped)}
}

func (e *Evaluator) substituteRate(in *fields) (any, quality.Trace) {
	rule := &e.rules.Substitute
	g := quality.Gap{
		Kind:  in.text("kind", append(slices.Clone(rule.Table5), rule.Table6...)...),
		Alpha: in.num("alpha_pct", between(0, 100)), Hours: in.num("consecutive_h", amount), Anchor: in.hour("anchor_h"),
	}
	var history []quality.RateRun
	stretches := map[int]bool{} // of history, that were given by both ends
	starts := map[int64]bool{}
	in.each("history", "a list of {h, valid, kg_h} or {from_h, to_h, valid, kg_h}", func(x *fields) {
		var r quality.RateRun
		if x.raw["from_h"] != nil || x.raw["to_h"] != nil {
			if r.From, r.To = x.hour("from_h"), x.hour("to_h"); r.To < r.From {
				x.wrong("to_h", "an hour not before from_h", x.raw["to_h"])
			}
			stretches[len(history)], starts[r.From] = true, true
		} else {
			r.From = x.hour("h")
			r.To = r.From
		}
		if r.Valid = x.yesNo("valid"); r.Valid {
			r.KgH = x.num("kg_h", anyNumber)
		} else {
			r.KgH = x.opt("kg_h", anyNumber).V // an invalid hour need not have a rate
		}
		history = append(history, r)
	})
	// The text does not say whether to_h is part of a run. Hours are named by their number everywhere else, so it is
	// taken for the last one's, as a single {h} is its own first and last. Where a run begins in the hour in which
	// another one ends, that hour would have two rates: such runs end before to_h.
	halfOpen := false
	for i := range stretches {
		halfOpen = halfOpen || history[i].From < history[i].To && starts[history[i].To]
	}
	for i := range stretches {
		if halfOpen {
			history[i].To--
		}
	}
	if !in.end() {
		return nil, nil
	}
	r := quality.SubstituteRate(rule, g, history)
	out := struct {
		Window *int                     `json:"window"`
		Value  *float64                 `json:"value"`
		Status quality.SubstituteStatus `json:"status"`
	}{nil, orNull(r.Value, true), r.Status}
	if r.Window > 0 {
		out.Window = &r.Window
	}
	return out, quality.Trace{r.Step(rule, g)}
}

// waterRows reads rows of waste water; the column c holds the value. A row
// whose flow is null is one whose flow was not measured.
func waterRows(in *fields, c string, validNeeded bool) []quality.WaterRow {
	var rows []quality.WaterRow
	in.each("rows", "a list of {"+c+", q_m3}", func(x *fields) {
		q := x.opt("q_m3", amount)
		if x.raw["q_m3"] == nil {
			x.wrong("q_m3", "a number of 0 or more or null", nil)
		}
		w := quality.WaterRow{C: x.opt(c, anyNumber), Q: q.V, QUnknown: !q.OK}
		if x.raw[c] == nil {
			x.wrong(c, "a number or null", nil)
		}
		if validNeeded {
			w.Valid = x.yesNo("valid")
		} else {
			w.Valid = x.optYesNo("valid", true)
		}
		rows = append(rows, w)
	})
	return rows
}

func (e *Evaluator) waterDay(in *fields) (any, quality.Trace) {
	rows := waterRows(in, "c", true)
	if !in.end() {
		return nil, nil
	}
	r := quality.WaterDay(&e.rules.WaterDay, rows)
	if len(rows) == 0 { // no row, no flow; unknown is only what was not measured
		r.Flow = quality.Some(0)
	}
	return struct {
		Valid    bool     `json:"valid"`
		Expected int      `json:"expected"`
		NValid   int      `json:"n_valid"`
		Mean     *float64 `json:"mean"`
		Flow     *float64 `json:"flow_m3"`
		Total    *float64 `json:"total_kg"`
	}{r.Valid, r.Expected, r.NValid, orNull(r.Mean, r.Valid), orNull(r.Flow, true), orNull(r.Total, r.Valid)}, nil
}

func (e *Evaluator) phMean(in *fields) (any, quality.Trace) {
	rows := waterRows(in, "ph", false)
	if !in.end() {
		return nil, nil
	}
	r := quality.PHMean(&e.rules.WaterDay, rows)
	return struct {
		PH  *float64 `json:"ph"`
		Min *float64 `json:"min"`
		Max *float64 `json:"max"`
	}{orNull(r.Mean, true), orNull(r.Min, true), orNull(r.Max, true)}, nil
}

func (e *Evaluator) txValidRate(in *fields) (any, quality.Trace) {
	r := quality.Received{
		Hours: in.num("hours", amount), Stopped: in.num("stopped_h", amount), Factors: in.num("factors", amount),
		Values: in.num("received_values", amount), Groups: in.num("valid_groups", amount),
	}
	if r.Stopped > r.Hours {
		in.fail("stopped_h: expected at most hours, %s, got %s", quality.Num(r.Hours), quality.Num(r.Stopped))
	}
	if !in.end() {
		return nil, nil
	}
	t := quality.TxValidRate(&e.rules.Transmission, r)
	return struct {
		Transmission *float64 `json:"transmission_pct"`
		Valid        *float64 `json:"valid_pct"`
		TxValid      *float64 `json:"tx_valid_pct"`
	}{orNull(t.Transmission, true), orNull(t.Valid, true), orNull(t.TxValid, true)}, quality.Trace{t.Step(&e.rules.Transmission, r)}
}

// judgeExceed compares and shows the decimals as they are written. The
// statistic names what was averaged; it does not change the comparison.
func (e *Evaluator) judgeExceed(in *fields) (any, quality.Trace) {
	v, limit := in.exact("value", anyNumber), in.exact("limit", anyNumber)
	statistic := in.text("statistic")
	if !in.end() {
		return nil, nil
	}
	j := quality.JudgeExact(v, limit)
	value, _ := v.Float64()
	hi, _ := limit.Float64()
	l := quality.LimitRef{Op: "<=", Hi: quality.Some(hi), Statistic: statistic}
	return struct {
		Exceeds bool     `json:"exceeds"`
		Times   *float64 `json:"times"`
		Display string   `json:"display"`
	}{j.Exceeds, orNull(j.Times, true), quality.DisplayRat(v, e.rules.Exceed.Decimals)}, quality.Trace{e.rules.Exceed.Step(j, value, l)}
}

func (e *Evaluator) ammoniaLimit(in *fields) (any, quality.Trace) {
	level, temp := in.label("level", "1A", "1B", "2"), in.opt("water_temp_c", anyNumber)
	if !in.end() {
		return nil, nil
	}
	l, _ := e.rules.AmmoniaLimit(level, temp)
	return struct {
		Limit *float64 `json:"limit"`
	}{l.Hi}, nil
}

func (e *Evaluator) waterClass(in *fields) (any, quality.Trace) {
	body := in.text("waterbody", e.class.Bodies()...)
	given := in.inner("values")
	values := map[string]float64{}
	for _, code := range slices.Sorted(maps.Keys(given.raw)) {
		if v := given.opt(code, anyNumber); v.OK { // null: not measured
			values[code] = v.V
		}
	}
	w := indices.Water{Body: body, Values: values, Saturation: in.opt("do_saturation_pct", amount)}
	if !in.end() {
		return nil, nil
	}
	r := e.class.Judge(w)
	return struct {
		Class      *string            `json:"cls"`
		PerFactor  map[string]string  `json:"per_factor"`
		OverClass3 map[string]float64 `json:"over_class3"`
	}{textOrNull(r.Class), r.PerFactor, r.OverClass3}, quality.Trace{r.Step(e.class, body, values)}
}

func (e *Evaluator) waterTLI(in *fields) (any, quality.Trace) {
	positive := above(0)
	l := indices.Lake{
		ChlA: in.opt("chla_mg_m3", positive), TP: in.opt("tp_mg_l", positive), TN: in.opt("tn_mg_l", positive),
		SD: in.opt("sd_m", positive), CODMn: in.opt("codmn_mg_l", positive), Salt: in.optYesNo("salt_lake", false),
	}
	if !in.end() {
		return nil, nil
	}
	r := indices.Trophic(e.trophic, l)
	return struct {
		TLI    *float64              `json:"tli"`
		Level  *string               `json:"level"`
		Status indices.TrophicStatus `json:"status"`
		Parts  map[string]float64    `json:"parts"`
	}{orNull(r.TLI, true), textOrNull(r.Level), r.Status, r.Parts}, quality.Trace{r.Step(e.trophic, l)}
}

// airIAQI takes the edition as a number or a text; without one that in force.
func (e *Evaluator) airIAQI(in *fields) (any, quality.Trace) {
	air := e.air[e.edition(in)]
	if air == nil {
		return nil, nil
	}
	item, conc := in.text("item", air.Items()...), in.exact("conc", amount)
	if !in.end() {
		return nil, nil
	}
	var out struct {
		IAQI *int `json:"iaqi"`
	}
	if v, ok := air.IAQI(item, conc); ok {
		out.IAQI = &v
	}
	return out, quality.Trace{air.Step(item, conc)}
}

// quota60 takes the earlier marks in the order in which they were set.
func (e *Evaluator) quota60(in *fields) (any, quality.Trace) { return quota(&e.rules.Quota, in) }

func (e *Evaluator) quota700(in *fields) (any, quality.Trace) { return quota(&e.rules.QuotaLong, in) }

func quota(rule *quality.QuotaRule, in *fields) (any, quality.Trace) {
	known := append(slices.Clone(rule.Marks), rule.Others...)
	read := func(x *fields) quality.FurnaceMark {
		return quality.FurnaceMark{Mark: x.text("mark", known...), Hours: x.num("hours", amount), PM: x.opt("pm_hour_max", anyNumber)}
	}
	var earlier []quality.FurnaceMark
	in.each("marks", "a list of {mark, hours, pm_hour_max}", func(x *fields) { earlier = append(earlier, read(x)) })
	this := in.inner("this")
	mark := read(this)
	if !this.end() || !in.end() {
		return nil, nil
	}
	q := quality.Quota60(rule, earlier, mark)
	return struct {
		Used   float64 `json:"used_before_h"`
		Exempt float64 `json:"exempt_h"`
	}{q.UsedBefore, q.Exempt}, quality.Trace{q.Step(rule, mark)}
}
