package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
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

// feed sends the history of sample loggers to the gateway over TCP, the path
// that every logger takes.
type feed struct {
	addr     string
	world    *simulator.World
	since    map[string]time.Time // by MN: what is there already; others get none
	to       time.Time
	progress *progress
	now      func() time.Time
	log      *slog.Logger
}

// progressEvery is the time between two lines about progress in the log.
const progressEvery = 2 * time.Second

// run returns when all of the history is acknowledged.
func (f *feed) run(ctx context.Context) error {
	from := f.to
	for _, t := range f.since {
		if t.Before(from) {
			from = t
		}
	}
	if !from.Before(f.to) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	lanes := make([]chan []byte, feedConns)
	for i := range lanes {
		lanes[i] = make(chan []byte, 4096)
		wg.Go(func() {
			if err := lane(ctx, f.addr, lanes[i]); err != nil {
				cancel(err)
			}
		})
	}
	f.progress.set(0, f.world.Expected(from, f.to))
	said := f.now()
	lane := map[string]int{}
	err := f.world.History(ctx, from, f.to, func(frame []byte, mn string, sentAt time.Time) error {
		f.progress.add(1)
		if now := f.now(); now.Sub(said) >= progressEvery {
			said = now
			_, percent := f.progress.percent()
			f.log.InfoContext(ctx, "history is being filled in", slog.Int("percent", percent))
		}
		if since, ok := f.since[mn]; !ok || !sentAt.After(since) {
			return nil
		}
		i, ok := lane[mn]
		if !ok {
			i = len(lane) % feedConns
			lane[mn] = i
		}
		select {
		case lanes[i] <- frame:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
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
