package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Registry tells who may send.
type Registry interface {
	// Snapshot returns the registry as it is now; it is called for every read.
	Snapshot() *telemetry.Snapshot
	// AdoptUnknown registers a logger from its first valid frame: system code
	// and factor codes as sent. It is only called with Options.AdoptUnknown.
	AdoptUnknown(ctx context.Context, mn, st string, codes []string) error
}

// Rate is a quota: so many frames a second in the long run, Burst at once.
// The zero value stands for the default, a negative PerSecond for no quota.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Options configure a Gateway. Store and Registry are needed; every other zero
// value stands for the default given.
type Options struct {
	Addr     string // listen address; default ":0"
	Store    *store.Store
	Registry Registry
	Now      func() time.Time // receive times; default the wall clock
	Logger   *slog.Logger

	// AdoptUnknown registers unknown loggers, ignores passwords and networks and
	// lifts the quotas per connection and MN: for trials and load tests. Nothing
	// is asked of a logger unless an officer does, its clock is not set either.
	AdoptUnknown bool
	// FirstLink runs the sequence of clause 6.7 (clock, timeouts, intervals) when
	// a logger first sends on a connection.
	FirstLink bool

	MaxConns    int           // 20,000
	IdleTimeout time.Duration // connection closed after this silence; 2 h
	HalfPacket  time.Duration // part of a frame given up after this silence; 30 s
	WriteWait   time.Duration // a peer that does not take its answers for so long is left; 30 s
	DrainWait   time.Duration // longest wait for the store when stopping; 10 s
	MaxGarbage  int           // bytes in a row without a valid frame; 64 KiB
	FrameLimit  int           // longest data segment; hj212.DefaultLimit

	ConnRate Rate // per connection; 5,000/s, burst 200,000
	MNRate   Rate // per MN; 2,000/s, burst 100,000

	ClockPast  time.Duration // DataTime older than this is quarantined; 10 years, in a trial 25
	ClockAhead time.Duration // DataTime further ahead than this is quarantined; 24 h

	// Ask carries out a command that the gateway wants carried out for a reason of
	// its own (FirstLink, or "clock" when a logger asks for the time), so that it
	// gets into a log; nil: Request.
	Ask func(ctx context.Context, mn, reason string, cmd hj212.Command) error

	OverTime time.Duration // of a request to a device (clause 6.6); 10 s
	ReCount  int           // resends of a request; 3
}

func (o *Options) setDefaults() {
	if o.Addr == "" {
		o.Addr = ":0"
	}
	if o.Now == nil {
		o.Now = wallClock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	num := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	dur := func(p *time.Duration, def time.Duration) {
		if *p <= 0 {
			*p = def
		}
	}
	num(&o.MaxConns, 20_000)
	num(&o.MaxGarbage, 64<<10)
	num(&o.FrameLimit, hj212.DefaultLimit)
	num(&o.ReCount, 3)
	dur(&o.IdleTimeout, 2*time.Hour)
	dur(&o.HalfPacket, 30*time.Second)
	dur(&o.WriteWait, 30*time.Second)
	dur(&o.DrainWait, 10*time.Second)
	if o.AdoptUnknown { // trials replay recorded series, the standard's examples of 2004 among them
		dur(&o.ClockPast, 25*365*24*time.Hour)
	}
	dur(&o.ClockPast, 3652*24*time.Hour)
	dur(&o.ClockAhead, 24*time.Hour)
	dur(&o.OverTime, 10*time.Second)
	if o.ConnRate == (Rate{}) {
		o.ConnRate = Rate{5000, 200_000}
	}
	if o.MNRate == (Rate{}) {
		o.MNRate = Rate{2000, 100_000}
	}
	if o.AdoptUnknown {
		o.ConnRate, o.MNRate = Rate{PerSecond: -1}, Rate{PerSecond: -1}
	}
}

// wallClock is the clock of socket deadlines, which the system compares with
// real time whatever Options.Now says.
var wallClock = time.Now //nolint:forbidigo // see above

// tick is the time since the start, ns. Quotas go by it and not by Options.Now:
// a host clock that is set back would hold everybody up by the difference.
func (g *Gateway) tick() int64 { return int64(time.Since(g.began)) }

// Bounds that no installation needs to change.
const (
	maxFlight   = 128 << 20 // bytes of frames between socket and store, all connections
	maxUnread   = 1 << 20   // bytes of answers waiting for one peer
	batchesEach = 4         // batches of one connection under way
)

// Gateway is the host side of HJ 212. It is safe for concurrent use.
type Gateway struct {
	o      Options
	log    *slog.Logger
	stats  counters
	flight *semaphore.Weighted
	qn     atomic.Int64 // last request number, in ms
	began  time.Time    // of the ticks

	mu       sync.Mutex
	listener net.Listener
	udp      *udpPort // nil when nobody asked for it
	conns    map[*conn]struct{}

	sources  sources
	knocking knocks
	evidence evidence
	splits   splits
	noise    samples
	storeBad atomic.Bool // the last answer of the store was an error

	dialogues sync.WaitGroup // started by the gateway itself
}

// New makes a gateway; it fails when Store or Registry is missing.
func New(o Options) (*Gateway, error) {
	if o.Store == nil || o.Registry == nil {
		return nil, errors.New("gateway: store and registry are needed")
	}
	o.setDefaults()
	g := &Gateway{o: o, log: o.Logger, began: wallClock(), flight: semaphore.NewWeighted(maxFlight), conns: map[*conn]struct{}{}}
	g.sources.init(o.MNRate)
	g.evidence.init(o.AdoptUnknown)
	return g, nil
}

// Listen opens the port and returns its address, host and port. Peers that
// connect wait until Serve.
func (g *Gateway) Listen() (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", g.o.Addr)
	if err != nil {
		return "", fmt.Errorf("listen for loggers: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener = l
	return l.Addr().String(), nil
}

// Use takes connections from l instead of a port of its own; Listen is not called then.
func (g *Gateway) Use(l net.Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener = l
}

// Serve takes connections until ctx ends. Then it accepts no more, waits at
// most DrainWait until the store has answered what was received, sends those
// answers and closes. The store must stay open until Serve has returned.
func (g *Gateway) Serve(ctx context.Context) error {
	g.mu.Lock()
	l := g.listener
	g.mu.Unlock()
	if l == nil {
		return errors.New("gateway: Listen was not called")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// hard outlives ctx so that what was received can still be stored and answered.
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { g.keepHouse(ctx) })
	if u := g.udpPort(); u != nil {
		running.Go(func() { u.run(ctx, hard) })
	}
	err := g.accept(ctx, hard, l, &running)
	cancel() // where the listener failed, nothing else ends the connections
	_ = l.Close()
	timer := time.AfterFunc(g.o.DrainWait, cut)
	defer timer.Stop()
	running.Wait()
	g.dialogues.Wait()
	return err
}

func (g *Gateway) accept(ctx, hard context.Context, l net.Listener, running *sync.WaitGroup) error {
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept loggers: %w", err)
			}
			// Out of file descriptors, or the peer is gone already: both pass.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			g.log.WarnContext(ctx, "accept failed", slog.String("error", err.Error()))
			if !sleep(ctx, pause) {
				return nil
			}
			continue
		}
		pause = 0
		g.stats.accepted.Add(1)
		if !g.makeRoom() {
			g.stats.rejected.Add(1)
			_ = nc.Close()
			continue
		}
		c := newConn(g, nc)
		g.mu.Lock()
		g.conns[c] = struct{}{}
		g.mu.Unlock()
		running.Go(func() { c.run(ctx, hard) })
	}
}

// makeRoom keeps the number of connections bounded. When it is full, the
// connection that has been silent longest without ever sending a frame of a
// logger that may send gives way; loggers never do.
func (g *Gateway) makeRoom() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) < g.o.MaxConns {
		return true
	}
	var oldest *conn
	for c := range g.conns {
		if !c.logger.Load() && (oldest == nil || c.lastRead.Load() < oldest.lastRead.Load()) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	delete(g.conns, oldest)
	oldest.interrupt()
	return true
}

func (g *Gateway) forget(c *conn) {
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}

func (g *Gateway) each(fn func(*conn)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		fn(c)
	}
}

// keepHouse does what no frame triggers.
func (g *Gateway) keepHouse(ctx context.Context) {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			g.tidy(ctx, g.o.Now())
		}
	}
}

// tidy records split messages that stayed incomplete and forgets loggers that
// are no longer registered.
func (g *Gateway) tidy(ctx context.Context, now time.Time) {
	for _, inc := range g.splits.overdue(now) {
		g.stats.incomplete.Add(1)
		if src := g.sources.find(inc.MN); src != nil {
			src.addIncomplete(inc)
		}
		g.log.InfoContext(ctx, "split message incomplete", slog.String("mn", inc.MN), slog.String("cn", inc.CN),
			slog.String("data_time", inc.DataTime), slog.Int("got", inc.Got), slog.Int("of", inc.Of))
	}
	g.sources.prune(g.o.Registry)
	if u := g.udpPort(); u != nil {
		u.expire(g.tick())
	}
}

// nextQN returns a request number that this gateway has not given before.
func (g *Gateway) nextQN() string {
	ms := g.o.Now().UnixMilli()
	for {
		last := g.qn.Load()
		ms = max(ms, last+1)
		if g.qn.CompareAndSwap(last, ms) {
			return string(hj212.AppendQN(nil, time.UnixMilli(ms)))
		}
	}
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func addrOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
