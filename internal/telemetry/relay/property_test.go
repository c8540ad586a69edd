package relay

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plateau/hj212"
	"plateau/internal/telemetry/store"
)

// TestAnyPlatform: whatever a platform does to single frames (taking them,
// refusing them, saying nothing, answering late or twice, with nonsense, closing
// the connection before or after its answer), and whenever the sender is
// restarted, each frame is in the end acknowledged or among the refused, not both,
// and those of a logger come in order.
func TestAnyPlatform(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		loggers := rapid.IntRange(1, 4).Draw(rt, "loggers")
		rounds := rapid.IntRange(1, 12).Draw(rt, "rounds")
		window := rapid.SampledFrom([]int{1, 2, 50}).Draw(rt, "window")
		acts := rapid.SliceOfN(rapid.IntRange(0, 11), 8, 60).Draw(rt, "acts")
		form := rapid.SampledFrom([]string{"", "2005", "2005 acknowledged"}).Draw(rt, "form")
		restarts := rapid.IntRange(0, 2).Draw(rt, "restarts")
		url := t.TempDir() + "/x.db"
		d := newDesk(t, url, loggers, func(o *Options) { o.OverTime, o.ReCount = 25*time.Millisecond, 1 })
		defer func() { _ = d.base.Close(); _ = d.store.Close() }()
		var mu sync.Mutex
		taken, refusedBy := map[string]int{}, map[string]int{}
		x := newPlatform(t, func(n int, s sent, p *hj212.Packet, c net.Conn) []byte {
			act := 0
			if n <= len(acts)*2 { // then it is well
				act = acts[n%len(acts)]
			}
			key := s.mn + " " + s.time
			good := takes(0, s, p, nil)
			mu.Lock()
			defer mu.Unlock()
			switch act {
			case 1:
				return nil
			case 2:
				_ = c.Close()
				return nil
			case 3: // it is taken, and nobody hears of it
				_, _ = c.Write(good[:len(good)/2])
				_ = c.Close()
				return nil
			case 4:
				refusedBy[key]++
				return coded(p, 9014, "QnRtn=100")
			case 5:
				time.AfterFunc(10*time.Millisecond, func() { _, _ = c.Write(good) })
			case 6:
				taken[key]++
				return append(good, good...)
			case 7:
				taken[key]++
				return append([]byte("HTTP/1.1 200 OK\r\n##0012QN=1;"), good...)
			case 8:
				taken[key]++
				_, _ = c.Write(good)
				_ = c.Close()
				return nil
			case 9:
				return coded(p, 9012, "ExeRtn=5")
			default:
				taken[key]++
				return good
			}
			return nil
		})
		target := d.to(x.addr, func(t *Target) { t.Window = window })
		d.run()
		for n := range rounds {
			var frames []*store.Frame
			for i := 1; i <= loggers; i++ {
				at := t0.Add(time.Duration(n) * time.Minute)
				frames = append(frames, frameOf(t, i, 2011, at, at, form))
			}
			put(t, d.store, frames...)
			if restarts > 0 && n%4 == 1 {
				restarts--
				d.halt()
				d.restart()
				d.run()
			}
		}
		d.idle(target.ID)
		d.halt()
		list, n, err := d.Refused(t.Context(), target.ID, 1000)
		if err != nil {
			rt.Fatal(err)
		}
		kept := map[string]bool{}
		for i := range list {
			kept[list[i].MN+" "+string(hj212.AppendTime(nil, time.Unix(list[i].At, 0)))] = true
		}
		if n != len(kept) {
			rt.Errorf("%d refused, %d of them different", n, len(kept))
		}
		came := map[string]bool{}
		for _, s := range x.received() {
			came[s.mn+" "+s.time] = true
		}
		for i := 1; i <= loggers; i++ {
			for n := range rounds {
				key := ours(i) + " " + string(hj212.AppendTime(nil, t0.Add(time.Duration(n)*time.Minute)))
				if !kept[key] && !came[key] {
					rt.Errorf("%s is lost", key)
				}
				if kept[key] && taken[key] > 0 && refusedBy[key] == 0 && acts[0] >= 0 && !mayBeLate(acts) {
					rt.Errorf("%s was taken and stands among the refused", key)
				}
			}
		}
		inOrder(t, x.received())
		if t.Failed() {
			rt.Fatalf("out of order: %s", strings.Join(describe(x.received()), "\n"))
		}
	})
}

// mayBeLate: an answer that comes after its frame was given up, or that is lost
// with its connection, leaves a frame the platform has among the refused.
func mayBeLate(acts []int) bool {
	for _, a := range acts {
		if a == 5 || a == 8 || a == 3 || a == 1 || a == 2 {
			return true
		}
	}
	return false
}

func describe(list []sent) (out []string) {
	for _, s := range list {
		out = append(out, fmt.Sprint(s.conn, " ", s.mn, " ", s.time))
	}
	return out
}

// FuzzAnswers: nothing that comes back stops the reader, and it keeps no more than
// its bounds.
func FuzzAnswers(f *testing.F) {
	f.Add(coded(packetOf("QN=20261124180000000;ST=31;CN=2011;PW=1;MN=A;Flag=5;CP=&&&&"), 9014, ""))
	f.Add(coded(packetOf("QN=20261124180000000;ST=31;CN=2011;PW=1;MN=A;Flag=5;CP=&&&&"), 9011, "QnRtn=3"))
	f.Add([]byte("##0037ST=91;CN=9014;CP=&&QN=1;CN=2011;&&0000\r\n"))
	f.Add(hj212.AppendFrame(nil, []byte("QN=1;ST=31;CN=3011;PW=1;MN=A;Flag=5;CP=&&PolId=a&&")))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &inbox{wake: make(chan struct{}, 1)}
		if err := in.listen(strings.NewReader(string(b))); err == nil {
			t.Fatal("the end is no error")
		}
		list, replies, _, _ := in.empty(nil)
		if len(list) > maxAnswers || len(replies) > maxReplies {
			t.Errorf("%d answers, %d bytes of replies", len(list), len(replies))
		}
		r := &runner{s: &Service{}, flight: map[string][]*item{}}
		for i := range list {
			r.answer(&list[i]) // of nothing that was sent
		}
		for s := hj212.ScanAll(replies, hj212.ScanOptions{}); len(s.Errors) > 0; {
			t.Fatalf("%q", replies)
		}
	})
}

func packetOf(seg string) *hj212.Packet {
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err != nil {
		panic(err)
	}
	return &p
}
