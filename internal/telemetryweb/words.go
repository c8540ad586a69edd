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
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
)

// word is a text with the language it is in.
type word struct{ Text, Lang string }

// factor names a factor as briefly as is still clear.
func (c *call) factor(code string) word {
	if s := figures.Symbol(code); s != "" {
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

// How figures are written is the same on all pages; see package figures.
func unit(u string) string                           { return figures.Unit(u) }
func unitOf(o *telemetry.Outlet, code string) string { return figures.UnitOf(o, code) }
func decimals(code string) int                       { return figures.Decimals(code) }
func figure(v quality.Opt, code string) string       { return figures.Text(v, code) }
func trimmed(v float64, d int) string                { return figures.Trimmed(v, d) }
func limitText(l quality.LimitRef) string            { return figures.Limit(l) }
func figureFor(v quality.Opt, code string, l quality.LimitRef) string {
	return figures.Beside(v, code, l)
}

// plain is a figure for other programs: every digit, point decimal.
func plain(v quality.Opt) any {
	if !v.OK {
		return nil
	}
	return v.V
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
	if low := t.Key + "_low"; figures.Below(s.Value, s.Limit) && c.l.Has(low) {
		t.Key = low
	}
	return c.reason(t)
}

// outletName names an outlet together with its enterprise.
func (c *call) outletName(o *telemetry.Outlet) word {
	text, lang := figures.OutletName(c.l, c.snap, o)
	return word{text, lang}
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

// place writes prefecture and county.
func (c *call) place(o *telemetry.Outlet) word {
	county, pref := c.area(o.Area), c.area(c.snap.Prefecture(o.Area))
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
