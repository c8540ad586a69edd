package casework

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/errs"
)

// Actions that every type has and no file writes: docs/case-types.md says what they do.
const (
	Comment  = "comment"
	TakeBack = "take_back"
)

// roleParticipant is everybody who sees a case: who may comment on it.
const roleParticipant = "participant"

// takeBackTime is how long a step can be taken back where its type does not say.
const takeBackTime = 10 * time.Minute

var (
	comment = &Action{Name: Comment, From: []string{AnyOpen}, Roles: []string{roleParticipant}, Form: Comment, Label: Text{"留言", "མཆན།", "comment"}}

	takeBack = &Action{Name: TakeBack, From: []string{AnyOpen}, Roles: []string{roleParticipant}, Form: TakeBack, Label: Text{"撤回", "ཕྱིར་འཐེན།", "take back"}}

	coreForms = []*Form{
		{Name: Comment, Fields: []Field{
			{Name: "text", Type: "long", Required: true, Reporter: true, Public: true, Label: Text{"留言内容", "མཆན།", "comment"}},
			{Name: "visibility", Type: VisibilityField, Label: Text{"谁能看到", "སུས་མཐོང་།", "who reads it"}, Options: []Option{
				{string(Staff), Text{"经办人员", "སྒྲུབ་མཁན།", "who works on the case"}},
				{string(ToReporter), Text{"经办人员和反映人", "སྒྲུབ་མཁན་དང་སྙན་ཞུ་བ།", "who works on it and who reported it"}},
				{string(Public), Text{"所有人", "ཚང་མ།", "everybody with the number"}},
			}},
			{Name: "mention", Type: WhomField, Label: Text{"提醒", "བརྡ་གཏོང་ཡུལ།", "tell"}},
		}},
		{Name: TakeBack, Fields: []Field{{Name: "reason", Type: "text", Max: 200, Label: Text{"原因", "རྒྱུ་མཚན།", "reason"}}}},
	}
)

// Types of fields that the forms of comments have, and files do not.
const (
	WhomField       = "whom"       // whom to tell, among those who see the case
	VisibilityField = "visibility" // who may read it
)

// Core is the action of a name that every type has; nil when it is none.
func Core(name string) *Action {
	switch name {
	case Comment:
		return comment
	case TakeBack:
		return takeBack
	}
	return nil
}

// Visibilities are who may be let read a comment of an actor, the fewest first. What who
// reported writes tells who they are, so it is for them and the authority alone; only the
// authority speaks to everybody, and only of a state that outsiders see.
func (t *Type) Visibilities(c *Case, a *Actor) []Visibility {
	switch st := t.State(c.State); {
	case a.byReporter() && !a.of(c):
		return []Visibility{Restricted}
	case a.Works(c) && st != nil && st.Public != "":
		return []Visibility{Staff, ToReporter, Public}
	}
	return []Visibility{Staff, ToReporter}
}

// Mentions are whom a comment on a case can name, beside the posts that see it: words of
// types and "unit:ID" of the organisations beside the one that must act.
func (c *Case) Mentions(a *Actor) []string {
	if a.byReporter() && !a.of(c) {
		return nil // they are answered by the office, which is told
	}
	out := []string{"office", "upper_office"}
	if c.OwnerUnit != "" {
		out = append(out, "unit")
	}
	for _, u := range c.CoUnits {
		out = append(out, "unit:"+u)
	}
	return append(out, "reporter")
}

// comments checks what a comment adds to its form, and whom it tells.
func (s *step) comments() error {
	seen := s.t.CommentVisibility(s.c, s.a, s.in.Form)
	if !slices.Contains(s.t.Visibilities(s.c, s.a), seen) {
		return errs.InvalidField("visibility", "err.case.guard.visibility")
	}
	if seen == Restricted {
		s.told = append(s.told, "office")
	}
	for _, whom := range UnitList(s.in.Form["mention"]) {
		post, isPost := strings.CutPrefix(whom, "post:")
		switch {
		case whom == "reporter" && seen == Staff:
			return errs.InvalidField("mention", "err.case.guard.mention_reporter")
		case isPost && seen != Restricted && s.Post != nil && s.Post(s.c, post), slices.Contains(s.c.Mentions(s.a), whom):
			s.told = append(s.told, whom)
		default:
			return errs.InvalidField("mention", "err.case.guard.mention")
		}
	}
	return nil
}

// CommentVisibility is who may read a comment with a form: by itself those who work on the
// case, and of who reported it the authority.
func (t *Type) CommentVisibility(c *Case, a *Actor, form map[string]string) Visibility {
	if v := form["visibility"]; v != "" {
		return Visibility(v)
	}
	return t.Visibilities(c, a)[0]
}

// Undone is why a step cannot be taken back by somebody (as events name them) at a time, the
// key of a sentence; "" when it can. The step is the last that happened. One that ends a case
// is told to who reported and to the public: there is another way back.
func (t *Type) Undone(step *Event, by string, now time.Time) string {
	most := cmp.Or(t.TakeBack, takeBackTime)
	st := t.State(step.To)
	switch {
	case step.Seq == 1, step.Action == TakeBack, step.Action == Escalation, step.Actor != by, step.Actor == actorReporter, step.Actor == actorProgram:
		return "err.case.guard.take_back"
	case most < 0 || now.Sub(step.At) > most:
		return "err.case.guard.take_back_late"
	case st == nil || !st.Open:
		return "err.case.guard.take_back_closed"
	}
	return ""
}

// clone is a case that does not change with another one.
func (c *Case) clone() *Case {
	out := *c
	out.Deadlines, out.CoUnits = slices.Clone(c.Deadlines), slices.Clone(c.CoUnits)
	out.Counts, out.Data = maps.Clone(c.Counts), maps.Clone(c.Data)
	return &out
}

// restore makes of a case what it was before the step that an event takes back.
func (c *Case) restore(before *Case, e *Event) {
	*c = *before.clone()
	c.Events, c.Updated = e.Seq, e.At
}
