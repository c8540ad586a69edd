package quality

import (
	"slices"
	"time"

	"plateau/internal/telemetry"
)

func unix(at int64) time.Time { return time.Unix(at, 0).UTC() }

// dateOf is the Beijing date of an instant, YYYY-MM-DD.
func dateOf(at int64) string { return time.Unix(at+beijing, 0).UTC().Format("2006-01-02") }

// day computes a day from its hours (any number of them, by time) and the
// 2031 record. hoursUntil bounds the hours that are due: the end of the day
// for a stored row, "now" for a running view.
func (b *builder) day(at int64, hours []HourRow, hoursUntil int64) (DayRow, error) {
	pl := b.plans(at)
	row := DayRow{Outlet: b.o.ID, At: at, Rules: pl.p.digest}
	rep := map[string]*Reported{}
	err := b.src.Records(b.o.ID, telemetry.KindDay, at, at+daySeconds, func(r *telemetry.Record) bool {
		row.Revised = row.Revised || r.Revised
		for i := range r.Values {
			v := &r.Values[i]
			code := v.Code
			if _, ok := pl.index[code]; !ok {
				code = canon(code)
			}
			if rep[code] == nil {
				rep[code] = &Reported{}
			}
			rep[code].take(v, b.o.MissingFlagIsN)
		}
		return true
	})
	if err != nil {
		return row, err
	}
	due := dueHours(b.o, at, hoursUntil)
	row.Flow, row.FlowBy = pl.dayFlow(hours)
	var temp Opt
	codes := dayCodes(pl, hours)
	if i := pl.temp; i >= 0 {
		temp = DayMean(&pl.p.gasDay, means(hours, pl.factors[i].code)).Mean
	}
	for _, code := range codes {
		i, ok := pl.index[code]
		if !ok {
			i = pl.add(b.limit, code, nil)
		}
		f, r := pl.dayFactor(i, hours, due, temp, rep[code])
		pl.totals(i, &f, r, &row)
		row.Factors = append(row.Factors, f)
	}
	return row, nil
}

// dayCodes lists the registered factors, then the others met, by code.
func dayCodes(pl *plan, hours []HourRow) []string {
	var known, extra []string
	for i := range pl.factors {
		if pl.factors[i].required {
			known = append(known, pl.factors[i].code)
		}
	}
	for i := range hours {
		for k := range hours[i].Factors {
			if c := hours[i].Factors[k].Code; !slices.Contains(known, c) && !slices.Contains(extra, c) {
				extra = append(extra, c)
			}
		}
	}
	slices.Sort(extra)
	return append(known, extra...)
}

// dueHours lists the hours of the day that were to be measured: all but those
// a declared or marked stop covers, up to until.
func dueHours(o *telemetry.Outlet, day, until int64) []int64 {
	var out []int64
	for h := day; h < day+daySeconds && h < until; h += hourSeconds {
		if !stopped(o, h) {
			out = append(out, h)
		}
	}
	return out
}

func means(hours []HourRow, code string) []Opt {
	out := make([]Opt, 0, len(hours))
	for i := range hours {
		if f := hours[i].Factor(code); f != nil {
			out = append(out, f.Mean)
		}
	}
	return out
}

// dayFactor computes one factor of the day, and tells how its mean (of gas: the
// one that was not folded) came about.
func (pl *plan) dayFactor(i int, hours []HourRow, due []int64, temp Opt, rep *Reported) (FactorDay, MeanResult) {
	fp := &pl.factors[i]
	f := FactorDay{Code: fp.code}
	if rep != nil {
		f.Reported = *rep
	}
	byHour := make([]*FactorHour, len(due))
	for k := range hours {
		fh := hours[k].Factor(fp.code)
		if fh == nil || fh.NSeen == 0 {
			continue
		}
		f.NSeen++
		if x := slices.Index(due, hours[k].At); x >= 0 {
			byHour[x] = fh
		}
	}
	var r MeanResult
	if pl.outlet.Medium == telemetry.Gas {
		r = pl.gasDay(fp, byHour, &f)
	} else {
		r = pl.waterDay(fp, hours, due, byHour, &f)
	}
	f.NValid, f.Valid, f.Mean, f.Flow = r.NValid, r.Valid, r.Mean, r.Flow
	if pl.outlet.Medium == telemetry.Gas {
		f.Total = sumRates(byHour)
	}
	for _, h := range byHour {
		if h == nil || !h.Valid {
			continue
		}
		if h.Min.OK && (!f.Min.OK || h.Min.V < f.Min.V) {
			f.Min = h.Min
		}
		if h.Max.OK && (!f.Max.OK || h.Max.V > f.Max.V) {
			f.Max = h.Max
		}
	}
	lim := pl.limitFor(i, true, temp)
	f.Limit, f.Evidence = lim.LimitRef, lim.evidence
	own := f.Reported
	if slices.ContainsFunc(byHour, func(h *FactorHour) bool { return h != nil && h.touched() }) {
		own = Reported{} // the logger's day knows nothing of marks and corrections
	}
	base, reported := f.Mean, f.Reported.Avg
	if fp.refO2.OK && f.Reported.ZsAvg.OK && f.Folded.OK {
		base, reported = f.Folded, f.Reported.ZsAvg
	}
	if f.Valid {
		f.Judged, f.Basis = pl.choose(fp, f.Mean, f.Folded, own)
		if v := pl.validatedDay(fp, byHour); v.OK && f.Basis != BasisNone {
			f.Judged, f.Basis = v, BasisValidated
		}
		if own.There {
			f.DiffPct, f.Mismatch = pl.compare(reported, base, f.Limit, f.Reported)
		}
	} else {
		f.Reasons = append(f.Reasons, "reason.day_not_valid")
		if f.NValid > 0 && f.NValid == f.NExpected {
			// Measured all the time it ran: the plant is not to blame.
			f.Reasons = append(f.Reasons, "reason.short_running")
		}
	}
	if f.Mismatch {
		f.Reasons = append(f.Reasons, "reason.mismatch")
	}
	if slices.ContainsFunc(byHour, func(h *FactorHour) bool { return h != nil && h.Valid && h.Exempt() }) {
		f.Reasons = append(f.Reasons, ReasonDayExempt)
	}
	if f.Judged.OK && !f.Limit.IsZero() {
		j := JudgeExceed(f.Judged.V, f.Limit)
		if f.Over = j.Exceeds; f.Over {
			f.Times = j.Times
		}
	}
	return f, r
}

// gasDay: arithmetic mean of valid hours; folded values count where both the
// hour and its folding are good.
func (pl *plan) gasDay(fp *factorPlan, byHour []*FactorHour, f *FactorDay) MeanResult {
	plain, folded := make([]Opt, 0, 24), make([]Opt, 0, 24)
	if pl.setup.Profile == telemetry.ProfileIED {
		return pl.shortTermDay(fp, byHour, f)
	}
	exempt := 0
	for _, h := range byHour {
		if h == nil {
			f.NExpected++
			continue
		}
		if h.NExpected > 0 {
			f.NExpected++
		}
		switch {
		case !h.Valid:
		case h.Exempt():
			exempt++
		default:
			plain, folded = append(plain, h.Mean), append(folded, h.Folded)
		}
	}
	if fp.refO2.OK {
		if r := pl.withExempt(DayMean(&pl.p.gasDay, folded), exempt); r.Mean.OK {
			f.Folded = r.Mean
			if !r.Valid && pl.withExempt(MeanResult{NValid: len(plain)}, exempt).NValid >= pl.p.gasDay.MinHours {
				f.Folded = Opt{} // enough hours, but too few of them could be folded
			}
		}
	}
	return pl.withExempt(DayMean(&pl.p.gasDay, plain), exempt)
}

// withExempt counts valid hours that a mark exempts for the validity of a day
// whose mean leaves them out (Order 10 of 2019), where the rule says so. A day
// of nothing but exempt hours has no mean and is not valid.
func (pl *plan) withExempt(r MeanResult, exempt int) MeanResult {
	if exempt > 0 && pl.p.marks.DayCounts {
		r.NValid += exempt
		r.Valid = r.Mean.OK && r.NValid >= pl.p.gasDay.MinHours
	}
	return r
}

// waterDay: rows of hours weighed by flow.
func (pl *plan) waterDay(fp *factorPlan, hours []HourRow, due []int64, byHour []*FactorHour, f *FactorDay) MeanResult {
	rows := pl.waterRows(fp, hours, due, byHour)
	var r MeanResult
	if fp.role == pl.p.phFactor {
		r = PHMean(&pl.p.waterDay, rows)
	} else {
		r = WaterDay(&pl.p.waterDay, rows)
	}
	f.NExpected = r.Expected
	// In a declared stop no value was due, but what flowed all the same has flowed.
	for i := range hours {
		if q := pl.flowAt(fp, hours, hours[i].At); hours[i].Stopped && q.known {
			r.Flow = Some(r.Flow.V + q.m3)
		}
	}
	return r
}

// shortTermDay: mean of the valid half-hours; a day that lost too many is not
// valid.
func (pl *plan) shortTermDay(fp *factorPlan, byHour []*FactorHour, f *FactorDay) MeanResult {
	plain, folded := make([]ShortTermHour, len(byHour)), make([]ShortTermHour, len(byHour))
	for i, h := range byHour {
		x := ShortTermHour{Due: pl.hourRule.part.N}
		switch {
		case h == nil:
			f.NExpected++
		case h.NExpected == 0 || h.Exempt():
			x.Due = 0
		default:
			f.NExpected++
			x.Valid = h.Parts
		}
		plain[i], folded[i] = x, x
		if h != nil && h.Valid && !h.Exempt() {
			plain[i].Value, folded[i].Value = h.Mean, h.Folded
		}
		if !folded[i].Value.OK { // what cannot be folded is discarded
			folded[i].Valid = 0
		}
	}
	r, _ := ShortTermDay(&pl.p.shortTerm, plain)
	if fp.refO2.OK {
		if x, _ := ShortTermDay(&pl.p.shortTerm, folded); x.Mean.OK && (x.Valid || !r.Valid) {
			f.Folded = x.Mean
		}
	}
	return r
}

// validatedDay is the mean of the validated hours of a day, weighed by their
// half-hours; missing where the profile takes no confidence interval off.
func (pl *plan) validatedDay(fp *factorPlan, byHour []*FactorHour) Opt {
	if !pl.confidence(fp).OK {
		return Opt{}
	}
	var hours []ShortTermHour
	for _, h := range byHour {
		if h != nil && h.NExpected > 0 && h.Judged.OK && !h.Exempt() {
			hours = append(hours, ShortTermHour{Value: h.Judged, Valid: h.Parts})
		}
	}
	m, _ := ShortTermDay(&pl.p.shortTerm, hours)
	return m.Mean
}

// sumRates is the emission of a day of gas, kg: of the hours that have a rate.
func sumRates(byHour []*FactorHour) Opt {
	var sum Opt
	for _, h := range byHour {
		if h != nil && h.Rate.OK {
			sum = Some(sum.V + h.Rate.V)
		}
	}
	return sum
}

// totals completes a factor of a day of water: its mass is the mean times all
// that flowed. The flow as it was weighed with stands in for the day's where
// the latter is not known by hours: a sample of several hours.
func (pl *plan) totals(i int, f *FactorDay, r MeanResult, row *DayRow) {
	fp := &pl.factors[i]
	if pl.outlet.Medium == telemetry.Gas {
		return
	}
	switch {
	case row.FlowBy == FlowTotaliser && f.Flow.OK:
		f.Flow = row.Flow
	case f.Flow.OK && (!row.Flow.OK || f.Flow.V > row.Flow.V):
		row.Flow = f.Flow
	}
	if r.Valid && r.Mean.OK && f.Flow.OK && fp.toMg > 0 && fp.role != pl.p.phFactor { // a temperature has no mass
		f.Total = Some(WaterTotal(r.Mean.V*fp.toMg, f.Flow.V))
	}
}

// dayFlow is what left the outlet in the day, m3: of gas not in hours of a
// declared stop, in which no emission is counted; of water all that was measured.
func (pl *plan) dayFlow(hours []HourRow) (Opt, FlowSource) {
	if pl.outlet.Medium != telemetry.Gas {
		if q := pl.totaliser(hours); q.OK {
			return q, FlowTotaliser
		}
	}
	var sum Opt
	by := FlowNone
	for i := range hours {
		if h := &hours[i]; h.Flow.OK && (!h.Stopped || pl.outlet.Medium != telemetry.Gas) {
			sum, by = Some(sum.V+h.Flow.V), h.FlowBy
		}
	}
	return sum, by
}

// totaliser is the difference of the totaliser over the day: from the first
// reading of its first hour to the last one of its last hour. Without a reading
// in both, or where it went back in between, there is none.
func (pl *plan) totaliser(hours []HourRow) Opt {
	i, ok := pl.index[pl.p.waterDay.Totaliser]
	if !ok || len(hours) == 0 {
		return Opt{}
	}
	day := dayStart(hours[0].At)
	var first, last Opt
	var end int64
	for k := range hours {
		f := hours[k].Factor(pl.factors[i].code)
		if f == nil || !f.Min.OK || !f.Max.OK {
			continue
		}
		if last.OK && f.Min.V < last.V || !first.OK && hours[k].At != day {
			return Opt{}
		}
		if !first.OK {
			first = f.Min
		}
		last, end = f.Max, hours[k].At
	}
	if !first.OK || end != day+daySeconds-hourSeconds {
		return Opt{}
	}
	return Some(last.V - first.V)
}

// waterRows lists what was due: an hour each, or a sampling period where a
// sample covers several hours (a plant that samples every 2 h owes 12).
func (pl *plan) waterRows(fp *factorPlan, hours []HourRow, due []int64, byHour []*FactorHour) []WaterRow {
	rows := make([]WaterRow, 0, len(due))
	for x := 0; x < len(due); {
		end := sampleEnd(pl.outlet, due[x])
		var (
			row                     WaterRow
			n, rates                int
			rate, amount            float64
			owed, still, amountSeen bool
		)
		for ; x < len(due) && due[x] < end; x++ {
			n++
			q := pl.flowAt(fp, hours, due[x])
			switch {
			case q.amount:
				amount, amountSeen = amount+q.m3, true
			case q.known:
				rate, rates = rate+q.m3, rates+1
			}
			h := byHour[x]
			switch {
			case h == nil: // the sample of the period may lie in another hour
				owed = owed || q.m3 > 0
				continue
			case h.NExpected == 0 && q.m3 <= 0:
				still = true // source stopped; water that runs all the same is due
				continue
			}
			owed = true
			if h.Mean.OK && !row.Valid {
				row.C, row.Valid = h.Mean, h.Valid
			}
		}
		switch {
		case amountSeen:
			row.Q = amount
		case rates > 0: // measured with the sample, it stands for the whole period
			row.Q = rate * float64(n) / float64(rates)
		default:
			row.QUnknown = true
		}
		if owed || !still {
			rows = append(rows, row)
		}
	}
	return rows
}

// sampleEnd is the end of the sampling period that the hour falls in, counted
// from the start of its day.
func sampleEnd(o *telemetry.Outlet, hour int64) int64 {
	iv := o.IntervalAt(unix(hour))
	period := int64(iv.Realtime)
	if iv.Minute > 0 {
		period = int64(iv.Minute) * 60
	}
	period = max(period-period%hourSeconds, hourSeconds)
	day := dayStart(hour)
	return day + ((hour-day)/period+1)*period
}

// water is what flowed in an hour, m3: an amount, or a rate over the hour.
type water struct {
	m3            float64
	known, amount bool
}

// flowAt is the water of an hour that weighs the factor.
func (pl *plan) flowAt(fp *factorPlan, hours []HourRow, at int64) water {
	if pl.flow < 0 || fp.code == pl.factors[pl.flow].code || fp.role == pl.p.nh3.temperature {
		return water{}
	}
	k := slices.IndexFunc(hours, func(h HourRow) bool { return h.At == at })
	if k < 0 {
		return water{}
	}
	return flowOf(&pl.factors[pl.flow], hours[k].Factor(pl.factors[pl.flow].code))
}

// flowOf is the amount of water as reported, else the mean flow over the hour.
func flowOf(fp *factorPlan, h *FactorHour) water {
	switch {
	case h == nil:
	case h.Cou.OK:
		return water{h.Cou.V, true, true}
	case h.Mean.OK:
		if k, ok := perHour[plainUnit.Replace(fp.unit)]; ok {
			return water{h.Mean.V * k, true, false}
		}
	}
	return water{}
}
