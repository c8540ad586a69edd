package gateway

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// TestBadLine puts a bad line between loggers and the gateway: stalls, single
// bytes, pieces sent twice, resets, half-closed and cut-off connections, slow
// reading, drawn from a seed. Loggers re-send what is not acknowledged. Then each
// acknowledged frame is stored once, and everything that is stored is a frame
// that was sent, or has the reason why it is none.
func TestBadLine(t *testing.T) {
	t.Parallel()
	for range 3 {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); badLine(t, seed) })
	}
}

func badLine(t *testing.T, seed uint64) {
	t.Helper()
	const loggers, frames = 4, 60
	reg := newRegistry()
	mn := func(i int) string { return fmt.Sprintf("BADLINE%02d", i) }
	for i := range loggers {
		reg.put(device(mn(i)))
	}
	s := newSite(t, reg, func(o *Options, _ *store.Options) { o.HalfPacket = 200 * time.Millisecond })
	line := testkit.NewProxy(t, s.addr, seed)
	var wg sync.WaitGroup
	for i := range loggers {
		wg.Go(func() { stubborn(t, line, mn(i), frames) })
	}
	wg.Wait()
	if line.Faults() == 0 {
		t.Error("the line was good")
	}
	damaged := 0
	for i := range loggers {
		sent, times := map[string]bool{}, map[string]int{}
		for n := range frames {
			sent[realtime(mn(i), n, fmt.Sprint(n))] = true
		}
		for _, f := range s.frames(mn(i)) {
			verdict, seg, _ := strings.Cut(f, " ")
			switch {
			case verdict == "stored" && sent[seg]:
				times[seg]++
			case strings.HasPrefix(verdict, "refused:") && len(verdict) > len("refused:"):
				damaged++
			default:
				t.Errorf("seed %d: stored, and nobody can say why: %s", seed, f)
			}
		}
		for seg := range sent {
			if times[seg] != 1 {
				t.Errorf("seed %d: an acknowledged frame is there %d times: %s", seed, times[seg], seg)
			}
		}
	}
	t.Logf("seed %d: %d frames acknowledged, %d faults of the line, %d damaged frames kept with their reason", seed, loggers*frames, line.Faults(), damaged)
}

// stubborn sends frames one after another, each until it is acknowledged.
func stubborn(t *testing.T, line *testkit.Proxy, mn string, frames int) {
	t.Helper()
	var nc net.Conn
	var in *hj212.Scanner
	give := time.Now().Add(60 * time.Second)
	for n := 0; n < frames; {
		switch {
		case time.Now().After(give):
			t.Errorf("%s: %d of %d frames acknowledged", mn, n, frames)
			return
		case time.Until(give) < 20*time.Second:
			line.Calm() // else a slow machine and a bad seed could take forever
		}
		if nc == nil {
			var err error
			if nc, err = net.Dial("tcp", line.Addr); err != nil {
				t.Error(err)
				return
			}
			in = hj212.NewScanner(hj212.ScanOptions{})
		}
		seg := realtime(mn, n, fmt.Sprint(n))
		_, err := nc.Write(hj212.AppendFrame(nil, []byte(seg)))
		if err == nil && acknowledged(nc, in, ackOf(seg)) {
			n++
			continue
		}
		_ = nc.Close()
		nc = nil
	}
	if nc != nil {
		_ = nc.Close()
	}
}

// acknowledged waits a little for an answer.
func acknowledged(nc net.Conn, in *hj212.Scanner, want string) bool {
	_ = nc.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
	for {
		for ev, ok := in.Next(); ok; ev, ok = in.Next() {
			if ev.Err == nil && string(ev.Seg) == want {
				return true
			}
		}
		if _, err := in.Fill(nc); err != nil {
			return false
		}
	}
}
