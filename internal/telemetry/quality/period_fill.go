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
	if !c.fills(fp.role) || !c.rated(fp.code) {
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
		for from := h; from < last; { // a quarter has a capture rate of its own, a day its rules
			_, to := quarterOf(from)
			to = min(to, last)
			rule := c.filling(from)
			for day := dayStart(from) + daySeconds; day < to; day += daySeconds {
				if c.filling(day) != rule {
					to = day
				}
			}
			if err := c.fill(fp, f, start, end, from, to); err != nil {
				return err
			}
			from = to
		}
		h = last
	}
	return nil
}

// filling is the rule by which a gap of that instant is filled.
func (c *periodCalc) filling(at int64) ref {
	p := c.params(at)
	switch c.row.Profile {
	case telemetry.ProfileHJ75Old:
		return p.neighbour.ref
	case telemetry.ProfilePart75:
		return p.part75.ref
	}
	return p.substitute.ref
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

// weighed reports whether amounts of water are due: a river emits nothing, and
// without a flow there is no amount to fill.
func (c *periodCalc) weighed() bool {
	if c.outlet.Medium != telemetry.Water {
		return false
	}
	if i := c.pl.flow; i >= 0 && c.pl.factors[i].required {
		return true
	}
	return slices.ContainsFunc(c.days, func(d DayRow) bool { return d.Flow.OK })
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
	hours := int((to - from) / hourSeconds)
	s := Substitution{
		Factor: fp.code, From: from, To: to, Hours: hours, RunHours: int((end - start) / hourSeconds),
		Kind: c.kind(&c.params(from).substitute, fp.code, start, end), Status: string(SubstituteNoRule), Provisional: end >= c.tl.last,
	}
	var err error
	switch c.row.Profile {
	case telemetry.ProfileHJ75Old:
		err = c.byNeighbours(&c.params(from).neighbour, fp, &s, start, end)
	case telemetry.ProfilePart75:
		err = c.byPart75(&c.params(from).part75, fp, &s, start, end)
	default:
		err = c.byTables(&c.params(from).substitute, fp, &s, start, from)
	}
	if err != nil {
		return err
	}
	if s.Rate.OK {
		s.Status = string(SubstituteOK)
		s.Kg = Some(s.Rate.V * float64(hours))
		f.Substituted = Some(f.Substituted.V + s.Kg.V)
		f.SubstHours += hours
	} else {
		f.NoRule += hours
	}
	c.row.Provisional = c.row.Provisional || s.Provisional
	c.row.Substitution = append(c.row.Substitution, s)
	return nil
}

// fills reports whether the rates of a factor are substituted at all.
func (c *periodCalc) fills(role string) bool {
	switch c.row.Profile {
	case telemetry.ProfileHJ75Old:
		return slices.Contains(c.pl.p.neighbour.Factors, role)
	case telemetry.ProfilePart75:
		return c.pl.p.part75.Windows[role] > 0
	case telemetry.ProfileIED: // a day is lost instead
		return false
	}
	return slices.Contains(c.pl.p.substitute.Factors, role)
}

// neighbours are the nearest valid rates before and after a run.
func (c *periodCalc) neighbours(code string, start, end int64, s *Substitution) (before, after Opt, err error) {
	list, err := c.history(code, start, 1)
	if err != nil {
		return before, after, err
	}
	if len(list) > 0 {
		before, s.SourceFrom, s.SourceHours = Some(list[0].KgH), list[0].From*hourSeconds, 1
		s.SourceTo = s.SourceFrom
	}
	for h := end; h < c.tl.last && !after.OK; h += hourSeconds {
		if h >= c.tl.to {
			if err := c.tl.ahead(min(c.tl.to+lookback, c.tl.last)); err != nil {
				return before, after, err
			}
		}
		if st, f := c.state(code, h); st == hourValid && f.Rate.OK {
			after, s.SourceTo, s.SourceHours = f.Rate, h, s.SourceHours+1
		}
	}
	return before, after, nil
}

// byNeighbours fills by HJ/T 75-2007.
func (c *periodCalc) byNeighbours(rule *NeighbourRule, fp *factorPlan, s *Substitution, start, end int64) error {
	s.Rule, s.Version = rule.id, rule.version
	before, after, err := c.neighbours(fp.code, start, end, s)
	if err != nil {
		return err
	}
	s.Provisional = s.Provisional || !after.OK
	if s.Rate = NeighbourMean(rule, float64(s.RunHours), before, after); s.Rate.OK {
		s.Method, s.Window = "HJT75-mean", 2
	}
	return nil
}

// byPart75 fills by 40 CFR Part 75. Alpha is the monitor's availability then.
func (c *periodCalc) byPart75(rule *Part75Rule, fp *factorPlan, s *Substitution, start, end int64) error {
	s.Rule, s.Version = rule.id, rule.version
	g := Part75Gap{Hours: float64(s.RunHours), Window: rule.Windows[fp.role]}
	var err error
	if g.Before, g.After, err = c.neighbours(fp.code, start, end, s); err != nil {
		return err
	}
	list, err := c.history(fp.code, start, g.Window)
	if err != nil {
		return err
	}
	flow := 0.0
	for _, r := range list {
		g.Rates = append(g.Rates, r.KgH)
		flow = max(flow, c.tl.at(r.From*hourSeconds).Flow.V)
	}
	if fp.rangeHi.OK && len(list) > 0 {
		g.Potential = Some(EmissionRate(&c.pl.p.emission, fp.rangeHi.V*fp.toMg, flow))
	}
	if g.PMA, err = c.availability(fp.code, start, rule.Availability); err != nil {
		return err
	}
	res := Part75Substitute(rule, g)
	s.Alpha, s.Rate = g.PMA, res.Value
	s.Provisional = s.Provisional || !g.After.OK
	if !res.Value.OK {
		return nil
	}
	s.Method = "MODC-" + res.MODC
	switch res.MODC {
	case rule.Mean, rule.Initial:
		s.Window = 2
	default:
		s.Window, s.SourceHours, s.SourceTo = g.Window, len(list), list[0].From*hourSeconds
		s.SourceFrom = list[len(list)-1].From * hourSeconds
	}
	return nil
}

// availability is the share of the last n hours that the source ran before an
// hour that have valid data, percent.
func (c *periodCalc) availability(code string, before int64, n int) (Opt, error) {
	ran, valid := 0, 0
	for h := before - hourSeconds; ran < n; h -= hourSeconds {
		if h < c.tl.from {
			if more, err := c.tl.back(); err != nil {
				return Opt{}, err
			} else if !more {
				break
			}
		}
		switch s, _ := c.state(code, h); s {
		case hourValid:
			ran, valid = ran+1, valid+1
		case hourInvalid, hourSource:
			ran++
		case hourStopped, hourOutside:
		}
	}
	if ran == 0 {
		return Opt{}, nil
	}
	return Some(100 * float64(valid) / float64(ran)), nil
}

// byTables fills by HJ 75-2017, tables 5 and 6, with the capture rate of the
// quarter that the hour from lies in.
func (c *periodCalc) byTables(rule *SubstituteRule, fp *factorPlan, s *Substitution, start, from int64) error {
	s.Rule, s.Version = rule.id, rule.version
	anchor := start
	if kind, passed, ok := c.markedChecks(rule, fp.code, start); ok {
		s.Kind, anchor = kind, passed
	}
	if c.checks != nil {
		if kind, passed, ok := c.checks(fp.code, start); ok {
			s.Kind, anchor = kind, passed
		}
	}
	qFrom, qTo := quarterOf(from)
	s.Provisional = s.Provisional || qTo > c.now
	s.Alpha = c.quarterly(fp.code, qFrom, qTo)
	gap := Gap{Kind: s.Kind, Alpha: s.Alpha.V, Hours: float64(s.RunHours), Anchor: anchor / hourSeconds}
	history, err := c.history(fp.code, anchor, rule.window(gap))
	if err != nil {
		return err
	}
	res := SubstituteRate(rule, gap, history)
	s.Window, s.Rate, s.SourceHours = res.Window, res.Value, res.Hours
	if res.Status == SubstituteOK {
		s.Method = strings.ToUpper(res.Method)
		s.SourceFrom, s.SourceTo = res.From*hourSeconds, res.To*hourSeconds
	}
	return nil
}

// quarterly is the capture rate of a quarter, as far as it has gone by.
func (c *periodCalc) quarterly(code string, from, to int64) Opt {
	if c.alphas == nil {
		c.alphas = map[codeAt]Opt{}
	}
	k := codeAt{code, from}
	a, ok := c.alphas[k]
	if !ok {
		a = c.capture(c.count(code, from, min(to, c.tl.to))).Alpha
		c.alphas[k] = a
	}
	return a
}

// kind names a run by the marks of its hours.
func (c *periodCalc) kind(rule *SubstituteRule, code string, start, end int64) string {
	n := map[string]int{}
	for h := start; h < end; h += hourSeconds {
		mark := ""
		if _, f := c.state(code, h); f != nil {
			mark = f.Flag
		}
		kind, m := c.markedKind(code, h) // of an hour without data, or with a letter of several marks, the mark says it
		switch {
		case m != nil && (kind == "maintenance" || kind == "calibration"):
			n[kind]++
		case m != nil:
			n["other"]++
		case mark == rule.Maintenance:
			n["maintenance"]++
		case mark == rule.Calibration:
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
	for h := anchor - hourSeconds; h >= c.first && len(out) < n; h -= hourSeconds {
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
	if c.row.Profile == telemetry.ProfileHJ356Old {
		c.waterByPreceding(fp, f)
		return
	}
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
		rule := &c.params(day).waterFill
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

// waterByPreceding fills runs of days by HJ/T 356-2007: each with the mean of as
// many days before it. Only totals are filled, never concentrations.
func (c *periodCalc) waterByPreceding(fp *factorPlan, f *PeriodFactor) {
	total := func(day int64) Opt {
		r := c.byDay[day]
		if r == nil {
			return Opt{}
		}
		if x := r.Factor(fp.code); x != nil && x.Valid {
			return x.Total
		}
		return Opt{}
	}
	gap := func(day int64) bool { return day+daySeconds > c.begin && c.dayGap(c.byDay[day], fp.code, day) }
	for day := c.row.From; day+daySeconds <= c.until; day += daySeconds {
		if v := total(day); v.OK {
			f.Measured = Some(f.Measured.V + v.V)
			continue
		}
		if !gap(day) {
			continue
		}
		start, end := day, day+daySeconds
		for start > c.begin && gap(start-daySeconds) && c.byDay[start-daySeconds] != nil {
			start -= daySeconds
		}
		for end+daySeconds <= c.until && gap(end) {
			end += daySeconds
		}
		var values []float64
		for d := start - (end - start); d < start; d += daySeconds {
			if v := total(d); v.OK {
				values = append(values, v.V)
			}
		}
		rule := &c.params(day).preceding
		days := int((end - day) / daySeconds)
		s := Substitution{
			Factor: fp.code, From: day, To: end, Hours: 24 * days, RunHours: int((end - start) / hourSeconds), Kind: "other",
			Rule: rule.id, Version: rule.version, Status: string(SubstituteNoRule), Rate: Preceding(rule, fp.role, values),
		}
		if s.Rate.OK {
			s.Status, s.Method, s.Window, s.SourceHours = string(SubstituteOK), "HJT356-mean", int((end-start)/daySeconds), len(values)
			s.SourceFrom, s.SourceTo = start-(end-start), start-daySeconds
			s.Kg = Some(s.Rate.V * float64(days))
			f.Substituted = Some(f.Substituted.V + s.Kg.V)
			f.SubstHours += days
		} else {
			f.NoRule += days
		}
		c.row.Substitution = append(c.row.Substitution, s)
		day = end - daySeconds
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
