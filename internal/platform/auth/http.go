package auth

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// CookieName is the session cookie.
const CookieName = "plateau_session"

// Access says who may use a route. The zero value is nobody.
type Access struct {
	declared, public bool
	roles            []Role
}

// Public lets everybody in, signed in or not.
func Public() Access { return Access{declared: true, public: true} }

// Require lets the given roles in, and operators; without roles, everybody who
// is signed in.
func Require(roles ...Role) Access {
	if len(roles) == 0 {
		roles = []Role{Officer, Business, Operator}
	}
	return Access{declared: true, roles: roles}
}

// Check returns nil when p may pass, errs.Unauthenticated when signing in could
// help, errs.Forbidden when not.
func (a Access) Check(p Principal) error {
	switch {
	case a.declared && (a.public || p.Has(a.roles...)):
		return nil
	case !p.Known():
		return errs.New(errs.Unauthenticated, "err.unauthenticated")
	}
	return errs.New(errs.Forbidden, "err.forbidden")
}

// Wrap guards a handler.
func (a Access) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Check(From(r.Context())); err != nil {
			httpd.Problem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Mux is a ServeMux on which every route says who may use it.
type Mux struct {
	mux     *http.ServeMux
	handler http.Handler
	routes  []Route
}

// Route is a mounted pattern and its access, for tests and listings.
type Route struct {
	Pattern string
	Access  Access
}

// NewMux returns an empty mux; without a route it answers 404.
func NewMux() *Mux {
	mux := http.NewServeMux()
	return &Mux{mux: mux, handler: httpd.Mux(mux)}
}

// Handle mounts a handler. It panics on a pattern without declared access, as
// on conflicting patterns: the program does not start with such a route.
func (m *Mux) Handle(pattern string, a Access, h http.Handler) {
	if !a.declared {
		panic(fmt.Sprintf("auth: route %q does not say who may use it", pattern))
	}
	m.mux.Handle(pattern, a.Wrap(h))
	m.routes = append(m.routes, Route{pattern, a})
}

// HandleFunc is Handle for a function.
func (m *Mux) HandleFunc(pattern string, a Access, h http.HandlerFunc) { m.Handle(pattern, a, h) }

// Routes lists what was mounted, in order.
func (m *Mux) Routes() []Route { return m.routes }

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Middleware finds out who asks and puts the Principal into the request's
// context. A bad bearer token is refused at once, because a program should hear
// of it; a cookie that opens no session is nobody's, because a person may go on
// to public pages.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := s.identify(r)
		if err != nil {
			httpd.Problem(w, r, err)
			return
		}
		if p.Known() {
			w.Header().Set("Cache-Control", "private, no-cache") // handlers may say otherwise
			r = r.WithContext(With(r.Context(), p))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) identify(r *http.Request) (Principal, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
		}
		return s.Bearer(r.Context(), strings.TrimSpace(token))
	}
	c, err := r.Cookie(CookieName)
	if err != nil || c.Value == "" {
		return Principal{}, nil //nolint:nilerr // no cookie is nobody, not a failure
	}
	p, err := s.Session(r.Context(), c.Value)
	if errs.Is(err, errs.Unauthenticated) {
		return Principal{}, nil
	}
	return p, err
}

// SetCookie gives the browser a session. The cookie is kept from scripts and
// from other sites, and sent over TLS only where this request came over TLS.
func SetCookie(w http.ResponseWriter, r *http.Request, secret string) {
	http.SetCookie(w, cookie(r, secret, int(lifeLimit.Seconds())))
}

// ClearCookie takes it back.
func ClearCookie(w http.ResponseWriter, r *http.Request) { http.SetCookie(w, cookie(r, "", -1)) }

func cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure depends on the connection, see below
		Name: CookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		// Behind a proxy that ends TLS, the proxy tells. A forged header can only
		// make the cookie stricter.
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// Secret returns the session secret of a request's cookie, "" without one.
func Secret(r *http.Request) string {
	c, err := r.Cookie(CookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

// Peer returns the address a request came from, without the port, for the rate
// limit of SignIn. Forwarding headers are not read: anybody can send them.
func Peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
