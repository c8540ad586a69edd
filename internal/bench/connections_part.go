package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// usage is what the server took so far.
type usage struct {
	CPU              float64 // s
	PeakMB           float64 // resident, at the most since the last question
	StacksMB, HeapMB float64
	Connections      int
}

// trickled is what the load generator saw, ms.
type trickled struct{ P50, P99, Slow, PerSecond float64 }

// ConnectionsPart is one side of Connections: "server KIND CONNS DIR" or
// "load KIND CONNS ADDR RATE SECONDS". It ends with its standard input.
func ConnectionsPart(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) < 4 {
		return errors.New("a part of a measurement; not to be called")
	}
	conns, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := side{kind: args[1], conns: conns, asked: bufio.NewScanner(in), out: json.NewEncoder(out)}
	if args[0] == "server" {
		return p.server(ctx, args[3])
	}
	if len(args) < 6 {
		return errors.New("load: rate and seconds are missing")
	}
	rate, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(args[5])
	if err != nil {
		return err
	}
	return p.load(ctx, args[3], rate, seconds)
}

type side struct {
	kind  string
	conns int
	asked *bufio.Scanner
	out   *json.Encoder
}

// server is gateway and store, and the judgement where KIND says so, with a
// registry of its own.
func (p *side) server(ctx context.Context, dir string) (err error) {
	now := time.Now
	s, err := store.Open(dir, store.Options{Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	reg := newFixed(p.conns)
	reg.snap.Outlets = stacks(p.conns).Outlets
	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: now})
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Options{Store: s, Registry: reg, Now: now, MaxConns: p.conns + 1})
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if p.kind != "tcp" {
		l = newLinkListener(l)
	}
	g.Use(l)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	var failed [2]error
	running.Go(func() { failed[0] = g.Serve(ctx) })
	running.Go(func() {
		if p.kind != "judged" {
			return
		}
		if failed[1] = e.Run(ctx); errors.Is(failed[1], context.Canceled) {
			failed[1] = nil
		}
	})
	var peak atomic.Int64
	running.Go(func() {
		for ctx.Err() == nil {
			peak.Store(max(peak.Load(), residentBytes()))
			time.Sleep(100 * time.Millisecond)
		}
	})
	if err := p.out.Encode(struct{ Addr string }{l.Addr().String()}); err != nil {
		cancel()
		return err
	}
	for p.asked.Scan() {
		settleJudgement(p.kind, e)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		u := usage{
			CPU: cpuSeconds(), PeakMB: float64(peak.Load()) / 1e6, StacksMB: float64(m.StackInuse) / 1e6, HeapMB: float64(m.HeapAlloc) / 1e6,
			Connections: g.Stats().Connections,
		}
		peak.Store(residentBytes())
		if err := p.out.Encode(u); err != nil {
			break
		}
	}
	cancel()
	running.Wait()
	return errors.Join(failed[:]...)
}

// settleJudgement waits until what came before a measurement is judged.
func settleJudgement(kind string, e *quality.Engine) {
	for n := 0; kind == "judged" && !e.Backlog().Done() && n < 6000; n++ {
		time.Sleep(10 * time.Millisecond)
	}
}

// links is how many sockets carry the connections in memory.
const links = 4

func (p *side) load(ctx context.Context, addr string, rate, seconds int) error {
	var d net.Dialer
	dial := func(ctx context.Context, i int) (net.Conn, error) {
		// A source address of its own for each 20,000: the ports of one do not last.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/20_000))}, Control: portLater}
		return d.DialContext(ctx, "tcp", addr)
	}
	if p.kind != "tcp" {
		var many [links]*link
		for i := range many {
			nc, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			many[i] = newLink(nc, nil)
			go func() { _ = many[i].run() }()
		}
		dial = func(_ context.Context, i int) (net.Conn, error) { return many[i%links].open(uint32(i)) }
	}
	t, err := simulator.OpenTrickle(ctx, simulator.TrickleOptions{Dial: dial, Conns: p.conns, Now: time.Now})
	if err != nil {
		return err
	}
	defer t.Close()
	// Everybody has sent once before anything is measured.
	res, err := t.Run(ctx, 5000, int64(p.conns))
	if err != nil {
		return err
	}
	if err := p.out.Encode(struct{ Acked int64 }{res.Acked}); err != nil {
		return err
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	for p.asked.Scan() {
		res, err := t.Run(ctx, float64(rate), int64(rate*seconds))
		if err != nil {
			return err
		}
		if err := p.out.Encode(trickled{ms(res.P50), ms(res.P99), ms(res.Slow), res.PerSecond}); err != nil {
			return err
		}
	}
	return nil
}

// portLater leaves the choice of the port to connect: a bind looks for one that
// nobody uses, which takes long when there are many.
func portLater(_, _ string, c syscall.RawConn) error {
	const bindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT of Linux
	return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, bindAddressNoPort, 1) })
}

// residentBytes is the memory that the process has now; 0 where Linux does not tell.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
