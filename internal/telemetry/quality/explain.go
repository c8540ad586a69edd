package quality

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"plateau/internal/telemetry"
)

// Explain joins everything behind one value: frames, validity, conversion,
// limit, verdict, revisions and what the logger reported itself. level is
// hour, day, minute or realtime; at is any instant of the period, for minute
// and realtime the DataTime. ErrNotFound when the outlet or the value does not
// exist. Everything is computed again from the records, so the answer shows
// what they say now, with the rules in force at their time.
func (e *Engine) Explain(outlet telemetry.OutletID, factor, level string, at time.Time) (Explanation, error) {
	snap := e.o.Registry.Snapshot()
	o := snap.Outlets[outlet]
	if o == nil {
		return Explanation{}, fmt.Errorf("outlet %d: %w", outlet, ErrNotFound)
	}
	x := &explainer{b: e.newBuilder(snap, o), parts: e.o.Store.Parts, o: o, factor: factor, now: e.o.Now()}
	return x.explain(level, at)
}

func (x *explainer) explain(level string, at time.Time) (Explanation, error) {
	o, factor := x.o, x.factor
	x.out = Explanation{Outlet: o.ID, Factor: factor, Level: level}
	x.out.Unit = telemetry.FactorUnit(factor)
	for i := range o.Factors {
		if o.Factors[i].Code == factor && o.Factors[i].Unit != "" {
			x.out.Unit = o.Factors[i].Unit
		}
	}
	var err error
	switch level {
	case LevelHour:
		err = x.hour(hourStart(at.Unix()))
	case LevelDay:
		err = x.day(dayStart(at.Unix()))
	case LevelMinute:
		err = x.single(telemetry.KindMinute, at.Unix(), "Avg")
	case LevelRealtime:
		err = x.single(telemetry.KindRealtime, at.Unix(), "Rtd")
	default:
		err = fmt.Errorf("level %q: %w", level, ErrNotFound)
	}
	if err == nil {
		err = x.inputs()
	}
	return x.out, err
}

type explainer struct {
	b      *builder
	parts  func(outlet telemetry.OutletID, kind telemetry.Kind, at int64) ([]telemetry.Record, error)
	o      *telemetry.Outlet
	factor string
	now    time.Time
	out    Explanation

	realtime bool // real-time records stand in for minute ones somewhere
}

// frames collects the frames of a kind that hold the factor; revised records
// also give all their parts.
func (x *explainer) frames(kind telemetry.Kind, from, to int64) error {
	var revised []int64
	err := x.b.src.Records(x.o.ID, kind, from, to, func(r *telemetry.Record) bool {
		items := x.items(r)
		if len(items) == 0 {
			return true
		}
		ref := FrameRef{Kind: r.Kind, At: r.At, Received: r.Received, RF: r.RF, Revised: r.Revised, Items: items}
		if n := len(r.Parts); n > 0 {
			ref.Locator = r.Parts[n-1]
		}
		x.out.Frames = append(x.out.Frames, ref)
		if r.Revised || len(r.Parts) > 1 {
			revised = append(revised, r.At)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	for _, at := range revised {
		parts, err := x.parts(x.o.ID, kind, at)
		if err != nil {
			return fmt.Errorf("read revisions: %w", err)
		}
		holding := 0
		last := telemetry.Locator{}
		for i := range parts {
			items := x.items(&parts[i])
			if len(items) == 0 {
				continue
			}
			holding++
			ref := FrameRef{Kind: kind, At: at, Received: parts[i].Received, RF: parts[i].RF, Revised: holding > 1, Items: items}
			if n := len(parts[i].Parts); n > 0 {
				ref.Locator = parts[i].Parts[0]
				last = ref.Locator
			}
			x.out.Revisions = append(x.out.Revisions, ref)
		}
		if holding <= 1 { // parts of a split upload, nothing was revised
			x.out.Revisions = x.out.Revisions[:len(x.out.Revisions)-holding]
		}
		for i := range x.out.Frames { // of several parts, the one that holds the factor
			if f := &x.out.Frames[i]; f.Kind == kind && f.At == at && !last.IsZero() {
				f.Locator = last
			}
		}
	}
	return nil
}

func (x *explainer) items(r *telemetry.Record) []telemetry.Value {
	var out []telemetry.Value
	for i := range r.Values {
		if c := r.Values[i].Code; canon(c) == canon(x.factor) {
			out = append(out, r.Values[i])
		}
	}
	return out
}

func (x *explainer) frameStep() Step {
	s := Step{Name: StepFrame, Result: strconv.Itoa(len(x.out.Frames))}
	if len(x.out.Frames) == 0 {
		s.Notes = append(s.Notes, Text{Key: "reason.no_frame"})
	}
	if len(x.out.Revisions) > 0 {
		s.Notes = append(s.Notes, Text{Key: "reason.revised", Args: map[string]string{"n": strconv.Itoa(len(x.out.Revisions))}})
	}
	if slices.ContainsFunc(x.out.Frames, func(f FrameRef) bool { return f.RF }) {
		s.Notes = append(s.Notes, Text{Key: "reason.resent"})
	}
	return s
}

// hour explains a clock hour.
func (x *explainer) hour(at int64) error {
	x.out.From, x.out.To = unix(at), unix(at+hourSeconds)
	x.out.Running = x.now.Unix() < at+hourSeconds
	work, rows, err := x.b.gather(at, at+hourSeconds, at+hourSeconds)
	if err == nil {
		err = x.b.exemption(&work[0])
	}
	if err != nil {
		return fmt.Errorf("judge hour: %w", err)
	}
	work[0].finish(x.b)
	f := rows[0].Factor(x.factor)
	if f == nil {
		return fmt.Errorf("factor %s: %w", x.factor, ErrNotFound)
	}
	pl := x.b.plans(dayStart(at))
	if err := x.frames(telemetry.KindHour, at, at+hourSeconds); err != nil {
		return err
	}
	kind := telemetry.KindMinute
	if rows[0].Source == SourceRealtime {
		kind, x.realtime = telemetry.KindRealtime, true
	}
	x.out.Inputs = Inputs{Seen: f.NSeen, Valid: f.NValid, Expected: f.NExpected}
	if err := x.frames(kind, at, at+hourSeconds); err != nil {
		return err
	}
	out := &x.out
	out.Valid, out.Flag, out.Limit, out.Over, out.Evidence, out.Times = f.Valid, f.Flag, f.Limit, f.Over, f.Evidence, f.Times
	out.Reported, out.DiffPct, out.Mismatch, out.Basis = f.Reported, f.DiffPct, f.Mismatch, f.Basis
	out.Exempt = f.Exempt() && f.Judged.OK && !f.Limit.IsZero() && JudgeExceed(f.Judged.V, f.Limit).Exceeds
	out.Value = f.Judged
	if !f.Judged.OK {
		v, folded := f.soFar()
		if out.Value = v; v.OK {
			out.Basis = BasisMean
			if folded {
				out.Basis = BasisFolded
			}
		}
	}
	out.Recomputed = f.Mean
	if f.Folded.OK {
		out.Recomputed = f.Folded
	}
	validity, err := x.validity(pl, &rows[0], f)
	if err != nil {
		return err
	}
	marked := x.markSteps(&work[0], f)
	out.Steps = append(append(Trace{x.frameStep(), validity}, marked...), pl.basics(&rows[0], f)...)
	out.Steps = append(out.Steps, x.conversion(pl, &rows[0], f), x.limitStep(pl, pl.hourOf(&rows[0], pl.temp)), x.verdict(pl))
	out.Steps = append(out.Steps, pl.emission(&rows[0], f)...)
	return nil
}

// runs lists the minutes of the hour as the rule saw them.
func (x *explainer) runs(row *HourRow, at int64) ([]Run, error) {
	kind := telemetry.KindMinute
	switch row.Source {
	case SourceRealtime:
		kind = telemetry.KindRealtime
	case SourceReported, SourceNone:
		return nil, nil
	case SourceMinute:
	}
	b := x.b
	rows := []HourRow{{Outlet: x.o.ID, At: at}}
	w := []hourWork{{row: &rows[0], plan: b.plans(dayStart(at))}}
	w[0].marks = b.marksOf(at, w[0].plan)
	if err := b.cover(w, at, at+hourSeconds, kind); err != nil {
		return nil, err
	}
	i, ok := w[0].plan.index[x.factor]
	if !ok || i >= len(w[0].acc) {
		return nil, nil
	}
	var out []Run
	for m, seconds := range w[0].acc[i].seconds {
		if seconds > 0 {
			r := Run{Flag: marks[m], Minutes: seconds / 60}
			if m == markN && w[0].acc[i].w > 0 {
				r.Value = Some(w[0].acc[i].sum / w[0].acc[i].w)
			}
			out = append(out, r)
		}
	}
	return out, nil
}

func (x *explainer) validity(pl *plan, row *HourRow, f *FactorHour) (Step, error) {
	runs, err := x.runs(row, row.At)
	if err != nil {
		return Step{}, fmt.Errorf("count minutes: %w", err)
	}
	r := HourResult{Valid: f.Valid, Flag: f.Flag, NValid: float64(f.NValid), Mean: f.Mean}
	s := r.Step(pl.hourRule, runs)
	if f.Mean.OK {
		s.Inputs = append(s.Inputs, Input{"mean", num(f.Mean.V), x.out.Unit})
	}
	switch row.Source {
	case SourceReported:
		s.Notes = append(s.Notes, Text{Key: "reason.taken_as_reported"})
	case SourceRealtime:
		s.Notes = append(s.Notes, Text{Key: "reason.from_realtime"})
	case SourceMinute, SourceNone:
	}
	switch {
	case slices.Contains(f.Reasons, "reason.no_flow"):
		s.Notes = append(s.Notes, Text{Key: "reason.no_flow"})
	case row.Stopped || f.NExpected == 0:
		s.Notes = append(s.Notes, Text{Key: "reason.source_stopped"})
	}
	if float64(f.NValid) < pl.hourRule.MinValid {
		s.Notes = append(s.Notes, Text{Key: "reason.hour_not_valid", Args: map[string]string{"n": strconv.Itoa(f.NValid), "need": num(pl.hourRule.MinValid)}})
	}
	return s, nil
}

// conversion: folding, and which figure goes on.
func (x *explainer) conversion(pl *plan, row *HourRow, f *FactorHour) Step {
	i := pl.index[f.Code]
	ref := pl.factors[i].refO2
	var o2 Opt
	if o := pl.hourOf(row, pl.o2); o != nil && (o.Valid || !f.Valid) {
		o2 = o.Mean
	}
	var s Step
	if f.Mean.OK {
		s = FoldO2(&pl.p.fold, f.Mean.V, o2, ref).Step(&pl.p.fold, f.Mean.V, o2, ref)
	} else {
		s = pl.p.fold.step(StepConversion)
		s.Result = string(f.Fold)
	}
	return x.reportedNotes(pl, s)
}

func (x *explainer) reportedNotes(pl *plan, s Step) Step {
	out := &x.out
	if out.Reported.There {
		rep := out.Reported.Avg
		if out.Reported.ZsAvg.OK && (out.Basis == BasisFolded || out.Basis == BasisReportedFolded) {
			rep = out.Reported.ZsAvg
		}
		key := "reason.compare"
		if out.Mismatch {
			key = "reason.mismatch"
		}
		s.Notes = append(s.Notes, Text{Key: key, Args: map[string]string{
			"factor": x.factor, "reported": optText(rep), "recomputed": optText(out.Recomputed), "percent": optText(out.DiffPct), "allowed": num(pl.p.reported.MaxPercent),
		}})
	}
	switch out.Basis {
	case BasisReported, BasisReportedFolded:
		s.Notes = append(s.Notes, Text{Key: "reason.judged_by_reported"})
	case BasisValidated:
		if c := pl.confidence(&pl.factors[pl.index[x.factor]]); c.OK {
			s.Notes = append(s.Notes, Text{Key: "reason.judged_validated", Args: map[string]string{"confidence": num(c.V)}})
		}
	case BasisMean, BasisFolded:
		s.Notes = append(s.Notes, Text{Key: "reason.judged_by_recomputed"})
	case BasisNone:
	}
	return s
}

// limitStep names the limit, where it stands and why it is this one.
func (x *explainer) limitStep(pl *plan, temp *FactorHour) Step {
	l := x.out.Limit
	s := pl.p.selects.step(StepLimit)
	if l.IsZero() {
		s.Notes = append(s.Notes, Text{Key: "reason.no_limit", Args: map[string]string{"factor": x.factor}})
		return s
	}
	s.Result = l.Text()
	full, own := x.limitByID(l.ID)
	if own && pl.p.rank(full.Standard) == 0 {
		s.Notes = append(s.Notes, Text{Key: "reason.own_limit"})
	}
	unit := full.Unit
	if ref := limitRef(&full); ref != l {
		unit = x.out.Unit
		s.Formula = ref.Text() + " " + full.Unit + " = " + l.Text() + " " + unit
	}
	x.out.Standard = full.Standard
	s.Clause, s.ClauseZh = full.Standard, ""
	for _, in := range []Input{
		{Name: "limit", Value: l.Text(), Unit: unit},
		{Name: "statistic", Value: l.Statistic},
		{Name: "source_type", Value: full.SourceType},
		{Name: "condition", Value: full.Condition},
		{Name: "level", Value: full.Level},
		{Name: "effective_from", Value: full.EffectiveFrom},
		{Name: "effective_to", Value: full.EffectiveTo},
		{Name: "certainty", Value: full.Certainty},
		{Name: "note", Value: full.Note},
	} {
		if in.Value != "" {
			s.Inputs = append(s.Inputs, in)
		}
	}
	if full.RefO2 != nil {
		s.Inputs = append(s.Inputs, Input{"O2ref", num(*full.RefO2), "%"})
	}
	if i, ok := pl.index[x.factor]; ok && i == pl.isNH3 && x.o.SourceType == pl.p.nh3.onlySourceType && !own {
		s.Rule, s.Version, s.Hash = pl.p.nh3.id, pl.p.nh3.version, pl.p.nh3.hash
		key, args := "reason.nh3_unknown", map[string]string{"threshold": num(pl.p.nh3.threshold)}
		if temp != nil && temp.Mean.OK {
			args["temperature"] = num(temp.Mean.V)
			if key = "reason.nh3_warm"; temp.Mean.V <= pl.p.nh3.threshold {
				key = "reason.nh3_cold"
			}
		}
		s.Notes = append(s.Notes, Text{Key: key, Args: args})
	}
	return s
}

func (x *explainer) limitByID(id string) (telemetry.Limit, bool) {
	for i := range x.o.Limits {
		if x.o.Limits[i].ID == id {
			return x.o.Limits[i], true
		}
	}
	l, _ := x.b.limit.standards.ByID(id)
	return l, false
}

func (x *explainer) verdict(pl *plan) Step {
	out := &x.out
	switch {
	case out.Limit.IsZero():
		s := pl.p.exceed.step(StepVerdict)
		s.Notes = append(s.Notes, Text{Key: "reason.no_limit", Args: map[string]string{"factor": x.factor}})
		return s
	case !out.Valid || !out.Value.OK:
		s := pl.p.exceed.step(StepVerdict)
		s.Result = "not_judged"
		s.Notes = append(s.Notes, Text{Key: "reason.not_judged"})
		return s
	}
	s := JudgeExceed(out.Value.V, out.Limit).step(pl.p.exceed, out.Value.V, out.Limit, out.Evidence)
	if out.Exempt {
		s.Result, s.Notes = "mark_exempt", append(s.Notes, Text{Key: ReasonExempt})
	}
	return s
}

// day explains a day of Beijing time from its judged hours.
func (x *explainer) day(at int64) error {
	x.out.From, x.out.To = unix(at), unix(at+daySeconds)
	x.out.Running = x.now.Unix() < at+daySeconds
	hours, err := x.b.hours(at, at+daySeconds, at+daySeconds)
	if err != nil {
		return fmt.Errorf("judge hours: %w", err)
	}
	hours = slices.DeleteFunc(hours, func(h HourRow) bool { return h.Source == SourceNone })
	x.realtime = slices.ContainsFunc(hours, func(h HourRow) bool { return h.Source == SourceRealtime })
	row, err := x.b.day(at, hours, at+daySeconds)
	if err != nil {
		return fmt.Errorf("judge day: %w", err)
	}
	f := row.Factor(x.factor)
	if f == nil {
		return fmt.Errorf("factor %s: %w", x.factor, ErrNotFound)
	}
	x.out.Inputs = Inputs{Seen: f.NSeen, Valid: f.NValid, Expected: f.NExpected}
	for _, k := range []telemetry.Kind{telemetry.KindDay, telemetry.KindHour} {
		if err := x.frames(k, at, at+daySeconds); err != nil {
			return err
		}
	}
	pl := x.b.plans(at)
	out := &x.out
	out.Valid, out.Limit, out.Over, out.Evidence, out.Times = f.Valid, f.Limit, f.Over, f.Evidence, f.Times
	out.Reported, out.DiffPct, out.Mismatch, out.Basis = f.Reported, f.DiffPct, f.Mismatch, f.Basis
	if out.Value = f.Judged; !out.Value.OK {
		switch v, folded := pl.soFar(f); {
		case folded:
			out.Value, out.Basis = v, BasisFolded
		case v.OK:
			out.Value, out.Basis = v, BasisMean
		}
	}
	out.Recomputed = f.Mean
	if f.Folded.OK {
		out.Recomputed = f.Folded
	}
	var temps []Opt
	for h := at; h < at+daySeconds; h += hourSeconds {
		fh := FactorHour{Code: x.factor, Flag: pl.hourRule.MissingMark}
		for i := range hours {
			if hours[i].At != h {
				continue
			}
			if g := hours[i].Factor(x.factor); g != nil {
				fh = *g
			}
			if g := pl.hourOf(&hours[i], pl.temp); g != nil {
				temps = append(temps, g.Mean)
			}
		}
		out.Hours, out.HourStarts = append(out.Hours, fh), append(out.HourStarts, h)
	}
	temp := &FactorHour{Mean: DayMean(&pl.p.gasDay, temps).Mean}
	out.Steps = Trace{x.frameStep(), x.dayValidity(pl, f), x.dayConversion(pl, hours, f), x.limitStep(pl, temp), x.verdict(pl)}
	out.Steps = append(out.Steps, x.dayEmission(pl, f)...)
	return nil
}

func (x *explainer) dayValidity(pl *plan, f *FactorDay) Step {
	var s Step
	if x.o.Medium == telemetry.Gas {
		s = pl.p.gasDay.step(StepValidity)
		s.Formula = "n = " + strconv.Itoa(f.NValid) + sign(f.Valid) + strconv.Itoa(pl.p.gasDay.MinHours)
	} else {
		s = pl.p.waterDay.step(StepValidity)
		share := 0.0
		if f.NExpected > 0 {
			share = 100 * float64(f.NValid) / float64(f.NExpected)
		}
		s.Formula = strconv.Itoa(f.NValid) + " ÷ " + strconv.Itoa(f.NExpected) + " = " + num(share) + " %" + sign(f.Valid) + num(pl.p.waterDay.MinPercent) + " %"
	}
	s.Inputs = []Input{{"n_valid", strconv.Itoa(f.NValid), "h"}, {"n_expected", strconv.Itoa(f.NExpected), "h"}}
	if s.Result = "valid"; !f.Valid {
		s.Result = "not_valid"
		s.Notes = append(s.Notes, Text{Key: "reason.day_not_valid", Args: map[string]string{"n": strconv.Itoa(f.NValid), "due": strconv.Itoa(f.NExpected)}})
	}
	if slices.Contains(f.Reasons, ReasonDayExempt) {
		n := 0
		for i := range x.out.Hours {
			if h := &x.out.Hours[i]; h.Valid && h.Exempt() {
				n++
			}
		}
		s.Notes = append(s.Notes, Text{Key: ReasonDayExempt, Args: map[string]string{"n": strconv.Itoa(n)}})
	}
	if slices.Contains(f.Reasons, "reason.short_running") {
		s.Notes = append(s.Notes, Text{Key: "reason.short_running", Args: map[string]string{"n": strconv.Itoa(f.NValid), "due": strconv.Itoa(f.NExpected)}})
	}
	return s
}

func sign(ok bool) string {
	if ok {
		return " ≥ "
	}
	return " < "
}

// dayConversion writes the mean down: how the hours were weighed.
func (x *explainer) dayConversion(pl *plan, hours []HourRow, f *FactorDay) Step {
	i := pl.index[x.factor]
	due := dueHours(x.o, x.out.From.Unix(), x.out.To.Unix())
	_, r := pl.dayFactor(i, hours, due, Opt{}, nil)
	fold := pl.factors[i].refO2.OK
	if fold {
		r = MeanResult{}
		for k := range x.out.Hours {
			if h := &x.out.Hours[k]; h.Valid && h.Folded.OK && !h.Exempt() && slices.Contains(due, x.out.HourStarts[k]) {
				r.Sum, r.Weight = r.Sum+h.Folded.V, r.Weight+1
			}
		}
	}
	rule, formula, numbers := pl.p.gasDay.ref, "Σ C ÷ n", num(r.Sum)+" ÷ "+num(r.Weight)
	switch {
	case pl.factors[i].role == pl.p.phFactor && x.o.Medium != telemetry.Gas:
		rule, formula, numbers = pl.p.ph, "−log10(Σ 10^−pH × Q ÷ Σ Q)", "−log10("+numbers+")"
	case x.o.Medium != telemetry.Gas:
		rule, formula = pl.p.waterDay.ref, "Σ C × Q ÷ Σ Q"
	case fold:
		formula = "Σ Cf ÷ n"
	}
	s := rule.step(StepConversion)
	switch {
	case fold && !f.Folded.OK && f.NValid > 0:
		s.Result = string(FoldO2Missing)
		s.Notes = append(s.Notes, Text{Key: "reason.fold_o2_missing"})
	case r.Weight > 0:
		s.Formula = formula + " = " + numbers + " = " + optText(x.out.Recomputed)
		s.Result = optText(x.out.Recomputed)
	}
	if f.Flow.OK {
		s.Inputs = append(s.Inputs, Input{"Q", num(f.Flow.V), "m3"})
	} else if x.o.Medium != telemetry.Gas {
		s.Notes = append(s.Notes, Text{Key: "reason.unweighted"})
	}
	return x.reportedNotes(pl, s)
}

// single explains one minute or real-time value.
func (x *explainer) single(kind telemetry.Kind, at int64, suffix string) error {
	x.out.From, x.out.To = unix(at), unix(at)
	if kind == telemetry.KindMinute {
		x.out.To = unix(at + int64(max(1, x.o.IntervalAt(unix(at)).Minute))*60)
	}
	if err := x.frames(kind, at, at+1); err != nil {
		return err
	}
	if len(x.out.Frames) == 0 {
		return fmt.Errorf("no record at %s: %w", unix(at).Format(time.RFC3339), ErrNotFound)
	}
	pl := x.b.plans(dayStart(at))
	out := &x.out
	for _, v := range out.Frames[0].Items {
		out.Flag = v.Flag
		if v.Suffix == suffix && v.IsNum {
			out.Value, out.Basis = Some(v.Dec.Float()), BasisReported
		}
	}
	out.Valid = (out.Flag == "N" || out.Flag == "" && x.o.MissingFlagIsN) && out.Value.OK
	w := hourWork{row: &HourRow{At: hourStart(at)}, plan: pl, marks: x.b.marksOf(hourStart(at), pl)}
	if i, ok := pl.index[x.factor]; ok && w.marks != nil {
		r, to := reading{factor: i, mark: markIndex(out.Flag)}, at+1
		if kind == telemetry.KindMinute {
			to = x.out.To.Unix()
		}
		if w.mask(&r, at, to); w.reasonOf(i) != "" {
			out.Valid, out.Flag = false, marks[r.mark]
			w.marks.fixes, w.marks.exempt = nil, nil
		} else {
			w.marks = nil
		}
	}
	i, ok := pl.index[x.factor]
	if !ok {
		i = pl.add(x.b.limit, x.factor, nil)
	}
	l := pl.factors[i].instant
	out.Limit, out.Evidence = l.LimitRef, l.evidence
	validity := pl.hourRule.step(StepValidity)
	validity.Result = orUnknown(out.Flag)
	conv := pl.p.fold.step(StepConversion)
	conv.Result = string(FoldNotRequired)
	conv.Notes = []Text{{Key: "reason.single_value"}}
	if out.Valid && !l.IsZero() {
		j := JudgeExceed(out.Value.V, l.LimitRef)
		if out.Over = j.Exceeds; out.Over {
			out.Times = j.Times
		}
	}
	out.Steps = append(Trace{x.frameStep(), validity}, x.markSteps(&w, &FactorHour{Code: x.factor})...)
	out.Steps = append(out.Steps, conv, x.limitStep(pl, nil), x.verdict(pl))
	return nil
}
