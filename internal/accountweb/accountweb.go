package accountweb

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
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

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine *web.Engine // made with Templates() among its templates
	Auth   *auth.Service
	Notify *notify.Service
	People *people.Service
	Links  func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	// BaseURL is where people reach the program, for links; "" goes by the request.
	BaseURL string
	DB      *db.DB      // of the record
	Changes changesFunc // what acts on the registry did, for their entries; nil: nothing
	Now     func() time.Time
	// Provider is an identity provider where people sign in, too; nil: none.
	Provider *Provider
	Logger   *slog.Logger // nil: nothing is told
}

// Handler serves the pages. Make it with New.
type Handler struct {
	Deps
	proving sync.Mutex // held while the record is proved
}

// New returns the handler of all pages of accounts and of the record.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// who is whom a route serves. The zero value is nobody: a route that does not
// say it is not mounted.
type who string

const (
	anyone   who = "anyone"
	signedIn who = "signed in" // by a session, not by a token
	fresh    who = "fresh"     // signed in, and proved it within auth.ProofLife

	// Not of one's own account: signed in, and holding a permission.
	keepsAccounts      who = "platform.accounts"
	keepsAccountsFresh who = "platform.accounts, fresh"
	readsRecord        who = "platform.record"
	watching           who = "watching" // may see what became of deliveries to anybody, also by a token
)

// fresh reports whether a route asks for a proof of not long ago.
func (rt route) fresh() bool { return rt.who == fresh || rt.who == keepsAccountsFresh }

// route is one address: method, pattern below the language, for whom, handler.
type route struct {
	method, path string
	who          who
	serve        func(*Handler, *call) error
}

// CodePath is the page that takes the code of a second factor.
const CodePath = "/sign-in/code"

func routes() []route {
	return slices.Concat(ownRoutes(), accountsRoutes(), recordRoutes(), looksRoutes(), dataRoutes(), correctionRoutes(), notifyRoutes(), personalRoutes())
}

func ownRoutes() []route {
	return []route{
		{"GET", "/account", signedIn, (*Handler).account},
		{"GET", "/account/confirm", signedIn, (*Handler).confirmForm},
		{"POST", "/account/confirm", signedIn, (*Handler).confirm},
		{"POST", "/account/confirm/passkey", signedIn, (*Handler).confirmPasskey},
		{"GET", "/account/password", fresh, (*Handler).passwordForm},
		{"POST", "/account/password", fresh, (*Handler).password},
		{"GET", "/account/sessions", signedIn, (*Handler).sessions},
		{"POST", "/account/sessions", signedIn, (*Handler).endSessions},
		{"GET", "/account/posts", signedIn, (*Handler).posts},
		{"POST", "/account/posts", signedIn, (*Handler).actIn},
		{"POST", "/account/posts/delegate", fresh, (*Handler).delegate},
		{"POST", "/account/posts/withdraw", signedIn, (*Handler).withdraw},
		{"GET", "/account/second-factor", signedIn, (*Handler).factor},
		{"POST", "/account/second-factor/begin", fresh, (*Handler).beginFactor},
		{"GET", "/account/second-factor/set-up", fresh, (*Handler).setUpForm},
		{"POST", "/account/second-factor/set-up", fresh, (*Handler).setUp},
		{"POST", "/account/second-factor/codes", fresh, (*Handler).newCodes},
		{"POST", "/account/second-factor/remove", fresh, (*Handler).removeFactor},
		{"GET", "/account/passkeys", signedIn, (*Handler).passkeys},
		{"GET", "/account/passkeys/new", fresh, (*Handler).newPasskeyForm},
		{"POST", "/account/passkeys/new", fresh, (*Handler).newPasskey},
		{"POST", "/account/passkeys/remove", fresh, (*Handler).removePasskey},
		{"GET", CodePath, anyone, (*Handler).codeForm},
		{"POST", CodePath, anyone, (*Handler).code},
		{"POST", CodePath + "/passkey", anyone, (*Handler).stepPasskey},
		{"GET", PasskeyPath, anyone, (*Handler).signInPasskeyForm},
		{"POST", PasskeyPath, anyone, (*Handler).signInPasskey},
		{"GET", ProviderPath, anyone, configured((*Handler).toProvider)},
		{"GET", callbackPath, anyone, configured((*Handler).fromProvider)},
		{"GET", "/account/provider", signedIn, configured((*Handler).providerPage)},
		{"GET", "/account/provider/link", fresh, configured((*Handler).toLink)},
		{"POST", "/account/provider/link", fresh, configured((*Handler).linkProvider)},
		{"POST", "/account/provider/unlink", fresh, configured((*Handler).unlinkProvider)},
		{"GET", "/set-password", anyone, (*Handler).linkForm},
		{"POST", "/set-password", anyone, (*Handler).link},
		{"GET", "/account/tokens", signedIn, (*Handler).tokens},
		{"POST", "/account/tokens", fresh, (*Handler).makeToken},
		{"POST", "/account/tokens/revoke", signedIn, (*Handler).revokeToken},
	}
}

// may is what opens a route by the policy.
func (rt route) may() access.Permission {
	switch rt.who {
	case anyone:
		return access.Open
	case watching:
		return "platform.deliveries"
	case keepsAccounts, keepsAccountsFresh:
		return "platform.accounts"
	case readsRecord:
		return "platform.record"
	case signedIn, fresh:
	}
	return "platform.account"
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route {
	var out []access.Route
	for _, rt := range routes() {
		out = append(out, access.Route{Method: rt.method, Path: "/{lang}" + rt.path, May: rt.may()})
	}
	return out
}

// Pages lists the patterns that answer GET with a page, below the language;
// browser tests walk them.
func Pages() []string {
	var out []string
	passing := []string{ProviderPath, callbackPath, "/account/provider/link"} // lead to the provider and back
	for _, r := range routes() {
		if r.method == "GET" && !strings.Contains(r.path, ".") && !slices.Contains(passing, r.path) {
			out = append(out, r.path)
		}
	}
	return out
}

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) { h.register(mux, routes()) }

func (h *Handler) register(mux *http.ServeMux, all []route) {
	for _, rt := range all {
		if rt.who == "" {
			panic("accountweb: route " + rt.method + " " + rt.path + " does not say whom it serves")
		}
		access.Default().Declared(rt.method, rt.path, rt.may())
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
	w       http.ResponseWriter
	r       *http.Request
	lang    i18n.Lang
	l       *i18n.Localizer
	who     auth.Principal
	session auth.Session
	from    auth.Client
	now     time.Time

	provider bool // there is an identity provider
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) path(p string) string { return web.Path(c.lang, p) }

// see sends the reader on after a change; back then always works.
func (c *call) see(path string) error {
	http.Redirect(c.w, c.r, c.path(path), http.StatusSeeOther)
	return nil
}

// done is see to a page that says what was done.
func (c *call) done(path, key string) error {
	web.SetDone(c.w, key)
	return c.see(path)
}

// form is what was entered in a field.
func (c *call) form(name string) string { return c.r.PostFormValue(name) }

func (h *Handler) page(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang := web.RequestLang(r)
		c := &call{
			w: w, r: r, lang: lang, l: h.Engine.Localizer(lang), who: auth.From(r.Context()), session: auth.SessionFrom(r.Context()),
			from: h.Auth.Client(r), now: h.Now(), provider: h.Provider != nil,
		}
		if err := h.serve(rt, c); err != nil {
			httpd.Problem(w, r, err)
		}
	})
}

// maxBody bounds what a form may send.
const maxBody = 64 << 10

func (h *Handler) serve(rt route, c *call) error {
	switch {
	case rt.who == anyone:
	case rt.who == watching && c.who.Known():
		if !access.Default().Opens(c.who.Grants(), rt.may()) {
			return errs.New(errs.Forbidden, "problem.forbidden", "permission", c.l.T("permission."+string(rt.may())))
		}
	case c.who.Token:
		return errs.New(errs.Forbidden, "err.auth.person_only")
	case c.session.ID == "":
		c.w.Header().Add("Vary", "Cookie")
		return c.detour(rt, "/login")
	case !access.Default().Opens(c.who.Grants(), rt.may()):
		return errs.New(errs.Forbidden, "problem.forbidden", "permission", c.l.T("permission."+string(rt.may())))
	case rt.fresh() && !c.session.Fresh(c.now):
		return c.detour(rt, "/account/confirm")
	}
	if c.r.Method == http.MethodPost {
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
		if err := c.r.ParseForm(); err != nil {
			return errs.Wrap(err, errs.Malformed, "")
		}
	}
	return rt.serve(h, c)
}

// detour sends the reader to a page first that leads back here. A form that was
// sent is not sent again from there: the page it stands on is opened.
func (c *call) detour(rt route, path string) error {
	back := c.r.URL.RequestURI()
	if c.r.Method == http.MethodPost {
		back = c.path(rt.page())
		for _, name := range []string{"id"} {
			back = strings.ReplaceAll(back, "{"+name+"}", url.PathEscape(c.r.PathValue(name)))
		}
	}
	return c.see(path + "?" + url.Values{"next": {back}}.Encode())
}

// page is the address of the page on which a route's form stands.
func (rt route) page() string {
	pages, path := Pages(), rt.path
	for !slices.Contains(pages, path) {
		path = path[:strings.LastIndexByte(path, '/')]
	}
	return path
}

// next is where the reader wanted to go: an address of this host only.
func (c *call) next() string { return web.Local(c.r.FormValue("next")) }

// render serves a page with what all pages have.
func (h *Handler) render(c *call, status int, name string, p *web.Page) error {
	if c.who.Known() {
		p.User = &web.User{Post: c.who.Post.In(string(c.lang))}
	}
	p.Notices = append(web.TakeDone(c.w, c.r, c.l), p.Notices...)
	if c.who.Unsettled {
		p.Notices = append(p.Notices, web.Notice{Kind: "warn", Text: c.l.T("account.factor_first")})
	}
	p.Links = []web.Link{}
	if h.Links != nil {
		p.Links = h.Links(c.r)
	}
	return h.Engine.Serve(c.w, c.r, status, name, p)
}

// tabs are the pages of the account.
func (c *call) tabs(current string) []web.Tab {
	var out []web.Tab
	names := []string{"", "posts", "password", "second-factor", "passkeys", "sessions", "tokens", "looks", "data", "notifications"}
	if c.provider {
		names = append(names, "provider")
	}
	for _, name := range names {
		key := "account.tab_" + strings.ReplaceAll(name, "-", "_")
		if name == "" {
			key = "account.tab_overview"
		}
		out = append(out, web.Tab{Text: c.l.T(key), Href: c.path(strings.TrimSuffix("/account/"+name, "/")), Current: name == current})
	}
	return out
}

// crumbs lead back to the overview.
func (c *call) crumbs() []web.Crumb {
	return []web.Crumb{{Text: c.l.T("account.title"), Path: "/account"}}
}

// faults puts the sentences of a form's error beside their fields and into the
// page's summary. It returns the status to answer with, or err when it is about
// no field.
func (c *call) faults(err error, p *web.Page, fields ...*web.Field) (int, error) {
	if err == nil {
		return http.StatusOK, nil
	}
	e, ok := errors.AsType[*errs.Error](err)
	switch {
	case ok && httpd.Status(err) == http.StatusTooManyRequests:
		p.Errors = []web.FieldError{{Field: fields[0].Name, Text: c.l.T(e.Key, e.Args...)}}
		fields[0].Error = p.Errors[0].Text
		return http.StatusTooManyRequests, nil
	case !ok || e.Kind != errs.Invalid || len(e.Fields) == 0:
		return 0, err
	}
	for _, wrong := range e.Fields {
		text := c.l.T(wrong.Key, wrong.Args...)
		p.Errors = append(p.Errors, web.FieldError{Field: wrong.Name, Text: text})
		for _, f := range fields {
			if f.Name == wrong.Name {
				f.Error = text
			}
		}
	}
	return http.StatusUnprocessableEntity, nil
}
