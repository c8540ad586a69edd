package peopleweb

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/web"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS {
	sub, err := fs.Sub(templates, "templates")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Names puts the codes of the registry into words.
type Names interface {
	// AreaName names an area as it is now; false when there is none.
	AreaName(code string) (auth.Post, bool)
	// Areas lists the codes in force down to counties, to choose from.
	Areas() []string
	// EnterpriseName names an enterprise; false when there is none.
	EnterpriseName(id string) (auth.Post, bool)
}

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine *web.Engine // made with Templates() among its templates
	People *people.Service
	Auth   *auth.Service
	Names  Names
	Links  func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now    func() time.Time
}

// Handler serves the pages. Make it with New.
type Handler struct{ Deps }

// New returns the handler of all pages of posts and organisations.
func New(d Deps) *Handler { return &Handler{d} }

// route is one address: method, pattern below the language, permission, handler.
type route struct {
	method, path string
	may          access.Permission
	serve        func(*Handler, *call) error
}

func routes() []route {
	return []route{
		{"GET", "/posts", people.See, (*Handler).posts},
		{"GET", "/posts/new", people.Manage, (*Handler).newPost},
		{"POST", "/posts/new", people.Manage, (*Handler).addPost},
		{"GET", "/posts/{id}", people.See, (*Handler).post},
		{"POST", "/posts/{id}", people.Manage, (*Handler).changePost},
		{"POST", "/posts/{id}/appoint", people.Manage, (*Handler).appoint},
		{"POST", "/posts/{id}/end-appointment", people.Manage, (*Handler).endAppointment},
		{"POST", "/posts/{id}/end", people.Manage, (*Handler).endPost},
		{"GET", "/organisations", people.See, (*Handler).organisations},
		{"GET", "/organisations/new", people.Manage, (*Handler).organisation},
		{"POST", "/organisations/new", people.Manage, (*Handler).putOrganisation},
		{"GET", "/organisations/{id}", people.See, (*Handler).organisation},
		{"POST", "/organisations/{id}", people.Manage, (*Handler).putOrganisation},
	}
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route {
	var out []access.Route
	for _, rt := range routes() {
		out = append(out, access.Route{Method: rt.method, Path: "/{lang}" + rt.path, May: rt.may})
	}
	return out
}

// Pages lists the patterns that answer GET with a page, below the language;
// browser tests walk them.
func Pages() []string {
	var out []string
	for _, r := range routes() {
		if r.method == "GET" {
			out = append(out, r.path)
		}
	}
	return out
}

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) {
	for _, rt := range routes() {
		access.Default().Declared(rt.method, rt.path, rt.may)
		for _, lang := range i18n.Langs() {
			mux.Handle(rt.method+" /"+string(lang)+rt.path, h.page(rt))
		}
		if rt.method == "GET" {
			mux.HandleFunc("GET "+rt.path, web.RedirectLang)
		}
	}
}

// call is one request with what every page needs of it.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	lang i18n.Lang
	l    *i18n.Localizer
	who  auth.Principal
	now  time.Time
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) path(p string) string { return web.Path(c.lang, p) }

func (c *call) query(name string) string { return strings.TrimSpace(c.r.URL.Query().Get(name)) }

// form is what was entered in a field.
func (c *call) form(name string) string { return strings.TrimSpace(c.r.PostFormValue(name)) }

// done sends the reader on to a page that says what was saved.
func (c *call) done(path, key string) error {
	web.SetDone(c.w, key)
	http.Redirect(c.w, c.r, c.path(path), http.StatusSeeOther)
	return nil
}

// holds reports whether who asks holds a permission at all.
func (c *call) holds(p access.Permission) bool {
	return access.Default().Opens(c.who.Grants(), p)
}

// maxBody bounds what a form may send.
const maxBody = 64 << 10

func (h *Handler) page(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang := web.RequestLang(r)
		c := &call{w: w, r: r, lang: lang, l: h.Engine.Localizer(lang), who: auth.From(r.Context()), now: h.Now()}
		if err := h.serve(rt, c); err != nil {
			httpd.Problem(w, r, err)
		}
	})
}

func (h *Handler) serve(rt route, c *call) error {
	if !c.who.Known() {
		to := url.Values{}
		if rt.method == http.MethodGet {
			to.Set("next", c.r.URL.RequestURI())
		}
		c.w.Header().Add("Vary", "Cookie")
		http.Redirect(c.w, c.r, c.path("/login")+"?"+to.Encode(), http.StatusSeeOther)
		return nil
	}
	if !c.holds(rt.may) {
		return errs.New(errs.Forbidden, "problem.forbidden", "permission", c.l.T("permission."+string(rt.may)))
	}
	if rt.method == http.MethodPost {
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
		if err := c.r.ParseForm(); err != nil {
			return errs.Wrap(err, errs.Malformed, "")
		}
	}
	return rt.serve(h, c)
}

// render serves a page with what all pages have.
func (h *Handler) render(c *call, status int, name string, p *web.Page) error {
	p.User = &web.User{Post: c.who.Post.In(string(c.lang))}
	p.Notices = append(web.TakeDone(c.w, c.r, c.l), p.Notices...)
	p.Module, p.Links = "registry", []web.Link{}
	if h.Links != nil {
		p.Links = h.Links(c.r)
	}
	return h.Engine.Serve(c.w, c.r, status, name, p)
}

// tabs are the lists.
func (c *call) tabs(current string) []web.Tab {
	return []web.Tab{
		{Text: c.l.T("people.posts"), Href: c.path("/posts"), Current: current == "posts"},
		{Text: c.l.T("people.organisations"), Href: c.path("/organisations"), Current: current == "organisations"},
	}
}

// faults puts the sentences of a form's error beside their fields and into the
// page's summary. It returns the status to answer with, or err when it is about
// no field.
func (c *call) faults(err error, p *web.Page, fields ...*web.Field) (int, error) {
	if err == nil {
		return http.StatusOK, nil
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid || len(e.Fields) == 0 {
		return 0, err
	}
	for _, wrong := range e.Fields {
		text := c.l.T(wrong.Key, wrong.Args...)
		at := wrong.Name
		for _, f := range fields {
			if f.Name == wrong.Name || strings.TrimPrefix(f.Name, "end_") == wrong.Name && c.r.PostFormValue(f.Name) != "" {
				f.Error, at = text, f.Name
			}
		}
		p.Errors = append(p.Errors, web.FieldError{Field: at, Text: text})
	}
	return http.StatusUnprocessableEntity, nil
}

// word is a text with its language.
type word struct{ Text, Lang string }

// in is a name in the reader's language, else in Chinese.
func (c *call) in(p auth.Post) word {
	switch {
	case c.lang == i18n.Bo && p.Bo != "":
		return word{p.Bo, "bo"}
	case c.lang == i18n.En && p.En != "":
		return word{p.En, "en"}
	}
	return word{p.Zh, "zh"}
}

func (h *Handler) area(c *call, code string) word {
	if code == "" {
		return word{c.l.T("people.all_areas"), string(c.lang)}
	}
	if n, ok := h.Names.AreaName(code); ok {
		return c.in(n)
	}
	return word{code, string(c.lang)}
}

// lastDay writes an end: its last day where it is at midnight, else the instant.
func (c *call) lastDay(t time.Time) string {
	switch {
	case t.IsZero():
		return c.l.T("people.open")
	case t.In(i18n.Zone).Format("15:04:05.000000") == "00:00:00.000000":
		return i18n.Short(t.Add(-time.Microsecond))
	}
	return i18n.Stamp(t)
}

// dayOf is a day as people write it, in its one form; what is none stays.
func dayOf(s string) string {
	if t, ok := i18n.ParseStamp(s); ok {
		return i18n.Short(t)
	}
	return s
}

// from is the instant a day begins, zero for none; errs.Invalid for what is none.
func from(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, ok := people.Day(dayOf(s))
	if !ok {
		return t, errs.InvalidField(field, "err.field.date")
	}
	return t, nil
}

// until is the instant a day ends.
func until(field, s string) (time.Time, error) {
	t, err := from(field, s)
	if err == nil && !t.IsZero() {
		t = t.AddDate(0, 0, 1)
	}
	return t, err
}

// field is a text field of a form with its words.
func (c *call) field(name, value string, optional bool) web.Field {
	f := web.Field{Name: name, Label: c.l.T("people.field_" + name), Value: value, Width: "medium", Optional: optional}
	if key := "people.hint_" + name; c.l.Has(key) {
		f.Hint = c.l.T(key)
	}
	return f
}

// choose is a select of a form.
func (c *call) choose(name, current string, options ...web.Option) web.Field {
	f := c.field(name, "", false)
	f.Kind = "select"
	for _, o := range options {
		o.Selected = o.Value == current
		f.Options = append(f.Options, o)
	}
	return f
}

// areaOptions are the areas to choose from, with the current one.
func (h *Handler) areaOptions(c *call, none, current string) []web.Option {
	out := []web.Option{{Text: none}}
	seen := current == ""
	for _, code := range h.Names.Areas() {
		out = append(out, web.Option{Value: code, Text: h.area(c, code).Text})
		seen = seen || code == current
	}
	if !seen {
		out = append(out, web.Option{Value: current, Text: h.area(c, current).Text})
	}
	return out
}

func (c *call) names(field string, p auth.Post) []web.Field {
	bo, en := c.field(field+"_bo", p.Bo, true), c.field(field+"_en", p.En, true)
	bo.Lang, en.Lang = "bo", "en"
	zh := c.field(field+"_zh", p.Zh, false)
	zh.Lang = "zh-Hans"
	return []web.Field{zh, bo, en}
}

func (c *call) named(field string) auth.Post {
	return auth.Post{Zh: c.form(field + "_zh"), Bo: c.form(field + "_bo"), En: c.form(field + "_en")}
}

// pointers are the fields of a form for faults.
func pointers(list []web.Field) []*web.Field {
	out := make([]*web.Field, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// begins is a period's beginning in words.
func (c *call) begins(day string) string { return cmp.Or(day, c.l.T("people.ever")) }
