package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// conn is one connection: a goroutine that reads, scans and judges, and one
// that writes what the store's callbacks and dialogues leave in out. A peer that
// sends datagrams is one too, without those goroutines; see udpPort.
type conn struct {
	g     *Gateway
	nc    net.Conn // nil with udp
	udp   *udpPeer // nil over TCP
	peer  netip.AddrPort
	since time.Time

	// Of the reading goroutine.
	scan   *hj212.Scanner
	pkt    *hj212.Packet
	snap   *telemetry.Snapshot
	ids    map[string]*identity
	cur    *identity
	asked  *identity // the last logger that may send: requests for it go out here
	lastMN string    // of the last valid frame, for faults that name none
	batch  *batch
	rate   bucket
	faults *bucket
	dull   int       // bytes since the last valid frame
	retry  time.Time // no adoption before, after one failed

	slots chan struct{} // batches under way

	logger   atomic.Bool  // has sent a frame of a logger that may send
	lastRead atomic.Int64 // tick
	ended    atomic.Bool

	out struct {
		sync.Mutex
		buf, spare []byte
		closed     bool
	}
	wake    chan struct{}
	written chan struct{} // closed when the writer has ended
}

// Reasons why the gateway closes a connection.
var (
	errIdle    = errors.New("idle for too long")
	errGarbage = errors.New("too many bytes without a valid frame")
)

func newConn(g *Gateway, nc net.Conn) *conn {
	c := &conn{
		g: g, nc: nc, peer: addrOf(nc), since: g.o.Now(), ids: map[string]*identity{}, pkt: &hj212.Packet{}, faults: &bucket{},
		slots: make(chan struct{}, batchesEach), wake: make(chan struct{}, 1), written: make(chan struct{}),
	}
	c.rate.set(g.o.ConnRate)
	c.faults.set(evidencePerConn)
	c.lastRead.Store(g.tick())
	c.scan = hj212.NewScanner(hj212.ScanOptions{Limit: g.o.FrameLimit, Keys: c.keys, Tolerate: c.tolerance})
	return c
}

func (c *conn) keys(mn []byte) [][]byte { return keysOf(c.snap, mn) }

func (c *conn) tolerance(mn []byte) hj212.Tolerance { return toleranceOf(c.snap, mn) }

func keysOf(snap *telemetry.Snapshot, mn []byte) [][]byte {
	if d := snap.Devices[string(mn)]; d != nil {
		return d.Keys
	}
	return nil
}

func toleranceOf(snap *telemetry.Snapshot, mn []byte) hj212.Tolerance {
	if d := snap.Devices[string(mn)]; d != nil {
		return hj212.Tolerance{BadCRC: d.AcceptBadCRC, BadLength: d.AcceptBadLength}
	}
	return hj212.Tolerance{}
}

// run serves the connection until the peer leaves, the gateway closes it, or
// ctx ends. What was received before is still stored and answered, as long as
// hard lives.
func (c *conn) run(ctx, hard context.Context) {
	go c.write()
	stop := context.AfterFunc(ctx, c.interrupt)
	defer stop()
	cut := context.AfterFunc(hard, func() { _ = c.nc.Close() })
	defer cut()
	err := c.read(ctx, hard)
	c.flush(hard)
	c.settle(hard)
	c.ended.Store(true)
	c.g.forget(c)
	c.closeOut()
	<-c.written
	_ = c.nc.Close()
	switch {
	case errors.Is(err, errIdle):
		c.g.stats.closedIdle.Add(1)
	case errors.Is(err, errGarbage):
		c.g.stats.closedGarbage.Add(1)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.g.log.DebugContext(ctx, "connection closed", slog.String("peer", c.peer.String()), slog.String("mn", c.lastMN), slog.String("reason", err.Error()))
	}
}

// interrupt ends a pending read, now and for good.
func (c *conn) interrupt() {
	c.ended.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

// settle waits until the store has answered every batch of the connection.
func (c *conn) settle(hard context.Context) {
	for range batchesEach {
		select {
		case c.slots <- struct{}{}:
		case <-hard.Done():
			return
		}
	}
}

func (c *conn) read(ctx, hard context.Context) error {
	o := &c.g.o
	heard := wallClock()
	given := false // the rest of a half packet was given up since the peer was heard
	for {
		limit := heard.Add(o.IdleTimeout)
		if half := heard.Add(o.HalfPacket); !given && c.scan.Pending() && half.Before(limit) {
			limit = half
		}
		if err := c.nc.SetReadDeadline(limit); err != nil {
			return err
		}
		if c.ended.Load() || ctx.Err() != nil { // interrupt may have come before the deadline was set
			return nil
		}
		n, err := c.scan.Fill(c.nc)
		now := o.Now()
		c.snap = o.Registry.Snapshot()
		if n > 0 {
			c.lastRead.Store(c.g.tick())
			c.g.stats.bytes.Add(int64(n))
			c.dull += n
			c.events(ctx, hard, now, c.scan.Next)
			// Silence begins when we listen again: while the store or a quota held us
			// up, what the peer went on sending waits unread.
			heard, given = wallClock(), false
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if c.ended.Load() || ctx.Err() != nil {
				return nil
			}
			if wallClock().Sub(heard) >= o.IdleTimeout {
				return errIdle
			}
			given = true
			c.events(ctx, hard, now, c.scan.Idle)
		default:
			c.events(ctx, hard, now, c.scan.Finish)
			return err
		}
		if c.dull > o.MaxGarbage {
			return errGarbage
		}
	}
}

// events takes what the scanner has found and hands it to the store.
func (c *conn) events(ctx, hard context.Context, now time.Time, next func() (hj212.Event, bool)) {
	for {
		ev, ok := next()
		if !ok {
			break
		}
		if ev.Err != nil {
			c.damaged(ctx, hard, &ev, ev.Err, now)
			continue
		}
		if err := c.pkt.Parse(ev.Seg); err != nil {
			var e *hj212.Error
			errors.As(err, &e)
			c.damaged(ctx, hard, &ev, e, now)
			continue
		}
		c.dull = 0
		c.frame(ctx, hard, &ev, now)
	}
	c.flush(hard)
}

// room returns the batch with room for one more frame of n bytes.
func (c *conn) room(hard context.Context, n int) *batch {
	if c.batch != nil && c.batch.full(n) {
		c.flush(hard)
	}
	if c.batch == nil {
		c.batch = newBatch(c)
	}
	return c.batch
}

// throttle waits for the quotas of the connection and of the logger (nil for
// strangers). Waiting, not dropping: the peer feels it by TCP and no data are
// lost. What has been read goes to the store first. Nobody feels that a datagram
// waits, and all would wait with it: false means that the frame is dropped
// without an answer, so that the logger sends it again.
func (c *conn) throttle(ctx, hard context.Context, src *source) bool {
	now := c.g.tick()
	if c.udp != nil {
		if c.rate.allow(now) && (src == nil || src.rate.allow(now)) {
			return true
		}
		c.g.stats.udpDropped.Add(1)
		return false
	}
	wait := c.rate.reserve(now)
	if src != nil {
		wait = max(wait, src.rate.reserve(now))
	}
	if wait > 0 {
		c.g.stats.throttled.Add(1)
		c.flush(hard)
		sleep(ctx, wait)
	}
	return true
}

// send leaves bytes for the writer. It never blocks: the store's callbacks come
// here. A peer that lets too much pile up is left; it will ask again.
func (c *conn) send(p []byte) {
	if len(p) == 0 {
		return
	}
	if c.udp != nil {
		c.udp.port.send(c.udp.addr, p)
		return
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.out.closed {
		return
	}
	if len(c.out.buf)+len(p) > maxUnread {
		c.out.closed = true
		c.out.buf = nil
		c.g.stats.closedSlow.Add(1)
		c.interrupt()
		c.wakeUp()
		return
	}
	if c.out.buf == nil {
		c.out.buf, c.out.spare = c.out.spare, nil
	}
	c.out.buf = append(c.out.buf, p...)
	c.wakeUp()
}

func (c *conn) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) closeOut() {
	c.out.Lock()
	c.out.closed = true
	c.out.Unlock()
	c.wakeUp()
}

// write sends what has piled up, in one piece, until the connection is closed
// and all is out.
func (c *conn) write() {
	defer close(c.written)
	for range c.wake {
		for {
			c.out.Lock()
			p, closed := c.out.buf, c.out.closed
			c.out.buf = nil
			c.out.Unlock()
			if len(p) == 0 {
				if closed {
					return
				}
				break
			}
			err := c.nc.SetWriteDeadline(wallClock().Add(c.g.o.WriteWait))
			if err == nil {
				_, err = c.nc.Write(p)
			}
			if err != nil {
				c.out.Lock()
				c.out.closed, c.out.buf = true, nil
				c.out.Unlock()
				c.interrupt()
				return
			}
			c.out.Lock()
			if cap(p) <= 64<<10 {
				c.out.spare = p[:0]
			}
			c.out.Unlock()
		}
	}
}
