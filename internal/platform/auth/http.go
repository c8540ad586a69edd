package auth

import (
	"net"
	"net/http"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// CookieName is the session cookie.
const CookieName = "plateau_session"

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
