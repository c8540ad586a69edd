package telemetryweb

import (
	"context"
	"errors"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/supervise"
	"plateau/internal/web"
)

// Supervision knows which alarm has which case, and opens one in the name of who asks.
type Supervision interface {
	Of(ctx context.Context, e *alarm.Episode) (supervise.Of, error)
	Open(ctx context.Context, id, note string) error
	Investigate(ctx context.Context, id, reason string) error
}

// alarmCases is what the page of an alarm says of its cases.
type alarmCases struct {
	Class           string // what follows from it, in words
	List            []alarmCase
	Open            bool // who reads may open a supervision
	Investigate     bool // or an investigation
	NoteField       web.Field
	InvestigateNote web.Field
}

type alarmCase struct {
	Kind, Number, Href, State string
}

func (h *Handler) alarmCases(c *call, v *alarmView, e *alarm.Episode, typed string, faults []web.FieldError) error {
	if h.Supervision == nil || e.Parent != "" || !e.Withdrawn.IsZero() {
		return nil
	}
	of, err := h.Supervision.Of(c.ctx(), e)
	if err != nil {
		return err
	}
	x := &alarmCases{Open: v.CanAct && of.CanOpen, Investigate: v.CanAct && of.CanInvestigate}
	if of.Class != supervise.None {
		x.Class = c.l.T("supervise.class_" + string(of.Class))
	}
	for _, one := range []*casework.Case{of.Supervision, of.Investigation} {
		if one == nil {
			continue
		}
		a := alarmCase{Kind: c.l.T("supervise.kind_" + one.Kind), Number: casework.Written(one.TrackingNo), Href: c.path("/cases/" + one.TrackingNo), State: c.text(of.States[one.Kind])}
		x.List = append(x.List, a)
	}
	x.NoteField = web.Field{Name: "case_note", Label: c.l.T("supervise.note"), Optional: true}
	x.InvestigateNote = web.Field{Name: "case_reason", Label: c.l.T("supervise.why")}
	for _, f := range faults {
		switch f.Field {
		case x.NoteField.Name:
			x.NoteField.Error, x.NoteField.Value = f.Text, typed
		case x.InvestigateNote.Name:
			x.InvestigateNote.Error, x.InvestigateNote.Value = f.Text, typed
		}
	}
	v.Cases = x
	return nil
}

// text is a text of a case type in the reader's language.
func (c *call) text(t casework.Text) string {
	switch {
	case c.l.Lang() == "bo" && t.Bo != "":
		return t.Bo
	case c.l.Lang() == "en" && t.En != "":
		return t.En
	}
	return t.Zh
}

// alarmCase opens a case of an alarm; typed is what was entered. Faults of the form stand
// at the field of this page.
func (h *Handler) alarmCase(c *call, action, id string) (typed string, err error) {
	if h.Supervision == nil {
		return "", errs.New(errs.NotFound, "err.not_found")
	}
	field, from := "case_note", "note"
	if action == "investigate" {
		field, from = "case_reason", "reason"
	}
	typed = c.r.PostFormValue(field)
	if action == "investigate" {
		err = h.Supervision.Investigate(c.ctx(), id, typed)
	} else {
		err = h.Supervision.Open(c.ctx(), id, typed)
	}
	return typed, renamed(err, from, field)
}

// renamed is an error about a field under the name that a form gave it.
func renamed(err error, from, to string) error {
	fault, ok := errors.AsType[*errs.Error](err)
	if !ok {
		return err
	}
	for i := range fault.Fields {
		if fault.Fields[i].Name == from {
			fault.Fields[i].Name = to
		}
	}
	return err
}
