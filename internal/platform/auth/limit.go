package auth

import (
	"net/netip"
	"sync"
	"time"
)

// Tries allowed in a window. Nobody is counted out by what somebody else does
// elsewhere: tries are counted for a login at an address, and for the address
// alone, which may fail more often, because an office shares one. Only codes of
// a second factor are also counted for the account, over all addresses: they are
// short, and who is asked for one has given the right password already.
const (
	limitWindow  = 15 * time.Minute
	limitLogin   = 5
	limitAddress = 50
	limitCodes   = 20
	// limitKeys bounds the memory: when so many keys are known, the oldest
	// windows are dropped.
	limitKeys = 20_000
)

type window struct {
	since time.Time
	n     int
}

// limiter counts tries in memory: a restart forgives, which an attacker cannot
// bring about.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[limitKey]window
}

// limitKey is what tries are counted for.
type limitKey struct{ kind, login, address string }

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, by: map[limitKey]window{}}
}

func (k limitKey) most() int {
	switch k.kind {
	case "login":
		return limitLogin
	case "codes":
		return limitCodes
	}
	return limitAddress
}

// passwordKeys are what a try of a login's password is counted for.
func passwordKeys(login, address string) []limitKey {
	address = network(address)
	return []limitKey{{"login", login, address}, {"address", "", address}}
}

// network is what an address is counted as: whoever has one address of IPv6 has
// the other ones of its /64, too.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// take counts a try before it is made, so that many at the same time are not
// more than one after the other. It reports whether the try may be made, else
// how long to wait; one that may not is not counted.
func (l *limiter) take(keys []limitKey) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var wait time.Duration
	for _, k := range keys {
		if w, ok := l.by[k]; ok && w.n >= k.most() {
			wait = max(wait, w.since.Add(limitWindow).Sub(now))
		}
	}
	if wait > 0 {
		return wait, false
	}
	if len(l.by) >= limitKeys {
		l.sweep(now)
	}
	for _, k := range keys {
		w := l.by[k]
		if now.Sub(w.since) >= limitWindow {
			w = window{since: now}
		}
		w.n++
		l.by[k] = w
	}
	return 0, true
}

// right takes a try back that was a right one, and forgets the failures of the
// login at its address. Those of the address stay: a right password of one's own
// must not open the way to guess those of others.
func (l *limiter) right(keys []limitKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if k.kind == "login" {
			delete(l.by, k)
			continue
		}
		if w, ok := l.by[k]; ok && w.n > 0 {
			w.n--
			l.by[k] = w
		}
	}
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
