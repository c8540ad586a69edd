package gateway

import (
	"context"
	"hash/fnv"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// Reasons of quarantine.
const (
	ReasonUnknown  = "unknown"  // MN not registered
	ReasonPassword = "password" // not the registered one
	ReasonNetwork  = "network"  // peer outside the allowed networks
	ReasonClock    = "clock"    // DataTime unusable or years away
)

// frame decides what becomes of a valid frame (c.pkt) and puts it in the batch.
func (c *conn) frame(ctx, hard context.Context, ev *hj212.Event, now time.Time) {
	g, p := c.g, c.pkt
	g.stats.frames.Add(1)
	mn := p.Bytes(p.MN)
	id := c.identify(mn, c.snap)
	if id == nil && g.o.AdoptUnknown && c.adopt(ctx, mn, now) {
		id = c.identify(mn, c.snap)
	}
	switch {
	case id == nil:
		c.stranger(ctx, hard, ev, nil, ReasonUnknown, now)
	case !g.o.AdoptUnknown && !id.allowed:
		c.stranger(ctx, hard, ev, id.src, ReasonNetwork, now)
	case !g.o.AdoptUnknown && !id.dev.Accepts(p.Bytes(p.PW)):
		c.stranger(ctx, hard, ev, id.src, ReasonPassword, now)
	default:
		c.lastMN = id.src.mn
		c.known(ctx, hard, ev, id, now)
	}
}

// known takes a frame of a registered logger that may send.
func (c *conn) known(ctx, hard context.Context, ev *hj212.Event, id *identity, now time.Time) {
	g, p, src := c.g, c.pkt, id.src
	if !c.throttle(ctx, hard, src) {
		return
	}
	c.logger.Store(true)
	c.asked = id
	src.saw(c, p, now)
	if ev.Tolerated != "" {
		src.tolerated.Add(1)
		g.stats.tolerated.Add(1)
	}
	if ev.Encrypted {
		src.encrypted.Add(1)
	}
	cn := p.Command()
	kind, at, clockOK := g.place(p, cn, id.earliest, now)
	b := c.room(hard, len(ev.Raw))
	e := b.add(ev.Raw)
	e.src = src
	f := &e.frame
	f.MN, f.Outlet, f.Received, f.Kind, f.At, f.RF, f.Sealed = src.mn, id.dev.Outlet, now, kind, at, p.Resent(), ev.Encrypted
	f.Verdict = telemetry.Stored
	switch {
	case !clockOK:
		f.Verdict, f.Reason = telemetry.Quarantined, ReasonClock
		f.Key = identityOf("clock", ev.Raw)
	case kind != telemetry.KindMessage:
		f.Values = b.valuesOf(p)
		if len(f.Values) == 0 {
			f.Key = identityOf("empty", ev.Raw)
		}
	case len(p.RequestNumber()) > 0:
		f.Key = identityOf("message", ev.Raw)
	}
	if kind == telemetry.KindRealtime && !f.RF && at != 0 {
		src.clock(time.Unix(at, 0).Sub(now))
	}
	if p.PNUM.Len > 0 && clockOK {
		g.splits.add(p, now)
	}
	if x := src.exchange.Load(); x != nil && c.udp == nil {
		if r, ok := x.match(p, cn, at); ok {
			e.exchange, e.reply = x, r
		}
	}
	c.answer(b, e, id, clockOK, now)
	switch {
	case c.udp != nil: // the host begins no dialogue
	case g.o.FirstLink && !id.linked:
		id.linked = true
		e.after = func() { g.firstLink(ctx, id) }
	case cn == 1013 && !g.o.AdoptUnknown: // the logger asks for the time
		set := hj212.SetClock(pol(p), now)
		e.after = func() { g.background(ctx, src.mn, ReasonAsked, set) }
	}
}

// answer writes what the peer gets when the frame is durable.
func (c *conn) answer(b *batch, e *entry, id *identity, clockOK bool, now time.Time) {
	p := c.pkt
	e.from = len(b.acks)
	acks, ok := hj212.AppendAck(b.acks, p)
	if !ok && e.exchange != nil && e.exchange.acksAnnounced() {
		acks, ok = hj212.AppendAck2005(b.acks, p)
	}
	if !ok {
		if _, wanted, _, _ := p.FlagBits(); wanted && !p.IsAck() {
			e.src.unanswered.Add(1) // an unknown command, or no QN to name in the answer
		}
	}
	if c.udp != nil {
		acks = c.udp.afford(acks, e.from)
	} else if !clockOK && !id.asked && !c.g.o.AdoptUnknown {
		id.asked = true
		peer := hj212.Peer{Version: e.src.speaks(), ST: string(p.Bytes(p.ST)), PW: string(p.Bytes(p.PW)), MN: string(p.Bytes(p.MN))}
		m := peer.Request(hj212.SetClock("", now), c.g.nextQN())
		if with, err := m.AppendTo(acks); err == nil {
			acks = with
			c.g.stats.clockSets.Add(1)
		}
	}
	b.acks = acks
	e.to = len(acks)
}

// pol is the analyser that a frame speaks of, "" for the logger itself.
func pol(p *hj212.Packet) string {
	b, _ := p.Param("PolId")
	return readable(b)
}

// place tells the record kind and DataTime (Unix seconds, 0 = none) of a frame,
// and whether the time can be used: not before earliest nor ClockPast ago, not
// more than ClockAhead ahead. Frames that need no DataTime are always well.
func (g *Gateway) place(p *hj212.Packet, cn int, earliest int64, now time.Time) (kind telemetry.Kind, at int64, ok bool) {
	kind = telemetry.KindOf(cn)
	if p.IsAck() || kind == telemetry.KindMessage && (cn < 3000 || cn > 3999) {
		return telemetry.KindMessage, 0, true
	}
	t, err := p.DataTime()
	if err != nil {
		switch cn {
		case 2072: // 2005 names the time of an alarm differently
			if b, found := p.Param("AlarmTime"); found {
				t, err = hj212.ParseTime(b)
			}
		case 2011, 2021, 2031, 2041, 2051, 2061, 2071, 2081, 2052, 2111:
		default: // device information and the commands of 2025 whose form is not certain may have none
			if _, found := p.Param("DataTime"); !found {
				return telemetry.KindMessage, 0, true
			}
		}
		if err != nil {
			return kind, 0, false
		}
	}
	if kind == telemetry.KindMessage {
		kind = telemetry.KindInfo
	}
	at = t.Unix()
	earliest = max(earliest, now.Add(-g.o.ClockPast).Unix())
	return kind, at, at >= earliest && at <= now.Add(g.o.ClockAhead).Unix()
}

// stranger keeps a valid frame of somebody who may not send (yet). It is never
// answered, so that the logger keeps its data until an officer has decided.
func (c *conn) stranger(ctx, hard context.Context, ev *hj212.Event, src *source, reason string, now time.Time) {
	g, p := c.g, c.pkt
	if !c.throttle(ctx, hard, nil) {
		return
	}
	mn := readable(p.Bytes(p.MN))
	if src != nil {
		src.mu.Lock()
		src.lastError, src.errorAt = reason, now
		src.mu.Unlock()
	}
	kept := g.evidence.allow(mn, c.faults, g.tick())
	g.knocking.saw(mn, reason, c.peer.String(), p, kept, now)
	if !kept {
		g.stats.unkept.Add(1)
		return
	}
	c.lastMN = mn
	e := c.room(hard, len(ev.Raw)).add(ev.Raw)
	f := &e.frame
	f.MN, f.Received, f.Kind, f.RF, f.Sealed = mn, now, telemetry.KindOf(p.Command()), p.Resent(), ev.Encrypted
	if t, err := p.DataTime(); err == nil {
		f.At = t.Unix()
	}
	f.Verdict, f.Reason = telemetry.Quarantined, reason
	f.Key = identityOf(reason, ev.Raw)
	e.src = src
	c.refusal(e, src)
}

// refusal gives a dialogue the 9011 by which a logger says that password or MN
// are not its own: it then carries its own, which are not those we know.
func (c *conn) refusal(e *entry, src *source) {
	p := c.pkt
	r := hj212.ReplyOf(p)
	if r.CN != hj212.CNRequestAck || r.Code == hj212.QnReady || r.Code < 0 {
		return
	}
	if src == nil && c.asked != nil {
		src = c.asked.src
	}
	if src == nil {
		return
	}
	if x := src.exchange.Load(); x != nil && src.live() == c {
		if reply, ok := x.match(p, r.CN, 0); ok {
			e.exchange, e.reply = x, reply
		}
	}
}

// damaged keeps a frame that cannot be used, with the name of its fault, and
// never answers it (clause 6.6: a bad packet's processing ends). Noise is
// counted; of its text a small sample is held.
func (c *conn) damaged(ctx, hard context.Context, ev *hj212.Event, fault *hj212.Error, now time.Time) {
	g := c.g
	g.stats.fault(fault.Name)
	if fault.Name == hj212.Noise {
		g.noise.add(Noise{At: now, Peer: c.peer.String(), MN: c.lastMN, Text: fault.Detail})
		return
	}
	mn := mnOf(ev.Raw)
	if mn == "" {
		mn = c.lastMN
	}
	var src *source
	if c.snap.Devices[mn] != nil {
		src = g.sources.get(mn)
		src.fault(fault.Name, now)
	}
	g.log.DebugContext(ctx, "damaged frame", slog.String("peer", c.peer.String()), slog.String("mn", mn), slog.String("fault", fault.Error()))
	if !g.evidence.allow(mn, c.faults, g.tick()) {
		g.stats.unkept.Add(1)
		return
	}
	e := c.room(hard, len(ev.Raw)).add(ev.Raw)
	f := &e.frame
	f.MN, f.Received, f.Verdict, f.Reason = mn, now, telemetry.Refused, fault.Name
	f.Key = identityOf(fault.Name, ev.Raw)
}

// adopt registers an unknown logger; false when that failed or it has no MN.
func (c *conn) adopt(ctx context.Context, mn []byte, now time.Time) bool {
	name := readable(mn)
	if name == "" || now.Before(c.retry) {
		return false
	}
	p := c.pkt
	if err := c.g.o.Registry.AdoptUnknown(ctx, name, string(p.Bytes(p.ST)), factorCodes(p, nil)); err != nil {
		c.retry = now.Add(time.Second)
		c.g.log.WarnContext(ctx, "unknown logger not adopted", slog.String("mn", name), slog.String("error", err.Error()))
		return false
	}
	c.snap = c.g.o.Registry.Snapshot()
	c.g.knocking.forget(name)
	return true
}

// factorCodes appends the distinct codes of the items with a suffix.
func factorCodes(p *hj212.Packet, codes []string) []string {
items:
	for i := range p.Items {
		it := &p.Items[i]
		if it.Suffix.Len == 0 || len(codes) >= maxCodes {
			continue
		}
		code := p.Bytes(it.Code)
		for _, have := range codes {
			if have == string(code) {
				continue items
			}
		}
		codes = append(codes, telemetry.Intern(code))
	}
	return codes
}

const (
	maxCodes = 64 // factor codes noted of an unknown logger
	maxMN    = 64 // the standard has 24 characters
)

// readable returns an MN that can serve as a name: printable ASCII, not too
// long; "" otherwise.
func readable(mn []byte) string {
	if len(mn) > maxMN {
		return ""
	}
	for _, b := range mn {
		if b <= ' ' || b > '~' {
			return ""
		}
	}
	return string(mn)
}

// mnOf finds the MN in a damaged frame when it stands there as a whole field.
func mnOf(raw []byte) string {
	for i := 0; i+3 < len(raw); i++ {
		if raw[i] != 'M' || raw[i+1] != 'N' || raw[i+2] != '=' || i > 0 && raw[i-1] != ';' && (raw[i-1] < '0' || raw[i-1] > '9') {
			continue
		}
		for k := i + 3; k < len(raw) && k-i <= maxMN+3; k++ {
			c := raw[k]
			if c == ';' && k > i+3 {
				return string(raw[i+3 : k])
			}
			if c <= ' ' || c > '~' || strings.IndexByte(";,=&#", c) >= 0 {
				break
			}
		}
		return ""
	}
	return ""
}

// identityOf names a frame that is no record, so that the very same bytes sent
// again under the same judgement count as a repeat.
func identityOf(judgement string, raw []byte) string {
	h := fnv.New128a()
	_, _ = h.Write(raw)
	var sum [16]byte
	return judgement + "|" + strconv.Itoa(len(raw)) + "|" + string(h.Sum(sum[:0]))
}
