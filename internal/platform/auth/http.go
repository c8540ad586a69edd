package auth

import (
	"context"
	"net/http"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// CookieName is the session cookie over plain HTTP. Over https it has a prefix by
// which browsers take it from this host alone, whole and over https only.
const CookieName = "plateau_session"

const hostPrefix = "__Host-"

// Middleware finds out who asks and puts the Principal into the request's
// context. A bad bearer token is refused at once, because a program should hear
// of it; a cookie that opens no session is nobody's, because a person may go on
// to public pages.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, session, err := s.identify(r)
		if err != nil {
			httpd.Problem(w, r, err)
			return
		}
		if p.Known() {
			w.Header().Set("Cache-Control", "private, no-cache") // handlers may say otherwise
			r = r.WithContext(context.WithValue(With(r.Context(), p), sessionKey{}, session))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) identify(r *http.Request) (Principal, Session, error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 { // at the address of services, which asks for one; nothing else counts there
		p, err := s.Certified(r.Context(), r.TLS.PeerCertificates[0])
		return p, Session{}, err
	}
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return Principal{}, Session{}, errs.New(errs.Unauthenticated, "err.auth.token")
		}
		p, err := s.Bearer(r.Context(), strings.TrimSpace(token))
		return p, Session{}, err
	}
	secret := Secret(r)
	if secret == "" {
		return Principal{}, Session{}, nil
	}
	p, session, err := s.Session(r.Context(), secret)
	if errs.Is(err, errs.Unauthenticated) {
		return Principal{}, Session{}, nil
	}
	return p, session, err
}

// SetCookie gives the browser a session. The cookie is kept from scripts and
// from other sites, and sent over TLS only where this request came over TLS.
func (s *Service) SetCookie(w http.ResponseWriter, r *http.Request, secret string) {
	http.SetCookie(w, cookie(r, CookieName, secret, int(s.life.Seconds())))
}

// Enter gives the browser the session that was just opened for it. Who signs in
// anew leaves no older one open behind the new cookie.
func (s *Service) Enter(w http.ResponseWriter, r *http.Request, secret string) error {
	if err := s.SignOut(r.Context(), Secret(r)); err != nil {
		return err
	}
	s.SetCookie(w, r, secret)
	return nil
}

// ClearCookie takes it back, and the pages that the browser kept with it.
func ClearCookie(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.SetCookie(w, cookie(r, CookieName, "", -1))
}

func cookie(r *http.Request, name, value string, age int) *http.Cookie {
	secure := overTLS(r)
	if secure {
		name = hostPrefix + name
	}
	return &http.Cookie{ //nolint:gosec // Secure depends on the connection, see overTLS
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: secure,
	}
}

// overTLS reports whether the browser came over https. Behind a proxy that ends
// it, the proxy tells; a forged header can only make the cookie stricter.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// Secret returns the session secret of a request's cookie, "" without one.
func Secret(r *http.Request) string { return valueOf(r, CookieName) }

// valueOf returns what a cookie of ours holds. Over https only the one with the
// prefix counts: the other may be somebody else's doing, on another host of the
// domain or over plain HTTP.
func valueOf(r *http.Request, name string) string {
	if overTLS(r) {
		name = hostPrefix + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}
