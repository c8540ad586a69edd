package ruleeval

import (
	"maps"
	"math/big"
	"slices"

	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
)

func (e *Evaluator) ppm(in *fields) (any, quality.Trace) {
	rule := &e.rules.PPM
	factor := in.text("factor", slices.Sorted(maps.Keys(rule.Mass))...)
	ppm := in.num("ppm", anyNumber)
	if !in.end() {
		return nil, nil
	}
	mg, _ := rule.MgM3(factor, ppm)
	return struct {
		Mg float64 `json:"mg_m3"`
	}{mg}, quality.Trace{rule.Step(factor, ppm)}
}

// foldAlpha takes the coefficient as a number, or the fuel of an old boiler.
func (e *Evaluator) foldAlpha(in *fields) (any, quality.Trace) {
	rule := &e.rules.Alpha
	c, o2 := in.num("conc", anyNumber), in.opt("o2_pct", anyNumber)
	alphaS := in.opt("alpha_s", above(0))
	if !isNull(in.raw["fuel"]) {
		fuel := in.text("fuel", slices.Sorted(maps.Keys(rule.AlphaS))...)
		if alphaS.OK {
			in.fail("fuel: expected alpha_s or fuel, not both")
		}
		alphaS = quality.Some(rule.AlphaS[fuel])
	}
	in.get("fuel")
	if !in.end() {
		return nil, nil
	}
	r := quality.FoldAlpha(rule, c, o2, alphaS)
	return struct {
		Alpha  *float64           `json:"alpha"`
		Folded *float64           `json:"folded"`
		Status quality.FoldStatus `json:"status"`
	}{orNull(r.Alpha, true), orNull(r.Folded, true), r.Status}, quality.Trace{r.Step(rule, c, o2, alphaS)}
}

// edition takes the year of HJ 633 as a number or a text; without one that in
// force.
func (e *Evaluator) edition(in *fields) string {
	raw := in.get("version")
	if isNull(raw) {
		return e.airNow
	}
	edition := label(raw)
	if e.air[edition] == nil {
		in.wrong("version", "an edition of HJ 633: "+either(slices.Sorted(maps.Keys(e.air))), raw)
	}
	return edition
}

func (e *Evaluator) airAQI(in *fields) (any, quality.Trace) {
	aqi := e.aqi[e.edition(in)]
	given := in.inner("values")
	if aqi == nil || *in.fault != nil {
		return nil, nil
	}
	conc := map[string]*big.Rat{}
	for _, item := range slices.Sorted(maps.Keys(given.raw)) {
		switch {
		case !slices.Contains(aqi.Items(), item):
			in.fail("values.%s: expected %s", item, either(aqi.Items()))
		case isNull(given.get(item)): // not measured
		default:
			conc[item] = given.exact(item, amount)
		}
	}
	if !in.end() {
		return nil, nil
	}
	r := indices.AQI(aqi, conc)
	out := struct {
		AQI     *int           `json:"aqi"`
		Level   *int           `json:"level"`
		Word    *string        `json:"word"`
		Colour  *string        `json:"colour"`
		Primary []string       `json:"primary"`
		PerItem map[string]int `json:"per_item"`
	}{Word: textOrNull(r.Word), Colour: textOrNull(r.Colour), Primary: append([]string{}, r.Primary...), PerItem: r.PerItem}
	if r.OK {
		out.AQI, out.Level = &r.AQI, &r.Level
	}
	return out, quality.Trace{r.Step(aqi, conc)}
}

func (e *Evaluator) airValid(in *fields) (any, quality.Trace) {
	rule := e.airRule
	var v indices.AirValid
	switch period := in.text("period", "hour", "8h", "day", "month", "year"); period {
	case "hour":
		v = rule.Hour(int(in.whole("n", 60)))
	case "8h":
		v = rule.EightHours(int(in.whole("n", 8)))
	case "day":
		v = rule.Day(int(in.whole("n", 24)))
	case "month":
		v = rule.Month(in.month("month"), int(in.whole("n", 31)))
	case "year":
		const expected = "a list of twelve numbers of days"
		items := in.list("days", expected)
		if len(items) != 12 {
			in.fail("days: expected %s, got %d", expected, len(items))
			break
		}
		var days [12]int
		for i, raw := range items {
			n, err := parse(raw)
			if err != nil || n != float64(int(n)) || n < 0 || n > 31 {
				in.fail("days[%d]: expected a whole number from 0 to 31, got %s", i, shown(raw))
			}
			days[i] = int(n)
		}
		v = rule.Year(days)
	}
	if !in.end() {
		return nil, nil
	}
	return struct {
		Valid bool `json:"valid"`
		N     int  `json:"n"`
		Need  int  `json:"need"`
	}{v.Valid, v.N, v.Need}, quality.Trace{v.Step(rule)}
}

// samples reads {values, below, do_saturation_pct}.
func samples(in *fields, name string) []indices.Sample {
	var out []indices.Sample
	in.each(name, "a list of {values, below, do_saturation_pct}", func(x *fields) {
		s := indices.Sample{Values: map[string]float64{}, Saturation: x.opt("do_saturation_pct", amount)}
		given := x.inner("values")
		for _, code := range slices.Sorted(maps.Keys(given.raw)) {
			if v := given.opt(code, anyNumber); v.OK {
				s.Values[code] = v.V
			}
		}
		if !isNull(x.raw["below"]) {
			s.Below = x.texts("below")
		}
		x.get("below")
		out = append(out, s)
	})
	return out
}

func (e *Evaluator) waterSection(in *fields) (any, quality.Trace) {
	body := in.text("waterbody", e.class.Bodies()...)
	list := samples(in, "samples")
	if !in.end() {
		return nil, nil
	}
	r := indices.Section(e.section, body, list)
	return struct {
		Class      *string            `json:"cls"`
		Grade      *string            `json:"grade"`
		PerFactor  map[string]string  `json:"per_factor"`
		Separate   map[string]string  `json:"separate"`
		OverClass3 map[string]float64 `json:"over_class3"`
		Main       []string           `json:"main"`
	}{textOrNull(r.Class), textOrNull(r.Grade), r.PerFactor, r.Separate, r.OverClass3, append([]string{}, r.Main...)}, quality.Trace{r.Step(e.section, body)}
}

func (e *Evaluator) waterRiver(in *fields) (any, quality.Trace) {
	body := in.text("waterbody", e.class.Bodies()...)
	list := samples(in, "sections")
	if !in.end() {
		return nil, nil
	}
	r := indices.River(e.section, body, list)
	return struct {
		Grade    *string `json:"grade"`
		Method   *string `json:"method"`
		Class    *string `json:"cls"`
		Sections int     `json:"sections"`
		Good     float64 `json:"good_pct"`
		Worse    float64 `json:"worse_pct"`
	}{textOrNull(r.Grade), textOrNull(r.Method), textOrNull(r.Class), r.Sections, r.Good, r.Worse}, quality.Trace{r.Step(e.section)}
}

func (e *Evaluator) oxygenSaturation(in *fields) (any, quality.Trace) {
	temp, kPa := in.num("temp_c", between(-2, 60)), in.opt("pressure_kpa", above(0))
	oxygen := in.opt("do_mg_l", amount)
	if !in.end() {
		return nil, nil
	}
	full := e.section.Saturation(temp, kPa)
	var pct quality.Opt
	if oxygen.OK {
		pct = quality.Some(100 * oxygen.V / full)
	}
	return struct {
		Full float64  `json:"saturation_mg_l"`
		Pct  *float64 `json:"saturation_pct"`
	}{full, orNull(pct, true)}, quality.Trace{e.section.SaturationStep(temp, kPa)}
}
