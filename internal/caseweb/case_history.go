package caseweb

import (
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// happened is one entry of the history of a case, as who reads it may see it.
type happened struct {
	Seq      int
	At       time.Time
	Done     time.Time // by the clock of who did it, where it differs; zero = then
	What     word
	State    word // to which it led; none where it stayed
	By       word
	Behalf   bool
	Hidden   bool // what was entered is kept back
	Said     []entry
	Files    []shownFile
	Told     []string
	Reported bool   // it is what who reported did
	Taken    bool   // it was taken back
	Back     string // where who reads can take it back; "" = they cannot
}

// entry is what was entered in a field.
type entry struct {
	Label, Text word
	Link        string
}

// history is what happened on a case, the newest first. What an entry's visibility
// keeps from who reads is not in it; entries of the staff are left out for others.
func (h *Handler) history(c *call, s *sight, events []casework.Event) (out []happened, err error) {
	taken := takenBack(events)
	files, err := h.filesOf(c.Ctx(), s.ID)
	if err != nil {
		return nil, err
	}
	for i := range slices.Backward(events) {
		e := &events[i]
		reads := s.a.Reads(s.Case, e)
		if !reads && e.Visibility == casework.Staff {
			continue
		}
		x := happened{Seq: e.Seq, At: e.At, What: h.actWord(c, s.t, e), Behalf: e.OnBehalfOf != "" && reads, Hidden: !reads && len(e.Body.Form)+len(e.Body.Attachments) > 0, Reported: e.Visibility == casework.Restricted, Taken: taken[e.Seq]}
		if e.At.Sub(e.Occurred) >= time.Minute {
			x.Done = e.Occurred
		}
		if st := s.t.State(e.To); st != nil && e.To != e.From {
			x.State = c.word(st.Label)
		}
		switch {
		case x.Reported:
			x.By = c.own(c.L.T("case.who_reporter"))
		case e.Actor == "service":
			x.By = c.own(c.L.T("case.who_program"))
		case s.insider:
			x.By = word{e.Post, "zh"}
		}
		if reads {
			if x.Said, err = h.said(c, s, e); err != nil {
				return nil, err
			}
			for n, sum := range e.Body.Attachments {
				x.Files = append(x.Files, h.shownFile(c, s, e, n+1, sum, files))
			}
		}
		if s.insider {
			for _, whom := range e.Body.Tell {
				x.Told = append(x.Told, h.whom(c, whom).Text)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// takenBack are the events that were taken back, by their number.
func takenBack(events []casework.Event) map[int]bool {
	out := map[int]bool{}
	for i := range events {
		if n := events[i].Body.Changes.TakesBack; n > 0 {
			out[n] = true
		}
	}
	return out
}

// actWord is what was done, as the type calls it.
func (h *Handler) actWord(c *call, t *casework.Type, e *casework.Event) word {
	x := t.ActionIn(e.Action, e.From)
	if e.Seq == 1 {
		x = t.Opens(e.Action)
	}
	switch {
	case x != nil:
		return c.word(x.Label)
	case c.L.Has("case.event_" + e.Action):
		return c.own(c.L.T("case.event_" + e.Action))
	}
	return word{e.Action, "en"}
}

// said is what was entered, by the labels of the form.
func (h *Handler) said(c *call, s *sight, e *casework.Event) (out []entry, err error) {
	if e.Action == casework.Escalation {
		if k := s.t.Clock(e.Body.Form["clock"]); k != nil {
			out = append(out, entry{Label: c.own(c.L.T("case.clock")), Text: c.word(k.Label)})
		}
		return out, nil
	}
	if key := "case.news_" + e.Body.Form["what"]; e.Action == casework.News && c.L.Has(key) {
		at, _ := time.Parse(time.RFC3339, e.Body.Form["at"])
		return append(out, entry{Label: c.own(c.L.T("case.news")), Text: c.own(c.L.T(key, "at", i18n.Stamp(at)))}), nil
	}
	x := s.t.ActionIn(e.Action, e.From)
	if e.Seq == 1 {
		x = s.t.Opens(e.Action)
	}
	if x == nil {
		return nil, nil
	}
	f := s.t.Form(x.Form)
	if f == nil {
		return nil, nil
	}
	for i := range f.Fields {
		q := &f.Fields[i]
		v := e.Body.Form[q.Name]
		if v == "" || !s.insider && !q.Reporter && !q.Public {
			continue
		}
		a, err := h.entry(c, q, v)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// entry puts what was entered into words: the label of a choice, the name of an
// organisation, the number of a case.
func (h *Handler) entry(c *call, q *casework.Field, v string) (entry, error) {
	a := entry{Label: c.word(q.Label), Text: word{v, writtenIn(q.Name)}}
	switch q.Type {
	case "choice", casework.VisibilityField:
		for _, o := range q.Options {
			if o.Value == v {
				a.Text = c.word(o.Label)
			}
		}
	case "yes":
		a.Text = c.own(c.L.T("case." + v))
	case "unit":
		a.Text = h.unitWord(c, v)
	case casework.WhomField:
		var names []string
		for _, whom := range casework.UnitList(v) {
			names = append(names, h.whom(c, whom).Text)
		}
		a.Text = c.own(strings.Join(names, " · "))
	case "units":
		var names []string
		for _, id := range casework.UnitList(v) {
			names = append(names, h.unitWord(c, id).Text)
		}
		a.Text = word{strings.Join(names, " · "), "zh"}
	case "case":
		a.Text = c.own(c.L.T("case.other_case"))
		x, _, err := h.Cases.Get(c.Ctx(), v, c.Who)
		if errs.Is(err, errs.NotFound) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		a.Text, a.Link = c.own(casework.Written(x.TrackingNo)), c.Path("/cases/"+x.TrackingNo)
	}
	return a, nil
}

// writtenIn is the language that a field asks for by its name, Chinese otherwise.
func writtenIn(name string) string {
	for _, lang := range []string{"bo", "en"} {
		if len(name) > 3 && name[len(name)-3:] == "_"+lang {
			return lang
		}
	}
	return "zh"
}
