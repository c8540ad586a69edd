package quality

import (
	"slices"
	"strconv"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// ReasonKeys lists every catalogue key that states, forecasts and traces use.
var ReasonKeys = []string{
	"reason.stopped_declared", "reason.stopped_mark", "reason.offline", "reason.never_seen",
	"reason.over_hour", "reason.over_day", "reason.over_instant",
	"reason.warn_running_hour", "reason.warn_hour", "reason.warn_running_day", "reason.warn_day",
	"reason.constant", "reason.jump", "reason.negative", "reason.mismatch", "reason.maintenance", "reason.calibration", "reason.normal",
	"reason.hour_not_valid", "reason.day_not_valid", "reason.fold_o2_missing", "reason.fold_o2_out_of_range", "reason.fold_not_required",
	"reason.warning_only", "reason.no_limit", "reason.own_limit", "reason.nh3_cold", "reason.nh3_warm", "reason.nh3_unknown",
	"reason.taken_as_reported", "reason.from_realtime", "reason.judged_by_reported", "reason.judged_by_recomputed",
	"reason.compare", "reason.revised", "reason.resent", "reason.no_frame", "reason.not_judged", "reason.source_stopped",
	"reason.unweighted", "reason.single_value", "reason.no_flow", "reason.short_running", "reason.moisture_missing", "reason.zero_drift", "reason.judged_validated", "reason.period_not_valid",
	ReasonMarked, ReasonCorrected, ReasonExempt, ReasonSpent, ReasonPM, ReasonNoPM, ReasonDayExempt,
}

// situation is all that decides an outlet's state at one instant.
type situation struct {
	o        *telemetry.Outlet
	p        *params
	pl       *plan
	asOf     int64
	hour     func(at int64) *HourRow // nil = no such hour
	day      func(at int64) *DayRow
	latest   *telemetry.Record // newest by DataTime
	realtime *telemetry.Record // newest real-time one
	seen     int64             // last sign of life, Unix seconds
}

func (s *situation) runningHour() int64 { return hourStart(s.asOf) }
func (s *situation) today() int64       { return dayStart(s.asOf) }

// checks are the tests of each state; they report whether it holds.
var checks = map[State]func(*situation, *StateResult) bool{
	Stopped: (*situation).isStopped, Offline: (*situation).isOffline, Exceed: (*situation).exceeds, Warn: (*situation).warns,
	Suspect: (*situation).isSuspect, Maintenance: (*situation).inMaintenance, Normal: (*situation).isNormal,
}

// state finds the first state that holds, in the order of the rule.
func (s *situation) state() StateResult {
	for _, st := range s.p.order.states {
		r := StateResult{Outlet: s.o.ID, State: st, Seen: s.seen}
		if s.latest != nil {
			r.Latest = s.latest.At
		}
		if checks[st](s, &r) {
			return r
		}
	}
	r := StateResult{Outlet: s.o.ID, State: Normal, Seen: s.seen}
	s.isNormal(&r)
	return r
}

func (r *StateResult) because(rule ref, key string, args ...string) {
	r.Rule, r.Version = rule.id, rule.version
	r.Reason = Text{Key: key, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		r.Reason.Args[args[i]] = args[i+1]
	}
}

func (s *situation) isStopped(r *StateResult) bool {
	halts := s.o.Halts()
	for i := range halts {
		st := &halts[i]
		if st.From.Unix() <= s.asOf && (st.To.IsZero() || s.asOf < st.To.Unix()) {
			r.Since = st.From.UTC()
			r.because(s.p.order.ref, "reason.stopped_declared", "reason", st.Reason)
			return true
		}
	}
	code, ok := latestMark(s.latest, s.p.order.stopped)
	if !ok {
		return false
	}
	r.Since = s.since(s.latest.At, func(h *HourRow) bool {
		f := h.Factor(code)
		return f != nil && slices.Contains(s.p.order.stopped, f.Flag)
	})
	r.because(s.p.order.ref, "reason.stopped_mark", "factor", code)
	return true
}

// latestMark finds the first factor of the record with one of the marks.
func latestMark(rec *telemetry.Record, marks []string) (code string, ok bool) {
	if rec == nil {
		return "", false
	}
	for i := range rec.Values {
		if slices.Contains(marks, rec.Values[i].Flag) {
			return canon(rec.Values[i].Code), true
		}
	}
	return "", false
}

// since walks back from an instant over the hours before it for which ok
// holds, and returns the start of the unbroken period.
func (s *situation) since(at int64, ok func(*HourRow) bool) time.Time {
	start := at
	for h := hourStart(at); ; h -= hourSeconds {
		row := s.hour(h)
		if row == nil || !ok(row) {
			if h == hourStart(at) && start == at {
				continue // the hour the instant lies in may not show it yet
			}
			break
		}
		start = min(start, h)
		if h <= s.asOf-keepHours*hourSeconds {
			break
		}
	}
	return unix(start)
}

// interval is how often a frame is expected, in seconds.
func (s *situation) interval() float64 {
	iv := s.o.IntervalAt(unix(s.asOf))
	switch {
	case iv.Realtime > 0:
		return float64(iv.Realtime)
	case iv.Minute > 0:
		return float64(iv.Minute) * 60
	}
	return hourSeconds
}

func (s *situation) isOffline(r *StateResult) bool {
	allowed := max(s.p.offline.intervals*s.interval(), s.p.offline.minMinutes*60)
	if s.seen == 0 {
		r.because(s.p.offline.ref, "reason.never_seen")
		return true
	}
	gone := float64(s.asOf - s.seen)
	if gone < allowed {
		return false
	}
	r.Since = unix(s.seen)
	s.mainValue(r)
	r.because(s.p.offline.ref, "reason.offline", "minutes", strconv.Itoa(int(gone/60)), "allowed", num(allowed/60))
	return true
}

// candidate is a value that breaks a limit.
type candidate struct {
	factor, level, key string
	at                 int64
	value              Opt
	folded             bool
	limit              LimitRef
	times              Opt
}

// worse orders candidates: more times over first.
func (c *candidate) worse(than *candidate) bool { return c.times.V > than.times.V }

func (r *StateResult) set(c *candidate, rule ref) {
	r.Factor, r.Level, r.At, r.Value, r.Folded, r.Limit, r.Times = c.factor, c.level, unix(c.at), c.value, c.folded, c.limit, c.times
	r.because(rule, c.key, "factor", c.factor, "value", optText(c.value), "limit", c.limit.Text(), "times", optText(c.times))
}

// beyond reports whether v breaks the candidate's limit on the same side.
func beyond(v Opt, c *candidate) bool {
	return v.OK && JudgeExceed(v.V, c.limit).Exceeds && (v.V > c.limit.Hi.V) == (c.value.V > c.limit.Hi.V)
}

func pick(list []candidate) *candidate {
	if len(list) == 0 {
		return nil
	}
	best := &list[0]
	for i := range list {
		if list[i].worse(best) {
			best = &list[i]
		}
	}
	return best
}

func foldedBasis(b Basis) bool { return b == BasisFolded || b == BasisReportedFolded }

func hourCandidate(f *FactorHour, at int64, key string) candidate {
	return candidate{f.Code, LevelHour, key, at, f.Judged, foldedBasis(f.Basis), f.Limit, f.Times}
}

// exceeds: a valid hour or day over its limit, running or last closed, where
// the statistic is evidence; or a single value over an instantaneous limit.
func (s *situation) exceeds(r *StateResult) bool {
	var list []candidate
	for _, h := range []int64{s.runningHour(), s.runningHour() - hourSeconds} {
		if row := s.hour(h); row != nil {
			for i := range row.Factors {
				if f := &row.Factors[i]; f.Over && f.Evidence {
					list = append(list, hourCandidate(f, h, "reason.over_hour"))
				}
			}
		}
	}
	for _, d := range []int64{s.today(), s.today() - daySeconds} {
		if row := s.day(d); row != nil {
			for i := range row.Factors {
				if f := &row.Factors[i]; f.Over && f.Evidence {
					list = append(list, candidate{f.Code, LevelDay, "reason.over_day", d, f.Judged, foldedBasis(f.Basis), f.Limit, f.Times})
				}
			}
		}
	}
	list = append(list, s.instants()...)
	best := pick(list)
	if best == nil {
		return false
	}
	r.set(best, s.p.exceed)
	switch best.level {
	case LevelDay:
		r.Since = unix(best.at)
	case LevelRealtime: // since every valid value of the hours before broke the limit too
		r.Since = s.since(best.at, func(h *HourRow) bool {
			f := h.Factor(best.factor)
			return f != nil && f.NValid > 0 && beyond(f.Min, best) && beyond(f.Max, best)
		})
	default:
		r.Since = s.since(best.at, func(h *HourRow) bool {
			f := h.Factor(best.factor)
			return f != nil && f.Over
		})
	}
	return true
}

// instants are the single values of the latest record over their limits.
func (s *situation) instants() (list []candidate) {
	rec, suffix := s.realtime, "Rtd"
	if rec == nil || s.latest != nil && s.latest.At > rec.At+hourSeconds {
		rec, suffix = s.latest, "Avg"
	}
	if rec == nil || !s.fresh(rec) || rec.Kind == telemetry.KindHour || s.dry(rec, suffix) {
		return nil
	}
	for i := range rec.Values {
		v := &rec.Values[i]
		if v.Suffix != suffix || !s.measured(v) {
			continue
		}
		k, ok := s.pl.index[v.Code]
		if !ok {
			if k, ok = s.pl.index[canon(v.Code)]; !ok {
				continue
			}
		}
		l := s.pl.factors[k].instant
		if l.IsZero() || !l.evidence || s.marked(&s.pl.factors[k], rec.At) {
			continue
		}
		x := v.Dec.Float()
		if j := JudgeExceed(x, l.LimitRef); j.Exceeds {
			list = append(list, candidate{s.pl.factors[k].code, LevelRealtime, "reason.over_instant", rec.At, Some(x), false, l.LimitRef, j.Times})
		}
	}
	return list
}

// marked reports whether a device mark in force covers an instant of a factor.
func (s *situation) marked(fp *factorPlan, at int64) bool {
	return slices.ContainsFunc(s.o.Marks, func(m telemetry.Mark) bool {
		return m.Effect == rules.EffectInvalid && of(&m, fp) && overlap(at, at+1, m.From.Unix(), m.To.Unix()) > 0
	})
}

// fresh reports whether a record still tells of now.
func (s *situation) fresh(rec *telemetry.Record) bool {
	return float64(s.asOf-rec.At) <= max(s.p.order.instant*hourSeconds, 2*s.interval())
}

// measured reports whether the value is a number with mark N.
func (s *situation) measured(v *telemetry.Value) bool {
	return v.IsNum && (v.Flag == "N" || v.Flag == "" && s.o.MissingFlagIsN)
}

// dry reports whether the record itself says that no waste water runs.
func (s *situation) dry(rec *telemetry.Record, suffix string) bool {
	if s.o.Medium != telemetry.Water {
		return false
	}
	return slices.ContainsFunc(rec.Values, func(v telemetry.Value) bool {
		return v.Suffix == suffix && canon(v.Code) == s.p.waterDay.FlowFactor && s.measured(&v) && v.Dec.Float() <= 0
	})
}

// warns: the running hour's or day's mean over the limit, or a closed hour
// over a limit it is no evidence for.
func (s *situation) warns(r *StateResult) bool {
	var list []candidate
	if row := s.hour(s.runningHour()); row != nil && !row.Stopped {
		for i := range row.Factors {
			f := &row.Factors[i]
			v, folded := f.soFar()
			if f.Limit.IsZero() || !v.OK || f.NExpected == 0 || f.Exempt() || float64(f.NValid) < s.p.order.warnMin {
				continue
			}
			if j := JudgeExceed(v.V, f.Limit); j.Exceeds {
				list = append(list, candidate{f.Code, LevelHour, "reason.warn_running_hour", row.At, v, folded, f.Limit, j.Times})
			}
		}
	}
	if row := s.hour(s.runningHour() - hourSeconds); row != nil {
		for i := range row.Factors {
			if f := &row.Factors[i]; f.Over && !f.Evidence {
				list = append(list, hourCandidate(f, row.At, "reason.warn_hour"))
			}
		}
	}
	if row := s.day(s.today()); row != nil {
		for i := range row.Factors {
			f := &row.Factors[i]
			v, folded := s.pl.soFar(f)
			if f.Limit.IsZero() || !v.OK || f.NValid == 0 {
				continue
			}
			if j := JudgeExceed(v.V, f.Limit); j.Exceeds {
				list = append(list, candidate{f.Code, LevelDay, "reason.warn_running_day", row.At, v, folded, f.Limit, j.Times})
			}
		}
	}
	if row := s.day(s.today() - daySeconds); row != nil {
		for i := range row.Factors {
			if f := &row.Factors[i]; f.Over && !f.Evidence {
				list = append(list, candidate{f.Code, LevelDay, "reason.warn_day", row.At, f.Judged, foldedBasis(f.Basis), f.Limit, f.Times})
			}
		}
	}
	best := pick(list)
	if best == nil {
		return false
	}
	r.set(best, s.p.exceed)
	r.Since = unix(best.at)
	return true
}

// soFar is the figure of an hour that may still be running.
func (f *FactorHour) soFar() (v Opt, folded bool) {
	switch {
	case f.Judged.OK:
		return f.Judged, foldedBasis(f.Basis)
	case f.Folded.OK:
		return f.Folded, true
	case f.Fold == FoldNotRequired || f.Fold == "":
		return f.Mean, false
	}
	return Opt{}, false
}

// soFar is the figure of a day that may still be running: the folded mean where
// the limit asks for one, and nothing where it could not be folded.
func (pl *plan) soFar(f *FactorDay) (v Opt, folded bool) {
	i, ok := pl.index[f.Code]
	if ok && pl.factors[i].refO2.OK {
		return f.Folded, f.Folded.OK
	}
	return f.Mean, false
}

// isSuspect: constant, negative, jump, reported against recomputed.
func (s *situation) isSuspect(r *StateResult) bool {
	for i := range s.pl.factors {
		fp := &s.pl.factors[i]
		if !fp.required {
			continue
		}
		if s.constant(r, fp) || s.negative(r, fp) || s.jump(r, fp) || s.mismatch(r, fp) {
			return true
		}
	}
	return false
}

func (s *situation) closed(back int, code string) *FactorHour {
	if row := s.hour(s.runningHour() - int64(back)*hourSeconds); row != nil && !row.Stopped {
		return row.Factor(code)
	}
	return nil
}

// constant: one and the same value through the last closed hours. True zeros
// and values at the detection limit are no sign of anything.
func (s *situation) constant(r *StateResult, fp *factorPlan) bool {
	c := &s.p.constant
	if !slices.Contains(c.media, string(s.o.Medium)) || slices.Contains(c.ignore, fp.role) {
		return false
	}
	first := s.closed(1, fp.code)
	if first == nil || !steady(first, c.minMinutes) || first.Mean.V <= max(0, fp.detection.V) {
		return false
	}
	v := first.Mean.V
	n := 1
	for ; n < keepHours-1; n++ {
		f := s.closed(n+1, fp.code)
		if f == nil || !steady(f, c.minMinutes) || f.Mean.V != v {
			break
		}
	}
	if n < c.hours {
		return false
	}
	at := s.runningHour() - int64(n)*hourSeconds
	r.Factor, r.Level, r.At, r.Value, r.Limit = fp.code, LevelHour, unix(s.runningHour()-hourSeconds), Some(v), first.Limit
	r.Since = unix(at)
	r.because(c.ref, "reason.constant", "factor", fp.code, "value", num(v), "hours", strconv.Itoa(n))
	return true
}

func steady(f *FactorHour, minMinutes int) bool {
	return f.NExpected > 0 && f.NValid >= minMinutes && f.Mean.OK && f.Min.OK && f.Min == f.Max
}

// negative: below the zero drift in the running or last closed hour, or
// nothing but negative values for hours.
func (s *situation) negative(r *StateResult, fp *factorPlan) bool {
	if slices.Contains(s.p.negative.signed, fp.role) {
		return false
	}
	for back := range 2 {
		f := s.closed(back, fp.code)
		if f == nil || !f.Min.OK || f.Min.V >= 0 {
			continue
		}
		drift := fp.rangeHi.V
		if !fp.rangeHi.OK {
			drift = f.Limit.scale()
		}
		drift *= s.p.negative.driftPercent / 100
		if f.Min.V >= -drift && !s.belowZero(back, fp.code) {
			continue
		}
		at := s.runningHour() - int64(back)*hourSeconds
		r.Factor, r.Level, r.At, r.Value, r.Limit = fp.code, LevelHour, unix(at), f.Min, f.Limit
		r.Since = s.since(at, func(h *HourRow) bool {
			x := h.Factor(fp.code)
			return x != nil && x.Min.OK && x.Min.V < 0
		})
		r.because(s.p.negative.ref, "reason.negative", "factor", fp.code, "value", num(f.Min.V), "drift", num(drift))
		return true
	}
	return false
}

// belowZero: no value from zero up in this hour and those before it.
func (s *situation) belowZero(back int, code string) bool {
	for i := range s.p.negative.sustained {
		if f := s.closed(back+i, code); f == nil || !f.Valid && i > 0 || !f.Max.OK || f.Max.V >= 0 {
			return false
		}
	}
	return true
}

// jump: an hour far above the median of the hours before, or with steps of
// that size in itself; measured by the limit too.
func (s *situation) jump(r *StateResult, fp *factorPlan) bool {
	f := s.closed(1, fp.code)
	if f == nil || !f.Valid || !f.Mean.OK || f.Limit.IsZero() || !f.Limit.Hi.OK || f.Limit.Op == "range" {
		return false
	}
	far := func(v, from float64) bool {
		return v-from >= s.p.jump.share*f.Limit.scale() && v >= s.p.jump.ratio*from
	}
	from, v := max(0, f.Min.V), f.Max.V
	if !far(v, from) {
		var before []float64
		for back := 2; back <= s.p.jump.hours+1; back++ {
			if x := s.closed(back, fp.code); x != nil && x.Valid && x.Mean.OK {
				before = append(before, x.Mean.V)
			}
		}
		if len(before) < s.p.jump.minHours {
			return false
		}
		slices.Sort(before)
		if from, v = before[len(before)/2], f.Mean.V; !far(v, from) {
			return false
		}
	}
	at := s.runningHour() - hourSeconds
	r.Factor, r.Level, r.At, r.Value, r.Limit = fp.code, LevelHour, unix(at), Some(v), f.Limit
	r.Since = s.since(at, func(h *HourRow) bool {
		x := h.Factor(fp.code)
		return h.At == at || x != nil && x.Min.OK && far(x.Max.V, max(0, x.Min.V))
	})
	r.because(s.p.jump.ref, "reason.jump", "factor", fp.code, "value", num(v), "median", num(from))
	return true
}

func (s *situation) mismatch(r *StateResult, fp *factorPlan) bool {
	f := s.closed(1, fp.code)
	if f == nil || !f.Mismatch {
		return false
	}
	at := s.runningHour() - hourSeconds
	rep, own, folded := f.Reported.Avg, f.Mean, false
	if f.Folded.OK && f.Reported.ZsAvg.OK {
		rep, own, folded = f.Reported.ZsAvg, f.Folded, true
	}
	r.Factor, r.Level, r.At, r.Value, r.Folded, r.Limit = fp.code, LevelHour, unix(at), own, folded, f.Limit
	r.Since = s.since(at, func(h *HourRow) bool {
		x := h.Factor(fp.code)
		return x != nil && x.Mismatch
	})
	r.because(s.p.mismatch, "reason.mismatch", "factor", fp.code, "reported", optText(rep), "recomputed", optText(own), "percent", optText(f.DiffPct))
	return true
}

func (s *situation) inMaintenance(r *StateResult) bool {
	code, ok := latestMark(s.latest, s.p.order.maintenance)
	if !ok {
		return false
	}
	s.valueOf(r, code)
	r.Since = s.since(s.latest.At, func(h *HourRow) bool {
		f := h.Factor(code)
		return f != nil && slices.Contains(s.p.order.maintenance, f.Flag)
	})
	key := "reason.maintenance"
	if _, c := latestMark(s.latest, []string{"C"}); c {
		key = "reason.calibration"
	}
	r.because(s.p.order.ref, key, "factor", code)
	return true
}

func (s *situation) isNormal(r *StateResult) bool {
	s.mainValue(r)
	r.because(s.p.order.ref, "reason.normal")
	return true
}

// mainValue sets the figure of the factor that is nearest to its limit, of the
// running hour or the one before.
func (s *situation) mainValue(r *StateResult) {
	best := -1.0
	for _, h := range []int64{s.runningHour(), s.runningHour() - hourSeconds} {
		row := s.hour(h)
		if row == nil {
			continue
		}
		for i := range row.Factors {
			f := &row.Factors[i]
			v, folded := f.soFar()
			if !v.OK || !f.Limit.Hi.OK || f.Limit.Op == "range" || f.Limit.Hi.V <= 0 {
				continue
			}
			if share := v.V / f.Limit.Hi.V; share > best {
				best = share
				r.Factor, r.Level, r.At, r.Value, r.Folded, r.Limit = f.Code, LevelHour, unix(h), v, folded, f.Limit
			}
		}
		if best >= 0 {
			return
		}
	}
	if i := s.pl.main(); i >= 0 && r.Factor == "" {
		r.Factor, r.Limit = s.pl.factors[i].code, s.pl.factors[i].hour.LimitRef
	}
}

// valueOf sets the last figure of a factor, of the running hour or the one
// before.
func (s *situation) valueOf(r *StateResult, code string) {
	r.Factor = code
	if i, ok := s.pl.index[code]; ok {
		r.Limit = s.pl.factors[i].hour.LimitRef
	}
	for _, h := range []int64{s.runningHour(), s.runningHour() - hourSeconds} {
		row := s.hour(h)
		if row == nil {
			continue
		}
		if f := row.Factor(code); f != nil {
			if v, folded := f.soFar(); v.OK {
				r.Level, r.At, r.Value, r.Folded, r.Limit = LevelHour, unix(h), v, folded, f.Limit
				return
			}
		}
	}
}

// main is the first registered factor with an hour or day limit, else the
// first registered one, -1 without any.
func (pl *plan) main() int {
	first := -1
	for i := range pl.factors {
		f := &pl.factors[i]
		if !f.required {
			continue
		}
		if (!f.hour.IsZero() || !f.day.IsZero()) && f.hour.Op != "range" {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	return first
}
