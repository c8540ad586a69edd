package sensorthingsweb

import (
	"net/http"
	"sync"
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
// long to wait when it is used up.
func (h *Handler) turn(r *http.Request, n int) (wait time.Duration, ok bool) {
	if h.d.Open || h.d.Rate <= 0 {
		return 0, true
	}
	return h.rates.take(auth.From(r.Context()).ID, float64(n), float64(h.d.Rate), h.d.Now())
}

// rates holds how much each sender has left: a bucket that fills in a second.
type rates struct {
	mu sync.Mutex
	by map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxSenders bounds the memory; those whose bucket is full are forgotten first.
const maxSenders = 10_000

func (l *rates) take(who string, n, rate float64, now time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || len(l.by) > maxSenders {
		l.by = map[string]bucket{}
	}
	b, ok := l.by[who]
	if !ok {
		b = bucket{rate, now}
	}
	b.left = min(rate, b.left+rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	defer func() { l.by[who] = b }()
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second)), false
	}
	b.left -= n // a batch may take more than there is; the next one waits for it
	return 0, true
}
