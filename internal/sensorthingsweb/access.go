package sensorthingsweb

import (
	"net/http"
	"time"

	"plateau/internal/platform/auth"
)

// This file states who may do what under the service root.
//
//   - Reading needs somebody who is known, by session or bearer token; which
//     outlets they see is Deps.Reader's to know (enterprise staff: their own).
//   - Writing needs the role operator, by bearer token or session. A browser's
//     session counts only where the request comes from this site: httpd.Wrap has
//     refused writes from others before they are here.
//   - With Deps.Open (a demonstration started so) everybody may do both, and
//     nobody has to wait.

const signIn = "sign in, or send Authorization: Bearer with a token"

// mayRead fails unless the sender of r may read.
func (h *Handler) mayRead(r *http.Request) error {
	if h.d.Open || auth.From(r.Context()).Role.Valid() {
		return nil
	}
	return refusal(http.StatusUnauthorized, signIn)
}

// mayWrite fails unless the sender of r may write.
func (h *Handler) mayWrite(r *http.Request) error {
	if h.d.Open {
		return nil
	}
	switch p := auth.From(r.Context()); {
	case !p.Known():
		return refusal(http.StatusUnauthorized, signIn)
	case p.Role != auth.Operator:
		return refusal(http.StatusForbidden, "only the role operator may write here; ask whoever runs this installation for a token")
	}
	return nil
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
