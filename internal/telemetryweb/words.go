package telemetryweb

import (
	"cmp"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// symbols are factor names that are the same in every language.
var symbols = map[string]string{
	"a21002": "NOx", "a21026": "SO₂", "a19001": "O₂", "a21024": "HCl", "a21005": "CO", "a05001": "CO₂", "a21003": "NO", "a21004": "NO₂",
	"a21018": "HF", "a21001": "NH₃", "w01018": "COD", "w01001": "pH", "w01017": "BOD₅", "w01019": "CODMn",
}

// word is a text with the language it is in.
type word struct{ Text, Lang string }

// factor names a factor as briefly as is still clear.
func (c *call) factor(code string) word {
	if s, ok := symbols[code]; ok {
		return word{s, string(c.lang)}
	}
	if key := "factor." + code; c.l.Has(key) {
		text, used := c.l.Text(key)
		return word{text, string(used)}
	}
	f, ok := hj212.LookupFactor(code)
	switch {
	case !ok:
		return word{code, string(c.lang)}
	case c.lang == i18n.En && f.NameEn != "":
		return word{f.NameEn, "en"}
	}
	return word{cmp.Or(f.NameZh, code), "zh"}
}

// unit writes units as people do.
func unit(u string) string {
	if u == "1" { // pure numbers such as pH
		return ""
	}
	return strings.NewReplacer("m3", "m³", "m2", "m²", "^3", "³", "ug/", "μg/", "uS/", "μS/", "deg C", "℃", "degC", "℃").Replace(u)
}

// unitOf is the unit of an outlet's factor.
func unitOf(o *telemetry.Outlet, code string) string {
	if o != nil {
		for _, f := range o.Factors {
			if f.Code == code && f.Unit != "" {
				return unit(f.Unit)
			}
		}
	}
	return unit(telemetry.FactorUnit(code))
}

// decimals a figure of a factor is shown with.
func decimals(code string) int {
	if f, ok := hj212.LookupFactor(code); ok && f.Decimals > 0 {
		return min(f.Decimals, 3)
	}
	return 2
}

// figure writes a value; digits that say nothing are not invented: a value with
// fewer decimals than the factor's keeps its own, with one at least for means.
func figure(v quality.Opt, code string) string {
	if !v.OK {
		return i18n.Missing
	}
	d := decimals(code)
	switch a := math.Abs(v.V); {
	case a >= 1000:
		d = 0
	case a >= 100:
		d = min(d, 1)
	}
	return trimmed(v.V, d)
}

// figureFor writes a value that stands beside its limit, with further decimals
// where rounding would show it on the other side.
func figureFor(v quality.Opt, code string, l quality.LimitRef) string {
	s := figure(v, code)
	if !v.OK || l.IsZero() {
		return s
	}
	breaks := quality.JudgeExceed(v.V, l).Exceeds
	for d := decimals(code); d < 6; d++ {
		shown, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		if err != nil || quality.JudgeExceed(shown, l).Exceeds == breaks {
			break
		}
		s = trimmed(v.V, d+1)
	}
	return s
}

// trimmed writes at most d decimals, and no more than v has: 63.97 is 64.0 with
// one, 64 is 64.
func trimmed(v float64, d int) string {
	_, own, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return i18n.Number(v, min(d, len(own)))
}

// plain is a figure for other programs: every digit, point decimal.
func plain(v quality.Opt) any {
	if !v.OK {
		return nil
	}
	return v.V
}

// limitText writes a limit as people read it: 50, 6–9, ≥ 5.
func limitText(l quality.LimitRef) string {
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

// float gives a number to charts, NaN where there is none.
func float(v quality.Opt) float64 {
	if !v.OK {
		return math.NaN()
	}
	return v.V
}

// upper is the limit a chart or bar is drawn against.
func upper(l quality.LimitRef) float64 {
	if l.Hi.OK {
		return l.Hi.V
	}
	return math.NaN()
}

// reason translates a text of the judgement; codes of factors become names.
func (c *call) reason(t quality.Text) string {
	if t.Key == "" {
		return ""
	}
	args := make([]any, 0, 2*len(t.Args))
	for k, v := range t.Args {
		switch k {
		case "factor":
			v = c.factor(v).Text
		case "flag":
			if key := "flag." + v; c.l.Has(key) {
				v += " " + c.l.T(key)
			}
		case "percent":
			if p, err := strconv.ParseFloat(v, 64); err == nil {
				if v = trimmed(p, 2); p > 0 && p < 0.005 {
					v = "<0.01"
				}
			}
		case "statistic":
			if key := "statistic." + v; c.l.Has(key) {
				v = c.l.T(key)
			}
		}
		args = append(args, k, v)
	}
	if t.Key == "reason.compare" && t.Args["percent"] == i18n.Missing {
		t.Key = "reason.compare_only"
	}
	return c.l.T(t.Key, args...)
}

// why says the reason of a state, of a lower limit that the value is below it.
// A normal state needs no reason.
func (c *call) why(s quality.StateResult) string {
	if s.State == quality.Normal {
		return ""
	}
	t := s.Reason
	t.Args = maps.Clone(t.Args)
	for _, k := range []string{"value", "median", "drift", "reported", "recomputed"} {
		if v, err := strconv.ParseFloat(t.Args[k], 64); err == nil {
			t.Args[k] = figureFor(quality.Some(v), s.Factor, s.Limit)
		}
	}
	if low := t.Key + "_low"; below(s.Value, s.Limit) && c.l.Has(low) {
		t.Key = low
	}
	return c.reason(t)
}

// below reports whether a value lies under a lower limit.
func below(v quality.Opt, l quality.LimitRef) bool { return v.OK && l.Lo.OK && v.V < l.Lo.V }

// outletName names an outlet together with its enterprise: many enterprises
// have a main outlet or a stack no. 1.
func (c *call) outletName(o *telemetry.Outlet) word {
	n := c.name(o.Name)
	e := c.snap.Enterprises[o.Enterprise]
	if e == nil {
		return n
	}
	owner := c.name(e.Name)
	if owner.Lang != n.Lang { // one name, one language
		owner, n = word{e.Name.Zh, "zh"}, word{o.Name.Zh, "zh"}
	}
	return word{c.l.T("outlet.full", "enterprise", owner.Text, "outlet", n.Text), n.Lang}
}

func (c *call) name(n telemetry.Name) word {
	text, used := n.In(string(c.lang))
	return word{text, used}
}

// area names a division, "" when unknown.
func (c *call) area(code string) word {
	if a := c.snap.Areas[code]; a != nil {
		return c.name(a.Name)
	}
	return word{code, string(c.lang)}
}

// prefecture is the division of prefecture level above a county.
func (c *call) prefecture(code string) string {
	for range 4 {
		a := c.snap.Areas[code]
		if a == nil || a.Level == "prefecture" {
			return code
		}
		if a.Parent == "" || a.Level == "province" {
			return code
		}
		code = a.Parent
	}
	return code
}

// place writes prefecture and county.
func (c *call) place(o *telemetry.Outlet) word {
	county, pref := c.area(o.Area), c.area(c.prefecture(o.Area))
	if county.Text == pref.Text || pref.Text == "" {
		return county
	}
	return word{pref.Text + "·" + county.Text, county.Lang}
}

// valueID names a value for ever: outlet, factor, level and the start of its
// period on the clock of the pages.
func valueID(outlet telemetry.OutletID, factor, level string, at time.Time) string {
	form := valueForms[level]
	if form == "" || factor == "" {
		return ""
	}
	return strconv.FormatUint(uint64(outlet), 10) + "-" + factor + "-" + level + "-" + at.In(i18n.Zone).Format(form)
}

var valueForms = map[string]string{
	quality.LevelHour: "2006010215", quality.LevelDay: "20060102", quality.LevelMinute: "200601021504", quality.LevelRealtime: "20060102150405",
}

// parseValueID is the reverse; ok is false for anything valueID does not write.
func parseValueID(id string) (outlet telemetry.OutletID, factor, level string, at time.Time, ok bool) {
	parts := strings.Split(id, "-")
	if len(parts) != 4 {
		return 0, "", "", time.Time{}, false
	}
	outlet, ok = parseOutletID(parts[0])
	form := valueForms[parts[2]]
	if !ok || form == "" || parts[1] == "" || len(parts[3]) != len(form) {
		return 0, "", "", time.Time{}, false
	}
	at, err := time.ParseInLocation(form, parts[3], i18n.Zone)
	return outlet, parts[1], parts[2], at, err == nil
}

func parseOutletID(s string) (telemetry.OutletID, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return telemetry.OutletID(n), err == nil && n > 0
}

func outletPath(id telemetry.OutletID) string {
	return "/outlets/" + strconv.FormatUint(uint64(id), 10)
}

// level words: "hour mean", folded or not.
func (c *call) levelText(level string, folded bool) string {
	if level == "" {
		return ""
	}
	key := "level." + level
	if folded {
		key += "_folded"
	}
	return c.l.T(key)
}
