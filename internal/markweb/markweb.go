package markweb

import (
	"cmp"
	"embed"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/mark"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

// view opens what is only looked at.
const view = access.Permission("telemetry.view")

// Registry gives the outlets.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Hours gives judged hours.
type Hours interface {
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
}

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine   *web.Engine // made with Templates() among its templates
	Marks    *mark.Service
	Registry Registry
	Hours    Hours
	Links    func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now      func() time.Time
}

// Handler serves the pages. Make it with New.
type Handler struct{ Deps }

// New returns the handler of all pages of marks.
func New(d Deps) *Handler { return &Handler{d} }

func routes() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/outlets/{id}/marks", view, (*Handler).list),
		kit.Get("/outlets/{id}/marks.csv", view, (*Handler).csv),
		kit.Get("/outlets/{id}/marks/new", mark.Set, (*Handler).newMark),
		kit.Post("/outlets/{id}/marks/new", mark.Set, (*Handler).addMark),
		kit.Get("/outlets/{id}/corrections/new", mark.Set, (*Handler).newCorrection),
		kit.Post("/outlets/{id}/corrections/new", mark.Set, (*Handler).addCorrection),
		kit.Get("/marks", mark.Review, (*Handler).queue),
		kit.Get("/marks/{number}", view, (*Handler).paper),
		kit.Post("/marks/{number}/review", mark.Review, (*Handler).decide),
		kit.Post("/marks/{number}/withdraw", mark.Set, (*Handler).withdraw),
		kit.Post("/marks/{number}/document", mark.Set, (*Handler).document),
		kit.Post("/marks/{number}/submit", mark.Set, (*Handler).resubmit),
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
	m := kit.Module{Engine: h.Engine, Link: "outlets", Words: "marks", Links: h.Links, Now: h.Now}
	kit.Register(mux, m, h, routes(), func(c *kit.Call) *call { return &call{c} })
}

// call is one request with what the pages of marks need of it.
type call struct{ *kit.Call }

// word is a text with its language.
type word struct{ Text, Lang string }

func (c *call) named(n telemetry.Name) word {
	text, used := n.In(string(c.Lang))
	return word{text, used}
}

// factor names a factor.
func (c *call) factor(code string) word {
	if s := figures.Symbol(code); s != "" {
		return word{s, string(c.Lang)}
	}
	if key := "factor." + code; c.L.Has(key) {
		text, used := c.L.Text(key)
		return word{text, string(used)}
	}
	f, ok := hj212.LookupFactor(code)
	switch {
	case !ok:
		return word{code, string(c.Lang)}
	case c.Lang == i18n.En && f.NameEn != "":
		return word{f.NameEn, "en"}
	}
	return word{cmp.Or(f.NameZh, code), "zh"}
}

// codeName names the mark of a paper; a correction by its own word.
func (h *Handler) codeName(c *call, p *mark.Paper) string {
	if p.Sort == mark.SortCorrection {
		return c.L.T("marks.correction")
	}
	if m, ok := h.Marks.Code(p); ok {
		return m.Name[string(c.Lang)]
	}
	return p.Code
}

// outlet finds the outlet of the address, if the reader may look at it.
func (h *Handler) outlet(c *call) (*telemetry.Outlet, error) {
	n, err := strconv.ParseUint(c.R.PathValue("id"), 10, 32)
	o := h.Registry.Snapshot().Outlets[telemetry.OutletID(n)]
	if err != nil || o == nil {
		return nil, errs.New(errs.NotFound, "err.not_found")
	}
	return o, h.seen(c, o)
}

// seen refuses an outlet that the reader may not look at.
func (h *Handler) seen(c *call, o *telemetry.Outlet) error {
	if !access.Default().May(c.Who.Grants(), view, access.Object{Area: o.Area, Organisation: o.Enterprise}, h.Registry.Snapshot()) {
		return errs.New(errs.Forbidden, "problem.forbidden", "permission", c.L.T("permission.all_outlets"))
	}
	return nil
}

func base(o *telemetry.Outlet) string { return "/outlets/" + strconv.Itoa(int(o.ID)) }

// dayOf reads a day as people write it; today without one.
func dayOf(s string, now time.Time) time.Time {
	t, ok := i18n.ParseStamp(s)
	if !ok {
		t = now
	}
	y, m, d := t.In(i18n.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, i18n.Zone)
}

// line is a paper in a list.
type line struct {
	Number, Href, Name, From, To, State, Late, Post string
	Factors                                         string
	Outlet                                          word
	OutletHref                                      string
}

func (h *Handler) line(c *call, p *mark.Paper) line {
	l := line{
		Number: p.Number, Href: c.Path("/marks/" + p.Number), Name: h.codeName(c, p), From: i18n.Stamp(p.From), To: i18n.Stamp(p.To),
		State: c.L.T("marks.state_" + string(p.State)), Post: p.AuthorPost, Factors: c.factors(p.Factors),
	}
	if p.Late {
		l.Late = c.L.T("marks.late")
	}
	if o := h.Registry.Snapshot().Outlets[p.Outlet]; o != nil {
		l.Outlet, l.OutletHref = c.named(o.Name), c.Path(base(o)+"/marks?day="+i18n.Short(p.From))
	}
	return l
}

// factors names the factors of a paper.
func (c *call) factors(codes []string) string {
	if len(codes) == 0 {
		return c.L.T("marks.all_factors")
	}
	out := make([]string, len(codes))
	for i, code := range codes {
		out[i] = c.factor(code).Text
	}
	return strings.Join(out, " · ")
}
