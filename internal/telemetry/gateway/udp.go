package gateway

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// Bounds of receipt over UDP. Where a datagram comes from can be forged, so
// that all of them bound memory and evidence of all peers together.
const (
	maxUDPPeers      = 4096
	udpExpiry        = 10 * time.Minute // a peer silent for so long is forgotten
	maxUDPIdentities = 8                // loggers remembered of a peer
	udpBatches       = 256              // batches under way, of all peers
	maxUDPAnswers    = 4096             // answers waiting to be sent, of at most maxUnread bytes
	udpReadBuffer    = 4 << 20          // asked of the system; it holds what comes while the store syncs
)

// evidenceUDP bounds what is kept of strangers' and damaged frames in all
// datagrams, so that a flood of forged ones leaves the evidence of TCP its room.
var evidenceUDP = Rate{20, 2000}

// udpPeer is what a conn has that stands for the sender of datagrams. Nothing
// is lost with it but its quota and what would have been looked up again.
type udpPeer struct {
	port *udpPort
	addr netip.AddrPort // as the socket gave it, to answer to
	left int            // bytes that may still be answered to the datagram in hand
}

// afford keeps the answer that begins at from only when it is not longer than
// what its datagram has left: whoever forged the sender gains nothing by us.
func (p *udpPeer) afford(acks []byte, from int) []byte {
	n := len(acks) - from
	if n > p.left {
		p.port.g.stats.udpUnanswered.Add(1)
		return acks[:from]
	}
	p.left -= n
	return acks
}

type udpAnswer struct {
	to netip.AddrPort
	p  []byte
}

// udpPort receives datagrams. Each holds whole frames, which one goroutine
// scans, judges and hands to the store in the way of a connection; when the
// store lags, it waits, and what the system cannot hold meanwhile is lost and
// sent again by the loggers.
type udpPort struct {
	g  *Gateway
	nc *net.UDPConn

	// Of the reading goroutine.
	scan   *hj212.Scanner
	pkt    hj212.Packet
	snap   *telemetry.Snapshot
	faults bucket

	slots   chan struct{} // batches under way
	out     chan udpAnswer
	waiting atomic.Int64 // bytes in out

	mu     sync.Mutex
	byAddr map[netip.AddrPort]*list.Element
	recent list.List // of *conn, the last heard in front
}

// ListenUDP opens a port for loggers that send datagrams and returns its
// address, host and port. What comes waits until Serve, as far as the system
// holds it. Only answers go out: no dialogue is begun over UDP.
func (g *Gateway) ListenUDP(addr string) (string, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(context.Background(), "udp", addr)
	if err != nil {
		return "", fmt.Errorf("listen for datagrams of loggers: %w", err)
	}
	u := &udpPort{
		g: g, nc: pc.(*net.UDPConn), slots: make(chan struct{}, udpBatches), out: make(chan udpAnswer, maxUDPAnswers),
		byAddr: map[netip.AddrPort]*list.Element{},
	}
	_ = u.nc.SetReadBuffer(udpReadBuffer) // the system may allow less
	u.faults.set(evidenceUDP)
	u.scan = hj212.NewScanner(hj212.ScanOptions{Limit: g.o.FrameLimit, Keys: u.keys, Tolerate: u.tolerance})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.udp = u
	return pc.LocalAddr().String(), nil
}

func (g *Gateway) udpPort() *udpPort {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.udp
}

func (u *udpPort) keys(mn []byte) [][]byte { return keysOf(u.snap, mn) }

func (u *udpPort) tolerance(mn []byte) hj212.Tolerance { return toleranceOf(u.snap, mn) }

// run receives until ctx ends; what came before is still stored and answered,
// as long as hard lives.
func (u *udpPort) run(ctx, hard context.Context) {
	done, written := make(chan struct{}), make(chan struct{})
	go u.write(done, written)
	stop := context.AfterFunc(ctx, func() { _ = u.nc.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	cut := context.AfterFunc(hard, func() { _ = u.nc.Close() })
	defer cut()
	u.read(ctx, hard)
	for range udpBatches { // until the store has answered all
		select {
		case u.slots <- struct{}{}:
		case <-hard.Done():
		}
	}
	close(done)
	<-written
	_ = u.nc.Close()
}

func (u *udpPort) read(ctx, hard context.Context) {
	buf := make([]byte, 1<<16) // no datagram is longer
	pause := time.Duration(0)
	for {
		n, addr, err := u.nc.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause = 0
			u.datagram(ctx, hard, addr, buf[:n])
			continue
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		u.g.log.WarnContext(ctx, "receipt of datagrams failed", slog.String("error", err.Error()))
		if errors.Is(err, net.ErrClosed) || !sleep(ctx, pause) {
			return
		}
	}
}

// datagram takes the frames of one datagram. What is cut off at its end will
// not go on in the next: it is damaged.
func (u *udpPort) datagram(ctx, hard context.Context, addr netip.AddrPort, p []byte) {
	u.g.stats.datagrams.Add(1)
	u.g.stats.bytes.Add(int64(len(p)))
	u.snap = u.g.o.Registry.Snapshot()
	c := u.peer(addr, u.g.tick())
	c.snap, c.udp.left = u.snap, len(p)
	u.scan.Reset()
	u.scan.Feed(p)
	c.events(ctx, hard, u.g.o.Now(), u.scan.Idle)
}

// peer finds or makes the state of a sender. When there are too many, the one
// heard longest ago gives way.
func (u *udpPort) peer(addr netip.AddrPort, tick int64) *conn {
	u.mu.Lock()
	defer u.mu.Unlock()
	if el := u.byAddr[addr]; el != nil {
		u.recent.MoveToFront(el)
		c := el.Value.(*conn)
		c.lastRead.Store(tick)
		return c
	}
	if u.recent.Len() >= maxUDPPeers {
		u.forget(u.recent.Back())
	}
	c := &conn{
		g: u.g, udp: &udpPeer{port: u, addr: addr}, peer: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), since: u.g.o.Now(),
		ids: map[string]*identity{}, pkt: &u.pkt, faults: &u.faults, slots: u.slots,
	}
	c.rate.set(u.g.o.ConnRate)
	c.ended.Store(true) // no dialogue can reach it
	c.lastRead.Store(tick)
	u.byAddr[addr] = u.recent.PushFront(c)
	return c
}

// forget drops a peer; what it has under way is still answered. Call with mu held.
func (u *udpPort) forget(el *list.Element) {
	delete(u.byAddr, u.recent.Remove(el).(*conn).udp.addr)
}

// expire forgets who has been silent for udpExpiry.
func (u *udpPort) expire(tick int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for el := u.recent.Back(); el != nil && tick-el.Value.(*conn).lastRead.Load() > int64(udpExpiry); el = u.recent.Back() {
		u.forget(el)
	}
}

func (u *udpPort) peers() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.recent.Len()
}

// send leaves an answer for the writer. It never blocks: the store's callbacks
// come here. What does not fit is lost as on the way; the logger sends again.
func (u *udpPort) send(to netip.AddrPort, p []byte) {
	if u.waiting.Add(int64(len(p))) <= maxUnread {
		select {
		case u.out <- udpAnswer{to, append([]byte(nil), p...)}:
			return
		default:
		}
	}
	u.waiting.Add(-int64(len(p)))
	u.g.stats.udpUnanswered.Add(1)
}

// write sends answers until done is closed and all are out.
func (u *udpPort) write(done <-chan struct{}, written chan<- struct{}) {
	defer close(written)
	put := func(a udpAnswer) {
		u.waiting.Add(-int64(len(a.p)))
		if _, err := u.nc.WriteToUDPAddrPort(a.p, a.to); err != nil {
			u.g.stats.udpUnanswered.Add(1)
		}
	}
	for {
		select {
		case a := <-u.out:
			put(a)
			continue
		case <-done:
		}
		for {
			select {
			case a := <-u.out:
				put(a)
			default:
				return
			}
		}
	}
}
