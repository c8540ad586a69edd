package sensorthingsweb

import (
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/sensorthings"
)

// This file states who may do what under the service root.
//
//   - Reading and writing need a permission of the policy, by session or bearer
//     token; which outlets somebody sees is Deps.Reader's to know. A browser's
//     session counts only where the request comes from this site: httpd.Wrap has
//     refused writes from others before they are here.
//   - A batch needs the permission to read; each request inside of it asks again.
//   - With Deps.Open (a demonstration started so) everybody may do both, and
//     nobody has to wait.

const signIn = "sign in, or send Authorization: Bearer with a token"

// batchPath is where many requests are sent at once.
const batchPath = "/$batch"

// routes are the methods that are answered under the service root, each with the
// permission it needs. Another method is answered 405.
func routes() []access.Route {
	return []access.Route{
		{Method: http.MethodGet, Path: Root + "/{path...}", May: sensorthings.MayRead},
		{Method: http.MethodHead, Path: Root + "/{path...}", May: sensorthings.MayRead},
		{Method: http.MethodOptions, Path: Root + "/{path...}", May: access.Open},
		{Method: http.MethodPost, Path: Root + batchPath, May: sensorthings.MayRead},
		{Method: http.MethodPost, Path: Root + "/{path...}", May: sensorthings.MayWrite},
		{Method: http.MethodPatch, Path: Root + "/{path...}", May: sensorthings.MayWrite},
		{Method: http.MethodPut, Path: Root + "/{path...}", May: sensorthings.MayWrite},
		{Method: http.MethodDelete, Path: Root + "/{path...}", May: sensorthings.MayWrite},
	}
}

// Routes lists what is answered with the permission that opens it.
func Routes() []access.Route { return routes() }

// declared panics on a method that does not say who may use it: the program does
// not start with one.
func declared(list []access.Route) []access.Route {
	for _, rt := range list {
		access.Default().Declared(rt.Method, rt.Path, rt.May)
	}
	return list
}

// needs is the permission of a request; a method that is not listed needs what
// writing needs.
func needs(list []access.Route, method string, batch bool) access.Permission {
	for _, rt := range list {
		if rt.Method == method && strings.HasSuffix(rt.Path, batchPath) == batch {
			return rt.May
		}
	}
	return sensorthings.MayWrite
}

// may fails unless the sender of r holds what a request needs.
func (h *Handler) may(r *http.Request, perm access.Permission) error {
	who := auth.From(r.Context())
	switch {
	case h.d.Open || access.Default().Opens(who.Grants(), perm):
		return nil
	case !who.Known():
		return refusal(http.StatusUnauthorized, signIn)
	}
	what := "read"
	if perm == sensorthings.MayWrite {
		what = "write"
	}
	return refusal(http.StatusForbidden, "your post may not "+what+" here; ask whoever runs this installation for a token of one that may")
}

// turn takes n writes from what the sender of r may do in a second; wait is how
// long to wait when it is used up. A batch may take more than there is.
func (h *Handler) turn(r *http.Request, n int) (wait time.Duration, ok bool) {
	if h.d.Open || h.limiter == nil {
		return 0, true
	}
	_, wait, ok = h.limiter.TakeN(auth.From(r.Context()).ID, n)
	return wait, ok
}
