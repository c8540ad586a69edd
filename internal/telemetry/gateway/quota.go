package gateway

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// bucket is a token bucket as a single number, the "theoretical arrival time"
// of the generic cell rate algorithm (ITU-T I.371): no lock, no refill.
type bucket struct {
	interval int64 // ns a frame; 0 = no quota
	slack    int64 // ns of burst
	arrival  atomic.Int64
}

func (b *bucket) set(r Rate) {
	if r.PerSecond > 0 {
		b.interval = max(1, int64(float64(time.Second)/r.PerSecond))
		b.slack = int64(math.Min(float64(b.interval)*float64(max(r.Burst, 1)), math.MaxInt64/4))
	}
}

// reserve takes one token in any case and tells how long to wait for it.
func (b *bucket) reserve(now int64) time.Duration {
	if b.interval == 0 {
		return 0
	}
	for {
		old := b.arrival.Load()
		next := max(old, now) + b.interval
		if b.arrival.CompareAndSwap(old, next) {
			return time.Duration(max(0, next-now-b.slack))
		}
	}
}

// allow takes one token if there is one.
func (b *bucket) allow(now int64) bool {
	if b.interval == 0 {
		return true
	}
	for {
		old := b.arrival.Load()
		next := max(old, now) + b.interval
		if next-now > b.slack {
			return false
		}
		if b.arrival.CompareAndSwap(old, next) {
			return true
		}
	}
}

// Quotas of evidence: damaged frames and frames of strangers are kept, but
// nobody may fill the disk with them, or memory with invented names, which the
// store remembers. Beyond these they are only counted.
var (
	evidencePerConn = Rate{5, 1000}
	evidencePerMN   = Rate{2, 1000}
	evidenceOfAll   = Rate{200, 20_000}
	evidenceNewMNs  = Rate{0.1, 5000}
)

// maxEvidenceMNs bounds how many names have a bucket. Names that lost theirs
// count as new again.
const maxEvidenceMNs = 20_000

// evidence bounds what is kept of frames that nobody vouches for.
type evidence struct {
	all    bucket
	lifted bool // per MN
	mu     sync.Mutex
	fresh  bucket // of names not in byMN
	byMN   map[string]*bucket
}

func (e *evidence) init(lifted bool) {
	e.lifted = lifted
	e.all.set(evidenceOfAll)
	e.fresh.set(evidenceNewMNs)
	e.byMN = map[string]*bucket{}
}

// allow reports whether one more frame of mn, by a connection with its own
// bucket, may be kept.
func (e *evidence) allow(mn string, conn *bucket, now int64) bool {
	if e.lifted {
		return e.all.allow(now)
	}
	if !conn.allow(now) {
		return false
	}
	b := e.of(mn, now)
	return b != nil && b.allow(now) && e.all.allow(now)
}

// of returns the bucket of a name; nil when there are too many new names.
func (e *evidence) of(mn string, now int64) *bucket {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.byMN[mn]; b != nil {
		return b
	}
	if !e.fresh.allow(now) {
		return nil
	}
	if len(e.byMN) >= maxEvidenceMNs {
		clear(e.byMN)
	}
	b := &bucket{}
	b.set(evidencePerMN)
	e.byMN[mn] = b
	return b
}
