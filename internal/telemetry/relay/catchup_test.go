package relay

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// pile is a journal in memory.
type pile struct {
	mu     sync.Mutex
	groups []store.Group
	more   chan struct{}
}

func (j *pile) put(frames ...*store.Frame) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := store.Group{Seq: uint64(len(j.groups) + 1)}
	for i, f := range frames {
		g.Frames = append(g.Frames, store.StoredFrame{
			Locator: telemetry.Locator{Seq: g.Seq, Index: uint16(i)}, MN: f.MN, Outlet: f.Outlet, Kind: f.Kind, At: f.At, Received: f.Received, Verdict: f.Verdict, Raw: f.Raw,
		})
	}
	j.groups = append(j.groups, g)
	close(j.more)
	j.more = make(chan struct{})
}

func (j *pile) Tail() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.groups))
}

func (j *pile) Wait(ctx context.Context, seq uint64) error {
	for {
		j.mu.Lock()
		n, more := uint64(len(j.groups)), j.more
		j.mu.Unlock()
		if n > seq {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *pile) Read(_ context.Context, seq, last uint64, most int) (out []store.Group, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n := 0; seq < min(last, uint64(len(j.groups))) && n < most; seq++ {
		out = append(out, j.groups[seq])
		n += len(j.groups[seq].Frames)
	}
	return out, nil
}

func (j *pile) Groups(seq uint64, fn func(store.GroupMeta) bool) error {
	j.mu.Lock()
	groups := slices.Clone(j.groups[seq:])
	j.mu.Unlock()
	for _, g := range groups {
		m := store.GroupMeta{Seq: g.Seq}
		for i := range g.Frames {
			f := &g.Frames[i]
			m.Entries = append(m.Entries, store.EntryMeta{Outlet: f.Outlet, Kind: f.Kind, At: f.At, Received: f.Received.UnixMicro(), Verdict: f.Verdict})
		}
		if !fn(m) {
			return nil
		}
	}
	return nil
}

func (*pile) SequenceAt(time.Time) (uint64, error) { return 0, nil }

func (j *pile) FrameAt(l telemetry.Locator) (store.StoredFrame, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.groups[l.Seq-1].Frames[l.Index], nil
}

type open struct{}

func (open) Seal(text, _ string) string          { return text }
func (open) Open(text, _ string) (string, error) { return text, nil }

// TestCatchUp: after three days without its platform a sender tells what arrives
// at once and beside it the past at the rate that is set, each frame once, those
// of a logger in order in either lane; a connection that breaks meanwhile changes
// none of that.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	const loggers, rate, days = 3, 10, 3
	url := t.TempDir() + "/x.db"
	synctest.Test(t, func(t *testing.T) {
		base, err := db.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer base.Close()
		type arrival struct {
			sent
			at time.Time
		}
		var mu sync.Mutex
		var got []arrival
		up := time.Now().AddDate(0, 0, days)
		cut := 0
		talk := func(c net.Conn) {
			s := hj212.NewScanner(hj212.ScanOptions{})
			var p hj212.Packet
			for n := 0; ; {
				if _, err := s.Fill(c); err != nil {
					return
				}
				for ev, ok := s.Next(); ok; ev, ok = s.Next() {
					if ev.Err != nil || p.Parse(ev.Seg) != nil {
						t.Errorf("%q: %v", ev.Raw, ev.Err)
						continue
					}
					at, _ := p.Param("DataTime")
					mu.Lock()
					got = append(got, arrival{sent{seg: string(ev.Seg), mn: string(p.Bytes(p.MN)), time: string(at)}, time.Now()})
					mu.Unlock()
					b := takes(0, sent{}, &p, nil)
					if _, err := c.Write(b); err != nil {
						return
					}
					if n++; n == 3000 && cut < 2 { // the line breaks between two frames
						cut++
						_ = c.Close()
						return
					}
				}
			}
		}
		j := &pile{more: make(chan struct{})}
		s, err := New(Options{
			DB: base, Journal: j, Registry: outletsOf(loggers), Sealer: open{}, Now: time.Now, Private: true, Look: 10 * time.Minute, SaveEvery: time.Second,
			dial: func(context.Context, *Target) (net.Conn, error) {
				if time.Now().Before(up) {
					return nil, errors.New("no route to host")
				}
				here, there := net.Pipe()
				go talk(there)
				return here, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		target, err := s.Add(t.Context(), Target{Name: "n", Host: "example.org", Port: 1, Ack: true, Rate: rate, Window: 50})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		minutes := days*24*60 + 60
		for range minutes {
			time.Sleep(time.Minute)
			now := time.Now()
			var frames []*store.Frame
			for i := 1; i <= loggers; i++ {
				frames = append(frames, frameOf(t, i, 2011, now, now, ""))
			}
			j.put(frames...)
			if now.Equal(up) {
				synctest.Wait()
				if st, ok := s.State(target.ID); !ok || st.Connected || st.Behind != days*24*60*loggers || st.Fault != "no route to host" || now.Sub(st.Oldest) != up.Sub(began)-time.Minute {
					t.Errorf("behind %d, oldest %s ago: %+v", st.Behind, now.Sub(st.Oldest), st)
				}
			}
		}
		time.Sleep(time.Minute)
		st, _ := s.State(target.ID)
		if st.Behind != 0 || st.Catching || st.Acked != int64(minutes*loggers) || st.Resent != 0 || st.Refused != 0 {
			t.Errorf("%+v", st)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen := map[string]bool{}
		var past []time.Time
		last := map[string]string{}
		for _, a := range got {
			if seen[a.seg] {
				t.Errorf("%s came twice", a.time)
			}
			seen[a.seg] = true
			at, _ := hj212.ParseTime([]byte(a.time))
			lane := "live"
			if a.at.Sub(at) > 6*time.Minute { // the connection is tried every five
				lane = "past"
				past = append(past, a.at)
			}
			if a.time < last[a.mn+lane] {
				t.Errorf("%s of the %s came behind %s", a.time, lane, last[a.mn+lane])
			}
			last[a.mn+lane] = a.time
		}
		if len(seen) != minutes*loggers {
			t.Errorf("%d frames came, want %d", len(seen), minutes*loggers)
		}
		took := past[len(past)-1].Sub(past[0])
		if per := float64(len(past)) / took.Seconds(); per < 0.9*rate || per > 1.02*rate || len(past) < days*24*60*loggers-60 {
			t.Errorf("%d frames of the past in %s: %.2f a second", len(past), took, per)
		}
		late := 0
		for _, a := range got { // while the past was being caught up
			at, _ := hj212.ParseTime([]byte(a.time))
			if at.After(past[0].Add(time.Minute)) && at.Before(past[len(past)-1]) && a.at.Sub(at) > 2*time.Second {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d frames that arrived meanwhile went out late", late)
		}
		t.Logf("%d frames of the past in %s", len(past), took)
	})
}
