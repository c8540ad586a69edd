package mark

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/rules"
)

// dateOf is the Beijing date of an instant.
func dateOf(t time.Time) string { return t.In(i18n.Zone).Format(time.DateOnly) }

// Codes lists the marks that an outlet may have on the day of an instant.
func (s *Service) Codes(o *telemetry.Outlet, at time.Time) ([]rules.MarkCode, error) {
	list, err := s.o.Rules.MarksFor(string(o.Medium), o.SourceType, dateOf(at))
	if err != nil {
		return nil, fmt.Errorf("marks of outlet %d: %w", o.ID, err)
	}
	return list, nil
}

// Code finds what a paper's rule says of its code, in the version it is of;
// false for a correction, or where the rule is gone.
func (s *Service) Code(p *Paper) (rules.MarkCode, bool) {
	for _, r := range s.o.Rules.Versions(p.Rule) {
		if r.Version != p.Version {
			continue
		}
		codes, err := r.Marks()
		if err != nil {
			return rules.MarkCode{}, false
		}
		if i := slices.IndexFunc(codes, func(m rules.MarkCode) bool { return m.Code == p.Code }); i >= 0 {
			return codes[i], true
		}
	}
	return rules.MarkCode{}, false
}

// codeOf finds the code of an input.
func (s *Service) codeOf(o *telemetry.Outlet, in *Input) (rules.MarkCode, error) {
	list, err := s.Codes(o, in.From)
	if err != nil {
		return rules.MarkCode{}, err
	}
	if i := slices.IndexFunc(list, func(m rules.MarkCode) bool { return m.Ref() == in.Ref }); i >= 0 {
		return list[i], nil
	}
	return rules.MarkCode{}, errs.InvalidField("code", "err.field.mark_code")
}

// deviceRule is mark.device in force on the day of an instant; what was before
// its first version is of that.
func (s *Service) deviceRule(at time.Time) (*rules.Rule, error) {
	r, ok := s.o.Rules.At("mark.device", dateOf(at))
	if !ok {
		return nil, fmt.Errorf("rule mark.device is missing: %w", rules.ErrInvalid)
	}
	return r, nil
}

// midnight is the begin of the Beijing day of an instant, some days on.
func midnight(t time.Time, days int) time.Time {
	y, m, d := t.In(i18n.Zone).Date()
	return time.Date(y, m, d+days, 0, 0, 0, 0, i18n.Zone)
}

// Due is until when what ends at an instant is to be marked, by the rule that
// knows the mark.
func Due(r *rules.Rule, end time.Time) (time.Time, error) {
	days, err := r.Float("due_days")
	if err != nil {
		return time.Time{}, err
	}
	hour, err := r.Float("due_hour")
	if err != nil {
		return time.Time{}, err
	}
	return midnight(end.Add(-time.Minute), int(days)).Add(time.Duration(hour * float64(time.Hour))), nil
}

// correctionDues are the two deadlines of a correction of data that began at an
// instant: until when it may be made, and until when its document must be there.
func (s *Service) correctionDues(from time.Time) (made, document time.Time, err error) {
	r, err := s.deviceRule(from)
	if err != nil {
		return made, document, err
	}
	days, err := r.Float("correction_days")
	if err != nil {
		return made, document, err
	}
	day, err := r.Float("document_day")
	if err != nil {
		return made, document, err
	}
	y, m, _ := from.In(i18n.Zone).Date()
	return from.Add(time.Duration(days) * 24 * time.Hour), time.Date(y, m+1, int(day)+1, 0, 0, 0, 0, i18n.Zone), nil
}

// Deadline is until when a paper may be submitted to take effect by itself.
func (s *Service) Deadline(p *Paper) (time.Time, error) {
	if p.Sort == SortCorrection {
		made, _, err := s.correctionDues(p.From)
		return made, err
	}
	m, ok := s.Code(p)
	if !ok {
		return time.Time{}, fmt.Errorf("mark %s: rule %s version %d is gone: %w", p.Number, p.Rule, p.Version, rules.ErrInvalid)
	}
	return Due(m.Rule, p.To)
}

// check makes a paper of an input, and says what of it does not fit.
func (s *Service) check(o *telemetry.Outlet, in *Input, source string, now time.Time) (*Paper, error) {
	p := &Paper{
		Sort: SortMark, Outlet: o.ID, Factors: slices.Clone(in.Factors), From: in.From.Truncate(time.Minute), To: in.To.Truncate(time.Minute),
		Cause: strings.TrimSpace(in.Cause), Evidence: strings.TrimSpace(in.Evidence), State: Draft, Source: source, Created: now,
	}
	slices.Sort(p.Factors)
	p.Factors = slices.Compact(p.Factors)
	var c errs.Checks
	c.Require(!in.From.IsZero(), "from", "err.field.time")
	c.Require(!in.To.IsZero(), "to", "err.field.time")
	c.Require(in.To.IsZero() || in.From.IsZero() || in.To.After(in.From), "to", "err.field.after")
	c.Require(!in.To.After(now), "to", "err.field.mark_future")
	for _, f := range p.Factors {
		c.Require(slices.ContainsFunc(o.Factors, func(x telemetry.OutletFactor) bool { return x.Code == f }), "factors", "err.field.unknown", "value", f)
	}
	for name, text := range map[string]string{"cause": p.Cause, "evidence": p.Evidence} {
		c.Require(len([]rune(text)) <= maxText, name, "err.field.long", "max", maxText)
	}
	c.Require(in.Declared, "declared", "err.field.mark_declared")
	if in.Ref == "" {
		p.Sort = SortCorrection
		c.Require(len(p.Factors) == 1, "factors", "err.field.mark_factor")
		c.Require(in.Value != nil, "value", "err.field.required")
		c.Require(p.Cause != "", "cause", "err.field.required")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if in.Ref == "" {
		r, err := s.deviceRule(p.From)
		if err != nil {
			return nil, err
		}
		p.Rule, p.Version, p.Value = r.ID, r.Version, *in.Value
		if _, p.DocumentDue, err = s.correctionDues(p.From); err != nil {
			return nil, err
		}
		if p.Evidence != "" {
			p.DocumentAt = now
		}
		return p, s.fits(o, p)
	}
	m, err := s.codeOf(o, in)
	if err != nil {
		return nil, err
	}
	p.Rule, p.Version, p.Code = m.Rule.ID, m.Rule.Version, m.Code
	c = errs.Checks{}
	c.Require(slices.Contains(m.By, source), "code", "err.field.mark_by")
	c.Require(!m.Evidence || p.Evidence != "", "evidence", "err.field.mark_evidence")
	c.Require(m.Group == rules.MarkDevice || len(p.Factors) == 0, "factors", "err.field.mark_all")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return p, s.fits(o, p)
}

const maxText = 400

// fits tries the paper on a copy of the outlet: the error says which end to move
// where.
func (s *Service) fits(o *telemetry.Outlet, p *Paper) error {
	trial := telemetry.Outlet{Factors: o.Factors, Marks: slices.Clone(o.Marks), Corrections: slices.Clone(o.Corrections)}
	q := *p
	if q.Number == "" {
		q.Number = "-"
	}
	return s.put(&trial, &q)
}

// put puts a paper into force on an outlet; one without effect too, so that two
// states of a source never overlap.
func (s *Service) put(o *telemetry.Outlet, p *Paper) error {
	if p.Sort == SortCorrection {
		return o.PutCorrection(telemetry.Correction{Number: p.Number, Factor: p.Factors[0], From: p.From, To: p.To, Value: p.Value})
	}
	m, ok := s.Code(p)
	if !ok {
		return fmt.Errorf("mark %s: rule %s version %d is gone: %w", p.Number, p.Rule, p.Version, rules.ErrInvalid)
	}
	return o.PutMark(telemetry.Mark{
		Number: p.Number, Rule: p.Rule, Version: p.Version, Code: p.Code, Group: m.Group, Effect: m.Effect, Flag: m.Flag, Kind: m.Kind, Quota: m.Quota,
		Factors: slices.Clone(p.Factors), From: p.From, To: p.To,
	})
}

func drop(o *telemetry.Outlet, p *Paper) {
	o.DropMark(p.Number)
	o.DropCorrection(p.Number)
}
