package leadweb

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/lead"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/kit"
	"plateau/rules"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

// Hours reads judged rows; *quality.Engine does.
type Hours interface {
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
}

// Cases opens cases; nil where none can be.
type Cases interface {
	// MayOpen reports whether somebody may open a case where an outlet is.
	MayOpen(who auth.Principal, o *telemetry.Outlet) bool
	// Open opens one about a lead and returns its id and number.
	Open(ctx context.Context, l *lead.Lead, o *telemetry.Outlet, title, text, lang string, by auth.Principal) (id, number string, err error)
}

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine   *web.Engine // made with Templates() among its templates
	Leads    *lead.Service
	Rows     Hours
	Registry interface{ Snapshot() *telemetry.Snapshot }
	Cases    Cases
	Links    func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now      func() time.Time
}

// Handler serves the pages. Make it with New.
type Handler struct{ Deps }

// New returns the handler of all pages of leads.
func New(d Deps) *Handler { return &Handler{d} }

func routes() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/leads", lead.See, (*Handler).list),
		kit.Get("/leads.csv", lead.See, (*Handler).file),
		kit.Get("/leads/detectors", lead.See, (*Handler).detectors),
		kit.Get("/leads/detectors/{id}", lead.See, (*Handler).detector),
		kit.Get("/leads/quiet", lead.See, (*Handler).quiets),
		kit.Post("/leads/quiet/{id}/end", lead.See, (*Handler).unquieten),
		kit.Get("/leads/{id}", lead.See, (*Handler).lead),
		kit.Post("/leads/{id}", lead.See, (*Handler).say),
		kit.Post("/leads/{id}/case", lead.See, (*Handler).openCase),
		kit.Post("/leads/{id}/quiet", lead.See, (*Handler).quieten),
	}
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route { return kit.Declared(routes()) }

// Pages lists the patterns that answer GET with a page, below the language; browser
// tests walk them.
func Pages() []string { return kit.Pages(routes()) }

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) {
	m := kit.Module{Engine: h.Engine, Link: "alarms", Words: "lead", Links: h.Links, Now: h.Now}
	kit.Register(mux, m, h, routes(), func(c *kit.Call) *call {
		snap := h.Registry.Snapshot()
		return &call{c, snap, access.Default().Scope(c.Who.Grants(), lead.See, snap)}
	})
}

// call is one request with what the pages of leads need of it.
type call struct {
	*kit.Call
	snap *telemetry.Snapshot
	seen access.Scope
}

// sees reports whether an outlet is the reader's to look at.
func (c *call) sees(o *telemetry.Outlet) bool {
	return c.seen.Contains(access.Object{Area: o.Area, Organisation: o.Enterprise})
}

// find is the lead of the address with its outlet and what was said of it; one of an
// outlet that the reader may not see is not there.
func (h *Handler) find(c *call) (*lead.Lead, *telemetry.Outlet, []lead.Note, error) {
	l, notes, err := h.Leads.Get(c.Ctx(), c.R.PathValue("id"))
	if err != nil {
		return nil, nil, nil, err
	}
	o := c.snap.Outlets[l.Outlet]
	if o == nil || !c.sees(o) {
		return nil, nil, nil, errs.New(errs.NotFound, "err.not_found")
	}
	return &l, o, notes, nil
}

// word is a text with its language.
type word struct{ Text, Lang string }

func (c *call) outlet(o *telemetry.Outlet) word {
	text, lang := figures.OutletName(c.L, c.snap, o)
	return word{text, lang}
}

func (c *call) area(code string) word {
	if a := c.snap.Areas[code]; a != nil {
		text, lang := a.Name.In(string(c.Lang))
		return word{text, lang}
	}
	return word{code, string(c.Lang)}
}

// factor names a factor as briefly as is still clear.
func (c *call) factor(code string) string {
	switch s := figures.Symbol(code); {
	case code == "":
		return c.L.T("lead.whole")
	case s != "":
		return s
	case c.L.Has("factor." + code):
		return c.L.T("factor." + code)
	}
	f, _ := hj212.LookupFactor(code)
	if c.Lang == i18n.Zh && f.NameZh != "" {
		return f.NameZh
	}
	if f.NameEn != "" {
		return f.NameEn
	}
	return code
}

// value writes a figure with its unit.
func (c *call) value(o *telemetry.Outlet, code string, v float64, unit string) string {
	var text string
	switch {
	case unit == "unit":
		text, unit = figures.Text(quality.Some(v), code), figures.UnitOf(o, code)
	case v == float64(int64(v)):
		text = strconv.FormatInt(int64(v), 10)
	case v >= 100:
		text = figures.Trimmed(v, 0)
	case v >= 10:
		text = figures.Trimmed(v, 1)
	default:
		text = figures.Trimmed(v, 2)
	}
	if unit == "" {
		return text
	}
	if unit == "%" {
		return text + "%"
	}
	return text + "\u00a0" + unit
}

// sentence says what is odd, with the figures that led to it.
func (c *call) sentence(l *lead.Lead, o *telemetry.Outlet) string {
	args := []any{"factor", c.factor(l.Factor)}
	for _, f := range l.Figures {
		unit := f.Unit
		if unit == "h" || unit == "%" || unit == "d" || unit == "min" { // the sentence says it
			unit = ""
		}
		args = append(args, f.Key, c.value(o, l.Factor, f.Value, unit))
	}
	return c.L.T("lead.detector."+l.Detector+"_found", args...)
}

// span writes a stretch of time.
func (c *call) span(from, to int64) string {
	return c.L.T("lead.span", "from", i18n.Stamp(time.Unix(from, 0)), "to", i18n.Stamp(time.Unix(to, 0)))
}

func percent(score float64) string { return strconv.Itoa(int(100*score + 0.5)) }

// state is what a lead is in, as a key of lead.state_*.
func state(l *lead.Lead) string {
	switch {
	case !l.Vanished.IsZero():
		return "vanished"
	case l.Quiet != nil:
		return "quiet"
	case l.State == lead.Fresh:
		return "new"
	}
	return l.State
}

// tabs are the lists.
func (c *call) tabs(current string) []web.Tab {
	return []web.Tab{
		{Text: c.L.T("lead.title"), Href: c.Path("/leads"), Current: current == "leads"},
		{Text: c.L.T("lead.detectors"), Href: c.Path("/leads/detectors"), Current: current == "detectors"},
		{Text: c.L.T("lead.quiets"), Href: c.Path("/leads/quiet"), Current: current == "quiet"},
	}
}

// title names a detector.
func (c *call) title(id string) string { return c.L.T("lead.detector." + id + "_title") }

// words are the texts of keys below a prefix.
func (c *call) words(prefix string, keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = c.L.T(prefix + k)
	}
	return out
}

// paramWord says what a threshold of a rule is.
func (c *call) paramWord(id, name string) word {
	p := rules.Default().Shape(id).Params[name]
	if c.Lang == i18n.Zh {
		return word{p.Zh, "zh"}
	}
	return word{p.En, "en"}
}

func outletID(text string) telemetry.OutletID {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0
	}
	return telemetry.OutletID(n)
}
