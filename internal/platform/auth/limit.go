package auth

import (
	"sync"
	"time"
)

// Failed sign-ins allowed in a window. The address may fail more often than a
// login, because an office shares one.
const (
	limitWindow  = 15 * time.Minute
	limitLogin   = 5
	limitAddress = 50
	// limitKeys bounds the memory: when so many keys are known, the oldest
	// windows are dropped.
	limitKeys = 20_000
)

type window struct {
	since time.Time
	n     int
}

// limiter counts failed sign-ins by login and by address, in memory: a restart
// forgives, which an attacker cannot bring about.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]window
}

func newLimiter(now func() time.Time) *limiter { return &limiter{now: now, by: map[string]window{}} }

// allow reports whether another try may be made, else how long to wait.
func (l *limiter) allow(login, address string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var wait time.Duration
	for _, k := range keys(login, address) {
		if w, ok := l.by[k.key]; ok && w.n >= k.max {
			wait = max(wait, w.since.Add(limitWindow).Sub(now))
		}
	}
	return wait, wait <= 0
}

// failed counts a failed try.
func (l *limiter) failed(login, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.by) >= limitKeys {
		l.sweep(now)
	}
	for _, k := range keys(login, address) {
		w := l.by[k.key]
		if now.Sub(w.since) >= limitWindow {
			w = window{since: now}
		}
		w.n++
		l.by[k.key] = w
	}
}

// forget clears a login's failures after a right password.
func (l *limiter) forget(login string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, "login "+login)
}

func (l *limiter) sweep(now time.Time) {
	for k, w := range l.by {
		if now.Sub(w.since) >= limitWindow {
			delete(l.by, k)
		}
	}
	for k := range l.by { // still too many within one window: give up any half
		if len(l.by) < limitKeys/2 {
			return
		}
		delete(l.by, k)
	}
}

type limitKey struct {
	key string
	max int
}

func keys(login, address string) [2]limitKey {
	return [2]limitKey{{"login " + login, limitLogin}, {"address " + address, limitAddress}}
}
