package quality

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// Reasons that marks and corrections in force give an hour or a day.
const (
	ReasonMarked    = "reason.marked"            // values of minutes of a device mark do not count
	ReasonCorrected = "reason.corrected"         // a corrected value stands in for what was measured
	ReasonExempt    = "reason.exempt"            // exempt by a mark of the operating state
	ReasonSpent     = "reason.exempt_spent"      // marked, but its quota is spent: counts
	ReasonPM        = "reason.exempt_pm"         // marked, but too much particulate matter: counts
	ReasonNoPM      = "reason.exempt_pm_missing" // marked, but no valid figure of particulate matter: counts
	ReasonDayExempt = "reason.day_exempt"        // the day mean leaves exempt hours out
)

// StepMark is the step of an explanation that names a mark or a correction; it
// comes behind the validity that it decides.
const StepMark = "mark"

// Exempt reports whether an excess of the hour does not count, by a mark.
func (f *FactorHour) Exempt() bool { return slices.Contains(f.Reasons, ReasonExempt) }

// touched reports whether people's marks or corrections changed what the logger
// made its own means of, so that those are no measure of the hour.
func (f *FactorHour) touched() bool {
	return slices.ContainsFunc(f.Reasons, func(r string) bool { return r == ReasonMarked || r == ReasonCorrected || r == ReasonExempt })
}

// hourMarks are the marks and corrections in force that bear on one hour.
type hourMarks struct {
	invalid []*telemetry.Mark
	fixes   []*telemetry.Correction
	exempt  *telemetry.Mark // covers enough of the hour
	why     string          // reason that exempt gives
	used    float64         // of its quota before this hour
	touched map[int]string  // by place in the plan
}

// overlap is how many seconds of [from, to) lie in [a, b).
func overlap(from, to, a, b int64) int64 { return max(0, min(to, b)-max(from, a)) }

// marksOf gathers what bears on an hour; nil for nothing, which is the rule.
func (b *builder) marksOf(at int64, pl *plan) *hourMarks {
	if len(b.o.Marks) == 0 && len(b.o.Corrections) == 0 {
		return nil
	}
	x := &hourMarks{touched: map[int]string{}}
	for i := range b.o.Marks {
		m := &b.o.Marks[i]
		s := overlap(at, at+hourSeconds, m.From.Unix(), m.To.Unix())
		switch {
		case s == 0:
		case m.Effect == rules.EffectInvalid:
			x.invalid = append(x.invalid, m)
		case m.Effect == rules.EffectExempt && float64(s) >= 60*pl.p.marks.HourMinutes:
			x.exempt = m
		}
	}
	for i := range b.o.Corrections {
		if k := &b.o.Corrections[i]; overlap(at, at+hourSeconds, k.From.Unix(), k.To.Unix()) > 0 {
			x.fixes = append(x.fixes, k)
		}
	}
	if x.invalid == nil && x.fixes == nil && x.exempt == nil {
		return nil
	}
	return x
}

func of(m *telemetry.Mark, fp *factorPlan) bool { return m.Of(fp.code) || m.Of(fp.role) }

// mask counts a reading of [from, to) by the mark that touches it: a mean of
// which a part does not count does not count. Marks of the source stay, they
// tell that nothing was due.
func (w *hourWork) mask(r *reading, from, to int64) {
	if w.marks == nil || slices.Contains(w.plan.hourRule.stateIndexes, int8(r.mark)) {
		return
	}
	for _, m := range w.marks.invalid {
		if of(m, &w.plan.factors[r.factor]) && overlap(from, to, m.From.Unix(), m.To.Unix()) > 0 {
			r.mark = markIndex(m.Flag)
			w.marks.touched[r.factor] = ReasonMarked
			return
		}
	}
}

// masked is how many seconds of an hour of a factor its marks cover, and the
// letter they are counted by: for hours of which only the logger's mean came.
func (w *hourWork) masked(i int) (seconds int64, mark int) {
	if w.marks == nil {
		return 0, 0
	}
	var covered [60]bool
	for _, m := range w.marks.invalid {
		if !of(m, &w.plan.factors[i]) {
			continue
		}
		if seconds == 0 {
			mark = markIndex(m.Flag)
		}
		for k := range covered {
			at := w.row.At + int64(k)*60
			if !covered[k] && overlap(at, at+60, m.From.Unix(), m.To.Unix()) > 0 {
				covered[k] = true
				seconds += 60
			}
		}
	}
	return seconds, mark
}

// correct puts corrected values in the place of what was measured. Where
// nothing at all came there is nothing to correct.
func (w *hourWork) correct(b *builder) {
	if w.marks == nil || !w.any {
		return
	}
	for _, k := range w.marks.fixes {
		i := w.factor(b, k.Factor)
		if i < 0 {
			continue
		}
		if w.before == nil {
			w.before = map[string]Opt{}
		}
		w.before[w.plan.factors[i].code] = w.acc[i].result(w.plan.hourRule).Mean
		a := hourAcc{}
		a.add(markN, hourSeconds, Some(k.Value))
		if part := w.plan.hourRule.part; part != nil {
			a.addPart(part, markN, 0, hourSeconds, Some(k.Value))
		}
		w.acc[i], w.cou[i] = a, Opt{}
		w.marks.touched[i] = ReasonCorrected
	}
}

// reasonOf is the reason that a mark or correction gives a factor; "" = none.
func (w *hourWork) reasonOf(i int) string {
	if w.marks == nil {
		return ""
	}
	return w.marks.touched[i]
}

// asReported reports whether the logger's own mean of a factor is a measure of
// the hour; a folded one is of the oxygen, too.
func (w *hourWork) asReported(i int) bool {
	return w.reasonOf(i) == "" && (!w.plan.factors[i].refO2.OK || w.plan.o2 < 0 || w.reasonOf(w.plan.o2) == "")
}

// pm is the hourly mean of particulate matter that the condition of a quota
// looks at, mg/m3; missing where the hour has no valid one.
func (w *hourWork) pm() Opt {
	pl := w.plan
	i, ok := pl.index[pl.p.marks.PM]
	if !ok || i >= len(w.acc) {
		return Opt{}
	}
	fp := &pl.factors[i]
	r := w.acc[i].result(pl.hourRule)
	f := FactorHour{Valid: r.Valid, Mean: r.Mean}
	if fp.wet && fp.toMg > 0 {
		f.toDry(w.wetness())
	}
	if !f.Valid || !f.Mean.OK || fp.toMg == 0 {
		return Opt{}
	}
	v := f.Mean
	if pl.p.marks.PMFolded && fp.refO2.OK {
		var o2 Opt
		if pl.o2 >= 0 && pl.o2 < len(w.acc) {
			if x := w.acc[pl.o2].result(pl.hourRule); x.Valid {
				o2 = x.Mean
			}
		}
		if v = FoldO2(&pl.p.fold, v.V, o2, fp.refO2).Folded; !v.OK {
			return Opt{}
		}
	}
	return Some(v.V * fp.toMg)
}

// exemption finds out whether the hour is exempt by its mark.
func (b *builder) exemption(w *hourWork) error {
	if w.marks == nil || w.marks.exempt == nil || w.row.Stopped {
		return nil
	}
	x := w.marks
	if x.exempt.Quota == "" {
		x.why = ReasonExempt
		return nil
	}
	q, ok := w.plan.p.quotas[x.exempt.Quota]
	if !ok {
		x.why = ReasonSpent
		return nil
	}
	var err error
	if x.used, err = b.spent(x.exempt.Quota, w.row.At); err != nil {
		return err
	}
	pm := w.pm()
	switch {
	case q.exempt(FurnaceMark{Mark: x.exempt.Code, Hours: 1, PM: pm}, x.used) >= 1:
		x.why = ReasonExempt
	case q.PMMax.OK && !pm.OK:
		x.why = ReasonNoPM
	case !q.meets(pm):
		x.why = ReasonPM
	default:
		x.why = ReasonSpent
	}
	return nil
}

// ledger is what of a quota was spent in a calendar year, hour by hour.
type ledger struct {
	hours []int64
	used  []float64 // before hours[i]; as far as it was asked for, one more than was looked at
}

type ledgerKey struct {
	quota string
	year  int
}

func yearOf(at int64) int { return time.Unix(at, 0).In(chinaTime).Year() }

func yearBounds(at int64) (from, to int64) {
	from, to, _ = PeriodBounds(LevelYear, at)
	return from, to
}

// quotaHours lists the hours of the calendar year around an instant that are
// under marks of a quota.
func (b *builder) quotaHours(quota string, at int64) (out []int64) {
	from, to := yearBounds(at)
	for i := range b.o.Marks {
		m := &b.o.Marks[i]
		if m.Effect != rules.EffectExempt || m.Quota != quota {
			continue
		}
		for h := max(from, hourStart(m.From.Unix())); h < min(to, m.To.Unix()); h += hourSeconds {
			if float64(overlap(h, h+hourSeconds, m.From.Unix(), m.To.Unix())) >= 60*b.plans(dayStart(h)).p.marks.HourMinutes && !stopped(b.o, h) {
				out = append(out, h)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// spent is how many hours of a quota were spent in the calendar year before an
// hour. Each hour spends one when it is exempt itself.
func (b *builder) spent(quota string, at int64) (float64, error) {
	key := ledgerKey{quota, yearOf(at)}
	if b.ledgers == nil {
		b.ledgers = map[ledgerKey]*ledger{}
	}
	l := b.ledgers[key]
	if l == nil {
		l = &ledger{hours: b.quotaHours(quota, at), used: []float64{0}}
		b.ledgers[key] = l
	}
	n, _ := slices.BinarySearch(l.hours, at)
	for len(l.used) <= n {
		i := len(l.used) - 1
		h := l.hours[i]
		q := b.plans(dayStart(h)).p.quotas[quota]
		x := b.exemptMark(h)
		var pm Opt
		if q.PMMax.OK {
			work, _, err := b.gather(h, h+hourSeconds, h+hourSeconds)
			if err != nil {
				return 0, fmt.Errorf("particulate matter of an hour before: %w", err)
			}
			pm = work[0].pm()
		}
		spent := 0.0
		if q.exempt(FurnaceMark{Mark: x.Code, Hours: 1, PM: pm}, l.used[i]) >= 1 {
			spent = 1
		}
		l.used = append(l.used, l.used[i]+spent)
	}
	return l.used[n], nil
}

// exemptMark is the mark that an hour of a ledger is under.
func (b *builder) exemptMark(h int64) *telemetry.Mark {
	if x := b.marksOf(h, b.plans(dayStart(h))); x != nil && x.exempt != nil {
		return x.exempt
	}
	return &telemetry.Mark{}
}

// spill adds, to hours that are judged anew, the later ones of the year whose
// quota they may spend: what particulate matter an hour has decides of those
// behind it.
func (b *builder) spill(dirty map[int64]struct{}) {
	if !slices.ContainsFunc(b.o.Marks, func(m telemetry.Mark) bool { return m.Quota != "" }) {
		return
	}
	first := map[ledgerKey]int64{}
	for h := range dirty {
		if mod(h, hourSeconds) == dayOnly {
			continue
		}
		m := b.exemptMark(h)
		if m.Quota == "" || !b.plans(dayStart(h)).p.quotas[m.Quota].PMMax.OK {
			continue
		}
		k := ledgerKey{m.Quota, yearOf(h)}
		if was, ok := first[k]; !ok || h < was {
			first[k] = h
		}
	}
	for k, from := range first {
		for _, h := range b.quotaHours(k.quota, from) {
			if h > from {
				dirty[h] = struct{}{}
			}
		}
	}
}

// relieve lets an exempt hour of a factor not count as over its limit, or says
// why it does.
func (w *hourWork) relieve(fp *factorPlan, f *FactorHour) {
	if w.marks == nil || w.marks.why == "" {
		return
	}
	if list := w.plan.p.marks.Factors; len(list) > 0 && !slices.Contains(list, fp.role) {
		return
	}
	f.Reasons = append(f.Reasons, w.marks.why)
	if w.marks.why == ReasonExempt {
		f.Over, f.Times = false, Opt{}
	}
}

// The basis of an outlet (basis.go) ends with what its marks and corrections in
// force say, an entry each, so that a change of them judges anew only the hours
// they touch.
const markEntry = 24 // bytes: from, to, a flag of quotas, hash

// marksBasis lists the entries of an outlet, sorted; none without marks.
func marksBasis(o *telemetry.Outlet) ([]byte, error) {
	var all [][]byte
	add := func(from, to int64, quota bool, content any) error {
		text, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("write down marks of outlet %d: %w", o.ID, err)
		}
		sum := sha256.Sum256(text)
		b := binary.BigEndian.AppendUint64(nil, uint64(from))
		b = append(binary.BigEndian.AppendUint64(b, uint64(to)), bits(quota))
		all = append(all, append(b, sum[:7]...))
		return nil
	}
	for i := range o.Marks { // its number and who knows its code judge nothing
		m := &o.Marks[i]
		if m.Effect == rules.EffectNone {
			continue
		}
		if err := add(m.From.Unix(), m.To.Unix(), m.Quota != "", []any{m.Code, m.Effect, m.Flag, m.Quota, m.Factors}); err != nil {
			return nil, err
		}
	}
	for i := range o.Corrections {
		k := &o.Corrections[i]
		if err := add(k.From.Unix(), k.To.Unix(), false, []any{k.Factor, k.Value}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, bytes.Compare)
	return bytes.Join(all, nil), nil
}

func entries(b []byte) (out []string) {
	for ; len(b) >= markEntry; b = b[markEntry:] {
		out = append(out, string(b[:markEntry]))
	}
	return out
}

// between is a stretch of time, Unix seconds, half-open.
type between struct{ from, to int64 }

// differ lists the stretches of the marks in which two bases differ, and what
// the basis is while those are judged anew: no list of marks equals it there.
func differ(old, next []byte, o *telemetry.Outlet) (out []between, open []byte) {
	count := map[string]int{}
	for _, e := range entries(old) {
		count[e]++
	}
	for _, e := range entries(next) {
		count[e]--
	}
	var kept []string
	for e, n := range count {
		if n == 0 {
			continue
		}
		s := between{int64(binary.BigEndian.Uint64([]byte(e))), int64(binary.BigEndian.Uint64([]byte(e[8:])))}
		out = append(out, s)
		kept = append(kept, e[:17]+string(make([]byte, 7)))
		if e[16] == 0 {
			continue
		}
		for i := range o.Marks { // a quota is shared with those behind it
			if m := &o.Marks[i]; m.Quota != "" && m.To.Unix() > s.from && yearOf(m.From.Unix()) <= yearOf(s.to) {
				out = append(out, between{m.From.Unix(), m.To.Unix()})
			}
		}
	}
	for _, e := range entries(next) {
		if count[e] == 0 {
			kept = append(kept, e)
		}
	}
	slices.Sort(kept)
	for _, e := range kept {
		open = append(open, e...)
	}
	return out, open
}

// bound keeps an item to the days that its spans touch.
func (i *item) bound() {
	if i.spans == nil {
		return
	}
	from, to := int64(math.MaxInt64), int64(0)
	for _, s := range i.spans {
		from, to = min(from, dayStart(s.from)), max(to, dayStart(s.to-1)+daySeconds)
	}
	i.from = max(i.from, from)
	i.to = max(i.from, min(i.to, to))
	i.at = i.from
}

// touches reports whether an item judges the row of [at, at+length) anew.
func (i *item) touches(at, length int64) bool {
	return i.spans == nil || slices.ContainsFunc(i.spans, func(s between) bool { return overlap(at, at+length, s.from, s.to) > 0 })
}

// markedKind names a gap by the device marks in force that cover most of an hour
// of it; "" where none does.
func (c *periodCalc) markedKind(code string, h int64) (kind string, m *telemetry.Mark) {
	for i := range c.outlet.Marks {
		m := &c.outlet.Marks[i]
		if m.Effect == rules.EffectInvalid && m.Of(code) && overlap(h, h+hourSeconds, m.From.Unix(), m.To.Unix()) > hourSeconds/2 {
			return m.Kind, m
		}
	}
	return "", nil
}

// markedChecks answers from the marks in force where nothing else is known: a
// mark of a device out of control, or overdue for calibration, begins at the
// last check that passed.
func (c *periodCalc) markedChecks(rule *SubstituteRule, code string, run int64) (kind string, passed int64, ok bool) {
	kind, m := c.markedKind(code, run)
	if !slices.Contains(rule.Table5, kind) {
		return "", 0, false
	}
	return kind, hourStart(m.From.Unix()), true
}

// markSteps name the marks and corrections that bear on an hour of a factor.
func (x *explainer) markSteps(w *hourWork, f *FactorHour) (out Trace) {
	if w.marks == nil {
		return nil
	}
	fp := &w.plan.factors[w.plan.index[f.Code]]
	at := w.row.At
	begin := func(rule, number, code string, from, to time.Time) Step {
		s := w.plan.p.markRules[rule].step(StepMark)
		s.Rule = rule
		s.Inputs = []Input{
			{"mark_number", number, ""},
			{"mark_from", from.In(chinaTime).Format("2006-01-02 15:04"), ""},
			{"mark_to", to.In(chinaTime).Format("2006-01-02 15:04"), ""},
		}
		if code != "" {
			s.Inputs = append([]Input{{"mark_code", code, ""}}, s.Inputs...)
		}
		return s
	}
	for _, m := range w.marks.invalid {
		if of(m, fp) || w.plan.o2 >= 0 && fp.refO2.OK && of(m, &w.plan.factors[w.plan.o2]) {
			s := begin(m.Rule, m.Number, m.Code, m.From, m.To)
			s.Version = m.Version
			s.Inputs = append(s.Inputs, Input{"mark_minutes", num(float64(overlap(at, at+hourSeconds, m.From.Unix(), m.To.Unix())) / 60), "min"})
			s.Result = "mark_invalid"
			if !of(m, fp) {
				s.Result = "mark_oxygen"
			}
			out = append(out, s)
		}
	}
	for _, k := range w.marks.fixes {
		if k.Factor != fp.code && canon(k.Factor) != fp.role {
			continue
		}
		s := begin("mark.device", k.Number, "", k.From, k.To)
		s.Version = w.plan.p.markRules["mark.device"].version
		s.Result = "mark_corrected"
		if v := w.before[f.Code]; v.OK {
			s.Inputs = append(s.Inputs, Input{"measured", num(v.V), x.out.Unit})
		}
		s.Inputs = append(s.Inputs, Input{"corrected", num(k.Value), x.out.Unit})
		out = append(out, s)
	}
	if m := w.marks.exempt; m != nil && w.marks.why != "" && slices.Contains(f.Reasons, w.marks.why) {
		s := begin(m.Rule, m.Number, m.Code, m.From, m.To)
		s.Version = m.Version
		s.Result = "mark_counts"
		if w.marks.why == ReasonExempt {
			s.Result = "mark_exempt"
		}
		if q, ok := w.plan.p.quotas[m.Quota]; ok {
			after := w.marks.used
			if w.marks.why == ReasonExempt {
				after++
			}
			s.Inputs = append(s.Inputs, Input{"quota", q.id + " v" + strconv.Itoa(q.version), ""}, Input{"quota_before", num(w.marks.used), "h"},
				Input{"quota_after", num(after), "h"}, Input{"quota_hours", num(q.Hours), "h"})
			if q.PMMax.OK {
				s.Inputs = append(s.Inputs, Input{"PM", optText(w.pm()), "mg/m3"})
			}
		}
		s.Notes = []Text{{Key: w.marks.why}}
		out = append(out, s)
	}
	return out
}

// QuotaUse is what of a quota an outlet has used in a calendar year.
type QuotaUse struct{ Used, Hours float64 } // h

// QuotaUse tells what an outlet has used of a quota in the calendar year of an
// instant, by its marks in force. ErrNotFound for an outlet or a quota that is
// not there.
func (e *Engine) QuotaUse(id telemetry.OutletID, quota string, at time.Time) (QuotaUse, error) {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[id]
	if o == nil {
		return QuotaUse{}, fmt.Errorf("outlet %d: %w", id, ErrNotFound)
	}
	b := e.newBuilder(snap, o)
	q, ok := b.plans(dayStart(at.Unix())).p.quotas[quota]
	if !ok {
		return QuotaUse{}, fmt.Errorf("quota %s: %w", quota, ErrNotFound)
	}
	_, to := yearBounds(at.Unix())
	used, err := b.spent(quota, to-1) // of the year that ends then, all hours lie before
	return QuotaUse{used, q.Hours}, err
}
