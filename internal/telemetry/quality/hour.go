package quality

import (
	"math"
	"slices"
	"strings"
	"sync"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

const (
	hourSeconds = 3600
	daySeconds  = 86400
	// beijing is the offset of the one clock of all stations, UTC+8, no summer time.
	beijing = 8 * hourSeconds
)

func hourStart(at int64) int64 { return at - mod(at, hourSeconds) }

// dayStart is the start of the Beijing day that at falls in.
func dayStart(at int64) int64 { return at - mod(at+beijing, daySeconds) }

func mod(a, m int64) int64 { return (a%m + m) % m }

// Records reads series; *store.Store is one.
type Records interface {
	// Records calls fn in order of time with the merged records of [from, to).
	// The record is reused between calls.
	Records(outlet telemetry.OutletID, kind telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
}

// successors maps the factor codes of 2005 to those of 2017.
var successors = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for code, f := range hj212.Factors() {
		if to, ok := strings.CutPrefix(f.Note, "successor "); ok && code == f.Old {
			to, _, _ = strings.Cut(to, ";")
			m[code] = strings.TrimSpace(to)
		}
	}
	return m
})

// canon is the code of 2017 of a factor; a code without successor stays.
func canon(code string) string {
	if c, ok := successors()[code]; ok {
		return c
	}
	return code
}

// reading is one factor of a record, reduced to what judging needs.
type reading struct {
	factor int
	mark   int
	v      Opt
	cou    Opt
}

// builder computes the hours of one outlet. It is used by one goroutine and
// reuses its memory.
type builder struct {
	src   Records
	plans func(day int64) *plan
	o     *telemetry.Outlet
	limit limitSource

	ledgers map[ledgerKey]*ledger // of quotas
}

// hourWork is an hour under construction.
type hourWork struct {
	row      *HourRow
	plan     *plan
	acc      []hourAcc
	cou      []Opt
	reported []Reported
	inTime   []bool // by factor: a value came while data may still be sent again
	moisture Opt    // fraction of the volume
	revised  bool
	any      bool
	sampled  int64 // seconds that samples stand for

	marks  *hourMarks     // nil = none bears on the hour
	before map[string]Opt // means before they were corrected, by factor
}

func (w *hourWork) factor(b *builder, code string) int {
	i, ok := w.plan.index[code]
	if !ok {
		if code = canon(code); code == "" {
			return -1
		}
		if i, ok = w.plan.index[code]; !ok {
			if len(w.plan.factors) >= maxFactors || !isFactorCode(code) {
				return -1
			}
			i = w.plan.add(b.limit, code, nil)
		}
	}
	for len(w.acc) <= i {
		w.acc = append(w.acc, hourAcc{})
		w.cou = append(w.cou, Opt{})
		w.reported = append(w.reported, Reported{})
		w.inTime = append(w.inTime, false)
	}
	return i
}

// maxFactors bounds the factors of one outlet against senders of ever new codes.
const maxFactors = 200

// isFactorCode refuses equipment items (SB1-RS and the like).
func isFactorCode(code string) bool {
	_, ok := hj212.LookupFactor(code)
	return ok
}

// hours computes the hours [from, to) (multiples of 3600) from what the store
// holds up to DataTime until (exclusive). The same records and rules give the
// same rows whatever the order of arrival.
func (b *builder) hours(from, to, until int64) ([]HourRow, error) {
	work, rows, err := b.gather(from, to, until)
	if err != nil {
		return nil, err
	}
	for i := range work {
		if err := b.exemption(&work[i]); err != nil {
			return nil, err
		}
		work[i].finish(b)
	}
	return rows, nil
}

// gather reads the records of hours and sums them, factor by factor.
func (b *builder) gather(from, to, until int64) ([]hourWork, []HourRow, error) {
	n := int((to - from) / hourSeconds)
	work := make([]hourWork, n)
	rows := make([]HourRow, n)
	for i := range work {
		at := from + int64(i)*hourSeconds
		pl := b.plans(dayStart(at))
		rows[i] = HourRow{Outlet: b.o.ID, At: at, Stopped: stopped(b.o, at), Rules: pl.p.digest}
		work[i] = hourWork{row: &rows[i], plan: pl, marks: b.marksOf(at, pl)}
		if k := len(pl.factors); k > 0 {
			work[i].acc, work[i].cou, work[i].reported, work[i].inTime = make([]hourAcc, k), make([]Opt, k), make([]Reported, k), make([]bool, k)
		}
	}
	end := min(to, until)
	if err := b.reported(work, from, end); err != nil {
		return nil, nil, err
	}
	if err := b.cover(work, from, end, telemetry.KindMinute); err != nil {
		return nil, nil, err
	}
	if need := func(w *hourWork) bool { return !w.any && b.realtimeFirst(w.row.At) }; slices.ContainsFunc(ptrs(work), need) {
		if err := b.realtime(work, need, from, end); err != nil {
			return nil, nil, err
		}
	}
	for i := range work {
		work[i].takeReported()
	}
	if need := func(w *hourWork) bool { return !w.any }; slices.ContainsFunc(ptrs(work), need) {
		if err := b.realtime(work, need, from, end); err != nil {
			return nil, nil, err
		}
	}
	for i := range work {
		work[i].correct(b)
	}
	return work, rows, nil
}

func ptrs(ws []hourWork) []*hourWork {
	out := make([]*hourWork, len(ws))
	for i := range ws {
		out[i] = &ws[i]
	}
	return out
}

// realtimeFirst: no minute records are expected, real-time ones stand in.
func (b *builder) realtimeFirst(at int64) bool {
	return b.o.IntervalAt(unix(at)).Minute == 0
}

// realtime covers the hours that need it, run by run.
func (b *builder) realtime(work []hourWork, need func(*hourWork) bool, from, end int64) error {
	for i := 0; i < len(work); {
		if !need(&work[i]) {
			i++
			continue
		}
		k := i + 1
		for k < len(work) && need(&work[k]) {
			k++
		}
		lo := from + int64(i)*hourSeconds
		hi := min(from+int64(k)*hourSeconds, end)
		if err := b.cover(work[i:k], lo, hi, telemetry.KindRealtime); err != nil {
			return err
		}
		i = k
	}
	return nil
}

// reported reads the 2061 records.
func (b *builder) reported(work []hourWork, from, end int64) error {
	return b.src.Records(b.o.ID, telemetry.KindHour, from, end, func(r *telemetry.Record) bool {
		w := &work[(r.At-from)/hourSeconds]
		w.revised = w.revised || r.Revised
		inTime := w.cameInTime(r)
		for i := range r.Values {
			v := &r.Values[i]
			k := w.factor(b, v.Code)
			if k < 0 {
				continue
			}
			rep := &w.reported[k]
			rep.take(v, b.o.MissingFlagIsN)
			w.inTime[k] = w.inTime[k] || inTime && v.IsNum
		}
		return true
	})
}

func (rep *Reported) take(v *telemetry.Value, missingIsN bool) {
	rep.There = true
	rep.Flag = v.Flag
	if v.Flag == "" && missingIsN {
		rep.Flag = "N"
	}
	if !v.IsNum {
		return
	}
	x := Some(v.Dec.Float())
	switch v.Suffix {
	case "Avg":
		rep.Avg = x
	case "ZsAvg":
		rep.ZsAvg = x
	case "Min":
		rep.Min = x
	case "Max":
		rep.Max = x
	case "Cou":
		rep.Cou = x
	}
}

// span is how many seconds the record at `at` stands for: at most s, and not
// beyond the next record of its hour. Where a gap or the end follows, a sender
// that proved at least twice as dense as its setting by the record before is
// not credited with the whole setting. Only records of the same hour matter, so
// that hours can be judged one by one.
func span(at, before, next, setting, s int64) int64 {
	start := hourStart(at)
	switch {
	case next < start+hourSeconds && next-at <= s:
		return next - at
	case before >= start && 2*(at-before) <= setting:
		return min(s, at-before)
	}
	return s
}

// cover adds minute or real-time records, each for its span.
func (b *builder) cover(work []hourWork, from, end int64, kind telemetry.Kind) error {
	var (
		pend     []reading
		pendAt   int64
		pendWork *hourWork
	)
	before := int64(math.MinInt64)
	flush := func(next int64) {
		if pendWork == nil {
			return
		}
		iv := b.o.IntervalAt(unix(pendAt))
		secs := int64(iv.Realtime)
		if kind == telemetry.KindMinute {
			if secs = int64(iv.Minute) * 60; secs == 0 {
				secs = 60 // sent all the same: a minute at least
			}
		}
		if secs == 0 {
			secs = 60
		}
		// The mean of a minute record begins at its DataTime and ends with the
		// hour. A sample has no such period: what its interval lost at the end of
		// the hour before counts for the part before the first one, so that a
		// plant that samples every two hours at twenty past has whole hours.
		var seconds int64
		if kind == telemetry.KindRealtime {
			seconds = min(span(pendAt, before, next, secs, min(secs, hourSeconds)), hourSeconds-pendWork.sampled)
			pendWork.sampled += seconds
		} else {
			seconds = span(pendAt, before, next, secs, min(secs, hourStart(pendAt)+hourSeconds-pendAt))
		}
		before = pendAt
		for i := range pend {
			r := &pend[i]
			if kind == telemetry.KindRealtime {
				pendWork.mask(r, pendAt, pendAt+1) // a sample is of its instant
			} else {
				pendWork.mask(r, pendAt, pendAt+seconds)
			}
			a := &pendWork.acc[r.factor]
			a.add(r.mark, float64(seconds), r.v)
			if part := pendWork.plan.hourRule.part; part != nil {
				a.addPart(part, r.mark, float64(pendAt-pendWork.row.At), float64(seconds), r.v)
			}
			if r.cou.OK && r.mark == markN {
				pendWork.cou[r.factor] = Some(pendWork.cou[r.factor].V + r.cou.V)
			}
		}
		pendWork = nil
	}
	err := b.src.Records(b.o.ID, kind, from, end, func(r *telemetry.Record) bool {
		flush(r.At)
		w := &work[(r.At-from)/hourSeconds]
		w.any, w.revised = true, w.revised || r.Revised
		w.row.Source = SourceMinute
		if kind == telemetry.KindRealtime {
			w.row.Source = SourceRealtime
		}
		pend, pendAt, pendWork = w.readings(b, r, pend[:0]), r.At, w
		if w.cameInTime(r) {
			for i := range pend {
				w.inTime[pend[i].factor] = w.inTime[pend[i].factor] || pend[i].v.OK || pend[i].cou.OK
			}
		}
		return true
	})
	flush(math.MaxInt64)
	return err
}

// cameInTime reports whether a record came while data of its hour may still be
// sent again. Of a revised one only the last part's arrival is known: what it
// corrects was there before.
func (w *hourWork) cameInTime(r *telemetry.Record) bool {
	return r.Revised || w.plan.p.tx.LateMarked && !r.RF || r.Received <= (w.row.At+hourSeconds)*1e6+int64(w.plan.p.tx.BackfillDays*daySeconds*1e6)
}

// readings reduces a record to one reading a factor: Avg, else Rtd.
func (w *hourWork) readings(b *builder, r *telemetry.Record, dst []reading) []reading {
	code := ""
	var cur *reading
	for i := range r.Values {
		v := &r.Values[i]
		if v.Code != code || cur == nil {
			code = v.Code
			cur = nil
			k := w.factor(b, code)
			if k < 0 {
				continue
			}
			for j := range dst { // a factor may stand in two places of a frame
				if dst[j].factor == k {
					cur = &dst[j]
				}
			}
			if cur == nil {
				dst = append(dst, reading{factor: k, mark: markMissing})
				cur = &dst[len(dst)-1]
			}
		}
		m := markIndex(v.Flag)
		if v.Flag == "" && b.o.MissingFlagIsN {
			m = markN
		}
		if v.IsNum {
			switch v.Suffix {
			case "Avg":
				cur.v = Some(v.Dec.Float())
			case "Rtd":
				if !cur.v.OK {
					cur.v = Some(v.Dec.Float())
				}
			case "Cou":
				cur.cou = Some(v.Dec.Float())
			}
		}
		cur.mark = m
	}
	for i := range dst {
		if dst[i].mark == markN && !dst[i].v.OK && !dst[i].cou.OK {
			dst[i].mark = markMissing // N without a value is no measurement
		}
	}
	return dst
}

// takeReported stands the logger's own hour in where no minute arrived.
func (w *hourWork) takeReported() {
	if w.any {
		return
	}
	for i := range w.reported {
		rep := &w.reported[i]
		if !rep.There {
			continue
		}
		w.any = true
		w.row.Source = SourceReported
		m := markIndex(rep.Flag)
		if m == markN && !rep.Avg.OK && !rep.Cou.OK {
			m = markMissing
		}
		lost, mark := w.masked(i)
		if lost > 0 {
			w.acc[i].add(mark, float64(lost), Opt{})
			w.marks.touched[i] = ReasonMarked
		}
		w.acc[i].add(m, float64(hourSeconds-lost), rep.Avg)
		if part := w.plan.hourRule.part; part != nil {
			w.acc[i].addPart(part, m, float64(lost), float64(hourSeconds-lost), rep.Avg)
		}
		if rep.Avg.OK && m == markN && lost < hourSeconds {
			w.acc[i].min, w.acc[i].max = orElse(rep.Min, rep.Avg), orElse(rep.Max, rep.Avg)
		}
	}
}

func orElse(a, b Opt) Opt {
	if a.OK {
		return a
	}
	return b
}

// stopped reports whether a declared or marked stop leaves too little of the hour for it
// to be expected: more than a quarter of an hour.
func stopped(o *telemetry.Outlet, at int64) bool {
	var sum int64
	for _, s := range o.Halts() {
		from, to := s.From.Unix(), int64(math.MaxInt64)
		if !s.To.IsZero() {
			to = s.To.Unix()
		}
		if d := min(to, at+hourSeconds) - max(from, at); d > 0 {
			sum += d
		}
	}
	return sum > hourSeconds/4
}

// finish judges every factor of the hour.
func (w *hourWork) finish(b *builder) {
	pl, row := w.plan, w.row
	row.Revised = w.revised
	nox := w.noxPlace(b)
	row.Factors = make([]FactorHour, 0, len(w.acc))
	order := make([]int, 0, len(w.acc))
	for i := range w.acc {
		if pl.factors[i].required || w.acc[i].seen() || w.reported[i].There || i == nox {
			order = append(order, i)
		}
	}
	// Factors the registry does not know are appended to the plan in the order
	// they were met; the row must not depend on that.
	slices.SortStableFunc(order, func(a, b int) int {
		fa, fb := &pl.factors[a], &pl.factors[b]
		switch {
		case fa.required && fb.required:
			return a - b
		case fa.required:
			return -1
		case fb.required:
			return 1
		case fa.code < fb.code:
			return -1
		}
		return 1
	})
	var o2, temp Opt
	o2Valid := false
	if i := pl.o2; i >= 0 && i < len(w.acc) {
		r := w.acc[i].result(pl.hourRule)
		o2, o2Valid = r.Mean, r.Valid
	}
	if i := pl.temp; i >= 0 && i < len(w.acc) {
		temp = w.acc[i].result(pl.hourRule).Mean
	}
	w.moisture = w.wetness()
	row.Flow, row.FlowBy = w.flow()
	dry := w.dry()
	for _, i := range order {
		var r HourResult
		if i == nox {
			r = w.noxResult(i)
		} else {
			r = w.acc[i].result(pl.hourRule)
		}
		f := w.judge(i, r, o2, o2Valid, temp)
		if dry && i != pl.flow && i != pl.temp {
			f.withoutWater()
		}
		row.Factors = append(row.Factors, f)
	}
}

// wetness is the moisture of the hour as a fraction of the volume.
func (w *hourWork) wetness() Opt {
	i := w.plan.moist
	if i < 0 || i >= len(w.acc) {
		return Opt{}
	}
	r := w.acc[i].result(w.plan.hourRule)
	return moistureOf(&w.plan.factors[i], Opt{r.Mean.V, r.Valid && r.Mean.OK})
}

// dry reports whether no waste water ran in the hour: what the analyser shows
// then is no discharge (HJ 356-2019 chapter 6). Both the flow and the amount
// must say so, as far as they are sent.
func (w *hourWork) dry() bool {
	i := w.plan.flow
	if w.plan.outlet.Medium != telemetry.Water || i < 0 || i >= len(w.acc) {
		return false
	}
	rate, amount := w.acc[i].result(w.plan.hourRule).Mean, w.amount(i)
	return (rate.OK || amount.OK) && rate.V <= 0 && amount.V <= 0
}

// amount is what flowed in the hour: as the logger reported it, else the sum of
// its minutes.
func (w *hourWork) amount(i int) Opt {
	if r := &w.reported[i]; r.Flag == marks[markN] && r.Cou.OK && w.reasonOf(i) == "" {
		return r.Cou
	}
	return w.cou[i]
}

// withoutWater takes the verdict back: no value was due.
func (f *FactorHour) withoutWater() {
	f.NExpected, f.Valid, f.Over, f.Mismatch = 0, false, false, false
	f.Judged, f.Basis, f.Times, f.DiffPct = Opt{}, BasisNone, Opt{}, Opt{}
	f.Reasons = []string{"reason.no_flow"}
}

func (a *hourAcc) seen() bool {
	for _, s := range a.seconds {
		if s > 0 {
			return true
		}
	}
	return false
}

// judge completes one factor of the hour.
func (w *hourWork) judge(i int, r HourResult, o2 Opt, o2Valid bool, temp Opt) FactorHour {
	pl := w.plan
	fp := &pl.factors[i]
	f := FactorHour{
		Code: fp.code, Flag: r.Flag, NSeen: int(r.NSeen), NValid: int(r.NValid), NExpected: 60,
		Valid: r.Valid, Mean: r.Mean, Min: r.Min, Max: r.Max, Fold: FoldNotRequired, Reported: w.reported[i],
		InTime: w.inTime[i], Parts: r.Parts,
	}
	f.Cou = w.amount(i)
	if fp.wet && fp.toMg > 0 {
		f.toDry(w.moisture)
	}
	if w.row.Stopped || slices.Contains(pl.p.order.stopped, f.Flag) {
		f.NExpected = 0
	}
	if fp.refO2.OK && f.Mean.OK {
		if f.Valid && !o2Valid {
			o2 = Opt{}
		}
		fold := FoldO2(&pl.p.fold, f.Mean.V, o2, fp.refO2)
		f.Folded, f.Fold = fold.Folded, fold.Status
	}
	lim := pl.limitFor(i, false, temp)
	f.Limit, f.Evidence = lim.LimitRef, lim.evidence
	base := f.Mean
	if f.Wet.OK {
		base = f.Wet // the logger's plain mean is of the gas as it was measured
	}
	rep := f.Reported.Avg
	if fp.refO2.OK && f.Reported.ZsAvg.OK && f.Folded.OK {
		base, rep = f.Folded, f.Reported.ZsAvg
	}
	own := f.Reported
	if !w.asReported(i) {
		own = Reported{}
	}
	if f.Valid && w.row.Source != SourceReported && own.There {
		f.DiffPct, f.Mismatch = pl.compare(rep, base, f.Limit, f.Reported)
	}
	if f.Valid {
		f.Judged, f.Basis = pl.choose(fp, f.Mean, f.Folded, own)
	}
	if c := pl.confidence(fp); c.OK && f.Judged.OK {
		f.Judged, f.Basis = Some(Validated(f.Judged.V, c.V)), BasisValidated
	}
	f.Reasons = hourReasons(&f)
	if r := w.reasonOf(i); r != "" {
		f.Reasons = append(f.Reasons, r)
	}
	f.Rate = w.rate(fp, &f)
	if w.row.Stopped {
		f.Over, f.Evidence = false, false
		return f
	}
	if f.Judged.OK && !f.Limit.IsZero() {
		j := JudgeExceed(f.Judged.V, f.Limit)
		if f.Over = j.Exceeds; f.Over {
			f.Times = j.Times
		}
	}
	w.relieve(fp, &f)
	return f
}

// choose picks the figure to judge: the reported one when its mark is valid
// and the rule says so, else the recomputed one.
func (pl *plan) choose(fp *factorPlan, mean, folded Opt, rep Reported) (Opt, Basis) {
	fold := fp.refO2.OK
	use := pl.p.reported.ByReported && rep.There && slices.Contains(pl.p.reported.ValidMarks, rep.Flag)
	switch {
	case fold && use && rep.ZsAvg.OK && folded.OK:
		return rep.ZsAvg, BasisReportedFolded
	case fold && folded.OK:
		return folded, BasisFolded
	case fold:
		return Opt{}, BasisNone
	case use && rep.Avg.OK && !fp.wet:
		return rep.Avg, BasisReported
	case mean.OK:
		return mean, BasisMean
	}
	return Opt{}, BasisNone
}

// compare gives the difference of reported from recomputed in percent and
// whether the rule objects to it. Small differences beside the limit are
// rounding of the sender; figures without a limit are only shown.
func (pl *plan) compare(rep, base Opt, l LimitRef, r Reported) (Opt, bool) {
	if !rep.OK || !base.OK || !slices.Contains(pl.p.reported.ValidMarks, r.Flag) {
		return Opt{}, false
	}
	d := math.Abs(rep.V - base.V)
	if d == 0 {
		return Some(0), false
	}
	if base.V == 0 {
		return Opt{}, !l.IsZero() && d > pl.p.reported.MinShare*l.scale()
	}
	pct := 100 * d / math.Abs(base.V)
	return Some(pct), !l.IsZero() && pct > pl.p.reported.MaxPercent && d > pl.p.reported.MinShare*l.scale()
}

// scale is the size of a limit, to weigh differences by.
func (l LimitRef) scale() float64 {
	if l.Hi.OK {
		return math.Abs(l.Hi.V)
	}
	return math.Abs(l.Lo.V)
}

func hourReasons(f *FactorHour) []string {
	var out []string
	if !f.Valid {
		out = append(out, "reason.hour_not_valid")
	}
	if f.Wet.OK && !f.Mean.OK {
		out = append(out, "reason.moisture_missing")
	}
	switch f.Fold {
	case FoldO2Missing:
		out = append(out, "reason.fold_o2_missing")
	case FoldO2Range:
		out = append(out, "reason.fold_o2_out_of_range")
	case FoldOK, FoldNotRequired:
	}
	if f.Mismatch {
		out = append(out, "reason.mismatch")
	}
	return out
}
