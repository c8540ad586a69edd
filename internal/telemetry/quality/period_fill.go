package quality

import (
	"cmp"
	"slices"
	"strings"

	"plateau/internal/telemetry"
)

// gasTotals sums the emission of the period and fills the invalid hours of the
// factors that the rule names.
func (c *periodCalc) gasTotals(fp *factorPlan, f *PeriodFactor) error {
	for i := range c.days {
		if d := c.days[i].Factor(fp.code); d != nil && d.Total.OK {
			f.Measured = Some(f.Measured.V + d.Total.V)
		}
	}
	for h := max(dayStart(c.until), c.row.From); h < c.until; h += hourSeconds {
		if s, x := c.state(fp.code, h); s == hourValid && x.Rate.OK {
			f.Measured = Some(f.Measured.V + x.Rate.V)
		}
	}
	if !slices.Contains(c.pl.p.substitute.Factors, fp.role) || !c.rated(fp.code) {
		return nil
	}
	for h := max(c.row.From, c.begin); h < c.until; {
		if !c.gap(fp.code, h) {
			h += hourSeconds
			continue
		}
		start, end, err := c.run(fp.code, h)
		if err != nil {
			return err
		}
		last := min(end, c.until)
		for from := h; from < last; { // a quarter has a capture rate of its own
			_, to := quarterOf(from)
			to = min(to, last)
			if err := c.fill(fp, f, start, end, from, to); err != nil {
				return err
			}
			from = to
		}
		h = last
	}
	return nil
}

// rated reports whether emission rates are due: without a flow there is nothing
// to fill.
func (c *periodCalc) rated(code string) bool {
	if i := c.pl.flow; i >= 0 && c.pl.factors[i].required || c.pl.setup.HasDuct() {
		return true
	}
	return slices.ContainsFunc(c.tl.hours, func(r *HourRow) bool {
		if r == nil {
			return false
		}
		f := r.Factor(code)
		return f != nil && f.Rate.OK
	})
}

// gap reports an hour whose emission has to be filled: the source ran, and no
// valid rate is there.
func (c *periodCalc) gap(code string, h int64) bool {
	s, f := c.state(code, h)
	return s == hourInvalid || s == hourValid && !f.Rate.OK
}

// run finds the whole unbroken run of gaps around h, also beyond the period.
func (c *periodCalc) run(code string, h int64) (start, end int64, err error) {
	for start = h; start > c.begin; start -= hourSeconds {
		if start <= c.tl.from {
			if more, err := c.tl.back(); err != nil {
				return 0, 0, err
			} else if !more {
				break
			}
		}
		if !c.gap(code, start-hourSeconds) {
			break
		}
	}
	for end = h + hourSeconds; end < c.tl.last; end += hourSeconds {
		if end >= c.tl.to {
			if err := c.tl.ahead(min(c.tl.to+lookback, c.tl.last)); err != nil {
				return 0, 0, err
			}
		}
		if !c.gap(code, end) {
			break
		}
	}
	return start, end, nil
}

// fill substitutes the hours [from, to) of the run [start, end) of gaps.
func (c *periodCalc) fill(fp *factorPlan, f *PeriodFactor, start, end, from, to int64) error {
	rule := &c.pl.p.substitute
	hours := int((to - from) / hourSeconds)
	s := Substitution{
		Factor: fp.code, From: from, To: to, Hours: hours, RunHours: int((end - start) / hourSeconds),
		Kind: c.kind(fp.code, start, end), Rule: rule.id, Version: rule.version,
	}
	anchor := start
	if c.checks != nil {
		if kind, passed, ok := c.checks(fp.code, start); ok {
			s.Kind, anchor = kind, passed
		}
	}
	qFrom, qTo := quarterOf(from)
	s.Provisional = qTo > c.now || end >= c.tl.last
	s.Alpha = c.capture(c.count(fp.code, qFrom, min(qTo, c.tl.to))).Alpha
	gap := Gap{Kind: s.Kind, Alpha: s.Alpha.V, Hours: float64(s.RunHours), Anchor: anchor / hourSeconds}
	history, err := c.history(fp.code, anchor, rule.window(gap))
	if err != nil {
		return err
	}
	res := SubstituteRate(rule, gap, history)
	s.Status, s.Window, s.Rate, s.SourceHours = string(res.Status), res.Window, res.Value, res.Hours
	if res.Status == SubstituteOK {
		s.Method = strings.ToUpper(res.Method)
		s.SourceFrom, s.SourceTo = res.From*hourSeconds, res.To*hourSeconds
		s.Kg = Some(res.Value.V * float64(hours))
		f.Substituted = Some(f.Substituted.V + s.Kg.V)
		f.SubstHours += hours
	} else {
		f.NoRule += hours
	}
	c.row.Provisional = c.row.Provisional || s.Provisional
	c.row.Substitution = append(c.row.Substitution, s)
	return nil
}

// kind names a run by the marks of its hours.
func (c *periodCalc) kind(code string, start, end int64) string {
	n := map[string]int{}
	for h := start; h < end; h += hourSeconds {
		mark := ""
		if _, f := c.state(code, h); f != nil {
			mark = f.Flag
		}
		switch mark {
		case c.pl.p.substitute.Maintenance:
			n["maintenance"]++
		case c.pl.p.substitute.Calibration:
			n["calibration"]++
		default:
			n["other"]++
		}
	}
	best := "other"
	for _, k := range []string{"maintenance", "calibration"} {
		if n[k] > n[best] {
			best = k
		}
	}
	return best
}

// history collects the last n valid rates before an hour.
func (c *periodCalc) history(code string, anchor int64, n int) ([]RateRun, error) {
	var out []RateRun
	for h := anchor - hourSeconds; len(out) < n; h -= hourSeconds {
		if h < c.tl.from {
			more, err := c.tl.back()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
		}
		if s, f := c.state(code, h); s == hourValid && f.Rate.OK {
			out = append(out, RateRun{From: h / hourSeconds, To: h / hourSeconds, Valid: true, KgH: f.Rate.V})
		}
	}
	return out, nil
}

// waterTotals sums the valid day totals and fills the days without one.
func (c *periodCalc) waterTotals(fp *factorPlan, f *PeriodFactor) {
	rule := &c.pl.p.waterFill
	var totals []DayTotal
	for i := range c.days {
		d := &c.days[i]
		if x := d.Factor(fp.code); x != nil && x.Valid && x.Total.OK {
			totals = append(totals, DayTotal{Day: d.At, Valid: true, Kg: x.Total.V})
			if d.At >= c.row.From {
				f.Measured = Some(f.Measured.V + x.Total.V)
			}
		}
	}
	for day := c.row.From; day+daySeconds <= c.until; day += daySeconds {
		if day+daySeconds <= c.begin || !c.dayGap(c.byDay[day], fp.code, day) {
			continue
		}
		s := Substitution{
			Factor: fp.code, From: day, To: day + daySeconds, Hours: 24, RunHours: 24, Kind: "other",
			Rule: rule.id, Version: rule.version, Status: string(SubstituteNoRule),
		}
		from := day - int64(rule.Days)*daySeconds
		if c.checks != nil {
			if kind, passed, ok := c.checks(fp.code, day); ok {
				s.Kind, from = kind, passed
			}
		}
		kg, n := SubstituteTotal(totals, from, day)
		if kg.OK {
			s.Status, s.Method, s.Rate, s.Kg, s.SourceHours = string(SubstituteOK), "largest-day", kg, kg, n
			s.Window, s.SourceFrom, s.SourceTo = int((day-from)/daySeconds), from, day-daySeconds
			f.Substituted = Some(f.Substituted.V + kg.V)
			f.SubstHours++
		} else {
			f.NoRule++
			if n := len(c.row.Substitution); n > 0 { // days that nothing fills are one stretch
				if last := &c.row.Substitution[n-1]; last.Factor == s.Factor && last.Status == s.Status && last.To == day {
					last.To, last.Hours, last.RunHours = s.To, last.Hours+24, last.RunHours+24
					continue
				}
			}
		}
		c.row.Substitution = append(c.row.Substitution, s)
	}
}

// dayGap reports a day of water that ran without a valid total. Where no water
// flowed nothing is missing; where nobody knows, something is.
func (c *periodCalc) dayGap(r *DayRow, code string, day int64) bool {
	if r == nil {
		return len(dueHours(c.outlet, day, day+daySeconds)) > 0
	}
	f := r.Factor(code)
	if f == nil {
		return !r.Flow.OK || r.Flow.V > 0
	}
	return f.NExpected > 0 && (!f.Valid || !f.Total.OK) && (!f.Flow.OK || f.Flow.V > 0)
}

// profile names the rules that an outlet's gaps are filled by.
func (pl *plan) profile() string {
	return cmp.Or(pl.setup.Profile, telemetry.Profiles(pl.outlet.Medium)[0])
}
