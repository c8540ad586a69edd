package main

import (
	"fmt"
	"net"
	"sync"
	"time"

	"plateau/hj212"
)

// loggers is how many send at once.
const loggers = 8

// batch is how many frames a logger sends before it waits for their answers.
const batch = 16

// load sends minute records of made-up loggers and notes what was acknowledged.
type load struct {
	start time.Time

	mu    sync.Mutex
	acked map[string]map[string]bool // by MN: frames
	sent  [loggers]int               // minutes sent by each logger
	total int
	wrong []string
}

func newLoad(start time.Time) *load { return &load{start: start, acked: map[string]map[string]bool{}} }

// begin lets all loggers send to addr; wait returns when all have lost it.
func (l *load) begin(addr string) (wait func()) {
	var wg sync.WaitGroup
	for n := range loggers {
		wg.Go(func() { l.run(addr, n) })
	}
	return wg.Wait
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// run sends until the connection breaks. Each minute is sent, sent again as it
// was, and now and then sent with another value.
func (l *load) run(addr string, n int) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = nc.Close() }()
	mn := fmt.Sprintf("KILL%02d", n)
	in := hj212.NewScanner(hj212.ScanOptions{})
	for {
		out, waiting := l.frames(n, mn)
		if _, err := nc.Write(append(out, out...)); err != nil { // each frame twice: the second is a repeat
			return
		}
		for got := 0; got < 2*batch; {
			ev, ok := in.Next()
			if !ok {
				if _, err := in.Fill(nc); err != nil {
					return
				}
				continue
			}
			got++
			var p hj212.Packet
			if ev.Err != nil || p.Parse(ev.Seg) != nil || p.Command() != hj212.CNDataAck {
				l.note(mn, "", fmt.Sprintf("answer %q", ev.Raw))
				return
			}
			l.note(mn, waiting[string(p.Bytes(p.QN))], "")
		}
	}
}

// frames makes the next batch of a logger; waiting has each frame by its request number.
func (l *load) frames(n int, mn string) (out []byte, waiting map[string]string) {
	waiting = map[string]string{}
	for range batch {
		l.mu.Lock()
		i := l.sent[n]
		l.sent[n]++
		l.mu.Unlock()
		value := i
		if i%7 == 6 {
			i, value = i-1, -i // the minute before again, corrected
		}
		at := l.start.Add(time.Duration(i) * time.Minute)
		qn := fmt.Sprintf("%017d", value+1e9)
		seg := fmt.Appendf(nil, "QN=%s;ST=31;CN=2051;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Avg=%d.5,a21026-Flag=N;a19001-Avg=8.0,a19001-Flag=N&&",
			qn, mn, hj212.AppendTime(nil, at), 100+value)
		from := len(out)
		out = hj212.AppendFrame(out, seg)
		waiting[qn] = string(out[from : len(out)-2])
	}
	return out, waiting
}

// note takes an acknowledgement.
func (l *load) note(mn, frame, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong != "" {
		l.wrong = append(l.wrong, wrong)
		return
	}
	if l.acked[mn] == nil {
		l.acked[mn] = map[string]bool{}
	}
	if !l.acked[mn][frame] {
		l.acked[mn][frame] = true
		l.total++
	}
}
