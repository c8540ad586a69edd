package accountweb

import (
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/notify"
	"plateau/internal/platform/people"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

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

// who is whom a route serves. The zero value is nobody: a route that does not say it
// is not mounted.
type who struct {
	may           access.Permission
	person, fresh bool // as in kit.Address
}

var (
	anyone   = who{may: access.Open}
	signedIn = who{"platform.account", true, false} // by a session, not by a token
	fresh    = who{"platform.account", true, true}  // and proved it within auth.ProofLife

	// Not of one's own account: signed in, and holding a permission.
	keepsAccounts      = who{"platform.accounts", true, false}
	keepsAccountsFresh = who{"platform.accounts", true, true}
	readsRecord        = who{"platform.record", true, false}
	watching           = who{may: "platform.deliveries"} // may see what became of deliveries to anybody, also by a token
)

// route is one address: method, pattern below the language, for whom, handler.
type route struct {
	method, path string
	who          who
	serve        func(*Handler, *call) error
}

// may is what opens a route by the policy.
func (rt route) may() access.Permission { return rt.who.may }

// fresh reports whether a route asks for a proof of not long ago.
func (rt route) fresh() bool { return rt.who.fresh }

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

// passing are the addresses that lead to the provider and back.
var passing = []string{ProviderPath, callbackPath, "/account/provider/link"}

// declared are routes as the kit takes them.
func declared(all []route) (out []kit.Route[*Handler, *call]) {
	for _, rt := range all {
		a := kit.Address{Method: rt.method, Path: rt.path, May: rt.may(), Person: rt.who.person, Fresh: rt.fresh(), Passing: slices.Contains(passing, rt.path)}
		out = append(out, kit.Route[*Handler, *call]{Address: a, Serve: rt.serve})
	}
	return out
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route { return kit.Declared(declared(routes())) }

// Pages lists the patterns that answer GET with a page, below the language;
// browser tests walk them.
func Pages() []string { return kit.Pages(declared(routes())) }

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) { h.register(mux, routes()) }

func (h *Handler) register(mux *http.ServeMux, all []route) {
	kit.Register(mux, kit.Module{Engine: h.Engine, Links: h.Links, Now: h.Now}, h, declared(all), func(c *kit.Call) *call {
		return &call{c, h.Auth.Client(c.R), h.Provider != nil}
	})
}

// call is one request with what every page of accounts needs of it.
type call struct {
	*kit.Call
	from     auth.Client
	provider bool // there is an identity provider
}

// form is what was entered in a field, as it is: a password may begin with a space.
func (c *call) form(name string) string { return c.R.PostFormValue(name) }

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
		out = append(out, web.Tab{Text: c.L.T(key), Href: c.Path(strings.TrimSuffix("/account/"+name, "/")), Current: name == current})
	}
	return out
}

// crumbs lead back to the overview, and to a page below it.
func (c *call) crumbs(below ...string) []web.Crumb {
	return c.Crumbs(append([]string{"account.title", "/account"}, below...)...)
}

// faults is Faults that also tells who tried too often beside the first field.
func (c *call) faults(err error, p *web.Page, fields ...*web.Field) (int, error) {
	if e, ok := errors.AsType[*errs.Error](err); ok && httpd.Status(err) == http.StatusTooManyRequests {
		err = errs.InvalidField(fields[0].Name, e.Key, e.Args...)
		_, err = c.Faults(err, p, fields...)
		return http.StatusTooManyRequests, err
	}
	return c.Faults(err, p, fields...)
}
