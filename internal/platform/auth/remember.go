package auth

import (
	"sync"
	"time"
)

// rememberFor is how long a token that was just looked up is taken as it was
// found: programs that send thousands of requests a second do not ask the
// database each time. A token revoked, or an account closed, by this process
// ends at once; by another one on the same database, after this long.
const rememberFor = time.Second

// maxRemembered bounds the memory.
const maxRemembered = 10_000

// remembered are the tokens found last, by the hash of their secret.
type remembered struct {
	mu    sync.RWMutex
	epoch int // counts what ended tokens
	by    map[string]found
}

type found struct {
	who   Principal
	until time.Time
}

func (r *remembered) get(hash string, now time.Time) (p Principal, epoch int, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	f, ok := r.by[hash]
	return f.who, r.epoch, ok && now.Before(f.until)
}

// put remembers what was found, unless a token has ended since epoch.
func (r *remembered) put(hash string, p Principal, now time.Time, epoch int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch != r.epoch {
		return
	}
	if r.by == nil || len(r.by) >= maxRemembered {
		r.by = map[string]found{}
	}
	until := now.Add(rememberFor)
	if !p.until.IsZero() && p.until.Before(until) {
		until = p.until
	}
	r.by[hash] = found{p, until}
}

func (r *remembered) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	r.by = nil
}
