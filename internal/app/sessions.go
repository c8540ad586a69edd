package app

import (
	"net/http"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetryweb"
	"plateau/internal/web"
)

// sessions is the one seam between accounts and pages; auth.Middleware has
// found out who asks.
type sessions struct{ auth *auth.Service }

// Actor implements telemetryweb.Sessions.
func (s *sessions) Actor(r *http.Request) (telemetryweb.Actor, bool) {
	p := auth.From(r.Context())
	if !p.Known() {
		return telemetryweb.Actor{}, false
	}
	return telemetryweb.Actor{ID: p.ID, Post: p.Post.In(string(web.RequestLang(r))), Grants: p.Grants()}, true
}

// SignIn implements telemetryweb.Sessions.
func (s *sessions) SignIn(w http.ResponseWriter, r *http.Request, name, password string) error {
	secret, _, err := s.auth.SignIn(r.Context(), name, password, s.auth.Client(r))
	if err != nil {
		return err
	}
	// Who signs in anew leaves no older session open behind the new cookie.
	if err := s.auth.SignOut(r.Context(), auth.Secret(r)); err != nil {
		return err
	}
	s.auth.SetCookie(w, r, secret)
	return nil
}

// SignOut implements telemetryweb.Sessions.
func (s *sessions) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.auth.SignOut(r.Context(), auth.Secret(r)); err != nil {
		return err
	}
	auth.ClearCookie(w, r)
	return nil
}
