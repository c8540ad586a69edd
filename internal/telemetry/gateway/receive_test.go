package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

func TestRepeatAndRevision(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	first, other := realtime(mnA, 1, "5.10"), realtime(mnA, 1, "5.2")
	for range 3 {
		p.send(first)
		p.expect(ackOf(first))
	}
	p.send(other)
	p.expect(ackOf(other))
	if got := s.verdicts(mnA); got != "stored revision" {
		t.Errorf("verdicts %q", got)
	}
	d, _ := s.g.Device(mnA)
	if d.Stored != 1 || d.Repeats != 2 || d.Revisions != 1 || d.Acked != 4 || !d.Connected || d.Version != "2017" || d.ST != "31" {
		t.Errorf("status %+v", d)
	}
	rec, ok := s.store.Latest(1, telemetry.KindRealtime)
	if !ok || len(rec.Values) != 1 || rec.Values[0].Source() != "5.2" || rec.Values[0].Flag != "N" || !rec.Revised {
		t.Errorf("record %+v", rec)
	}
}

// TestIdentity: who may not send is kept and not answered; the officer's
// decision makes the next frame count.
func TestIdentity(t *testing.T) {
	t.Parallel()
	locked := device(mnB)
	locked.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s := newSite(t, newRegistry(device(mnA), locked), nil)
	p := s.dial()
	const stranger = "88888880000001"
	seg := realtime(stranger, 1, "5.1")
	wrong := strings.Replace(realtime(mnA, 1, "5.1"), "PW=123456", "PW=654321", 1)
	p.send(seg, wrong, realtime(mnB, 1, "5.1"))
	p.marker(mnA, 1)
	if got := s.frames(stranger); len(got) != 1 || got[0] != "quarantined "+seg {
		t.Errorf("frames of the stranger %q", got)
	}
	if got := s.verdicts(mnA); got != "quarantined stored" {
		t.Errorf("verdicts of the wrong password %q", got)
	}
	if got := s.verdicts(mnB); got != "quarantined" {
		t.Errorf("verdicts of the wrong network %q", got)
	}
	reasons := map[string]string{}
	for _, k := range s.g.Knocking() {
		reasons[k.MN] = k.Reason
		if k.MN == stranger {
			want := Knock{
				MN: stranger, Reason: ReasonUnknown, ST: "31", Version: "2017", Peer: p.nc.LocalAddr().String(),
				First: t0, Last: t0, Count: 1, Kept: 1, Codes: []string{"a21026"},
			}
			if diff := cmp.Diff(want, k); diff != "" {
				t.Error(diff)
			}
		}
	}
	if diff := cmp.Diff(map[string]string{stranger: ReasonUnknown, mnA: ReasonPassword, mnB: ReasonNetwork}, reasons); diff != "" {
		t.Error(diff)
	}
	if last, err := s.store.LastFrames(stranger, 5); err != nil || len(last) != 1 || last[0].Reason != ReasonUnknown {
		t.Errorf("last frames %v, %v", last, err)
	}

	s.reg.put(device(stranger))
	p.send(seg)
	p.expect(ackOf(seg))
	if got := s.verdicts(stranger); got != "quarantined stored" {
		t.Errorf("verdicts after adoption %q", got)
	}
	for _, k := range s.g.Knocking() {
		if k.MN == stranger {
			t.Error("still knocking after adoption")
		}
	}
}

func TestAdoptUnknown(t *testing.T) {
	t.Parallel()
	locked := device(mnB)
	locked.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s := newSite(t, newRegistry(locked), func(o *Options, _ *store.Options) { o.AdoptUnknown = true })
	p := s.dial()
	a, b := realtime(mnA, 1, "5.1"), strings.Replace(realtime(mnB, 1, "5.1"), "PW=123456", "PW=000000", 1)
	p.send(a, b)
	p.expect(ackOf(a), ackOf(b))
	if !s.reg.Snapshot().Devices[mnA].AutoAdopted {
		t.Error("not adopted")
	}
	const third = "88888880000001"
	s.reg.fail.Store(true)
	p.send(realtime(third, 1, "5.1"))
	p.marker(mnA, 1)
	if got := s.verdicts(third); got != "quarantined" {
		t.Errorf("verdicts without a registry %q", got)
	}
	// Recorded series may be replayed; a clock that was reset is still seen.
	for _, year := range []string{"2004", "2016", "2000", "2040"} {
		old := strings.Replace(realtime(mnA, 2, "5.1"), "DataTime=2026", "DataTime="+year, 1)
		p.send(old)
		p.expect(ackOf(old))
	}
	if got := s.verdicts(mnA); got != "stored stored stored stored quarantined quarantined" {
		t.Errorf("verdicts of old records %q", got)
	}
}

// TestOutletOutlivesLogger: a new MN on the same outlet goes on with its series.
func TestOutletOutlivesLogger(t *testing.T) {
	t.Parallel()
	old, next := device(mnA), device(mnB)
	old.Outlet, next.Outlet = 7, 7
	s := newSite(t, newRegistry(old, next), nil)
	p := s.dial()
	a, b := realtime(mnA, 1, "5.1"), realtime(mnB, 2, "5.2")
	p.send(a, b)
	p.expect(ackOf(a), ackOf(b))
	n := 0
	if err := s.store.Records(7, telemetry.KindRealtime, 0, 1<<40, func(*telemetry.Record) bool { n++; return true }); err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}

// TestAdoptedLater: what a logger kept while it was unknown is its new outlet's.
func TestAdoptedLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(), nil)
	p := s.dial()
	kept := realtime(mnA, 1, "5.1")
	p.send(kept)
	s.until("it knocks", func() bool { return len(s.frames(mnA)) == 1 })
	s.clock.add(2 * time.Hour)
	s.reg.put(device(mnA))
	s.reg.Snapshot().Outlets[1].Since = s.clock.now()
	p.send(kept)
	p.expect(ackOf(kept))
	if got := s.verdicts(mnA); got != "quarantined stored" {
		t.Errorf("verdicts %q", got)
	}
}

// TestDamaged: damaged frames are kept with their fault, never answered, and
// do not stop what follows.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	good := string(hj212.AppendFrame(nil, []byte(realtime(mnA, 1, "5.1"))))
	crc := good[:len(good)-6] + "0000\r\n"
	long := "##0001" + good[6:] // a wrong length; the true end can be found
	noCP := string(hj212.AppendFrame(nil, []byte("QN=20261124180001000;ST=31;CN=2011;PW=123456;MN="+mnA+";Flag=5")))
	p.write(crc + "garbage\r\n" + long + noCP + good)
	p.expect(ackOf(realtime(mnA, 1, "5.1")))
	if got := s.verdicts(mnA); got != "refused:crc_mismatch refused:length_mismatch refused:cp_not_closed stored" {
		t.Errorf("verdicts %q", got)
	}
	d, _ := s.g.Device(mnA)
	if d.Refused != 3 || d.LastError != hj212.CPNotClosed {
		t.Errorf("status %+v", d)
	}
	if n := s.g.Noise(); len(n) != 1 || !strings.Contains(n[0].Text, "garbage") {
		t.Errorf("noise %+v", n)
	}
}

func TestTolerance(t *testing.T) {
	t.Parallel()
	lax := device(mnA)
	lax.AcceptBadCRC, lax.AcceptBadLength = true, true
	s := newSite(t, newRegistry(lax, device(mnB)), nil)
	p := s.dial()
	frame := func(seg string) string { return string(hj212.AppendFrame(nil, []byte(seg))) }
	a1, a2, b1 := frame(realtime(mnA, 1, "5.1")), frame(realtime(mnA, 2, "5.2")), frame(realtime(mnB, 1, "5.1"))
	p.write(a1[:len(a1)-6] + "0000\r\n" + "##0001" + a2[6:] + b1[:len(b1)-6] + "0000\r\n")
	p.expect(ackOf(realtime(mnA, 1, "5.1")), ackOf(realtime(mnA, 2, "5.2")))
	p.marker(mnB, 1)
	if got := s.verdicts(mnA) + ", " + s.verdicts(mnB); got != "stored stored, refused:crc_mismatch stored" {
		t.Errorf("verdicts %q", got)
	}
	if d, _ := s.g.Device(mnA); d.Tolerated != 2 {
		t.Errorf("tolerated %d", d.Tolerated)
	}
}

func TestPiecesAndStickyFrames(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA), device(mnB)), nil)
	p := s.dial()
	seg := realtime(mnA, 0, "5.1")
	for _, b := range hj212.AppendFrame(nil, []byte(seg)) {
		p.write(string(b))
	}
	p.expect(ackOf(seg))
	var segs, acks []string
	for n := range 300 { // two loggers on one connection, more than one batch
		seg := realtime([]string{mnA, mnB}[n%2], n+1, "6.1")
		segs, acks = append(segs, seg), append(acks, ackOf(seg))
	}
	p.send(segs...)
	p.expect(acks...)
	if st := s.g.Stats(); st.Stored != 301 || st.Frames != 301 || st.Connections != 1 {
		t.Errorf("stats %+v", st)
	}
}

// TestProbes: what port scanners, modems and broken peers send costs them the
// connection at most, and never more memory than the bounds.
func TestProbes(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) {
		o.MaxGarbage, o.HalfPacket, o.IdleTimeout = 16<<10, 50*time.Millisecond, 400*time.Millisecond
	})
	t.Run("http and modem", func(t *testing.T) {
		p := s.dial()
		p.write("GET / HTTP/1.1\r\nHost: a\r\n\r\nAT\r\n+CMTI\r\n###")
		p.send(realtime(mnA, 1, "1"))
		p.expect(ackOf(realtime(mnA, 1, "1")))
	})
	t.Run("a frame of 1 MB", func(t *testing.T) {
		p := s.dial()
		body := "##9999" + strings.Repeat("a21026-Rtd=1.0;", 70_000)
		_, _ = p.nc.Write([]byte(body)) // the gateway may leave before it is out
		p.closed()
		s.until("closed for garbage", func() bool { return s.g.Stats().ClosedGarbage == 1 })
	})
	t.Run("half a frame", func(t *testing.T) {
		p := s.dial()
		whole := string(hj212.AppendFrame(nil, []byte(realtime(mnA, 2, "1"))))
		p.write(whole[:90])
		s.until("half_packet", func() bool { return s.g.Stats().Faults[hj212.HalfPacket] == 1 })
		p.send(realtime(mnA, 3, "1"))
		p.expect(ackOf(realtime(mnA, 3, "1")))
		if !strings.Contains(s.verdicts(mnA), "refused:"+hj212.HalfPacket) {
			t.Errorf("verdicts %q", s.verdicts(mnA))
		}
	})
	t.Run("silence", func(t *testing.T) {
		p := s.dial()
		p.closed()
		s.until("closed for silence", func() bool { return s.g.Stats().ClosedIdle >= 1 })
	})
	t.Run("gone without a word", func(t *testing.T) {
		p := s.dial()
		p.send(realtime(mnA, 4, "1"))
		p.expect(ackOf(realtime(mnA, 4, "1")))
		if err := p.nc.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		_ = p.nc.Close()
		s.until("not connected", func() bool { d, _ := s.g.Device(mnA); return !d.Connected })
	})
	t.Run("half closed", func(t *testing.T) {
		p := s.dial()
		p.send(realtime(mnA, 5, "1"))
		if err := p.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.expect(ackOf(realtime(mnA, 5, "1")))
		p.closed()
	})
	s.until("all connections gone", func() bool { return s.g.Stats().Connections == 0 })
}

// TestTooManyConnections: a newcomer takes the place of one that never sent a
// frame or is a stranger, never that of a logger.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA), device(mnB)), func(o *Options, _ *store.Options) { o.MaxConns = 2 })
	a := s.dial()
	a.marker(mnA, 1)
	idle := s.dial()
	s.until("two connections", func() bool { return s.g.Stats().Connections == 2 })
	stranger := s.dial()
	idle.closed()
	stranger.send(realtime("88888880000001", 1, "1"))
	s.until("the stranger's frame", func() bool { return s.g.Stats().Quarantined == 1 })
	b := s.dial()
	b.marker(mnB, 1)
	stranger.closed()
	c := s.dial()
	c.closed()
	a.marker(mnA, 2)
	if st := s.g.Stats(); st.Rejected != 1 {
		t.Errorf("stats %+v", st)
	}
}

// TestSlowReader: a peer that does not read its answers is left; nobody else
// waits for it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA), device(mnB)), func(o *Options, _ *store.Options) { o.WriteWait = 200 * time.Millisecond })
	deaf := s.dial()
	_ = deaf.nc.(*net.TCPConn).SetReadBuffer(4096)
	go func() {
		var b []byte
		for n := range 200 {
			b = hj212.AppendFrame(b, []byte(realtime(mnA, n, "1")))
		}
		for {
			if _, err := deaf.nc.Write(b); err != nil {
				return
			}
		}
	}()
	other := s.dial()
	for n := range 20 {
		other.marker(mnB, n)
	}
	s.until("left", func() bool { return s.g.Stats().Connections == 1 })
	other.marker(mnB, 99)
}

// TestClock: frames whose time cannot be used are kept, acknowledged and not
// used; the clock is set once a connection.
func TestClock(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	s.reg.Snapshot().Outlets[1].Since = t0.AddDate(-1, 0, 0)
	p := s.dial()
	at := func(qn int, dt string) string {
		return fmt.Sprintf("QN=20261124180000%03d;ST=31;CN=2011;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Rtd=1.0&&", qn, mnA, dt)
	}
	p.send(at(1, "20000101000000"))
	p.expect(ackOf(at(1, "20000101000000")))
	got := p.next()
	if !strings.HasPrefix(got, "QN=20261124180000000;ST=31;CN=1012;PW=123456;MN="+mnA+";Flag=5;CP=&&SystemTime=20261124180000&&") {
		t.Fatalf("no request to set the clock: %s", got)
	}
	bad := []string{at(2, "20400101000000"), at(3, "20241123000000"), at(4, ""), at(5, "202611241800"), at(6, "20261124180000000"), at(7, "20261125180001")}
	bad = append(bad, strings.Replace(at(8, "x"), "DataTime=x;", "", 1))
	well := []string{at(9, "20261125180000"), at(10, "20241124000000"), at(11, "20261124175959")}
	for _, seg := range append(bad, well...) {
		p.send(seg)
		p.expect(ackOf(seg))
	}
	if want := strings.Repeat("quarantined ", 8) + "stored stored stored"; s.verdicts(mnA) != want {
		t.Errorf("verdicts %q", s.verdicts(mnA))
	}
	// A logger whose clock is reset sends the same again: acknowledged, kept once.
	p.send(at(1, "20000101000000"))
	p.expect(ackOf(at(1, "20000101000000")))
	if n := len(s.frames(mnA)); n != 11 {
		t.Errorf("%d frames kept", n)
	}
	again := s.dial()
	again.send(at(2, "20400101000000"))
	again.expect(ackOf(at(2, "20400101000000")))
	if got := again.next(); !strings.Contains(got, "CN=1012") {
		t.Errorf("no request on the second connection: %s", got)
	}
	if n := s.g.Stats().ClockSets; n != 2 {
		t.Errorf("clock set %d times", n)
	}
}

func TestClockOffset(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	for n, late := range []int{90, 600, 95} { // 90 s ahead; one frame was held back
		seg := realtime(mnA, 1000*n+90, "1")
		s.clock.add(time.Duration(1000*n)*time.Second - s.clock.now().Sub(t0) + time.Duration(late-90)*time.Second)
		p.send(seg)
		p.expect(ackOf(seg))
	}
	if d, _ := s.g.Device(mnA); !d.ClockKnown || d.ClockOffset != 90*time.Second {
		t.Errorf("offset %v", d.ClockOffset)
	}
}

func TestSM4(t *testing.T) {
	t.Parallel()
	old, current := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	d := device(mnA)
	d.Keys = [][]byte{current, old}
	s := newSite(t, newRegistry(d, device(mnB)), nil)
	p := s.dial()
	for n, key := range [][]byte{current, old, []byte("another key 1234")} {
		seg := strings.Replace(realtime(mnA, n, "5.1"), "Flag=5", "Flag=9", 1)
		frame, err := hj212.AppendEncrypted(nil, []byte(seg), key)
		if err != nil {
			t.Fatal(err)
		}
		p.write(string(frame))
		if n < 2 {
			p.expect(ackOf(seg))
		}
	}
	p.marker(mnB, 1)
	if got := s.verdicts(mnA); !strings.HasPrefix(got, "stored stored refused:") {
		t.Errorf("verdicts %q", got)
	}
	if st, _ := s.g.Device(mnA); st.Encrypted != 2 || st.Version != "2025" {
		t.Errorf("status %+v", st)
	}
	if rec, ok := s.store.Latest(1, telemetry.KindRealtime); !ok || rec.Values[0].Source() != "5.1" {
		t.Errorf("record %+v", rec)
	}
	// The journal is verified with the keys, and without them as far as that goes.
	plain := strings.Replace(realtime(mnB, 1, "5.1"), "a21026", "a00000", 2) // a shape of its own behind the encrypted ones
	p.send(plain)
	p.expect(ackOf(plain))
	keys := func(string) [][]byte { return d.Keys }
	for _, c := range []struct {
		decode store.Decode
		unread int64
	}{
		{store.Decoder(keys), 0},
		{store.Decoder(nil), 2},
		{store.Decoder(func(string) [][]byte { return [][]byte{current} }), 1},
	} {
		if r, err := s.store.Verify(t.Context(), c.decode); err != nil || !r.OK() || r.Unread != c.unread || r.Rows != 3 {
			t.Errorf("verify: %v %+v", err, r)
		}
	}
}

// TestQuota: a logger above its quota is slowed down and loses nothing.
func TestQuota(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) {
		o.Now, o.MNRate = time.Now, Rate{PerSecond: 100, Burst: 20}
	})
	p := s.dial()
	var segs []string
	now := time.Now()
	for n := range 50 {
		at := string(hj212.AppendTime(nil, now.Add(time.Duration(-n)*time.Second)))
		segs = append(segs, fmt.Sprintf("QN=%s000;ST=31;CN=2011;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Rtd=1.0&&", at, mnA, at))
	}
	began := time.Now()
	p.send(segs...)
	for _, seg := range segs {
		p.expect(ackOf(seg))
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("50 frames in %v at 100/s with a burst of 20", took)
	}
	if st := s.g.Stats(); st.Stored != 50 || st.Throttled == 0 {
		t.Errorf("stats %+v", st)
	}
}

// TestHeldUp: a frame of which the rest came while the gateway itself kept the
// peer waiting is whole.
func TestHeldUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) {
		o.ConnRate, o.HalfPacket = Rate{PerSecond: 2, Burst: 1}, 100*time.Millisecond
	})
	p := s.dial()
	third := string(hj212.AppendFrame(nil, []byte(realtime(mnA, 3, "1"))))
	two := hj212.AppendFrame(hj212.AppendFrame(nil, []byte(realtime(mnA, 1, "1"))), []byte(realtime(mnA, 2, "1")))
	p.write(string(two) + third[:40])
	s.until("held up by the quota", func() bool { return s.g.Stats().Throttled > 0 })
	p.write(third[40:])
	p.expect(ackOf(realtime(mnA, 1, "1")), ackOf(realtime(mnA, 2, "1")), ackOf(realtime(mnA, 3, "1")))
}

// TestHostClockSetBack: nobody waits, and nothing is lost or dropped, because
// the host's own clock was set back.
func TestHostClockSetBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	const stranger = "88888880000001"
	for n, step := range []time.Duration{0, 5 * time.Hour, -10 * time.Hour, 5 * time.Hour} {
		s.clock.add(step)
		p.send(realtime(mnA, n, "1"), realtime(stranger, n, "1"))
		p.expect(ackOf(realtime(mnA, n, "1")))
	}
	if st := s.g.Stats(); st.Throttled != 0 || st.Unkept != 0 || st.Stored != 4 || st.Quarantined != 4 {
		t.Errorf("stats %+v", st)
	}
	for _, k := range s.g.Knocking() {
		if k.Count != 4 {
			t.Errorf("knocked %d times", k.Count)
		}
	}
}

// TestEvidenceQuota: damaged frames beyond the quota are counted, not kept.
func TestEvidenceQuota(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.MaxGarbage = 1 << 20 })
	p := s.dial()
	var b strings.Builder
	for n := range 1500 {
		f := string(hj212.AppendFrame(nil, []byte(realtime(mnA, n, "5.1"))))
		b.WriteString(f[:len(f)-6] + "0002\r\n")
	}
	go p.write(b.String())
	s.until("1,500 faults", func() bool { return s.g.Stats().Faults[hj212.CRCMismatch] == 1500 })
	p.marker(mnA, 1)
	if kept := len(s.frames(mnA)) - 1; kept < 900 || kept > 1000 {
		t.Errorf("%d kept", kept)
	}
	if n := s.g.Stats().Unkept; n < 500 {
		t.Errorf("%d counted only", n)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	part := func(qn, no int, dt, code string) string {
		return fmt.Sprintf("QN=20261124180000%03d;ST=31;CN=2051;PW=123456;MN=%s;Flag=7;PNUM=3;PNO=%04d;CP=&&DataTime=%s;%s-Avg=1.0,%s-Flag=N&&", qn, mnA, no, dt, code, code)
	}
	for _, seg := range []string{
		part(1, 2, "20261124170000", "a2"), part(2, 1, "20261124170000", "a1"), part(2, 1, "20261124170000", "a1"), part(3, 3, "20261124170000", "a3"),
		part(4, 1, "20261124171000", "a1"), part(5, 3, "20261124171000", "a3"),
	} {
		p.send(seg)
		p.expect(ackOf(seg))
	}
	if got := s.verdicts(mnA); got != "stored stored stored stored stored" {
		t.Errorf("verdicts %q", got)
	}
	s.clock.add(101 * time.Second)
	s.g.tidy(t.Context(), s.clock.now())
	d, _ := s.g.Device(mnA)
	want := []Incomplete{{MN: mnA, CN: "2051", DataTime: "20261124171000", Got: 2, Of: 3, At: s.clock.now()}}
	if diff := cmp.Diff(want, d.Incomplete); diff != "" {
		t.Error(diff)
	}
}

// TestDeviceInformation: information of two analysers at one time stands beside
// one another; another value of the same is a revision.
func TestDeviceInformation(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	info := func(qn int, pol, state string) string {
		return fmt.Sprintf("QN=20261124180000%03d;ST=32;CN=3020;PW=123456;MN=%s;Flag=5;CP=&&DataTime=20261124175900;PolId=%s;i12001-Info=%s&&", qn, mnA, pol, state)
	}
	for n, seg := range []string{info(1, "w01018", "0"), info(2, "w21003", "1"), info(3, "w21003", "1"), info(4, "w01018", "2")} {
		p.send(seg)
		if p.expect(ackOf(seg)); t.Failed() {
			t.Fatalf("frame %d", n)
		}
	}
	if got := s.verdicts(mnA); got != "stored stored revision" {
		t.Errorf("verdicts %q", got)
	}
	rec, ok := s.store.Latest(1, telemetry.KindInfo)
	if a, found := rec.Find("w01018/i12001", "Info"); !ok || !found || a.Source() != "2" || len(rec.Values) != 2 {
		t.Errorf("record %+v", rec)
	}
	if r, err := s.store.Verify(t.Context(), store.Decoder(nil)); err != nil || !r.OK() {
		t.Errorf("verify: %v %v", err, r.Faults)
	}
}

// TestOddCommands: unknown commands are kept and answered by the rule of the
// reference; answers of devices are never answered.
func TestOddCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	seg := func(qn int, cn, flag string) string {
		return fmt.Sprintf("QN=20261124180000%03d;ST=31;CN=%s;PW=123456;MN=%s;Flag=%s;CP=&&&&", qn, cn, mnA, flag)
	}
	answered := func(qn, cn int, flag string) string {
		return fmt.Sprintf("QN=20261124180000%03d;ST=91;CN=%d;PW=123456;MN=%s;Flag=%s;CP=&&&&", qn, cn, mnA, flag)
	}
	p.send(seg(1, "2999", "5"), seg(2, "9021", "5"), seg(3, "9015", "9"), seg(4, "1014", "5"), seg(5, "1888", "9"),
		seg(6, "8013", "5"), seg(7, "9011", "5"), seg(8, "9012", "5"), seg(9, "9013", "5"), seg(10, "9014", "5"), seg(11, "abc", "5"),
		seg(12, "3020", "5"), seg(13, "2999", "4"))
	p.expect(answered(1, 9014, "4"), answered(2, 9014, "4"), answered(3, 9013, "8"), answered(4, 9013, "4"), answered(5, 9013, "8"), answered(12, 9014, "4"))
	p.send("ST=31;CN=2011;PW=123456;MN=" + mnA + ";Flag=5;CP=&&DataTime=20261124180000;a21026-Rtd=1&&") // no QN to answer
	p.marker(mnA, 20)
	if got := s.verdicts(mnA); strings.Count(got, "stored") != 15 || strings.Contains(got, "quarantined") {
		t.Errorf("verdicts %q", got)
	}
	if d, _ := s.g.Device(mnA); d.Unanswered != 3 {
		t.Errorf("unanswered %d", d.Unanswered)
	}
}

// TestStoreFails: while nothing can be made durable nothing is acknowledged,
// connections stay, and the first frame after the recovery is.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	s := newSite(t, newRegistry(device(mnA)), func(_ *Options, so *store.Options) { so.FS = fs })
	p := s.dial()
	p.send(realtime(mnA, 1, "1"))
	p.expect(ackOf(realtime(mnA, 1, "1")))
	broken.Store(true)
	p.send(realtime(mnA, 2, "1"))
	s.until("unstored", func() bool { return s.g.Stats().Unstored >= 1 })
	broken.Store(false)
	for { // as a logger does: the same again until it is answered
		before := s.g.Stats()
		p.send(realtime(mnA, 2, "1"))
		s.until("an outcome", func() bool {
			st := s.g.Stats()
			return st.Stored+st.Repeats+st.Unstored > before.Stored+before.Repeats+before.Unstored
		})
		if st := s.g.Stats(); st.Stored > before.Stored {
			break
		}
	}
	p.expect(ackOf(realtime(mnA, 2, "1"))) // the first and only one
	p.marker(mnA, 3)
	if got := s.verdicts(mnA); got != "stored stored stored" {
		t.Errorf("verdicts %q", got)
	}
}

// TestGracefulStop: what was received is durable and answered before the
// connection ends.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	p := s.dial()
	p.marker(mnA, 1)
	var segs []string
	for n := range 200 {
		segs = append(segs, realtime(mnA, n, "1"))
	}
	p.send(segs...)
	s.until("received", func() bool { return s.g.Stats().Frames > 0 })
	s.stop()
	acked := 0
	for p.next() != "" {
		acked++
	}
	if kept := len(s.frames(mnA)) - 1; kept != acked {
		t.Errorf("%d stored, %d acknowledged", kept, acked)
	}
	if _, err := net.DialTimeout("tcp", s.addr, time.Second); err == nil {
		t.Error("still accepting")
	}
}

// TestListenerFails: the gateway says so and leaves nobody connected.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.TempDir(), store.Options{CacheMB: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := &site{t: t, reg: newRegistry(device(mnA)), store: st, clock: newClock(t0)}
	if s.g, err = New(Options{Addr: "127.0.0.1:0", Registry: s.reg, Store: st, Now: s.clock.now}); err != nil {
		t.Fatal(err)
	}
	if s.addr, err = s.g.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.g.Serve(t.Context()) }()
	p := s.dial()
	p.marker(mnA, 1)
	if err := s.g.listener.Close(); err != nil {
		t.Fatal(err)
	}
	p.closed()
	if err := <-served; err == nil {
		t.Error("no error")
	}
}
