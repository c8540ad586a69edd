package alarm

import (
	"math"
	"slices"
	"strconv"

	"plateau/internal/telemetry/quality"
)

// hour feeds one closed hour to the tracks; row is nil when nothing came.
func (d *deriver) hour(h int64, row *quality.HourRow) {
	d.link(h, row)
	bounds := d.Exam.Bounds(h)
	signs := d.Exam.Signs(h)
	for i := range bounds {
		b := &bounds[i]
		var f *quality.FactorHour
		if row != nil {
			f = row.Factor(b.Code)
		}
		d.missing(h, row, f, b)
		d.overHour(h, row, f, b)
		d.instant(h, row, f, b)
		d.beyond(h, row, f, b)
		d.suspicions(h, row, f, b, signs)
	}
}

// still reports whether the source stood still for this factor: a declared
// stop, or marks of the source.
func (d *deriver) still(h int64, row *quality.HourRow, f *quality.FactorHour) bool {
	return d.Exam.Stopped(h) || row != nil && row.Stopped || f != nil && f.NExpected == 0
}

// period is the stretch one measurement stands for: the hour, or the sampling
// period of a station that measures more seldom.
func (d *deriver) period(h int64) (from, to int64) {
	iv := d.Outlet.IntervalAt(instant(h))
	p := int64(iv.Realtime)
	if iv.Minute > 0 {
		p = int64(iv.Minute) * 60
	}
	if p -= mod(p, hourSeconds); p <= hourSeconds {
		return h, h + hourSeconds
	}
	day := dayStart(h)
	from = day + (h-day)/p*p
	return from, min(from+p, day+daySeconds)
}

// link: nothing at all came, though something was due.
func (d *deriver) link(h int64, row *quality.HourRow) {
	from, to := d.period(h)
	c := cell{from: from, to: to, cause: quality.Text{Key: "alarm.cause.nothing"}, severity: d.Rules.at(h)[Link].severity}
	switch {
	case row != nil:
		c.from, c.to, c.verdict = h, h+hourSeconds, good
	case d.Exam.Stopped(h) || !d.served(from, to):
		c.verdict = stop
	case h+hourSeconds < to: // the sampling period is not over
		return
	case d.sampled(from, to):
		return
	case covered(d.Links, from, to): // told by the outage that was seen live
		c.verdict = stop
	default:
		c.verdict = bad
		if touched(d.Down, from, to) {
			c.quiet = QuietPlatform
		}
	}
	d.put(Link, "", "", c)
}

// served reports whether a logger served the outlet in a period.
func (d *deriver) served(from, to int64) bool {
	return len(d.Served) == 0 || touched(d.Served, from, to)
}

// sampled reports whether any hour of a sampling period has data.
func (d *deriver) sampled(from, to int64) bool {
	for h := from; h < to; h += hourSeconds {
		if d.Exam.Hour(h) != nil {
			return true
		}
	}
	return false
}

// covered reports whether an outage spans the period, give or take the hours it
// began and ended in.
func covered(outages []Outage, from, to int64) bool {
	return slices.ContainsFunc(outages, func(s Outage) bool {
		return s.From.Unix() <= from+hourSeconds && (s.To.IsZero() || s.To.Unix() >= to-hourSeconds)
	})
}

func touched(spans []Span, from, to int64) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return s.touches(from, to) })
}

// missing: the hour has data, but not enough of this factor.
func (d *deriver) missing(h int64, row *quality.HourRow, f *quality.FactorHour, b *quality.Bound) {
	if row == nil {
		if d.Exam.Stopped(h) || !d.served(h, h+hourSeconds) {
			d.put(Missing, b.Code, "hour", cell{from: h, to: h + hourSeconds, verdict: stop})
		} else if from, to := d.period(h); to-from <= hourSeconds {
			d.put(Missing, b.Code, "hour", cell{from: h, to: h + hourSeconds})
		}
		return
	}
	c := cell{from: h, to: h + hourSeconds, severity: d.Rules.at(h)[Missing].severity}
	stops, care := d.Exam.Marks(h)
	switch {
	case d.still(h, row, f):
		c.verdict = stop
	case f == nil || f.NSeen == 0:
		c.verdict, c.weight = bad, 60
		c.cause = quality.Text{Key: "alarm.cause.no_value"}
	case f.Valid:
		c.verdict = good
	case slices.Contains(d.Rules.at(h)[AboveRange].marks, f.Flag): // measured, but beyond the range: another kind
	default:
		c.verdict, c.weight, c.flag = bad, float64(60-f.NValid), f.Flag
		c.value = quality.Some(float64(f.NValid))
		c.cause = quality.Text{Key: "alarm.cause.few_minutes", Args: map[string]string{
			"need": strconv.Itoa(d.Exam.MinValid(h)), "flag": f.Flag,
		}}
		switch {
		case slices.Contains(care, f.Flag):
			c.quiet = QuietMaintenance
		case slices.Contains(stops, f.Flag):
			c.quiet = QuietStop
		}
	}
	if c.verdict == bad && c.quiet == "" && touched(d.Down, c.from, c.to) {
		c.quiet = QuietPlatform
	}
	d.put(Missing, b.Code, "hour", c)
}

// kindOf tells limits that are a range, or a lower bound, from upper ones.
func kindOf(l quality.LimitRef) Kind {
	if l.Op == "<=" {
		return Over
	}
	return Range
}

// exceeds makes the cell of a value against its limit.
func (d *deriver) exceeds(c cell, v quality.Opt, folded bool, l quality.LimitRef, evidence bool) cell {
	j := quality.JudgeExceed(v.V, l)
	if !j.Exceeds {
		c.verdict = good
		return c
	}
	r := d.Rules.at(c.from)[Over]
	c.verdict, c.value, c.folded, c.limit, c.times, c.severity = bad, v, folded, l, j.Times, r.warning
	if evidence {
		c.severity = r.severity
	}
	c.weight = v.V
	key := "alarm.cause.over"
	switch l.Op {
	case "range":
		key = "alarm.cause.range"
		c.weight = max(v.V-l.Hi.V, l.Lo.V-v.V)
	case ">=":
		key = "alarm.cause.below"
		c.weight = l.Lo.V - v.V
	}
	c.weight += 1e9 // a measured excess always outweighs nothing
	c.cause = quality.Text{Key: key}
	return c
}

func isFolded(b quality.Basis) bool {
	return b == quality.BasisFolded || b == quality.BasisReportedFolded
}

// overHour: a valid hour over its limit.
func (d *deriver) overHour(h int64, row *quality.HourRow, f *quality.FactorHour, b *quality.Bound) {
	if b.Hour.IsZero() {
		return
	}
	c := cell{from: h, to: h + hourSeconds}
	limit, evidence := b.Hour, false
	if f != nil {
		limit, evidence = f.Limit, f.Evidence
	}
	switch {
	case d.still(h, row, f):
		c.verdict = stop
		if f != nil && f.Valid && f.Judged.OK && !limit.IsZero() {
			if x := d.exceeds(c, f.Judged, isFolded(f.Basis), limit, evidence); x.verdict == bad {
				c, c.quiet = x, QuietStop
			}
		}
	case f == nil || !f.Valid || !f.Judged.OK || limit.IsZero():
	default:
		if x := d.exceeds(c, f.Judged, isFolded(f.Basis), limit, evidence); x.verdict != bad || !f.Exempt() {
			c = x // an exempt excess says nothing, neither good nor bad
		}
	}
	d.put(kindOf(b.Hour), b.Code, "hour", c)
}

// instant: single values of the hour over a limit of single values. The row
// keeps the smallest and the largest of the valid ones.
func (d *deriver) instant(h int64, row *quality.HourRow, f *quality.FactorHour, b *quality.Bound) {
	if b.Instant.IsZero() || !b.InstantEvidence {
		return
	}
	c := cell{from: h, to: h + hourSeconds}
	switch {
	case d.still(h, row, f):
		c.verdict = stop
	case f == nil || f.NValid == 0 || !f.Min.OK || !f.Max.OK:
	default:
		c = d.exceeds(c, f.Max, false, b.Instant, true)
		if low := d.exceeds(cell{from: h, to: h + hourSeconds}, f.Min, false, b.Instant, true); low.verdict == bad && (c.verdict != bad || low.weight > c.weight) {
			c = low
		}
	}
	d.put(kindOf(b.Instant), b.Code, "instantaneous", c)
}

// day: a valid day over its limit.
func (d *deriver) day(day int64, row *quality.DayRow) {
	for _, b := range d.Exam.Bounds(day) {
		if b.Day.IsZero() {
			continue
		}
		c := cell{from: day, to: day + daySeconds}
		if row != nil {
			if f := row.Factor(b.Code); f != nil && f.Valid && f.Judged.OK && !f.Limit.IsZero() {
				c = d.exceeds(c, f.Judged, isFolded(f.Basis), f.Limit, f.Evidence)
			}
		}
		if c.verdict == none && d.stoppedAllDay(day) {
			c.verdict = stop
		}
		d.put(kindOf(b.Day), b.Code, "day", c)
	}
}

func (d *deriver) stoppedAllDay(day int64) bool {
	for h := day; h < day+daySeconds; h += hourSeconds {
		if !d.Exam.Stopped(h) {
			return false
		}
	}
	return true
}

// beyond: mark T, or a value outside the measuring range of the registry.
func (d *deriver) beyond(h int64, row *quality.HourRow, f *quality.FactorHour, b *quality.Bound) {
	c := cell{from: h, to: h + hourSeconds}
	r := d.Rules.at(h)[AboveRange]
	switch {
	case d.still(h, row, f):
		c.verdict = stop
	case f == nil || f.NSeen == 0:
	case slices.Contains(r.marks, f.Flag):
		c.verdict, c.weight, c.flag, c.severity = bad, 1e9, f.Flag, r.severity
		c.cause = quality.Text{Key: "alarm.cause.over_range_mark", Args: map[string]string{"flag": f.Flag}}
	case b.RangeHi.OK && f.Max.OK && f.Max.V > b.RangeHi.V:
		c.verdict, c.weight, c.value, c.severity = bad, f.Max.V-b.RangeHi.V, f.Max, r.severity
		c.cause = quality.Text{Key: "alarm.cause.over_range", Args: map[string]string{"range": quality.Num(b.RangeHi.V)}}
	case b.RangeLo.OK && f.Min.OK && f.Min.V < b.RangeLo.V && (f.Min.V >= 0 || b.RangeLo.V < 0): // below zero is another kind
		c.verdict, c.weight, c.value, c.severity = bad, b.RangeLo.V-f.Min.V, f.Min, r.severity
		c.cause = quality.Text{Key: "alarm.cause.under_range", Args: map[string]string{"range": quality.Num(b.RangeLo.V)}}
	case f.Valid:
		c.verdict = good
	}
	d.put(AboveRange, b.Code, "hour", c)
}

// suspicions: what the suspect.* rules say of the hour.
func (d *deriver) suspicions(h int64, row *quality.HourRow, f *quality.FactorHour, b *quality.Bound, signs []quality.StateResult) {
	clear := cell{from: h, to: h + hourSeconds}
	switch {
	case d.still(h, row, f):
		clear.verdict = stop
	case f != nil && f.Valid:
		clear.verdict = good
	}
	found := map[Kind]cell{}
	for i := range signs {
		s := &signs[i]
		if s.Factor != b.Code || clear.verdict == stop {
			continue
		}
		k, ok := signKinds[s.Reason.Key]
		if !ok {
			continue
		}
		if k == Reported && s.Folded {
			k = Folding
		}
		c := clear
		c.verdict, c.value, c.folded, c.limit, c.severity = bad, s.Value, s.Folded, s.Limit, d.Rules.at(h)[k].severity
		c.cause = quality.Text{Key: "alarm.cause." + string(k), Args: s.Reason.Args}
		switch k {
		case Constant:
			c.since, c.weight = s.Since.Unix(), float64(h) // the last one knows how long it has been
		case Negative:
			c.weight = -s.Value.V
		default:
			if f != nil && f.DiffPct.OK {
				c.weight = math.Abs(f.DiffPct.V)
			}
		}
		found[k] = c
	}
	for _, k := range []Kind{Constant, Negative, Folding, Reported} {
		if c, ok := found[k]; ok {
			d.put(k, b.Code, "hour", c)
		} else {
			d.put(k, b.Code, "hour", clear)
		}
	}
}

// signKinds are the alarms that the suspicions of quality raise.
var signKinds = map[string]Kind{"reason.constant": Constant, "reason.negative": Negative, "reason.mismatch": Reported}

// flat: the valid hour means of the last days hardly differ.
func (d *deriver) flat(day, first int64) {
	r := d.Rules.at(day)[Flat]
	from, to := day-int64(r.days-1)*daySeconds, day+daySeconds
	if from < first {
		return // not watched for so long
	}
	for _, b := range d.Exam.Bounds(day) {
		if !b.Limited() || d.Exam.Ignored(day, b.Code) {
			continue
		}
		c := cell{from: day, to: to, since: from}
		lo, hi, sum := math.Inf(1), math.Inf(-1), 0.0
		n, due := 0, 0
		for h := from; h < to; h += hourSeconds {
			if p, _ := d.period(h); p != h {
				continue // measured more seldom
			}
			var f *quality.FactorHour
			row := d.Exam.Hour(h)
			if row != nil {
				f = row.Factor(b.Code)
			}
			if d.still(h, row, f) {
				continue
			}
			if due++; f != nil && f.Valid && f.Mean.OK {
				n, sum, lo, hi = n+1, sum+f.Mean.V, min(lo, f.Mean.V), max(hi, f.Mean.V)
			}
		}
		switch {
		case due == 0:
			c.verdict = stop
		case float64(n)*100 < r.minPercent*float64(due) || n < 2:
		case hi <= max(0, b.Detection.V): // at the detection limit nothing has to vary
			c.verdict = good
		case (hi-lo)/math.Abs(sum/float64(n))*100 < r.percent:
			pct := (hi - lo) / math.Abs(sum/float64(n)) * 100
			c.verdict, c.value, c.weight, c.severity = bad, quality.Some(pct), float64(day), r.severity
			c.cause = quality.Text{Key: "alarm.cause.flat", Args: map[string]string{
				"days": strconv.Itoa(r.days), "percent": quality.Num(pct), "lo": quality.Num(lo), "hi": quality.Num(hi),
			}}
		default:
			c.verdict = good
		}
		d.put(Flat, b.Code, "hour", c)
	}
}
