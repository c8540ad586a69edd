package app

import (
	"errors"
	"net/http"

	"plateau/internal/accountweb"
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
func (s *sessions) SignIn(w http.ResponseWriter, r *http.Request, name, password string) (next string, err error) {
	secret, _, err := s.auth.SignIn(r.Context(), name, password, s.auth.Client(r))
	if step, ok := errors.AsType[*auth.StepNeeded](err); ok {
		auth.SetStepCookie(w, r, step.Secret)
		return accountweb.CodePath, nil
	}
	if err != nil {
		return "", err
	}
	return "", s.auth.Enter(w, r, secret)
}

// SignOut implements telemetryweb.Sessions.
func (s *sessions) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.auth.SignOut(r.Context(), auth.Secret(r)); err != nil {
		return err
	}
	auth.ClearCookie(w, r)
	return nil
}
