package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/simulator"
)

// feedConns is how many connections carry the history; loggers are spread over
// them, so each logger's frames stay in order.
const feedConns = 8

// feed sends a history to the gateway over TCP, the path that every logger
// takes, and returns when all of it is acknowledged.
func feed(ctx context.Context, addr string, w *simulator.World, from, to time.Time, p *progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	lanes := make([]chan []byte, feedConns)
	for i := range lanes {
		lanes[i] = make(chan []byte, 4096)
		wg.Go(func() {
			if err := lane(ctx, addr, lanes[i]); err != nil {
				cancel(err)
			}
		})
	}
	// The number of frames is not known beforehand: progress goes by time.
	span := int64(to.Sub(from) / time.Minute)
	lane := map[string]int{}
	err := w.History(ctx, from, to, func(frame []byte, mn string, sentAt time.Time) error {
		i, ok := lane[mn]
		if !ok {
			i = len(lane) % feedConns
			lane[mn] = i
		}
		select {
		case lanes[i] <- frame:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.set(int64(sentAt.Sub(from)/time.Minute), span)
		return nil
	})
	for _, l := range lanes {
		close(l)
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("fill in history: %w", err)
	}
	return nil
}

// laneWait is how long the next acknowledgement may take.
const laneWait = 30 * time.Second

// lane writes frames to one connection and waits until as many were
// acknowledged as asked for it.
func lane(ctx context.Context, addr string, frames <-chan []byte) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	var acked atomic.Int64
	go countAcks(conn, &acked)

	out := bufio.NewWriterSize(conn, 1<<16)
	wanted := int64(0)
	var p hj212.Packet
	for f := range frames {
		if seg, err := hj212.Segment(f); err == nil && p.Parse(seg) == nil {
			if _, ack, _, _ := p.FlagBits(); ack && p.QN.Len > 0 {
				wanted++
			}
		} else { // encrypted: its header can be read all the same
			wanted++
		}
		if _, err := out.Write(f); err != nil {
			return err
		}
		if _, err := out.WriteString("\r\n"); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last, waited := int64(0), time.Duration(0); acked.Load() < wanted; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if waited += 5 * time.Millisecond; acked.Load() > last {
			last, waited = acked.Load(), 0
		}
		if waited > laneWait {
			return fmt.Errorf("%d of %d frames were acknowledged", acked.Load(), wanted)
		}
	}
	return nil
}

// countAcks counts the frames that come until the connection ends.
func countAcks(r io.Reader, n *atomic.Int64) {
	s := hj212.NewScanner(hj212.ScanOptions{})
	for {
		if _, err := s.Fill(r); err != nil {
			return
		}
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err == nil {
				n.Add(1)
			}
		}
	}
}
