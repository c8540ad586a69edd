package publicweb

import (
	"errors"
	"slices"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// policy is the rule public.publish in force.
type policy struct {
	rule                        *rules.Rule
	levels, also                []string
	delay                       time.Duration
	strip, feed, classes, cases int // days
	entries                     int // of a feed at most
	latest                      time.Duration
}

// readPolicy reads the rule in force on the date of now; faults wrap
// rules.ErrInvalid.
func readPolicy(set *rules.Set, now time.Time) (*policy, error) {
	rule, ok := set.At("public.publish", i18n.Short(now))
	if !ok {
		return nil, errors.Join(rules.ErrInvalid, errors.New("rule public.publish is missing"))
	}
	p := &policy{rule: rule}
	var faults []error
	num := func(name string) int {
		v, err := rule.Float(name)
		faults = append(faults, err)
		return int(v)
	}
	texts := func(name string) []string {
		v, err := rule.Texts(name)
		faults = append(faults, err)
		return v
	}
	p.levels, p.also = texts("levels"), texts("also")
	p.delay = time.Duration(num("delay_minutes")) * time.Minute
	p.strip, p.feed, p.classes, p.cases = num("strip_days"), num("feed_days"), num("class_days"), num("case_days")
	p.entries = num("feed_entries")
	p.latest = time.Duration(num("latest_hours")) * time.Hour
	return p, errors.Join(faults...)
}

// publishes reports whether means of a level (hour, day) are published.
func (p *policy) publishes(level string) bool { return slices.Contains(p.levels, level) }

// cut is the instant up to which periods are published at now: the whole
// minute, so that every reader of a minute is told the same.
func (p *policy) cut(now time.Time) time.Time { return now.Add(-p.delay).Truncate(time.Minute) }

// shows reports whether a factor of an outlet is published: it has a limit of
// some statistic there, or the rule names it.
func (c *call) shows(o *telemetry.Outlet, code string, l quality.LimitRef) bool {
	return !l.IsZero() || slices.Contains(c.policy.also, code) || c.limits(o, code)
}

// limits reports whether a factor of an outlet has a limit of some statistic.
func (c *call) limits(o *telemetry.Outlet, code string) bool {
	of, known := c.limited[o.ID]
	if !known {
		of = map[string]bool{}
		for i := range o.Limits {
			of[quality.Code2017(o.Limits[i].Factor)] = true
		}
		for i := range c.snap.Limits {
			if l := &c.snap.Limits[i]; l.SourceType == o.SourceType && l.Op != "text" {
				of[l.Factor] = true
			}
		}
		if c.limited == nil {
			c.limited = map[telemetry.OutletID]map[string]bool{}
		}
		c.limited[o.ID] = of
	}
	return of[quality.Code2017(code)]
}
