package caseweb

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// openPages are for who opens a case with an account.
func openPages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/cases/new", Open, (*Handler).newCase),
		kit.Post("/cases/new", Open, (*Handler).openCase),
	}
}

type openView struct {
	Kinds     []actLine // to choose from; none once one is chosen
	Kind      word
	Action    string
	By        word
	Key       string
	TypeKey   string
	ActKey    string
	Fields    []web.Field
	Questions []question
}

// opening is the type and the action of the address or the form; nil when none is chosen.
func (h *Handler) opening(c *call) (t *casework.Type, x *casework.Action, kinds []actLine) {
	kind, action := c.Query("kind"), c.Query("action")
	if c.R.Method == http.MethodPost {
		kind, action = c.Form("kind"), c.Form("action")
	}
	types, actions := h.Cases.Openable(c.Who)
	for i := range types {
		for _, y := range actions[i] {
			if asksFiles(y) {
				continue // files come with an action on a case, not before there is one
			}
			name := c.word(types[i].Name)
			name.Text += " · " + c.word(y.Label).Text
			kinds = append(kinds, actLine{Text: name, Href: c.Path("/cases/new") + "?kind=" + types[i].Kind + "&action=" + y.Name})
			if types[i].Kind == kind && (y.Name == action || action == "") && x == nil {
				t, x = types[i], y
			}
		}
	}
	return t, x, kinds
}

// newCase asks for the kind of a case, then for what it needs.
func (h *Handler) newCase(c *call) error {
	t, x, kinds := h.opening(c)
	if t == nil {
		return c.Render(http.StatusOK, "case_new.html", &web.Page{Title: c.L.T("case.new_title"), Data: &openView{Kinds: kinds}})
	}
	return h.openForm(c, t, x, nil)
}

// openForm is the form of a new case, empty or with what is wrong in it.
func (h *Handler) openForm(c *call, t *casework.Type, x *casework.Action, wrong error) error {
	v := &openView{Kind: c.word(t.Name), Action: c.Path("/cases/new"), By: c.word(x.Label), Key: newKey(), TypeKey: t.Kind, ActKey: x.Name}
	area := c.Form("area")
	if area == "" && c.R.Method == http.MethodGet {
		area = c.Who.Area
	}
	if len(t.Categories) > 0 {
		v.Fields = append(v.Fields, c.Choose("category", c.Form("category"), c.categories(t, false)...))
	}
	title, text := c.Field("title", c.Form("title"), false), c.Field("description", c.Form("description"), true)
	text.Kind, text.Rows = "textarea", 4
	title.Width = ""
	v.Fields = append(v.Fields, title, text, c.Choose("area", area, h.areaOptions(c)...))
	v.Fields = append(v.Fields, c.Field("address_text", c.Form("address_text"), true), c.Field("lat", c.Form("lat"), true), c.Field("long", c.Form("long"), true))
	for i := len(v.Fields) - 2; i < len(v.Fields); i++ {
		v.Fields[i].Input, v.Fields[i].Width = "decimal", "short"
	}
	if len(t.Severities) > 1 {
		levels := []web.Option{{Text: c.L.T("case.severity_of_category")}}
		for _, s := range t.Severities {
			levels = append(levels, web.Option{Value: strconv.Itoa(s.Level), Text: c.word(s.Name).Text})
		}
		severity := c.Choose("severity", c.Form("severity"), levels...)
		severity.Optional = true
		v.Fields = append(v.Fields, severity)
	}
	sources := []web.Option{{Text: c.L.T("case.choose")}}
	for _, s := range casework.Sources {
		sources = append(sources, web.Option{Value: s, Text: c.L.T("case.source." + s)})
	}
	v.Fields = append(v.Fields, c.Choose("source", c.Form("source"), sources...))
	if t.NeedsUnit() {
		list, err := h.UnitsIn(c.Ctx(), area)
		if err != nil {
			return err
		}
		units := []web.Option{{Text: c.L.T("case.choose")}}
		for _, u := range list {
			units = append(units, web.Option{Value: u.ID, Text: c.word(u.Name).Text})
		}
		v.Fields = append(v.Fields, c.Choose("owner_unit", c.Form("owner_unit"), units...))
	}
	if f := t.Form(x.Form); f != nil {
		s := &sight{Case: &casework.Case{System: t.System, Kind: t.Kind, Location: casework.Location{Area: area}}, a: &casework.Actor{}, t: t}
		for i := range f.Fields {
			q, err := h.question(c, s, &f.Fields[i])
			if err != nil {
				return err
			}
			v.Questions = append(v.Questions, q)
		}
	}
	p := &web.Page{Title: c.L.T("case.new_of", "kind", v.Kind.Text), Crumbs: c.Crumbs("case.new_title", "/cases/new"), Private: true, Data: v}
	fields := kit.Pointers(v.Fields)
	for i := range v.Questions {
		fields = append(fields, &v.Questions[i].Field)
	}
	status, err := c.Faults(errs.Renamed(wrong, func(name string) string {
		f := t.Form(x.Form)
		if f != nil && slices.ContainsFunc(f.Fields, func(q casework.Field) bool { return q.Name == name }) {
			return fieldPrefix + name
		}
		return placed(name)
	}), p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "case_new.html", p)
}

// placed is the field of a form for what an opening calls location.area and the like.
func placed(name string) string {
	if len(name) > len("location.") && name[:len("location.")] == "location." {
		return name[len("location."):]
	}
	return name
}

// categories are those of a type to choose from; open ones are those that the public sees.
func (c *call) categories(t *casework.Type, open bool) []web.Option {
	out := []web.Option{{Text: c.L.T("case.choose")}}
	for _, k := range t.Categories {
		if k.Public || !open {
			out = append(out, web.Option{Value: k.Code, Text: c.word(k.Name).Text})
		}
	}
	return out
}

func (h *Handler) areaOptions(c *call) []web.Option {
	out := []web.Option{{Text: c.L.T("case.choose")}}
	if h.Areas != nil {
		for _, code := range h.Areas() {
			out = append(out, web.Option{Value: code, Text: h.areaWord(c, code).Text})
		}
	}
	return out
}

// location reads where something is from a form. A point is two numbers or none.
func (c *call) location() (casework.Location, error) {
	l := casework.Location{Area: c.Form("area"), Address: c.Form("address_text")}
	lat, lon := c.Form("lat"), c.Form("long")
	if lat == "" && lon == "" {
		return l, nil
	}
	var bad errs.Checks
	for _, x := range []struct {
		name, text string
		to         *float64
	}{{"lat", lat, &l.Lat}, {"long", lon, &l.Lon}} {
		n, ok := i18n.ParseNumber(x.text)
		v, err := strconv.ParseFloat(n, 64)
		bad.Require(ok && err == nil, x.name, "err.field.number")
		*x.to = v
	}
	l.HasPoint = true
	return l, bad.Err()
}

// openCase opens it and leads to its page.
func (h *Handler) openCase(c *call) error {
	t, x, _ := h.opening(c)
	if t == nil {
		return errs.New(errs.Malformed, "")
	}
	l, err := c.location()
	if err != nil {
		return h.openForm(c, t, x, err)
	}
	severity, _ := strconv.Atoi(c.Form("severity")) // what is none of the type is refused there
	o := casework.Opening{
		Kind: t.Kind, Action: x.Name, Severity: severity, Category: c.Form("category"), Title: c.Form("title"), Text: c.Form("description"), Lang: string(c.Lang), Location: l,
		Source: c.Form("source"), Unit: c.Form("owner_unit"),
	}
	if t.NeedsUnit() && o.Unit == "" {
		return h.openForm(c, t, x, errs.InvalidField("owner_unit", "err.field.required"))
	}
	sum := sha256.Sum256([]byte(c.R.URL.Path + "\n" + c.R.PostForm.Encode()))
	r := casework.Request{Key: c.Form("key"), Sum: hex.EncodeToString(sum[:])}
	if len(r.Key) > maxKey {
		return errs.New(errs.Malformed, "")
	}
	made, _, err := h.Cases.Open(c.Ctx(), o, h.entered(c, t, x), c.Who, r)
	switch {
	case errs.Is(err, errs.Forbidden):
		return h.openForm(c, t, x, errs.InvalidField("area", "err.case.open_here"))
	case errs.Is(err, errs.Invalid):
		return h.openForm(c, t, x, err)
	case err != nil:
		return err
	}
	web.SetDone(c.W, "case_opened", "number", casework.Written(made.TrackingNo))
	return c.See("/cases/" + made.TrackingNo)
}
