package mark

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Registry holds the outlets; *telemetry.Registry is one.
type Registry interface {
	Snapshot() *telemetry.Snapshot
	EditOutletWith(ctx context.Context, id telemetry.OutletID, by auth.Principal, fn func(o *telemetry.Outlet) error, with func(ctx context.Context, tx *db.Tx) error) error
}

// Judge tells what a mark would change; *quality.Engine is one.
type Judge interface {
	WhatIf(ctx context.Context, w quality.WhatIf) (*quality.Difference, error)
	QuotaUse(id telemetry.OutletID, quota string, at time.Time) (quality.QuotaUse, error)
}

// Options of a Service; all but Rules and Logger must be given.
type Options struct {
	DB       *db.DB
	Registry Registry
	Judge    Judge
	Rules    *rules.Set // nil = the embedded ones
	Now      func() time.Time
	Logger   *slog.Logger // nil = discard
}

// Service does what people do with marks. It is safe for concurrent use.
type Service struct{ o Options }

// New makes a Service.
func New(o Options) *Service {
	if o.Rules == nil {
		o.Rules = rules.Default()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o}
}

func (s *Service) now() time.Time { return db.Time(db.Micros(s.o.Now())) }

// may reports whether somebody holds a permission for an outlet.
func (s *Service) may(by auth.Principal, perm access.Permission, o *telemetry.Outlet) bool {
	return access.Default().May(by.Grants(), perm, access.Object{Area: o.Area, Organisation: o.Enterprise}, s.o.Registry.Snapshot())
}

// MaySet reports whether somebody may mark an outlet's data.
func (s *Service) MaySet(by auth.Principal, o *telemetry.Outlet) bool { return s.may(by, Set, o) }

// MayReview reports whether somebody may decide about an outlet's marks.
func (s *Service) MayReview(by auth.Principal, o *telemetry.Outlet) bool { return s.may(by, Review, o) }

// Source is who somebody marks as: a regulator where they also review.
func (s *Service) Source(by auth.Principal, o *telemetry.Outlet) string {
	if s.MayReview(by, o) {
		return ByRegulator
	}
	return ByEnterprise
}

func (s *Service) outlet(by auth.Principal, id telemetry.OutletID, perm access.Permission) (*telemetry.Outlet, error) {
	o := s.o.Registry.Snapshot().Outlets[id]
	switch {
	case o == nil:
		return nil, errs.New(errs.NotFound, "err.not_found")
	case !s.may(by, perm, o):
		return nil, errs.New(errs.Forbidden, "")
	}
	return o, nil
}

// Preview tells what an input would change of what is judged: nothing is
// written. Errors are those of Submit, and of the judgement.
func (s *Service) Preview(ctx context.Context, in Input, by auth.Principal) (*quality.Difference, error) {
	o, err := s.outlet(by, in.Outlet, Set)
	if err != nil {
		return nil, err
	}
	in.Declared = true // is asked for when it is submitted
	p, err := s.check(o, &in, s.Source(by, o), s.now())
	if err != nil {
		return nil, err
	}
	p.Number = "-"
	var refused error
	d, err := s.o.Judge.WhatIf(ctx, quality.WhatIf{
		Trial:   quality.Trial{Outlet: func(o *telemetry.Outlet) { refused = s.put(o, p) }},
		Outlets: []telemetry.OutletID{o.ID}, From: p.From, To: p.To,
	})
	if refused != nil {
		return nil, refused
	}
	return d, err
}

// Submit makes a paper of an input and submits it: in time it is accepted by the
// program and in force at once; late it waits for the regulator; one of the
// regulator's own is final. Errors: errs.Invalid with the fields to mend,
// errs.NotFound, errs.Forbidden.
func (s *Service) Submit(ctx context.Context, in Input, by auth.Principal) (*Paper, error) {
	o, err := s.outlet(by, in.Outlet, Set)
	if err != nil {
		return nil, err
	}
	now := s.now()
	p, err := s.check(o, &in, s.Source(by, o), now)
	if err != nil {
		return nil, err
	}
	p.Author, p.AuthorPost, p.Submitted = by.ID, by.Post.Zh, now
	due, err := s.Deadline(p)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Source == ByRegulator:
		p.State, p.Decided = Final, now
	case now.After(due):
		p.State, p.Late = Submitted, true
	default:
		p.State = Accepted
	}
	events := []Event{{At: now, Act: ActDraft, To: Draft, By: by.ID, Post: by.Post.Zh}, {At: now, Act: ActSubmit, From: Draft, To: Submitted, By: by.ID, Post: by.Post.Zh}}
	switch p.State {
	case Final:
		events = append(events, Event{At: now, Act: ActAccept, From: Submitted, To: Final, By: by.ID, Post: by.Post.Zh})
	case Accepted:
		events = append(events, Event{At: now, Act: ActAccept, From: Submitted, To: Accepted, By: auth.System.ID, Post: auth.System.Post.Zh})
	default: // it waits
	}
	if p.Number, err = s.number(ctx, p.Sort); err != nil {
		return nil, err
	}
	err = s.o.Registry.EditOutletWith(ctx, o.ID, by, func(o *telemetry.Outlet) error {
		if p.State.InForce() {
			return s.put(o, p)
		}
		return nil
	}, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.Insert(ctx, "marks", columns, [][]any{p.row()}); err != nil {
			return err
		}
		if err := addEvents(ctx, tx, p.Number, 1, events); err != nil {
			return err
		}
		return audit.Append(ctx, tx, s.entry(by, now, "submit", p, ""))
	})
	return p, err
}

// Resubmit submits a returned paper again, mended: it waits for the regulator,
// who sent it back. Errors as Submit, and errs.Conflict where it was not returned.
func (s *Service) Resubmit(ctx context.Context, number, cause, evidence, note string, by auth.Principal) error {
	return s.change(ctx, number, ActSubmit, note, by, func(p *Paper, now time.Time) error {
		p.Cause, p.Evidence, p.State, p.Submitted = strings.TrimSpace(cause), strings.TrimSpace(evidence), Submitted, now
		if p.Sort == SortCorrection && p.Evidence != "" && p.DocumentAt.IsZero() {
			p.DocumentAt = now
		}
		if m, ok := s.Code(p); ok && m.Evidence && p.Evidence == "" {
			return errs.InvalidField("evidence", "err.field.mark_evidence")
		}
		return nil
	})
}

// Decide is a step of the review: ActAccept, ActReturn, ActReject or ActFalse;
// all but the first need a reason. errs.Conflict where the paper is past it.
func (s *Service) Decide(ctx context.Context, number string, act Act, note string, by auth.Principal) error {
	if st, ok := steps[act]; !ok || !st.review {
		return errs.InvalidField("decision", "err.field.mark_decision")
	}
	return s.change(ctx, number, act, note, by, func(p *Paper, now time.Time) error {
		p.State, p.Decided = steps[act].to, now
		return nil
	})
}

// Withdraw takes a paper back, by who may mark; errs.Conflict once it is decided.
func (s *Service) Withdraw(ctx context.Context, number, note string, by auth.Principal) error {
	return s.change(ctx, number, ActWithdraw, note, by, func(p *Paper, _ time.Time) error {
		p.State = Withdrawn
		return nil
	})
}

// Document gives the document of a correction.
func (s *Service) Document(ctx context.Context, number, document string, by auth.Principal) error {
	return s.change(ctx, number, ActDocument, "", by, func(p *Paper, now time.Time) error {
		if p.Evidence = strings.TrimSpace(document); p.Evidence == "" {
			return errs.InvalidField("evidence", "err.field.required")
		}
		p.DocumentAt = now
		return nil
	})
}

// change does one act on a paper: who may, from which state, with its event, its
// entry in the record of acts and what it does to the outlet, all together.
func (s *Service) change(ctx context.Context, number string, act Act, note string, by auth.Principal, fn func(p *Paper, now time.Time) error) error {
	now, note := s.now(), strings.TrimSpace(note)
	p, err := s.Paper(ctx, number)
	if err != nil {
		return err
	}
	perm := Set
	if steps[act].review {
		perm = Review
	}
	if act != ActRestore {
		if _, err := s.outlet(by, p.Outlet, perm); err != nil {
			return err
		}
	}
	if !p.May(act) {
		return errs.New(errs.Conflict, "marks.past", "number", p.Number)
	}
	if steps[act].note && note == "" {
		return errs.InvalidField("note", "err.field.required")
	}
	was := p.State
	if err := fn(p, now); err != nil {
		return err
	}
	for name, text := range map[string]string{"note": note, "cause": p.Cause, "evidence": p.Evidence} {
		if len([]rune(text)) > maxText {
			return errs.InvalidField(name, "err.field.long", "max", maxText)
		}
	}
	return s.o.Registry.EditOutletWith(ctx, p.Outlet, by, func(o *telemetry.Outlet) error {
		if !p.State.InForce() {
			drop(o, p)
			return nil
		}
		return s.put(o, p)
	}, func(ctx context.Context, tx *db.Tx) error {
		if err := p.update(ctx, tx, was); err != nil {
			return err
		}
		var seq int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM mark_events WHERE number = $1`, p.Number).Scan(&seq); err != nil {
			return err
		}
		if err := addEvents(ctx, tx, p.Number, seq+1, []Event{{At: now, Act: act, From: was, To: p.State, By: by.ID, Post: by.Post.Zh, Note: note}}); err != nil {
			return err
		}
		return audit.Append(ctx, tx, s.entry(by, now, string(act), p, note))
	})
}

func (s *Service) entry(by auth.Principal, at time.Time, act string, p *Paper, note string) audit.Entry {
	e := by.Entry(at, "telemetry", "mark."+act, "mark", p.Number)
	text, err := json.Marshal(map[string]any{"outlet": p.Outlet, "state": p.State, "note": note})
	if err != nil {
		panic("mark: " + err.Error()) // plain data
	}
	e.Detail = string(text)
	return e
}

// Sweep restores what was measured where the document of a correction did not
// come in time, and tells how many.
func (s *Service) Sweep(ctx context.Context) (n int, err error) {
	list, err := s.list(ctx, `sort = $1 AND state IN ($2, $3) AND document_at IS NULL AND document_due <= $4 ORDER BY number`,
		SortCorrection, Accepted, Final, db.Micros(s.now()))
	if err != nil {
		return 0, err
	}
	for i := range list {
		if err := s.change(ctx, list[i].Number, ActRestore, "", auth.System, func(p *Paper, _ time.Time) error {
			p.State = Restored
			return nil
		}); err != nil && errs.KindOf(err) != errs.Conflict { // given at this very moment
			return n, fmt.Errorf("restore %s: %w", list[i].Number, err)
		}
		n++
	}
	return n, nil
}

// Run sweeps every so often until ctx ends.
func (s *Service) Run(ctx context.Context, every time.Duration) {
	for {
		if n, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "sweep of corrections failed", slog.Any("error", err))
		} else if n > 0 {
			s.o.Logger.InfoContext(ctx, "corrections without a document restored", slog.Int("corrections", n))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// Counter is what of a quota an outlet has used.
type Counter struct {
	Rule        string
	Used, Hours float64 // h
	Quarter     bool    // of a quarter; else of a calendar year
	Marks       []string
}

// Counters are the quotas of an outlet in the year, or quarter, of an instant.
func (s *Service) Counters(o *telemetry.Outlet, at time.Time) ([]Counter, error) {
	codes, err := s.Codes(o, at)
	if err != nil {
		return nil, err
	}
	var out []Counter
	for _, m := range codes {
		if m.Quota == "" {
			continue
		}
		if i := slices.IndexFunc(out, func(c Counter) bool { return c.Rule == m.Quota }); i >= 0 {
			out[i].Marks = append(out[i].Marks, m.Code)
			continue
		}
		u, err := s.o.Judge.QuotaUse(o.ID, m.Quota, at)
		if err != nil {
			return nil, err
		}
		out = append(out, Counter{Rule: m.Quota, Used: u.Used, Hours: u.Hours, Marks: []string{m.Code}})
	}
	r, err := s.deviceRule(at)
	if err != nil {
		return nil, err
	}
	c := Counter{Rule: r.ID, Quarter: true}
	if c.Hours, err = r.Float("quota_hours"); err != nil {
		return nil, err
	}
	if c.Marks, err = r.Texts("quota_marks"); err != nil {
		return nil, err
	}
	from, to, err := quality.PeriodBounds(quality.LevelQuarter, at.Unix())
	if err != nil {
		return nil, err
	}
	for i := range o.Marks {
		if m := &o.Marks[i]; m.Rule == r.ID && slices.Contains(c.Marks, m.Code) {
			c.Used += max(0, float64(min(to, m.To.Unix())-max(from, m.From.Unix()))) / 3600
		}
	}
	return append(out, c), nil
}
