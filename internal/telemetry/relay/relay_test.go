package relay

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// TestToAnotherInstance: frames of both protocol versions, some from before the
// target was made, arrive at a second instance in the names given there, equal
// but for these, none lost, none twice, also across a restart of the sender.
func TestToAnotherInstance(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		d := newDesk(t, url, 6, nil)
		var devices []*telemetry.Device
		for i := 1; i <= 6; i++ {
			devices = append(devices, &telemetry.Device{MN: theirs(i), Password: "123456"})
		}
		devices[5].MN = ours(6) // as we have it
		x := newRegion(t, devices...)
		want := map[string][]string{}
		fill := func(from, to int) {
			for n := from; n < to; n++ {
				var frames []*store.Frame
				for i := 1; i <= 6; i++ {
					at := t0.Add(time.Duration(n) * time.Minute)
					f := frameOf(t, i, []int{2011, 2051}[n%2], at, at.Add(time.Second), []string{"", "2005", "2005 acknowledged", "quiet"}[i%4])
					frames = append(frames, f)
				}
				put(t, d.store, frames...)
			}
		}
		fill(0, 20)
		target := d.to(x.addr, func(t *Target) { t.From, t.PW, t.ST = t0.Add(-time.Hour), "123456", "32" })
		for i := 1; i <= 5; i++ {
			m := Mapping{MN: ours(i), Theirs: theirs(i)}
			if i%2 == 0 {
				m = Mapping{Outlet: telemetry.OutletID(i), Theirs: theirs(i), ST: "31"}
			}
			if err := d.SetMapping(t.Context(), target.ID, m); err != nil {
				t.Fatal(err)
			}
		}
		d.run()
		d.idle(target.ID) // what arrives meanwhile would go out before
		fill(20, 40)
		d.idle(target.ID)
		if st, ok := d.State(target.ID); !ok || st.Acked != 240 || st.Refused != 0 || !st.Connected || st.Behind != 0 {
			t.Errorf("%+v", st)
		}
		d.halt()
		d.restart()
		d.run()
		fill(40, 50)
		d.idle(target.ID)
		all, err := d.store.Read(t.Context(), 0, d.store.Tail(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range all {
			for i := range g.Frames {
				f := &g.Frames[i]
				seg, _ := f.Segment(nil)
				n := int(f.Outlet)
				st := "32"
				if n%2 == 0 && n < 6 {
					st = "31"
				}
				name := theirs(n)
				if n == 6 {
					name = ours(6)
				}
				s := strings.NewReplacer(ours(n), name, "PW=100000", "PW=123456", "ST=31", "ST="+st, "Flag=4", "Flag=5").Replace(string(seg))
				if !strings.Contains(s, "QN=") {
					s = strings.Replace("QN="+string(hj212.AppendQN(nil, f.Received))+";"+s, "CP=", "Flag=1;CP=", 1)
				}
				want[name] = append(want[name], s)
			}
		}
		for name, list := range want {
			if got := x.segments(t, name); !slices.Equal(got, list) {
				t.Errorf("%s: %d frames\n got %s\nwant %s", name, len(got), first(got), first(list))
			}
		}
		if st := x.g.Stats(); st.Stored != 300 || st.Repeats != 0 || st.Quarantined != 0 {
			t.Errorf("%+v", st)
		}
		if _, n, err := d.Refused(t.Context(), target.ID, 10); err != nil || n != 0 {
			t.Errorf("%d refused, %v", n, err)
		}
	})
}

func first(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[0]
}

// TestChosen: areas, enterprises, outlets and kinds choose what goes on; what is
// changed holds for what was not sent yet; a paused target gets nothing and goes
// on where it was.
func TestChosen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		d := newDesk(t, url, 4, nil)
		x := newPlatform(t, takes)
		target := d.to(x.addr, func(t *Target) {
			t.Areas, t.Outlets, t.Kinds = []string{"540102"}, []telemetry.OutletID{1}, []int{2061}
		})
		d.run()
		round := func(n int) {
			at := t0.Add(time.Duration(n) * time.Hour)
			for i := 1; i <= 4; i++ {
				put(t, d.store, frameOf(t, i, 2011, at, at, ""), frameOf(t, i, 2061, at, at, ""))
			}
		}
		round(0)
		d.idle(target.ID)
		took := func() (out []string) {
			for _, s := range x.received() {
				out = append(out, fmt.Sprint(s.cn, " ", s.mn[len(s.mn)-1:]))
			}
			slices.Sort(out)
			return out
		}
		if got := took(); !slices.Equal(got, []string{"2061 1", "2061 2", "2061 4"}) {
			t.Errorf("%q", got)
		}
		if err := d.Pause(t.Context(), target.ID, "p"); err != nil {
			t.Fatal(err)
		}
		round(1)
		if _, err := d.Change(t.Context(), target.ID, 0, func(t *Target) { t.Areas, t.Outlets, t.Kinds = nil, []telemetry.OutletID{3}, nil }); err != nil {
			t.Fatal(err)
		}
		if _, ok := d.State(target.ID); ok || len(x.received()) != 3 {
			t.Errorf("a paused target is at work; %d came", len(x.received()))
		}
		if err := d.Resume(t.Context(), target.ID, "p"); err != nil {
			t.Fatal(err)
		}
		d.idle(target.ID)
		if got := took(); !slices.Equal(got, []string{"2011 3", "2061 1", "2061 2", "2061 3", "2061 4"}) {
			t.Errorf("%q", got)
		}
		if _, err := d.Change(t.Context(), target.ID, 1, func(*Target) {}); !errs.Is(err, errs.Conflict) {
			t.Errorf("an old edition was taken: %v", err)
		}
		if err := d.DropMapping(t.Context(), target.ID, "x"); !errs.Is(err, errs.NotFound) {
			t.Error(err)
		}
		if err := d.Delete(t.Context(), target.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Get(t.Context(), target.ID); !errs.Is(err, errs.NotFound) {
			t.Error(err)
		}
	})
}

// TestTornAcknowledgement breaks the connection after every byte of an
// acknowledgement: until it is whole the frame goes out again, with the same
// request number, and then never more.
func TestTornAcknowledgement(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 1, nil)
	var whole atomic.Int64
	x := newPlatform(t, func(n int, _ sent, p *hj212.Packet, c net.Conn) []byte {
		b, _ := hj212.AppendAck(nil, p)
		if n <= len(b)-2 { // without its line end it is whole already
			_, _ = c.Write(b[:n-1])
			_ = c.(*net.TCPConn).SetLinger(-1)
			_ = c.Close()
			return nil
		}
		whole.Store(int64(n))
		return b
	})
	target := d.to(x.addr, nil)
	put(t, d.store, frameOf(t, 1, 2011, t0, t0, ""))
	d.run()
	d.idle(target.ID)
	put(t, d.store, frameOf(t, 1, 2011, t0.Add(time.Minute), t0, ""))
	d.idle(target.ID)
	got := x.received()
	if len(got) < 80 || int64(len(got)) != whole.Load() || got[0].seg != got[len(got)-2].seg || counted(got)[got[len(got)-1].seg] != 1 || counted(got)[got[0].seg] != len(got)-1 {
		t.Errorf("%d frames, whole with %d: %v", len(got), whole.Load(), counted(got))
	}
	if st, _ := d.State(target.ID); st.Acked != 2 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
}

// TestRefusing: what a platform refuses is kept with its reason, does not hold up
// the rest, and goes out again when somebody says so.
func TestRefusing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		d := newDesk(t, url, 3, nil)
		var busy atomic.Int64
		x := newPlatform(t, func(_ int, s sent, p *hj212.Packet, _ net.Conn) []byte {
			switch {
			case s.mn == ours(1) && s.cn == 2011:
				return coded(p, 9014, "QnRtn=4")
			case s.mn == ours(2) && s.cn == 2011:
				return append(coded(p, 9011, "QnRtn=1"), coded(p, 9012, "ExeRtn=2")...)
			case s.mn == ours(3) && s.cn == 2011 && busy.Add(1) < 3: // it is to come again
				return coded(p, 9012, "ExeRtn=5")
			}
			return takes(0, s, p, nil)
		})
		target := d.to(x.addr, nil)
		d.run()
		for n := range 4 {
			at := t0.Add(time.Duration(n) * time.Minute)
			for i := 1; i <= 3; i++ {
				put(t, d.store, frameOf(t, i, []int{2011, 2051}[n%2], at, at, ""))
			}
		}
		d.idle(target.ID)
		list, n, err := d.Refused(t.Context(), target.ID, 100)
		var reasons []string
		for i := range list {
			reasons = append(reasons, fmt.Sprintf("%d %s", list[i].Outlet, list[i].Reason))
			if list[i].CN != 2011 || list[i].Tries != 1 || list[i].MN != ours(int(list[i].Outlet)) || list[i].At == 0 {
				t.Errorf("%+v", list[i])
			}
		}
		slices.Sort(reasons)
		if err != nil || n != 4 || !slices.Equal(reasons, []string{"1 qn_4", "1 qn_4", "2 exe_2", "2 exe_2"}) {
			t.Errorf("%d %q %v", n, reasons, err)
		}
		if st, _ := d.State(target.ID); st.Acked != 8 || st.Refused != 4 || st.Behind != 0 {
			t.Errorf("%+v", st)
		}
		// One by hand is refused again; all, once the platform knows them, are taken.
		if n, err := d.Again(t.Context(), target.ID, false, list[0].Locator); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		until(t, "it is refused again", func() bool {
			list, _, err := d.Refused(t.Context(), target.ID, 100)
			return err == nil && list[0].Tries == 2 && !list[0].Again
		})
		x.say(takes)
		if n, err := d.Again(t.Context(), target.ID, true); err != nil || n != 4 {
			t.Errorf("%d, %v", n, err)
		}
		until(t, "all are taken", func() bool { _, n, err := d.Refused(t.Context(), target.ID, 1); return err == nil && n == 0 })
		inOrder(t, x.received()[len(x.received())-4:])
	})
}

// TestSilentLogger: a platform that says nothing of one logger does not hold up
// the others; its frames are kept, and go out by themselves once it is answered.
func TestSilentLogger(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 2, func(o *Options) { o.OverTime, o.ReCount = 40*time.Millisecond, 1 })
	x := newPlatform(t, func(_ int, s sent, p *hj212.Packet, _ net.Conn) []byte {
		if s.mn == ours(1) {
			return nil
		}
		return takes(0, s, p, nil)
	})
	target := d.to(x.addr, nil)
	d.run()
	stop := make(chan struct{})
	defer close(stop)
	for n := range 30 {
		at := t0.Add(time.Duration(n) * time.Minute)
		put(t, d.store, frameOf(t, 1, 2011, at, at, ""), frameOf(t, 2, 2011, at, at, ""))
		time.Sleep(10 * time.Millisecond)
	}
	d.idle(target.ID)
	list, n, err := d.Refused(t.Context(), target.ID, 100)
	if err != nil || n != 30 || list[0].Reason != ReasonSilent {
		t.Fatalf("%d, %v", n, err)
	}
	if c := counted(x.received()); len(c) != 31 {
		t.Errorf("%d frames were sent, of the silent one more than the first", len(c))
	}
	// By hand one is tried; it is answered now, so all others follow by themselves.
	x.say(takes)
	if _, err := d.Again(t.Context(), target.ID, false, list[29].Locator); err != nil {
		t.Fatal(err)
	}
	until(t, "all are taken", func() bool { _, n, err := d.Refused(t.Context(), target.ID, 1); return err == nil && n == 0 })
	got := x.received()
	inOrder(t, got)
	if c := counted(got); len(c) != 60 {
		t.Errorf("%d frames came", len(c))
	}
}

// TestSilentPlatform: where nothing is answered, nothing is given up and nothing
// passed; once it answers, all arrives.
func TestSilentPlatform(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 3, func(o *Options) { o.OverTime, o.ReCount = 30*time.Millisecond, 1 })
	x := newPlatform(t, func(int, sent, *hj212.Packet, net.Conn) []byte { return nil })
	target := d.to(x.addr, nil)
	d.run()
	for i := 1; i <= 3; i++ {
		put(t, d.store, frameOf(t, i, 2011, t0, t0, ""))
	}
	until(t, "another connection", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.conns > 2 })
	if st, _ := d.State(target.ID); st.Acked != 0 || st.Refused != 0 || st.Behind != 3 {
		t.Errorf("%+v", st)
	}
	if p, err := progressOf(t.Context(), d.base, target.ID); err != nil || p.Live != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	x.say(takes)
	d.idle(target.ID)
	if c := counted(x.received()); len(c) != 3 {
		t.Errorf("%v", c)
	}
}

// TestSlow: a platform that takes its time has no more frames under way than the
// window says, one of each logger, in order.
func TestSlow(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 20, nil)
	var open, most atomic.Int64
	x := newPlatform(t, nil)
	x.say(func(_ int, s sent, p *hj212.Packet, c net.Conn) []byte {
		most.Store(max(most.Load(), open.Add(1)))
		b := takes(0, s, p, nil)
		time.AfterFunc(20*time.Millisecond, func() { open.Add(-1); _, _ = c.Write(b) })
		return nil
	})
	target := d.to(x.addr, func(t *Target) { t.Window = 7 })
	for n := range 10 {
		var frames []*store.Frame
		for i := 1; i <= 20; i++ {
			at := t0.Add(time.Duration(n) * time.Minute)
			frames = append(frames, frameOf(t, i, 2011, at, at, ""))
		}
		put(t, d.store, frames...)
	}
	d.run()
	d.idle(target.ID)
	got := x.received()
	if len(got) != 200 || most.Load() != 7 {
		t.Errorf("%d frames, %d at once", len(got), most.Load())
	}
	inOrder(t, got)
}

// TestAsked: what a platform asks of a logger is refused and goes to nobody.
func TestAsked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 1, nil)
	x := newPlatform(t, takes)
	var ask []byte
	for _, cn := range []string{"3011", "1072", "2051", "2012"} {
		ask = hj212.AppendFrame(ask, []byte("QN=20261124180000000;ST=31;CN="+cn+";PW=123456;MN=A;Flag=5;CP=&&&&"))
	}
	ask = hj212.AppendFrame(ask, []byte("QN=20261124180000001;ST=31;CN=3012;PW=123456;MN=A;Flag=3;CP=&&PolID=01&&"))
	ask = append(hj212.AppendFrame(ask, []byte("ST=31;CN=3012;CP=&&&&")), "HTTP/1.1 400 Bad Request\r\n\r\n"...) // nothing to name in an answer; no frame
	x.mu.Lock()
	x.greet = ask
	x.mu.Unlock()
	target := d.to(x.addr, nil)
	d.run()
	put(t, d.store, frameOf(t, 1, 2011, t0, t0, ""))
	d.idle(target.ID)
	until(t, "five answers", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return len(x.replies) == 5 })
	want := []string{
		"QN=20261124180000000;ST=91;CN=9011;PW=123456;MN=A;Flag=4;CP=&&QnRtn=2&&", "QN=20261124180000000;ST=91;CN=9011;PW=123456;MN=A;Flag=4;CP=&&QnRtn=2&&",
		"QN=20261124180000000;ST=91;CN=9011;PW=123456;MN=A;Flag=4;CP=&&QnRtn=2&&", "QN=20261124180000000;ST=91;CN=9013;PW=123456;MN=A;Flag=4;CP=&&&&",
		"ST=91;CN=9011;PW=123456;MN=A;Flag=0;CP=&&QN=20261124180000001;QnRtn=2&&",
	}
	if !slices.Equal(x.replies, want) {
		t.Errorf("%q", x.replies)
	}
	if st, _ := d.State(target.ID); st.Asked != 6 || st.AskedLast != 3012 {
		t.Errorf("%+v", st)
	}
}

// TestFromTheArchive: the past is read where it lies, also sealed.
func TestFromTheArchive(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 2, nil)
	place, stage := archive.Folder(t.TempDir()), t.TempDir()
	d.store = openStore(t, store.Options{NoSync: true, Archive: archive.NewReader(0, place)})
	d.opt.Journal = d.store
	d.restart()
	for n := range 40 {
		at := t0.Add(time.Duration(n-100) * time.Minute)
		put(t, d.store, frameOf(t, 1, 2011, at, at, ""), frameOf(t, 2, 2011, at, at, ""))
	}
	if f, err := d.store.Seal(t.Context(), store.SealOptions{Place: place, Stage: stage, Before: t0, Partial: true}); err != nil || f == nil || f.Last < 30 {
		t.Fatalf("%+v, %v", f, err)
	}
	x := newPlatform(t, takes)
	target := d.to(x.addr, func(t *Target) { t.From = t0.Add(-90 * time.Minute) })
	d.run()
	d.idle(target.ID)
	got := x.received()
	if len(got) < 58 || len(got) > 60 || len(counted(got)) != len(got) { // the first group may hold what came at that very instant
		t.Errorf("%d frames came", len(got))
	}
	inOrder(t, got)
}

// TestClockJumps: the program's clock is set forward and back by days while
// frames go on and connections break; all arrive.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 3, nil)
	x := newPlatform(t, func(n int, s sent, p *hj212.Packet, c net.Conn) []byte {
		if n%17 == 0 {
			_ = c.Close()
			return nil
		}
		return takes(0, s, p, nil)
	})
	target := d.to(x.addr, nil)
	d.run()
	for n := range 60 {
		d.clock.add([]time.Duration{time.Second, 24 * time.Hour, time.Second, -24 * time.Hour, 72 * time.Hour, -72 * time.Hour}[n%6])
		at := t0.Add(time.Duration(n) * time.Minute)
		for i := 1; i <= 3; i++ {
			put(t, d.store, frameOf(t, i, 2011, at, d.clock.now(), ""))
		}
	}
	d.idle(target.ID)
	if c := counted(x.received()); len(c) != 180 {
		t.Errorf("%d frames came", len(c))
	}
	if st, _ := d.State(target.ID); st.Acked != 180 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
}

// TestDiskFull: while how far a target came cannot be written down, nothing more
// goes out; then it goes on, and nothing was lost or skipped.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 40, nil)
	x := newPlatform(t, func(_ int, s sent, p *hj212.Packet, _ net.Conn) []byte {
		if strings.HasSuffix(s.mn, "1") {
			return coded(p, 9014, "QnRtn=4") // rows to be written
		}
		return takes(0, s, p, nil)
	})
	target := d.to(x.addr, func(t *Target) { t.Window = 8 })
	d.run()
	var pages int
	if err := d.base.QueryRow(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	full := func(most int) {
		if _, err := d.base.Exec(t.Context(), fmt.Sprintf(`PRAGMA max_page_count = %d`, most)); err != nil {
			t.Fatal(err)
		}
	}
	full(pages)
	n := 0
	fill := func(rounds int) {
		for range rounds {
			n++
			var frames []*store.Frame
			for i := 1; i <= 40; i++ {
				at := t0.Add(time.Duration(n) * time.Minute)
				frames = append(frames, frameOf(t, i, 2011, at, at, ""))
			}
			put(t, d.store, frames...)
		}
	}
	fill(100)
	until(t, "a write that fails", func() bool { st, _ := d.State(target.ID); return strings.Contains(st.Fault, "written down") })
	time.Sleep(50 * time.Millisecond) // what was under way lands
	stuck := len(x.received())
	time.Sleep(100 * time.Millisecond)
	if got := len(x.received()); got != stuck || got == 4000 {
		t.Errorf("%d frames went out, then %d", stuck, got)
	}
	full(1 << 30)
	d.idle(target.ID)
	if c := counted(x.received()); len(c) != 4000 {
		t.Errorf("%d frames came", len(c))
	}
	if _, kept, err := d.Refused(t.Context(), target.ID, 1); err != nil || kept != 400 {
		t.Errorf("%d refused, %v", kept, err)
	}
	if st, _ := d.State(target.ID); st.Fault != "" || st.Acked != 3600 {
		t.Errorf("%+v", st)
	}
}

// TestHeld: a target that refuses everything pauses itself before its list has no
// end.
func TestHeld(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 5, func(o *Options) { o.MaxKept = 50 })
	x := newPlatform(t, func(_ int, _ sent, p *hj212.Packet, _ net.Conn) []byte {
		time.Sleep(time.Millisecond)
		return coded(p, 9014, "QnRtn=3")
	})
	target := d.to(x.addr, nil)
	d.run()
	for n := range 400 {
		at := t0.Add(time.Duration(n) * time.Minute)
		put(t, d.store, frameOf(t, n%5+1, 2011, at, at, ""))
	}
	until(t, "it holds itself", func() bool {
		now, err := d.Get(t.Context(), target.ID)
		return err == nil && now.Paused && now.Held == HeldRefused
	})
	d.halt()
	p, err := progressOf(t.Context(), d.base, target.ID)
	if _, n, _ := d.Refused(t.Context(), target.ID, 1); err != nil || n < 51 || n < int(p.Live) || p.Live == d.store.Tail() {
		t.Errorf("%d refused, %+v, %v", n, p, err)
	}
	x.say(takes)
	if err := d.Resume(t.Context(), target.ID, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Again(t.Context(), target.ID, true); err != nil {
		t.Fatal(err)
	}
	d.restart()
	d.run()
	d.idle(target.ID)
	if _, n, err := d.Refused(t.Context(), target.ID, 1); err != nil || n != 0 || len(counted(x.received())) != 400 {
		t.Errorf("%d refused, %v, %d came", n, err, len(counted(x.received())))
	}
}

// TestKept: passwords and keys lie encrypted in the database, and an empty one in
// a form leaves that which is there.
func TestKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		d := newDesk(t, url, 1, nil)
		target := d.to("127.0.0.1:1", func(t *Target) { t.PW, t.Key = "sesame", "0123456789ABCDEF" })
		if err := d.SetMapping(t.Context(), target.ID, Mapping{MN: ours(1), Theirs: "T", PW: "simsim", Key: "00112233445566778899aabbccddeeff"}); err != nil {
			t.Fatal(err)
		}
		if err := d.SetMapping(t.Context(), target.ID, Mapping{MN: ours(1), Theirs: "T2", ST: "32"}); err != nil {
			t.Fatal(err)
		}
		list, err := d.Mappings(t.Context(), target.ID)
		if err != nil || len(list) != 1 || list[0] != (Mapping{MN: ours(1), Theirs: "T2", ST: "32", PW: "simsim", Key: "00112233445566778899aabbccddeeff"}) {
			t.Errorf("%+v, %v", list, err)
		}
		if now, err := d.Get(t.Context(), target.ID); err != nil || now.PW != "sesame" || now.Key != "0123456789ABCDEF" || now.Edition != 3 {
			t.Errorf("%+v, %v", now, err)
		}
		var text string
		if err := d.base.QueryRow(t.Context(), `SELECT t.pw || t.sm4_key || n.pw || n.sm4_key FROM relay_targets t JOIN relay_names n ON n.target = t.id`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"sesame", "simsim", "0123456789ABCDEF", "00112233"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s lies in the database", secret)
			}
		}
		if err := d.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		var acts int
		if err := d.base.QueryRow(t.Context(), `SELECT count(*) FROM audit_entries WHERE act LIKE 'relay.%'`).Scan(&acts); err != nil || acts != 3 {
			t.Errorf("%d acts in the record, %v", acts, err)
		}
	})
}

// TestHours: how a target does is kept by the hour.
func TestHours(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		d := newDesk(t, url, 2, nil)
		x := newPlatform(t, func(_ int, s sent, p *hj212.Packet, _ net.Conn) []byte {
			if s.mn == ours(2) {
				return coded(p, 9014, "QnRtn=4")
			}
			return takes(0, s, p, nil)
		})
		target := d.to(x.addr, nil)
		d.run()
		for n := range 3 {
			put(t, d.store, frameOf(t, 1, 2011, t0.Add(time.Duration(n)*time.Minute), t0, ""), frameOf(t, 2, 2011, t0.Add(time.Duration(n)*time.Minute), t0, ""))
		}
		d.idle(target.ID)
		for range 2 {
			if err := d.sample(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_ = x.l.Close()
		d.clock.add(90 * time.Minute)
		if err := d.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		hours, err := d.Hours(t.Context(), target.ID, t0.Add(-time.Hour))
		if err != nil || len(hours) != 2 || hours[0] != (Hour{At: t0, Acked: 3, Refused: 3, Seen: 2, Linked: 2}) || hours[1].Seen != 1 || !hours[1].At.Equal(t0.Add(time.Hour)) {
			t.Errorf("%+v, %v", hours, err)
		}
		d.clock.add(keepHours)
		if err := d.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		if hours, err := d.Hours(t.Context(), target.ID, t0.Add(-time.Hour)); err != nil || len(hours) > 2 || hours[0].At.Equal(t0) {
			t.Errorf("%+v, %v", hours, err)
		}
	})
}

// TestRefusedTargets: a target is refused by the name of its field.
func TestRefusedTargets(t *testing.T) {
	t.Parallel()
	d := newDesk(t, t.TempDir()+"/x.db", 1, func(o *Options) { o.Private = false })
	for _, tt := range []struct {
		name, field string
		edit        func(x *Target)
	}{
		{"no name", "name", func(x *Target) { x.Name = "" }},
		{"no address", "host", func(x *Target) { x.Host = "" }},
		{"a URL", "host", func(x *Target) { x.Host = "http://example.org" }},
		{"this machine", "host", func(x *Target) { x.Host = "127.0.0.1" }},
		{"this machine, IPv6", "host", func(x *Target) { x.Host = "::ffff:127.0.0.1" }},
		{"a private network", "host", func(x *Target) { x.Host = "10.1.2.3" }},
		{"port", "port", func(x *Target) { x.Port = 70000 }},
		{"version", "version", func(x *Target) { x.Version = "2004" }},
		{"a separator", "pw", func(x *Target) { x.PW = "1;MN=2" }},
		{"system code", "st", func(x *Target) { x.ST = "31&&" }},
		{"key", "key", func(x *Target) { x.Key = "short" }},
		{"area", "areas", func(x *Target) { x.Areas = []string{"1"} }},
		{"enterprise", "enterprises", func(x *Target) { x.Enterprises = []string{"e2"} }},
		{"outlet", "outlets", func(x *Target) { x.Outlets = []telemetry.OutletID{99} }},
		{"kind", "kinds", func(x *Target) { x.Kinds = []int{9014} }},
		{"rate", "rate", func(x *Target) { x.Rate = 0 }},
		{"window", "window", func(x *Target) { x.Window = 100000 }},
		{"from", "from", func(x *Target) { x.From = t0.Add(time.Hour) }},
	} {
		x := Target{Name: "n", Host: "example.org", Port: 9000, Rate: 1, Window: 1}
		tt.edit(&x)
		_, err := d.Add(t.Context(), x)
		if e, ok := errors.AsType[*errs.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Name != tt.field {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := d.SetMapping(t.Context(), "x", Mapping{MN: "A B", Theirs: ";", ST: "&", PW: "=", Key: "1"}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	// A name that leads to this machine is refused where it is dialled.
	x := newPlatform(t, takes)
	_, port, _ := net.SplitHostPort(x.addr)
	target := d.to("localhost:"+port, nil)
	if _, err := d.Test(t.Context(), target.ID); !errors.Is(err, outbound.ErrPrivate) || !errors.Is(err, ErrUnreached) || !strings.Contains(err.Error(), "relay.allow_private") {
		t.Error(err)
	}
}

// TestTLS: over TLS a target proves its name by a certificate that is trusted.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := testkit.Certificate(t, t.TempDir(), "c", 1, time.Now().Add(24*time.Hour))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	x := newPlatform(t, takes)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go x.serve(l)
	for _, trusted := range []bool{true, false} {
		d := newDesk(t, t.TempDir()+"/x.db", 1, func(o *Options) {
			if trusted {
				o.Roots = roots
			}
		})
		target := d.to(l.Addr().String(), func(t *Target) { t.TLS = true })
		if _, err := d.Test(t.Context(), target.ID); (err == nil) != trusted {
			t.Errorf("trusted %v: %v", trusted, err)
		}
		if !trusted {
			continue
		}
		d.run()
		put(t, d.store, frameOf(t, 1, 2011, t0, t0, ""))
		d.idle(target.ID)
		if len(x.received()) != 1 {
			t.Errorf("%d frames came", len(x.received()))
		}
	}
}
