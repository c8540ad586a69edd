package gateway

import (
	"maps"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
)

// Incomplete is a split message of which parts never came (clause 6.2.4). The
// parts that came are stored all the same.
type Incomplete struct {
	MN, CN, DataTime string // as sent
	Got, Of          int
	At               time.Time // when it was given up
}

// DeviceStatus is what the gateway knows of a registered logger since it started.
type DeviceStatus struct {
	MN        string
	Connected bool
	Datagrams bool      // it sends over UDP and has no connection
	Peer      string    // of the last connection
	Since     time.Time // of that connection
	Last      time.Time // last valid frame
	ST        string    // as sent last
	// Password is what the logger used last, by the time of the frame's own
	// request number; PasswordAt is that time, or when a frame without came.
	Password   string
	PasswordAt time.Time
	Version    string // 2005, 2017, 2025; "" when it never sent a Flag

	Frames, Acked, Stored, Revisions, Repeats, Quarantined, Refused int64

	Tolerated   int64 // frames accepted in spite of a fault
	Encrypted   int64
	Unanswered  int64 // frames that want an answer that cannot be given: no QN, unknown command
	LastError   string
	LastErrorAt time.Time

	// ClockOffset is the logger's clock minus ours, by the DataTime of its last
	// real-time frames; transmission makes it a little low.
	ClockOffset time.Duration
	ClockKnown  bool

	InDialogue bool
	Incomplete []Incomplete // the last ones
}

// Present reports whether the logger can be taken to be there at now: it is
// connected, or its last datagram is less than ten minutes old.
func (d *DeviceStatus) Present(now time.Time) bool {
	return d.Connected || d.Datagrams && now.Sub(d.Last) < udpExpiry
}

// Devices returns the registered loggers that have sent since the start, by MN.
func (g *Gateway) Devices() []DeviceStatus {
	all := g.sources.all()
	out := make([]DeviceStatus, 0, len(all))
	for _, s := range all {
		out = append(out, s.status())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].MN < out[j].MN })
	return out
}

// Device returns the status of one logger; false when it has not sent since the start.
func (g *Gateway) Device(mn string) (DeviceStatus, bool) {
	s := g.sources.find(mn)
	if s == nil {
		return DeviceStatus{}, false
	}
	return s.status(), true
}

func (s *source) status() DeviceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := DeviceStatus{
		MN: s.mn, Connected: s.live() != nil, Peer: s.peer, Since: s.since, ST: s.st,
		Frames: s.frames.Load(), Acked: s.acked.Load(), Stored: s.stored.Load(), Revisions: s.revisions.Load(),
		Repeats: s.repeats.Load(), Quarantined: s.quarantined.Load(), Refused: s.refused.Load(), Tolerated: s.tolerated.Load(),
		Encrypted: s.encrypted.Load(), Unanswered: s.unanswered.Load(), LastError: s.lastError, LastErrorAt: s.errorAt,
		InDialogue: s.exchange.Load() != nil, Incomplete: append([]Incomplete(nil), s.incomplete...),
	}
	if c := s.conn.Load(); c != nil && c.udp != nil {
		d.Datagrams = true
	}
	if ns := s.last.Load(); ns != 0 {
		d.Last = time.Unix(0, ns).UTC()
	}
	if s.version.Load() > 0 {
		d.Version = s.speaks().String()
	}
	d.ClockOffset, d.ClockKnown = s.clockOffset()
	d.Password, d.PasswordAt = s.pw, s.pwAt
	return d
}

// counters are the gateway's totals since the start.
type counters struct {
	accepted, rejected, closedIdle, closedGarbage, closedSlow                 atomic.Int64
	bytes, frames, stored, revisions, repeats, quarantined, tolerated, unkept atomic.Int64
	unstored, throttled, incomplete, clockSets                                atomic.Int64
	datagrams, udpDropped, udpUnanswered                                      atomic.Int64
	mu                                                                        sync.Mutex
	faults                                                                    map[string]int64
}

func (c *counters) fault(name string) {
	c.mu.Lock()
	if c.faults == nil {
		c.faults = map[string]int64{}
	}
	c.faults[name]++
	c.mu.Unlock()
}

// Stats are totals since the start.
type Stats struct {
	Connections     int   // open now
	Accepted        int64 // connections
	Rejected        int64 // connections turned away because there were too many
	ClosedIdle      int64
	ClosedGarbage   int64
	ClosedSlow      int64 // peers that did not read their answers
	Bytes           int64 // received
	Frames          int64 // valid ones
	Stored          int64
	Revisions       int64
	Repeats         int64
	Quarantined     int64
	Tolerated       int64
	Unkept          int64 // frames of strangers and damaged ones beyond their quota
	Unstored        int64 // frames that the store could not take: not acknowledged
	Throttled       int64 // times a quota made a peer wait
	Incomplete      int64 // split messages
	ClockSets       int64 // requests to set the clock sent unasked
	InFlightBatches int

	Datagrams     int64 // received over UDP; what they held counts above
	UDPPeers      int   // addresses remembered now
	UDPDropped    int64 // frames in datagrams beyond a quota: not kept, not answered
	UDPUnanswered int64 // answers not sent: longer than what was received, or too many waiting

	Faults map[string]int64 // damaged frames and noise by name
}

// Stats returns the totals.
func (g *Gateway) Stats() Stats {
	c := &g.stats
	s := Stats{
		Accepted: c.accepted.Load(), Rejected: c.rejected.Load(), ClosedIdle: c.closedIdle.Load(), ClosedGarbage: c.closedGarbage.Load(),
		ClosedSlow: c.closedSlow.Load(), Bytes: c.bytes.Load(), Frames: c.frames.Load(), Stored: c.stored.Load(), Revisions: c.revisions.Load(),
		Repeats: c.repeats.Load(), Quarantined: c.quarantined.Load(), Tolerated: c.tolerated.Load(), Unkept: c.unkept.Load(),
		Unstored: c.unstored.Load(), Throttled: c.throttled.Load(), Incomplete: c.incomplete.Load(), ClockSets: c.clockSets.Load(),
		Datagrams: c.datagrams.Load(), UDPDropped: c.udpDropped.Load(), UDPUnanswered: c.udpUnanswered.Load(),
		Faults: map[string]int64{},
	}
	c.mu.Lock()
	maps.Copy(s.Faults, c.faults)
	c.mu.Unlock()
	if u := g.udpPort(); u != nil {
		s.UDPPeers = u.peers()
		s.InFlightBatches += len(u.slots)
	}
	g.each(func(c *conn) { s.Connections++; s.InFlightBatches += len(c.slots) })
	return s
}

// Noise is a sample of bytes that belong to no frame: probes, modem chatter.
type Noise struct {
	At   time.Time
	Peer string
	MN   string // of the last valid frame on that connection
	Text string // the first bytes, quoted
}

const maxSamples = 16

// samples is a ring of the last noise.
type samples struct {
	mu   sync.Mutex
	ring [maxSamples]Noise
	n    int
}

func (s *samples) add(n Noise) {
	s.mu.Lock()
	s.ring[s.n%maxSamples] = n
	s.n++
	s.mu.Unlock()
}

// Noise returns the last samples, oldest first.
func (g *Gateway) Noise() []Noise {
	s := &g.noise
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Noise
	for i := max(0, s.n-maxSamples); i < s.n; i++ {
		out = append(out, s.ring[i%maxSamples])
	}
	return out
}

// splits follows split messages of all loggers: parts may come on several connections.
type splits struct {
	mu  sync.Mutex
	asm hj212.Assembler
}

func (s *splits) add(p *hj212.Packet, now time.Time) {
	s.mu.Lock()
	s.asm.Add(p, now)
	s.mu.Unlock()
}

// overdue returns the messages that did not complete in ten times the OverTime
// of clause 6.6.
func (s *splits) overdue(now time.Time) []Incomplete {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Incomplete
	for _, pr := range s.asm.Incomplete(now) {
		key := strings.Split(pr.Key, "|") // MN|ST|CN|DataTime|PNUM
		if len(key) < 5 {
			continue
		}
		out = append(out, Incomplete{MN: key[0], CN: key[2], DataTime: key[3], Got: pr.Got, Of: pr.Of, At: now})
	}
	return out
}
