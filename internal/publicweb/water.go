package publicweb

import (
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// waterClass is the class of a section on a day and how many factors it is of.
func (c *call) waterClass(set *rules.Set, o *telemetry.Outlet, day *quality.DayRow) (class string, factors int, err error) {
	rule, err := indices.ReadClass(set, i18n.Short(unix(day.At)))
	if err != nil {
		return "", 0, err
	}
	r := rule.Day(o, day)
	return r.Class, len(r.PerFactor), nil
}
