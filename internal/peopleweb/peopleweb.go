package peopleweb

import (
	"embed"
	"io/fs"
	"net/http"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

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

func routes() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/posts", people.See, (*Handler).posts),
		kit.Get("/posts/new", people.Manage, (*Handler).newPost),
		kit.Post("/posts/new", people.Manage, (*Handler).addPost),
		kit.Get("/posts/{id}", people.See, (*Handler).post),
		kit.Post("/posts/{id}", people.Manage, (*Handler).changePost),
		kit.Post("/posts/{id}/appoint", people.Manage, (*Handler).appoint),
		kit.Post("/posts/{id}/end-appointment", people.Manage, (*Handler).endAppointment),
		kit.Post("/posts/{id}/end", people.Manage, (*Handler).endPost),
		kit.Get("/organisations", people.See, (*Handler).organisations),
		kit.Get("/organisations/new", people.Manage, (*Handler).organisation),
		kit.Post("/organisations/new", people.Manage, (*Handler).putOrganisation),
		kit.Get("/organisations/{id}", people.See, (*Handler).organisation),
		kit.Post("/organisations/{id}", people.Manage, (*Handler).putOrganisation),
	}
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route { return kit.Declared(routes()) }

// Pages lists the patterns that answer GET with a page, below the language;
// browser tests walk them.
func Pages() []string { return kit.Pages(routes()) }

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) {
	m := kit.Module{Engine: h.Engine, Link: "registry", Words: "people", Links: h.Links, Now: h.Now}
	kit.Register(mux, m, h, routes(), func(c *kit.Call) *call { return &call{c} })
}

// call is one request with what the pages of posts need of it.
type call struct{ *kit.Call }

// tabs are the lists.
func (c *call) tabs(current string) []web.Tab {
	return []web.Tab{
		{Text: c.L.T("people.posts"), Href: c.Path("/posts"), Current: current == "posts"},
		{Text: c.L.T("people.organisations"), Href: c.Path("/organisations"), Current: current == "organisations"},
	}
}

// word is a text with its language.
type word struct{ Text, Lang string }

// in is a name in the reader's language, else in Chinese.
func (c *call) in(p auth.Post) word {
	switch {
	case c.Lang == i18n.Bo && p.Bo != "":
		return word{p.Bo, "bo"}
	case c.Lang == i18n.En && p.En != "":
		return word{p.En, "en"}
	}
	return word{p.Zh, "zh"}
}

func (h *Handler) area(c *call, code string) word {
	if code == "" {
		return word{c.L.T("people.all_areas"), string(c.Lang)}
	}
	if n, ok := h.Names.AreaName(code); ok {
		return c.in(n)
	}
	return word{code, string(c.Lang)}
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
	bo, en := c.Field(field+"_bo", p.Bo, true), c.Field(field+"_en", p.En, true)
	bo.Lang, en.Lang = "bo", "en"
	zh := c.Field(field+"_zh", p.Zh, false)
	zh.Lang = "zh-Hans"
	return []web.Field{zh, bo, en}
}

func (c *call) named(field string) auth.Post {
	return auth.Post{Zh: c.Form(field + "_zh"), Bo: c.Form(field + "_bo"), En: c.Form(field + "_en")}
}
