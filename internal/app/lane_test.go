package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
)

// laneHost is a host whose connections behave as the functions say, one after
// the other; the last one serves all that follow.
type laneHost struct {
	addr  string
	mu    sync.Mutex
	got   map[string]int // frames by QN
	conns int
}

func newLaneHost(t *testing.T, behave ...func(h *laneHost, nc net.Conn)) *laneHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &laneHost{addr: ln.Addr().String(), got: map[string]int{}}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			fn := behave[min(h.conns, len(behave)-1)]
			h.conns++
			h.mu.Unlock()
			wg.Go(func() {
				defer nc.Close()
				fn(h, nc)
			})
		}
	})
	return h
}

// serve notes frames until the peer leaves and acknowledges those that want lets.
func (h *laneHost) serve(nc net.Conn, want func(n int) bool) {
	s := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	for n := 0; ; {
		if _, err := s.Fill(nc); err != nil {
			return
		}
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err != nil || p.Parse(ev.Seg) != nil {
				continue
			}
			h.mu.Lock()
			h.got[string(p.RequestNumber())]++
			h.mu.Unlock()
			if n++; want(n) {
				ack, _ := hj212.AppendAck(nil, &p)
				_, _ = nc.Write(ack)
			}
		}
	}
}

// silent takes nothing and says nothing until the peer leaves or the test ends.
func silent(t *testing.T) func(*laneHost, net.Conn) {
	t.Helper()
	return func(_ *laneHost, nc net.Conn) {
		_ = nc.(*net.TCPConn).SetReadBuffer(4096)
		select {
		case <-time.After(2 * time.Second):
		case <-t.Context().Done():
		}
	}
}

// question is a request of the host, which is no acknowledgement.
func question(t *testing.T) []byte {
	t.Helper()
	m := hj212.Peer{Version: hj212.V2017, ST: "31", PW: "123456", MN: "5401032026110000000000A1"}.Request(hj212.SetClock("", time.Unix(1_790_000_000, 0)), "20261127120000000")
	raw, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// laneFrames are n minute records of about 400 bytes, closed behind the last.
func laneFrames(t *testing.T, n int) chan []byte {
	t.Helper()
	out := make(chan []byte, n)
	for i := range n {
		at := time.Unix(1_790_000_000+60*int64(i), 0)
		m := hj212.Message{QN: string(hj212.AppendQN(nil, at)), ST: "31", CN: "2051", PW: "123456", MN: "5401032026110000000000A1", Flag: 5}
		m.CP = []hj212.Group{{{Name: "DataTime", Value: string(hj212.AppendTime(nil, at))}}}
		for k := range 8 {
			m.CP = append(m.CP, hj212.Group{{Name: fmt.Sprintf("a%05d-Avg", 21000+k), Value: "12.5"}, {Name: fmt.Sprintf("a%05d-Flag", 21000+k), Value: "N"}})
		}
		raw, err := m.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		out <- bytes.TrimRight(raw, "\r\n")
	}
	close(out)
	return out
}

// TestLaneSendsAgain: frames or answers that are lost, a host that closes and
// one that takes nothing any more neither hold the history up for ever nor leave
// a hole in it; what the host asks counts for nothing.
func TestLaneSendsAgain(t *testing.T) {
	t.Parallel()
	const n = 2000
	all := func(h *laneHost, nc net.Conn) { h.serve(nc, func(int) bool { return true }) }
	for name, first := range map[string]func(h *laneHost, nc net.Conn){
		"answers are lost": func(h *laneHost, nc net.Conn) { h.serve(nc, func(i int) bool { return i%100 != 7 }) },
		"the host closes": func(h *laneHost, nc net.Conn) {
			h.serve(nc, func(i int) bool {
				if i == 500 {
					_ = nc.Close()
				}
				return true
			})
		},
		"the host asks and keeps still": func(_ *laneHost, nc net.Conn) {
			for range 2 * n {
				_, _ = nc.Write(question(t))
			}
			_, _ = io.Copy(io.Discard, nc)
		},
		"the host takes nothing": silent(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newLaneHost(t, first, all)
			var said bytes.Buffer
			l := lane{addr: h.addr, frames: laneFrames(t, n), wait: 300 * time.Millisecond, pause: time.Millisecond, log: slog.New(slog.NewTextHandler(&said, nil))}
			if err := l.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if len(h.got) != n || h.conns < 2 || !strings.Contains(said.String(), "sent again") {
				t.Errorf("%d frames came over %d connections: %s", len(h.got), h.conns, said.String())
			}
		})
	}
}

// TestLaneGivesUp: a host that never answers ends the lane with an error that
// says so, and a stop ends it at once.
func TestLaneGivesUp(t *testing.T) {
	t.Parallel()
	h := newLaneHost(t, silent(t))
	l := lane{addr: h.addr, frames: laneFrames(t, 3), wait: 50 * time.Millisecond, pause: time.Millisecond, log: slog.New(slog.DiscardHandler)}
	if err := l.run(t.Context()); !errors.Is(err, errSilent) || !strings.Contains(err.Error(), "3 frames") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	l = lane{addr: h.addr, frames: laneFrames(t, 20_000), wait: time.Hour, pause: time.Hour, log: slog.New(slog.DiscardHandler)}
	if err := l.run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
