package telemetryweb

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/web"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

// Links returns the module links of the top bar.
func Links() []web.Link {
	return []web.Link{{Key: "overview", Path: "/"}, {Key: "outlets", Path: "/outlets"}, {Key: "alarms", Path: "/alarms"}, {Key: "cases", Path: "/cases"}, {Key: "reports", Path: "/reports"}, {Key: "devices", Path: "/devices"}, {Key: "registry", Path: "/registry"}}
}

// route is one address: method, pattern below the language, who may, handler.
type route struct {
	method, path string
	may          Permission
	serve        func(*Handler, *call) error
}

func routes() []route {
	return slices.Concat([]route{
		{"GET", "/{$}", View, (*Handler).overview},
		{"GET", "/overview", View, (*Handler).overviewAlias},
		{"GET", "/overview.csv", View, (*Handler).overview},
		{"GET", "/overview.json", View, (*Handler).overview},
		{"GET", "/overview.xlsx", View, (*Handler).overview},
		{"GET", "/outlets", View, (*Handler).outlets},
		{"GET", "/outlets.csv", View, (*Handler).outlets},
		{"GET", "/outlets.json", View, (*Handler).outlets},
		{"GET", "/outlets.xlsx", View, (*Handler).outlets},
		{"GET", "/outlets/{id}", View, (*Handler).outlet},
		{"GET", "/outlets/{id}/{date}", View, (*Handler).outlet},
		{"GET", "/outlets/{id}/{date}/series", View, (*Handler).series},
		{"GET", "/outlets/{id}/history", View, (*Handler).history},
		{"GET", "/outlets/{id}/devices", View, (*Handler).outletDevices},
		{"GET", "/values/{id}", View, (*Handler).value},
		{"GET", "/frames/{locator}", View, (*Handler).frame},
		{"GET", "/devices", Devices, (*Handler).devices},
		{"GET", "/devices/{mn}", Devices, (*Handler).device},
		{"POST", "/devices/{mn}/settings", EditList, (*Handler).settings},
		{"GET", "/devices/{mn}/adopt", Devices, (*Handler).adoptForm},
		{"POST", "/devices/{mn}/adopt", Devices, (*Handler).adopt},
		{"POST", "/devices/{mn}/release", Devices, (*Handler).release},
		{"GET", "/inspect", View, (*Handler).inspect},
		{"POST", "/inspect", View, (*Handler).inspect},
		{"GET", "/registry", ReadList, (*Handler).registryHome},
		{"GET", "/registry/changes", ReadList, (*Handler).registryChanges},
		{"GET", "/registry/{kind}", ReadList, (*Handler).registryList},
		{"GET", "/registry/{kind}/import", EditList, (*Handler).registryImport},
		{"POST", "/registry/{kind}/import", EditList, (*Handler).registryImport},
		{"GET", "/registry/{kind}/{id}", ReadList, (*Handler).registryEntry},
		{"POST", "/registry/{kind}/{id}", EditList, (*Handler).registrySave},
		{"POST", "/registry/stops/{id}/delete", EditList, (*Handler).stopDelete},
		{"GET", "/login", Open, (*Handler).signInForm},
		{"POST", "/login", Open, (*Handler).signIn},
		{"POST", "/sign-out", Open, (*Handler).signOut},
		{"POST", "/logout", Open, (*Handler).signOut},
	}, reportRoutes(), ruleRoutes(), alarmRoutes(), gapRoutes(), commandRoutes(), totalsRoutes(), recomputeRoutes(), webhookRoutes(), apiDocRoutes(), keepingRoutes(), thingRoutes(), policyRoutes())
}

// Routes lists all addresses with the permission that opens them; those of pages
// stand below a language.
func Routes() []access.Route {
	var out []access.Route
	for _, r := range routes() {
		out = append(out, access.Route{Method: r.method, Path: "/{lang}" + r.path, May: r.may})
	}
	for _, o := range operations() {
		out = append(out, access.Route{Method: o.Method, Path: o.Path, May: o.may})
	}
	return out
}

// Pages lists the patterns that answer GET with a page, below the language;
// browser tests walk them.
func Pages() []string {
	var out []string
	for _, r := range routes() {
		if r.method == "GET" && !strings.Contains(r.path, ".") && !strings.HasSuffix(r.path, "/series") {
			out = append(out, r.path)
		}
	}
	return out
}

// Register adds all routes: pages below each language, the same addresses
// without one (303 to the reader's), and the interface.
func (h *Handler) Register(mux *http.ServeMux) { h.register(mux, routes(), operations()) }

// register panics on a route that does not say who may use it, as on patterns
// that conflict: the program does not start with such a route.
func (h *Handler) register(mux *http.ServeMux, pages []route, programs []op) {
	policy := access.Default()
	for _, rt := range pages {
		policy.Declared(rt.method, rt.path, rt.may)
	}
	for i := range programs {
		policy.Declared(programs[i].Method, programs[i].Path, programs[i].may)
	}
	for _, rt := range pages {
		for _, lang := range i18n.Langs() {
			mux.Handle(rt.method+" /"+string(lang)+rt.path, h.page(rt))
		}
		if rt.method == "GET" {
			mux.HandleFunc("GET "+rt.path, web.RedirectLang)
		}
	}
	for i := range programs {
		mux.Handle(programs[i].Method+" "+programs[i].Path, h.operation(&programs[i]))
	}
}

// call is one request with what every page needs of it.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    i18n.Lang
	l       *i18n.Localizer
	actor   Actor
	seen    access.Scope // what the actor may look at
	now     time.Time    // of the page: earlier than asked where it is as known then
	asked   time.Time
	knownAt time.Time // the page is as known then; zero = now
	notes   []web.Notice
	snap    *telemetry.Snapshot

	// Of the interface only.
	op       *op
	tag      string    // strong ETag of the answer; "" = a weak one is made from it
	modified time.Time // zero = not known
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request) *call {
	lang := web.RequestLang(r)
	now := h.Now()
	return &call{w: w, r: r, lang: lang, l: h.Engine.Localizer(lang), now: now, asked: now, snap: h.Registry.Snapshot()}
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) path(p string) string { return web.Path(c.lang, p) }

func (c *call) query(name string) string { return strings.TrimSpace(c.r.URL.Query().Get(name)) }

// see sends the reader on after a change; back then always works.
func (c *call) see(path string) error {
	http.Redirect(c.w, c.r, c.path(path), http.StatusSeeOther) //nolint:gosec // begins with "/" and one of three languages
	return nil
}

func (h *Handler) page(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := h.call(w, r)
		who, in := h.Sessions.Actor(r)
		if in {
			c.asks(who)
		}
		if rt.may != Open && !in {
			to := url.Values{}
			if rt.method == "GET" {
				to.Set("next", r.URL.RequestURI())
			}
			w.Header().Add("Vary", "Cookie")
			http.Redirect(w, r, c.path("/login")+"?"+to.Encode(), http.StatusSeeOther) //nolint:gosec // the sign-in page of this host
			return
		}
		var err error
		if c.actor.May(rt.may) {
			if err = readForm(w, r); err == nil {
				err = rt.serve(h, c)
			}
		} else if to := c.instead(); rt.path == "/{$}" && to != "" {
			err = c.see(to)
		} else {
			err = refused(c.l, rt.may)
		}
		if err != nil {
			httpd.Problem(w, r, err)
		}
	})
}

// instead is the first page of somebody who may not look at outlets, such as an
// auditor; "" when there is none.
func (c *call) instead() string {
	for _, l := range c.links() {
		if l.Path != "/cases" { // open to everybody with an account, so nobody's own work
			return l.Path
		}
	}
	if c.rivers() {
		return "/cases"
	}
	if c.actor.May(Keeps) {
		return "/keeping"
	}
	if c.actor.May("platform.account") { // nothing but the account's own pages, such as of somebody whose posts are over
		return "/account/posts"
	}
	return ""
}

// rivers reports whether the actor's work is with rivers and lakes, which is cases.
func (c *call) rivers() bool {
	return slices.ContainsFunc(c.actor.Grants, func(g access.Grant) bool { return strings.HasPrefix(g.Role, "rivers.") })
}

// maxBody bounds what a form may send; a pasted dump fits.
const maxBody = 4 << 20

// readForm reads what a form sent, so that no page takes a form that arrived in
// part for one with empty fields.
func readForm(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxBody) //nolint:gosec // the body is bounded above
	}
	if errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	kind := errs.Malformed
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		kind = errs.TooLarge
	}
	return errs.Wrap(err, kind, "")
}

// render serves a page with what all pages have.
func (h *Handler) render(c *call, status int, name string, p *web.Page) error {
	if c.actor.Post != "" {
		p.User = &web.User{Post: c.actor.Post}
	}
	p.Progress = h.progress(c)
	p.Notices = slices.Concat(web.TakeDone(c.w, c.r, c.l), c.notes, p.Notices)
	if p.Links == nil {
		p.Links = c.links()
	}
	return h.Engine.Serve(c.w, c.r, status, name, p)
}

// links are the modules the actor may open.
func (c *call) links() []web.Link {
	need := map[string]Permission{"overview": View, "outlets": View, "alarms": View, "cases": "platform.cases", "reports": View, "devices": Devices, "registry": ReadList}
	out := []web.Link{}
	for _, l := range Links() {
		if c.actor.May(need[l.Key]) {
			out = append(out, l)
		}
	}
	if c.actor.May(View) && !c.actor.May(Devices) { // who may reaches it from there
		out = append(out, web.Link{Key: "frames", Path: "/inspect"})
	}
	return out
}

// progress is the work that goes on behind the pages: a demonstration's history
// that is filled in, else history that is judged anew.
func (h *Handler) progress(c *call) *web.Progress {
	if h.Filling != nil {
		if done, total := h.Filling(); done < total {
			return &web.Progress{Text: c.l.T("overview.filling", "percent", 100*done/total), Done: done, Total: total}
		}
	}
	if r, ok := h.Quality.Recomputing(); ok && c.actor.May(View) {
		return &web.Progress{Text: c.l.T("recompute.progress", "percent", 100*r.Done/r.Hours, "n", len(r.Outlets)), Done: r.Done, Total: r.Hours}
	}
	return nil
}

func notFound() error { return errs.New(errs.NotFound, "problem.not_found") }

// cutFormat takes .csv, .json or .xlsx off the end of an address.
func cutFormat(s string) (base, format string) {
	for _, f := range []string{"csv", "json", "xlsx"} {
		if b, ok := strings.CutSuffix(s, "."+f); ok {
			return b, f
		}
	}
	return s, ""
}
