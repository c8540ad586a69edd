// Package figures writes measured figures, units and limits as people read
// them, the same on every page and in every language. Nothing is judged by
// what it writes: judgement takes the full value.
package figures

import (
	"math"
	"strconv"
	"strings"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Unit writes a unit with its raised and Greek letters; a pure number has none.
func Unit(u string) string {
	if u == "1" { // pure numbers such as pH
		return ""
	}
	return strings.NewReplacer("m3", "m³", "m2", "m²", "^3", "³", "ug/", "μg/", "uS/", "μS/", "deg C", "℃", "degC", "℃").Replace(u)
}

// RawUnit is the unit of an outlet's factor as the registry writes it, else
// that of the national table. o may be nil.
func RawUnit(o *telemetry.Outlet, code string) string {
	if o != nil {
		for _, f := range o.Factors {
			if f.Code == code && f.Unit != "" {
				return f.Unit
			}
		}
	}
	return telemetry.FactorUnit(code)
}

// UnitOf is RawUnit as people read it.
func UnitOf(o *telemetry.Outlet, code string) string { return Unit(RawUnit(o, code)) }

// Decimals a figure of a factor is shown with.
func Decimals(code string) int {
	if f, ok := hj212.LookupFactor(code); ok && f.Decimals > 0 {
		return min(f.Decimals, 3)
	}
	return 2
}

// Text writes a value; digits that say nothing are not invented: a value with
// fewer decimals than the factor's keeps its own, with one at least for means.
func Text(v quality.Opt, code string) string {
	if !v.OK {
		return i18n.Missing
	}
	d := Decimals(code)
	switch a := math.Abs(v.V); {
	case a >= 1000:
		d = 0
	case a >= 100:
		d = min(d, 1)
	}
	return Trimmed(v.V, d)
}

// Beside writes a value that stands beside its limit, with further decimals
// where rounding would show it on the other side.
func Beside(v quality.Opt, code string, l quality.LimitRef) string {
	s := Text(v, code)
	if !v.OK || l.IsZero() {
		return s
	}
	breaks := quality.JudgeExceed(v.V, l).Exceeds
	for d := Decimals(code); d < 6; d++ {
		shown, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		if err != nil || quality.JudgeExceed(shown, l).Exceeds == breaks {
			break
		}
		s = Trimmed(v.V, d+1)
	}
	return s
}

// Trimmed writes at most d decimals, and no more than v has: 63.97 is 64.0 with
// one, 64 is 64.
func Trimmed(v float64, d int) string {
	_, own, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return i18n.Number(v, min(d, len(own)))
}

// Limit writes a limit: 50, 6–9, ≥ 5; "" for none.
func Limit(l quality.LimitRef) string {
	num := func(o quality.Opt) string { return strconv.FormatFloat(o.V, 'f', -1, 64) }
	switch {
	case l.IsZero():
		return ""
	case l.Lo.OK && l.Hi.OK:
		return num(l.Lo) + "–" + num(l.Hi)
	case l.Hi.OK:
		return num(l.Hi)
	case l.Lo.OK:
		return "≥\u00a0" + num(l.Lo) // they stay on one line
	}
	return ""
}

// Below reports whether a value lies under a lower limit.
func Below(v quality.Opt, l quality.LimitRef) bool { return v.OK && l.Lo.OK && v.V < l.Lo.V }

// Broken is the state of a value that breaks its limit, "" where it does not.
func Broken(over, evidence bool) string {
	switch {
	case over && evidence:
		return quality.Exceed.String()
	case over:
		return quality.Warn.String()
	}
	return ""
}

// OutletName names an outlet together with its enterprise, because many
// enterprises have a main outlet or a stack no. 1; in one language, which is
// returned, too.
func OutletName(l *i18n.Localizer, s *telemetry.Snapshot, o *telemetry.Outlet) (text, lang string) {
	text, lang = o.Name.In(string(l.Lang()))
	e := s.Enterprises[o.Enterprise]
	if e == nil {
		return text, lang
	}
	owner, used := e.Name.In(string(l.Lang()))
	if used != lang {
		owner, text, lang = e.Name.Zh, o.Name.Zh, "zh"
	}
	return l.T("outlet.full", "enterprise", owner, "outlet", text), lang
}
