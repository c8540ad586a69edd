package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// TrickleOptions sets up a load of many loggers that each send seldom.
type TrickleOptions struct {
	Dial  func(ctx context.Context, i int) (net.Conn, error) // connection of the i-th logger
	Conns int
	Start time.Time // DataTime of the first frames; default a minute before now. A logger's next one is 30 s on
	Now   func() time.Time
}

// Trickle is a set of connected loggers. They send in turns at an even rate that
// does not wait for acks: a host that is slow does not lower the load.
type Trickle struct {
	o     TrickleOptions
	conns []*trickler
	next  int // whose turn it is

	open  atomic.Int64 // frames without an ack
	fault atomic.Pointer[error]
	mu    sync.Mutex
	hist  histogram
	acked int64
}

// trickler is one logger: at most one goroutine writes, one reads.
type trickler struct {
	*loadConn
	mu sync.Mutex // of the counters that both sides use
}

// OpenTrickle connects all loggers.
func OpenTrickle(ctx context.Context, o TrickleOptions) (*Trickle, error) {
	if o.Start.IsZero() {
		o.Start = o.Now().Add(-time.Minute).Truncate(time.Second)
	}
	t := &Trickle{o: o, conns: make([]*trickler, o.Conns)}
	errs := make([]error, o.Conns)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i := range t.conns {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			nc, err := o.Dial(ctx, i)
			if err != nil {
				errs[i] = fmt.Errorf("trickle: connection %d: %w", i+1, err)
				return
			}
			c := newLoadConn(nc, LoadOptions{Factors: len(loadFactors), Password: "123456", Window: 4, Start: o.Start, Now: o.Now}, i)
			c.in, c.step = make([]byte, 512), 30
			t.conns[i] = &trickler{loadConn: c}
			go t.listen(t.conns[i])
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close leaves the host.
func (t *Trickle) Close() {
	for _, c := range t.conns {
		if c != nil {
			_ = c.conn.Close()
		}
	}
}

// Run sends frames at rate (a second) and waits for their acks. Latency is from
// before the write of a frame to after the read of its ack. It fails when a
// connection breaks or acks are missing half a minute after the last frame.
func (t *Trickle) Run(ctx context.Context, rate float64, frames int64) (LoadResult, error) {
	t.mu.Lock()
	t.hist, t.acked = histogram{}, 0
	t.mu.Unlock()
	began := t.o.Now()
	sent := int64(0)
	for sent < frames && ctx.Err() == nil {
		due := min(frames, int64(t.o.Now().Sub(began).Seconds()*rate)+1)
		for ; sent < due; sent++ {
			if err := t.send(); err != nil {
				return LoadResult{}, err
			}
		}
		next := began.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
		time.Sleep(next.Sub(t.o.Now()))
	}
	res := LoadResult{Conns: len(t.conns), Sent: sent, Elapsed: t.o.Now().Sub(began)}
	for deadline := t.o.Now().Add(ackTimeout); t.open.Load() > 0 && t.o.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	res.Acked = t.acked
	res.PerSecond = float64(sent) / res.Elapsed.Seconds()
	res.P50, res.P90, res.P99, res.Slow = t.hist.quantile(0.5), t.hist.quantile(0.9), t.hist.quantile(0.99), t.hist.quantile(1)
	if e := t.fault.Load(); e != nil {
		return res, *e
	}
	if open := t.open.Load(); open > 0 {
		return res, fmt.Errorf("trickle: %d of %d frames were not acknowledged", open, sent)
	}
	return res, ctx.Err()
}

func (t *Trickle) send() error {
	c := t.conns[t.next]
	t.next = (t.next + 1) % len(t.conns)
	c.mu.Lock()
	c.out = append(c.out[:0], c.template...)
	c.patch(c.out, c.start+c.sent*c.step)
	c.sentAt[c.sent%int64(c.window)] = t.o.Now().UnixNano()
	c.sent++
	c.mu.Unlock()
	t.open.Add(1)
	if _, err := c.conn.Write(c.out); err != nil {
		return fmt.Errorf("trickle: write: %w", err)
	}
	return nil
}

// listen takes acks until the connection ends.
func (t *Trickle) listen(c *trickler) {
	for {
		n, err := c.conn.Read(c.in[c.filled:])
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				err = fmt.Errorf("trickle: read: %w", err)
				t.fault.CompareAndSwap(nil, &err)
			}
			return
		}
		at := t.o.Now().UnixNano()
		c.filled += n
		c.mu.Lock()
		before, used := c.acked, 0
		var took []int64
		for {
			size, ns, ok := c.ack(c.in[used:c.filled], at)
			if !ok {
				break
			}
			if used += size; ns > 0 {
				took = append(took, ns)
			}
		}
		got := c.acked - before
		c.mu.Unlock()
		copy(c.in, c.in[used:c.filled])
		if c.filled -= used; c.filled == len(c.in) {
			err := errors.New("trickle: the host sends something else than acks")
			t.fault.CompareAndSwap(nil, &err)
			return
		}
		t.mu.Lock()
		for _, ns := range took {
			t.hist.add(ns)
		}
		t.acked += got
		t.mu.Unlock()
		t.open.Add(-got)
	}
}
