package httpd

import (
	"sync"
	"time"
)

// Limiter bounds how often each key may ask: a bucket of tokens that fills
// again at a steady rate. All methods may be called from any goroutine.
type Limiter struct {
	rate, burst int
	now         func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

// NewLimiter makes one of rate tokens a second and at most burst at once; nil,
// which bounds nothing, when rate is 0.
func NewLimiter(rate, burst int, now func() time.Time) *Limiter {
	if rate <= 0 {
		return nil
	}
	return &Limiter{rate: rate, burst: max(burst, 1), now: now, buckets: map[string]*bucket{}}
}

// Policy returns the rate and the size of a bucket.
func (l *Limiter) Policy() (rate, burst int) { return l.rate, l.burst }

// Take takes a token of a key's bucket: how many are left, how long until the
// bucket is full again or, where there was none, until there is one.
func (l *Limiter) Take(key string) (left int, wait time.Duration, ok bool) { return l.TakeN(key, 1) }

// TakeN is Take for what costs n tokens. It may take more than there are: what
// comes next waits for them.
func (l *Limiter) TakeN(key string, n int) (left int, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	b := l.buckets[key]
	if b == nil {
		b = &bucket{left: float64(l.burst), at: now}
		l.buckets[key] = b
	}
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.left = min(float64(l.burst), b.left+gone*float64(l.rate))
	}
	b.at = now
	span := func(tokens float64) time.Duration {
		return time.Duration(tokens / float64(l.rate) * float64(time.Second))
	}
	if b.left < 1 {
		return 0, span(1 - b.left), false
	}
	b.left -= float64(n)
	return max(0, int(b.left)), span(float64(l.burst) - b.left), true
}

// sweep forgets buckets that are full again, once a minute.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if b.left+now.Sub(b.at).Seconds()*float64(l.rate) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
}
