package caseweb

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// newKey is an Idempotency-Key for a form: pressed twice it is one act.
func newKey() string { return rand.Text() }

// fieldPrefix keeps the fields of a type apart from those of the page.
const fieldPrefix = "f_"

// question is a field of a type's form: one control, or a box for each organisation.
type question struct {
	web.Field
	Many []web.Option
}

type actView struct {
	Written, State string
	Back, Action   string
	What           word
	Note           string // what it does, where the form does not say
	Key            string
	Version        int
	Questions      []question
	Attachments    []string   // that came with the form already
	Files          *web.Field // by which files come; nil: none do
	Have           string     // what of files came already
	Since          []happened
	Stale, Gone    bool // the case changed meanwhile; it does not have the action any more
	Kept           []entry
}

// actPage asks for what an action needs.
func (h *Handler) actPage(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	x, err := h.action(c, s)
	if err != nil {
		return err
	}
	if key := h.Cases.Refusal(s.Case, s.a, x); key != "" {
		return errs.New(errs.Conflict, key)
	}
	return h.actForm(c, s, x, nil, nil)
}

// action is that of the address, if who asks may take it now.
func (h *Handler) action(c *call, s *sight) (*casework.Action, error) {
	name := c.R.PathValue("action")
	if name == casework.TakeBack {
		events, err := h.Cases.Events(c.Ctx(), s.ID)
		if err != nil {
			return nil, err
		}
		if x := s.t.ActionIn(name, s.State); x != nil && h.Cases.CanTakeBack(s.Case, events, c.Who) {
			return x, nil
		}
		return nil, errs.New(errs.Conflict, "err.case.guard.take_back")
	}
	for _, x := range s.t.Allowed(s.Case, s.a) {
		if x.Name == name {
			return x, nil
		}
	}
	for _, x := range s.t.Actions {
		if x.Name == name {
			if s.t.ActionIn(name, s.State) == nil {
				return nil, errs.New(errs.Conflict, "err.case.state", "action", c.word(x.Label).Text, "state", c.word(s.t.State(s.State).Label).Text)
			}
			return nil, errs.New(errs.Forbidden, "err.case.role", "action", c.word(x.Label).Text)
		}
	}
	return nil, errs.New(errs.NotFound, "err.not_found")
}

// takeAction takes it and leads back to the case.
func (h *Handler) takeAction(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	wrong, err := h.readFiles(c)
	if err != nil {
		return err
	}
	name := c.R.PathValue("action")
	x := s.t.ActionIn(name, s.State)
	if x == nil {
		x = casework.Core(name)
	}
	for i := 0; x == nil && i < len(s.t.Actions); i++ { // the state may have changed since the form was opened
		if s.t.Actions[i].Name == name {
			x = s.t.Actions[i]
		}
	}
	if x == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	version, err := strconv.Atoi(c.Form("version"))
	if err != nil || version < 1 {
		return errs.New(errs.Malformed, "")
	}
	sum := sha256.Sum256([]byte(c.R.URL.Path + "\n" + c.R.PostForm.Encode()))
	r := casework.Request{Key: c.Form("key"), Sum: hex.EncodeToString(sum[:]), Version: version}
	if len(r.Key) > maxKey {
		return errs.New(errs.Malformed, "")
	}
	if wrong != nil { // what was entered and the other files come back with the form
		return h.actForm(c, s, x, wrong, nil)
	}
	if name == casework.Comment {
		r.Version = 0 // is only added, whatever happened meanwhile
	}
	_, _, err = h.Cases.Act(c.Ctx(), s.ID, name, h.entered(c, s.t, x), c.Who, r)
	stale, late := casework.IsStale(err)
	if !late && name == casework.Comment && errs.Is(err, errs.Conflict) && version < s.Events {
		stale, late = &casework.StaleError{}, true // a comment, on a case that is closed by now
	}
	switch {
	case late:
		if s, err = h.sight(c); err != nil {
			return err
		}
		return h.actForm(c, s, x, nil, stale)
	case errs.Is(err, errs.Invalid):
		return h.actForm(c, s, x, err, nil)
	case err != nil:
		return err
	}
	web.SetDone(c.W, "case_act", "action", c.word(x.Label).Text)
	return c.See(s.path())
}

// entered is what was entered in the form of an action, in the one form of its types.
func (h *Handler) entered(c *call, t *casework.Type, x *casework.Action) casework.Input {
	in := casework.Input{Form: map[string]string{}, Attachments: c.R.PostForm["attachment"]}
	f := t.Form(x.Form)
	if f == nil {
		return in
	}
	for i := range f.Fields {
		q := &f.Fields[i]
		v := c.Form(fieldPrefix + q.Name)
		switch q.Type {
		case "units", casework.WhomField:
			v = strings.Join(c.R.PostForm[fieldPrefix+q.Name], ",")
		case "number":
			if n, ok := i18n.ParseNumber(v); ok {
				v = n
			}
		case "date":
			if at, ok := i18n.ParseStamp(v); ok {
				v = i18n.Short(at)
			}
		case "case":
			if number, err := casework.ParseTracking(v); err == nil {
				if other, _, err := h.Cases.Find(c.Ctx(), number, c.Who); err == nil {
					v = other.ID
				}
			}
		}
		if v != "" {
			in.Form[q.Name] = v
		}
	}
	return in
}

// actView is the form of an action with what was entered in it.
func (h *Handler) actView(c *call, s *sight, x *casework.Action) (*actView, error) {
	v := &actView{
		Written: casework.Written(s.TrackingNo), Back: c.Path(s.path()), Action: c.Path(s.path() + "/actions/" + x.Name), What: c.word(x.Label), Key: newKey(), Version: s.Events,
		Attachments: c.R.PostForm["attachment"], State: c.word(s.t.State(s.State).Label).Text,
	}
	if h.Files != nil && x.Name != casework.TakeBack {
		v.Files = &web.Field{Name: evidence.Field, Label: c.L.T("evidence.files"), Hint: c.L.T("evidence.files_hint"), Kind: "file", Many: true, Optional: !asksFiles(x)}
		if n := len(v.Attachments); n > 0 {
			v.Have = c.L.T("evidence.have", "n", n)
		}
	}
	f := s.t.Form(x.Form)
	if f == nil {
		return v, nil
	}
	for i := range f.Fields {
		q, err := h.question(c, s, &f.Fields[i])
		if err != nil {
			return nil, err
		}
		v.Questions = append(v.Questions, q)
	}
	return v, nil
}

// actForm shows the form of an action: empty, with what is wrong in it, or, when the
// case changed since it was opened, with what happened in between. What was entered is
// kept in each case.
func (h *Handler) actForm(c *call, s *sight, x *casework.Action, wrong error, stale *casework.StaleError) error {
	v, err := h.actView(c, s, x)
	if err != nil {
		return err
	}
	f := s.t.Form(x.Form)
	if f == nil {
		f = &casework.Form{}
	}
	p := &web.Page{Title: c.L.T("case.act_title", "action", v.What.Text), Private: true, Crumbs: []web.Crumb{{Text: v.Written + " " + s.Title, Path: s.path()}}, Data: v}
	fields := make([]*web.Field, len(v.Questions))
	for i := range v.Questions {
		fields[i] = &v.Questions[i].Field
	}
	if v.Files != nil {
		fields = append(fields, v.Files)
	}
	if x.Name == casework.TakeBack {
		v.Note = c.L.T("case.take_back_note")
	}
	status, err := c.Faults(errs.Renamed(wrong, func(name string) string {
		switch {
		case name == "attachments" && v.Files != nil:
			return evidence.Field
		case name == "action" || name == "attachments" || name == evidence.Field:
			return name
		}
		return fieldPrefix + name
	}), p, fields...)
	if err != nil {
		return err
	}
	if stale != nil {
		status, v.Stale = http.StatusConflict, true
		seen, _ := strconv.Atoi(c.Form("version"))
		events, err := h.Cases.Events(c.Ctx(), s.ID)
		if err != nil {
			return err
		}
		if v.Since, err = h.history(c, s, events[min(seen, len(events)):]); err != nil {
			return err
		}
		p.Errors = append(p.Errors, web.FieldError{Field: "since", Text: c.L.T("err.case.stale")})
		if v.Gone = !slices.Contains(stale.Allowed, x.Name); v.Gone {
			in := h.entered(c, s.t, x)
			for i := range f.Fields {
				if text := in.Form[f.Fields[i].Name]; text != "" {
					a, err := h.entry(c, &f.Fields[i], text)
					if err != nil {
						return err
					}
					v.Kept = append(v.Kept, a)
				}
			}
		}
	}
	return c.Render(status, "case_act.html", p)
}

// question is the control of a field, with what was entered in it.
func (h *Handler) question(c *call, s *sight, f *casework.Field) (q question, err error) {
	name := fieldPrefix + f.Name
	label := c.word(f.Label)
	q.Field = web.Field{Name: name, Label: label.Text, Optional: !f.Required, Value: c.Form(name)}
	if label.Lang != string(c.Lang) {
		q.LabelIn = i18n.Lang(label.Lang).Tag()
	}
	choose := func(options ...web.Option) {
		q.Kind, q.Value = "select", ""
		q.Options = append([]web.Option{{Text: c.L.T("case.choose")}}, options...)
		for i := range q.Options {
			q.Options[i].Selected = q.Options[i].Value == c.Form(name)
		}
	}
	switch f.Type {
	case "long":
		q.Kind, q.Rows = "textarea", 4
	case "choice", casework.VisibilityField:
		var options []web.Option
		for _, o := range f.Options {
			if f.Type == casework.VisibilityField && !slices.Contains(s.t.Visibilities(s.Case, s.a), casework.Visibility(o.Value)) {
				continue
			}
			options = append(options, web.Option{Value: o.Value, Text: c.word(o.Label).Text})
		}
		switch {
		case len(options) == 0:
			q.Kind = "none" // there is nothing to choose
		case f.Type == casework.VisibilityField: // the fewest, unless somebody says more
			choose(options...)
			q.Options, q.Optional = q.Options[1:], false
		default:
			choose(options...)
		}
	case "yes":
		choose(web.Option{Value: "yes", Text: c.L.T("case.yes")}, web.Option{Value: "no", Text: c.L.T("case.no")})
	case "date":
		q.Width, q.Hint, q.Input = "medium", c.L.T("case.hint_date", "day", i18n.Short(c.Now)), "numeric"
	case "number":
		q.Width, q.Input = "short", "decimal"
	case "case":
		q.Width, q.Input, q.Hint = "medium", "numeric", c.L.T("case.hint_case")
	case "unit", "units":
		list, err := h.UnitsIn(c.Ctx(), s.Location.Area)
		if err != nil {
			return q, err
		}
		var options []web.Option
		for _, u := range list {
			options = append(options, web.Option{Value: u.ID, Text: c.word(u.Name).Text, Selected: slices.Contains(c.R.PostForm[name], u.ID)})
		}
		if len(list) == 0 {
			q.Hint = c.L.T("case.no_units")
		}
		if f.Type == "units" {
			q.Many = options
		} else {
			choose(options...)
		}
	}
	if f.Type == casework.WhomField {
		if q.Many, err = h.mentions(c, s, name); err != nil {
			return q, err
		}
		q.Optional = true
		if len(q.Many) == 0 {
			q.Kind = "none"
		}
	}
	if lang := writtenIn(f.Name); lang != "zh" && (f.Type == "text" || f.Type == "long") {
		q.Lang = lang
	}
	return q, nil
}

// mentions are whom a comment on a case can name, with those that were chosen.
func (h *Handler) mentions(c *call, s *sight, field string) (out []web.Option, err error) {
	chosen := c.R.PostForm[field]
	for _, whom := range s.Mentions(s.a) {
		out = append(out, web.Option{Value: whom, Text: h.whom(c, whom).Text, Selected: slices.Contains(chosen, whom)})
	}
	if len(out) == 0 || h.PostsOn == nil {
		return out, nil
	}
	posts, err := h.PostsOn(c.Ctx(), s.Case)
	for _, x := range posts {
		out = append(out, web.Option{Value: "post:" + x.ID, Text: c.word(x.Name).Text, Selected: slices.Contains(chosen, "post:"+x.ID)})
	}
	return out, err
}

// whom is in words whom an entry told.
func (h *Handler) whom(c *call, whom string) word {
	if id, ok := strings.CutPrefix(whom, "unit:"); ok {
		return h.unitWord(c, id)
	}
	if id, ok := strings.CutPrefix(whom, "post:"); ok {
		if h.PostName != nil {
			if name, ok := h.PostName(c.Ctx(), id); ok {
				return c.word(name)
			}
		}
		return c.own(c.L.T("case.post_gone"))
	}
	return c.own(c.L.T("case.whom." + whom))
}
