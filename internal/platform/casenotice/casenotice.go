package casenotice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/rules"
)

// What people are told.
const (
	Task = "case_task" // something is to be done or known where one works
	Late = "case_late" // a time was missed
	News = "case_news" // of what one reported
)

// Kinds lists them, the most pressing first.
func Kinds() []notify.Kind {
	const cases access.Permission = "platform.cases"
	return []notify.Kind{{Name: Late, Permission: cases}, {Name: Task, Permission: cases}, {Name: News, Permission: cases}}
}

// Holder is somebody in a post, or by the kind of their account.
type Holder struct {
	Account      string
	Post         string // "" = by the kind of the account
	Organisation string // of the post; "" = none
	Grants       access.Grants
	Enterprise   string
}

// Options of a Service; all must be given but Rules.
type Options struct {
	Notify  *notify.Service
	Holders func(ctx context.Context, q db.Querier) ([]Holder, error)
	Parent  func(area string) string // of an area; "" = it has none
	Rules   *rules.Set               // nil = the embedded ones
	Now     func() time.Time
}

// Service tells of cases.
type Service struct{ o Options }

// New makes a service.
func New(o Options) (*Service, error) {
	if o.Notify == nil || o.Holders == nil || o.Parent == nil || o.Now == nil {
		return nil, errors.New("casenotice: notifications, holders, areas and clock must be given")
	}
	if o.Rules == nil {
		o.Rules = rules.Default()
	}
	s := &Service{o}
	_, err := s.rule(o.Now())
	return s, err
}

// rule is notify.case on a day.
type rule struct {
	office, chief []string
	space         time.Duration
	atOnce        int // severity up to which the space does not count
}

func (s *Service) rule(at time.Time) (r rule, err error) {
	x, ok := s.o.Rules.At("notify.case", i18n.Short(at))
	if !ok {
		return r, fmt.Errorf("rule notify.case is missing: %w", rules.ErrInvalid)
	}
	office, err1 := x.Texts("office")
	chief, err2 := x.Texts("chief")
	space, err3 := x.Float("space_minutes")
	once, err4 := x.Float("at_once")
	return rule{office, chief, time.Duration(space * float64(time.Minute)), int(once)}, errors.Join(err1, err2, err3, err4)
}

// Added tells of an event in its transaction; it is for casework.Options.Added.
func (s *Service) Added(ctx context.Context, tx *db.Tx, t *casework.Type, c *casework.Case, e *casework.Event) error {
	if len(e.Body.Tell) == 0 {
		return nil
	}
	r, err := s.rule(e.At)
	if err != nil {
		return err
	}
	holders, err := s.o.Holders(ctx, tx)
	if err != nil {
		return fmt.Errorf("find who holds which posts: %w", err)
	}
	w := &who{rule: r, c: c, holders: holders, parent: s.o.Parent}
	actor, _ := strings.CutPrefix(e.Actor, "user:")
	told := map[string]bool{actor: true} // who did it knows, and nobody is told twice
	to := map[string][]string{}
	for _, whom := range e.Body.Tell {
		kind := Task
		switch {
		case e.Action == casework.Escalation:
			kind = Late
		case whom == "reporter":
			kind = News
		}
		for _, id := range w.meant(whom) {
			if id != "" && !told[id] {
				told[id] = true
				to[kind] = append(to[kind], id)
			}
		}
	}
	var list []notify.Message
	for _, kind := range []string{Late, Task, News} {
		if len(to[kind]) == 0 {
			continue
		}
		m := notify.Message{
			Kind: kind, Key: "case:" + c.ID + ":" + strconv.Itoa(e.Seq), Path: "/cases/" + c.TrackingNo, Urgent: c.Severity <= r.atOnce, To: to[kind],
			About: access.Object{Area: c.Location.Area}, Text: text(t, c, e), Space: r.space,
		}
		if c.Severity <= r.atOnce {
			m.Space = 0
		}
		list = append(list, m)
	}
	return s.o.Notify.Tell(ctx, tx, list)
}

// who finds who is meant.
type who struct {
	rule
	c       *casework.Case
	holders []Holder
	parent  func(string) string
}

// meant are the accounts that a word of a case type means in a case.
func (w *who) meant(whom string) []string {
	switch whom {
	case "reporter":
		return []string{w.c.Reporter}
	case "unit", "unit_head":
		return w.unit()
	case "co_units":
		return w.of(w.c.CoUnits...)
	case "assignee":
		if w.c.Assignee == "" {
			return w.unit()
		}
		return w.choose(func(h *Holder) bool { return h.Post == w.c.Assignee })
	case "office":
		_, list := w.nearest(w.office, w.c.Location.Area)
		return list
	case "upper_office":
		level, list := w.nearest(w.office, w.c.Location.Area)
		if level == "" {
			return list // nobody is above
		}
		_, list = w.nearest(w.office, w.parent(level))
		return list
	case "upper_chief":
		_, list := w.nearest(w.chief, w.parent(w.c.Location.Area))
		return list
	case "top_office":
		var list []string
		for area, end := w.c.Location.Area, false; !end; area, end = w.parent(area), area == "" {
			if here := w.at(w.office, area); len(here) > 0 {
				list = here
			}
		}
		return list
	}
	return nil
}

// unit is who acts for the organisation that must act; the office of the area where
// there is none.
func (w *who) unit() []string {
	if w.c.OwnerUnit == "" {
		return w.meant("office")
	}
	return w.of(w.c.OwnerUnit)
}

func (w *who) of(units ...string) []string {
	return w.choose(func(h *Holder) bool {
		return h.Organisation != "" && slices.Contains(units, h.Organisation) || h.Enterprise != "" && slices.Contains(units, h.Enterprise)
	})
}

// nearest are the accounts that hold one of some roles of the case's system at the
// nearest level from an area upwards, and that level; "" is the whole region.
func (w *who) nearest(roles []string, area string) (level string, list []string) {
	for {
		if list = w.at(roles, area); len(list) > 0 || area == "" {
			return area, list
		}
		area = w.parent(area)
	}
}

func (w *who) at(roles []string, area string) []string {
	return w.choose(func(h *Holder) bool {
		return slices.ContainsFunc(h.Grants, func(g access.Grant) bool {
			return g.Area == area && g.Organisation == "" && strings.HasPrefix(g.Role, w.c.System+".") && slices.Contains(roles, g.Role)
		})
	})
}

func (w *who) choose(is func(h *Holder) bool) (list []string) {
	for i := range w.holders {
		if h := &w.holders[i]; is(h) && !slices.Contains(list, h.Account) {
			list = append(list, h.Account)
		}
	}
	return list
}

func word(t casework.Text) notify.Word { return notify.Word{Zh: t.Zh, Bo: t.Bo, En: t.En} }

// text says which case it is, what was done, where it stands and by when something is
// due; of a case that the program opened of an alarm also what a message of it must
// contain, which is the form it was opened with.
func text(t *casework.Type, c *casework.Case, e *casework.Event) notify.Word {
	words := map[string]notify.Word{"kind": word(t.Name), "number": {Text: casework.Written(c.TrackingNo)}, "act": act(t, e), "state": {Text: c.State}}
	if st := t.State(c.State); st != nil {
		words["state"] = word(st.Label)
	}
	key := "notify.text.case"
	if d := c.Due(); d != nil && c.Paused.IsZero() {
		key, words["due"] = "notify.text.case_due", notify.Word{At: d.Due.Unix()}
	}
	short := notify.Word{Key: key + "_short", Words: words}
	out := notify.Word{Key: key, Words: words, Short: &short}
	if e.Seq == 1 && c.Source == "alarm" {
		out = notify.Word{Key: "notify.text.case_with", Words: map[string]notify.Word{"case": {Key: key, Words: words}, "what": entered(t, e)}, Short: &short}
	}
	return out
}

// act is what was done, as the type calls it.
func act(t *casework.Type, e *casework.Event) notify.Word {
	x := t.ActionIn(e.Action, e.From)
	if e.Seq == 1 {
		x = t.Opens(e.Action)
	}
	switch {
	case x != nil:
		return word(x.Label)
	case i18n.Default().Has(i18n.Zh, "case.event_"+e.Action):
		return notify.Word{Key: "case.event_" + e.Action}
	}
	return notify.Word{Text: e.Action}
}

// entered is the form of the opening with its labels.
func entered(t *casework.Type, e *casework.Event) (out notify.Word) {
	x := t.Opens(e.Action)
	if x == nil || t.Form(x.Form) == nil {
		return notify.Word{Zh: "—"}
	}
	var zh, bo, en []string
	for _, f := range t.Form(x.Form).Fields {
		v := e.Body.Form[f.Name]
		if v == "" {
			continue
		}
		zh, bo, en = append(zh, f.Label.Zh+" "+v), append(bo, f.Label.Bo+" "+v), append(en, f.Label.En+" "+v)
	}
	return notify.Word{Zh: strings.Join(zh, "；"), Bo: strings.Join(bo, "། "), En: strings.Join(en, "; ")}
}
