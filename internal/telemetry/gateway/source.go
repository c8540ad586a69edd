package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// source is what the gateway knows of one registered logger since it started,
// on whatever connection it sends.
type source struct {
	mn       string
	rate     bucket
	conn     atomic.Pointer[conn] // where it sent last, perhaps closed; see live
	exchange atomic.Pointer[exchange]

	frames, acked, stored, revisions, repeats, quarantined, refused, tolerated, encrypted, unanswered atomic.Int64
	last                                                                                              atomic.Int64 // Unix ns of the last valid frame
	version                                                                                           atomic.Int32 // of the last frame with a Flag, plus 1; 0 = none seen

	mu         sync.Mutex
	st, pw     string    // as sent last, acks aside
	pwAt       time.Time // of the frame that pw is from; see notePassword
	peer       string
	since      time.Time
	lastError  string
	errorAt    time.Time
	offsets    [8]time.Duration // DataTime minus receive time of the last live real-time frames
	offsetN    int
	incomplete []Incomplete
}

// maxIncomplete bounds what a logger's status lists.
const maxIncomplete = 8

// saw notes a valid frame on c.
func (s *source) saw(c *conn, p *hj212.Packet, now time.Time) {
	s.frames.Add(1)
	s.last.Store(now.UnixNano())
	if v, _, _, ok := p.FlagBits(); ok {
		if n := int32(v) + 1; s.version.Load() != n {
			s.version.Store(n)
		}
	}
	if s.conn.Load() != c && (c.udp == nil || s.live() == nil) { // a datagram takes no connection's place
		s.mu.Lock()
		s.peer, s.since = c.peer.String(), c.since
		s.mu.Unlock()
		s.conn.Store(c)
	}
	if p.IsAck() {
		if r := hj212.ReplyOf(p); r.CN == hj212.CNRequestAck && r.Code == hj212.QnBadPassword {
			s.mu.Lock()
			s.pw, s.pwAt = string(p.Bytes(p.PW)), now // a refusal carries the logger's own
			s.mu.Unlock()
		}
		return
	}
	s.mu.Lock()
	if st := p.Bytes(p.ST); string(st) != s.st {
		s.st = string(st)
	}
	s.notePassword(p, now)
	s.mu.Unlock()
}

// notePassword notes the password of a frame, unless the frame is older than
// the one it was seen on last: after a change, what a logger had ready before
// still carries the former one. Call with mu held.
func (s *source) notePassword(p *hj212.Packet, now time.Time) {
	at := now
	if made, err := hj212.ParseQN(p.RequestNumber()); err == nil && made.Before(now) {
		at = made
	}
	if at.Before(s.pwAt) {
		return
	}
	s.pwAt = at
	if pw := p.Bytes(p.PW); string(pw) != s.pw {
		s.pw = string(pw)
	}
}

// speaks returns the version to address the logger in; 2005 until it has sent
// a Flag, because only 2005 leaves it out.
func (s *source) speaks() hj212.Version { return hj212.Version(max(0, s.version.Load()-1)) }

// live returns the connection on which the logger can be reached, nil when there is none.
func (s *source) live() *conn {
	if c := s.conn.Load(); c != nil && !c.ended.Load() {
		return c
	}
	return nil
}

func (s *source) fault(name string, now time.Time) {
	s.refused.Add(1)
	s.mu.Lock()
	s.lastError, s.errorAt = name, now
	s.mu.Unlock()
}

func (s *source) clock(offset time.Duration) {
	s.mu.Lock()
	s.offsets[s.offsetN%len(s.offsets)] = offset
	s.offsetN++
	s.mu.Unlock()
}

// clockOffset is the largest of the last offsets: a frame that was held back
// makes the clock look late, nothing makes it look early. Call with mu held.
func (s *source) clockOffset() (time.Duration, bool) {
	n := min(s.offsetN, len(s.offsets))
	if n == 0 {
		return 0, false
	}
	best := s.offsets[0]
	for _, o := range s.offsets[1:n] {
		best = max(best, o)
	}
	return best, true
}

func (s *source) addIncomplete(i Incomplete) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.incomplete) == maxIncomplete {
		s.incomplete = append(s.incomplete[:0], s.incomplete[1:]...)
	}
	s.incomplete = append(s.incomplete, i)
}

// sources holds one source for each registered logger that has sent.
type sources struct {
	mu   sync.RWMutex
	byMN map[string]*source
	rate Rate
}

func (s *sources) init(r Rate) { s.byMN, s.rate = map[string]*source{}, r }

func (s *sources) find(mn string) *source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byMN[mn]
}

func (s *sources) get(mn string) *source {
	if src := s.find(mn); src != nil {
		return src
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byMN[mn]
	if src == nil {
		src = &source{mn: mn}
		src.rate.set(s.rate)
		s.byMN[mn] = src
	}
	return src
}

func (s *sources) all() []*source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*source, 0, len(s.byMN))
	for _, src := range s.byMN {
		out = append(out, src)
	}
	return out
}

// prune forgets who is no longer registered. It asks the registry while nobody
// can be added: one that was adopted meanwhile must not be forgotten.
func (s *sources) prune(r Registry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := r.Snapshot()
	for mn := range s.byMN {
		if snap.Devices[mn] == nil {
			delete(s.byMN, mn)
		}
	}
}

// identity is a source as one connection sees it under one registry version.
type identity struct {
	src      *source
	dev      *telemetry.Device
	outlet   *telemetry.Outlet // nil when the registry lacks it
	version  uint64
	allowed  bool // the peer's network may send for it
	asked    bool // for its clock, on this connection
	linked   bool // the first-link sequence was started on this connection
	earliest int64
}

// maxIdentities bounds what a connection remembers; a relay of more loggers
// only looks them up again.
const maxIdentities = 1024

// heldBack is how much older than its outlet a record may be. A logger that was
// adopted now sends what it kept while nobody answered it.
const heldBack = 366 * 24 * time.Hour

// identify finds the registered logger of that MN; nil when there is none.
func (c *conn) identify(mn []byte, snap *telemetry.Snapshot) *identity {
	if id := c.cur; id != nil && id.version == snap.Version && id.src.mn == string(mn) {
		return id
	}
	old := c.ids[string(mn)]
	if old != nil && old.version == snap.Version {
		c.cur = old
		return old
	}
	dev := snap.Devices[string(mn)]
	if dev == nil {
		delete(c.ids, string(mn))
		return nil
	}
	id := &identity{src: c.g.sources.get(dev.MN), dev: dev, outlet: snap.Outlets[dev.Outlet], version: snap.Version}
	id.allowed = len(dev.Networks) == 0
	for _, n := range dev.Networks {
		id.allowed = id.allowed || n.Contains(c.peer.Addr())
	}
	if id.outlet != nil && !id.outlet.Since.IsZero() {
		id.earliest = id.outlet.Since.Add(-heldBack).Unix()
	}
	if old != nil {
		id.asked, id.linked = old.asked, old.linked
	}
	if len(c.ids) >= maxIdentities || c.udp != nil && len(c.ids) >= maxUDPIdentities {
		clear(c.ids)
	}
	c.ids[dev.MN] = id
	c.cur = id
	return id
}
