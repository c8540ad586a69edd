package publicweb

import (
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// waterClass judges the valid day means of a section: the class and how many
// factors it is of. Means in another unit than the standard's are left out.
func (c *call) waterClass(set *rules.Set, o *telemetry.Outlet, day *quality.DayRow) (class string, factors int, err error) {
	rule, err := indices.ReadClass(set, i18n.Short(unix(day.At)))
	if err != nil {
		return "", 0, err
	}
	values := map[string]float64{}
	for i := range day.Factors {
		f := &day.Factors[i]
		if f.Valid && f.Mean.OK && figures.RawUnit(o, f.Code) == telemetry.FactorUnit(f.Code) {
			values[f.Code] = f.Mean.V
		}
	}
	body := rule.Body(o.Condition)
	if body == "" {
		body = "river" // a section that names no condition, as the rule limit.select assumes
	}
	r := indices.WaterClass(rule, body, values)
	return r.Class, len(r.PerFactor), nil
}
