package testkit

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a bad line between a client and a server over TCP: what it does to
// each piece that comes is drawn from a seed. Loss shows as stalls, as it does to
// a program over TCP; order is kept, as TCP keeps it.
type Proxy struct {
	Addr   string // where clients dial
	target string
	faults atomic.Int64 // done so far
	calm   atomic.Bool
	mu     sync.Mutex
	chance *rand.Rand
}

// NewProxy makes a bad line to target, gone at the end of the test.
func NewProxy(tb testing.TB, target string, seed uint64) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, chance: rand.New(rand.NewPCG(seed, 3))}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(nc.(*net.TCPConn))
		}
	}()
	return p
}

// Calm ends the faults: from then on the line is good.
func (p *Proxy) Calm() { p.calm.Store(true) }

// Faults is how many were done.
func (p *Proxy) Faults() int64 { return p.faults.Load() }

func (p *Proxy) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chance.IntN(n)
}

func (p *Proxy) carry(client *net.TCPConn) {
	nc, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	server := nc.(*net.TCPConn)
	var both sync.WaitGroup
	both.Go(func() { p.pass(client, server) })
	both.Go(func() { p.pass(server, client) })
	both.Wait()
	_ = client.Close()
	_ = server.Close()
}

// pass carries one direction, and closes it at its end.
func (p *Proxy) pass(from, to *net.TCPConn) {
	defer func() { _ = to.CloseWrite() }()
	buf := make([]byte, 2048)
	for {
		n, err := from.Read(buf[:1+p.draw(len(buf))])
		if n > 0 && !p.piece(from, to, buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// piece passes some bytes on, or does what a bad line does; false ends the direction.
func (p *Proxy) piece(from, to *net.TCPConn, b []byte) bool {
	if p.calm.Load() {
		_, err := to.Write(b)
		return err == nil
	}
	kind := p.draw(24)
	if kind < 8 {
		p.faults.Add(1)
	}
	switch kind {
	case 0: // single bytes
		for i := range b {
			if _, err := to.Write(b[i : i+1]); err != nil {
				return false
			}
		}
		return true
	case 1, 2: // a stall, as loss looks to who waits
		time.Sleep(time.Duration(p.draw(60)) * time.Millisecond)
	case 3: // sent twice by a relay
		if _, err := to.Write(b); err != nil {
			return false
		}
	case 4: // reset
		_ = to.SetLinger(0)
		_ = from.SetLinger(0)
		_ = to.Close()
		_ = from.Close()
		return false
	case 5: // half-close: this direction ends, what was read is lost, the other goes on
		_ = from.CloseRead()
		time.AfterFunc(time.Duration(p.draw(200))*time.Millisecond, func() { _ = from.Close(); _ = to.Close() })
		return false
	case 6: // the end of it is cut off, and the line with it
		_, _ = to.Write(b[:p.draw(len(b)+1)])
		_ = to.Close()
		_ = from.Close()
		return false
	case 7: // a slow reader
		for len(b) > 0 {
			n := min(len(b), 1+p.draw(64))
			if _, err := to.Write(b[:n]); err != nil {
				return false
			}
			b = b[n:]
			time.Sleep(time.Millisecond)
		}
		return true
	}
	_, err := to.Write(b)
	return err == nil
}
