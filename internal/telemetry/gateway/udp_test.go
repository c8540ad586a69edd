package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// udpSite is a site whose gateway also takes datagrams at host.
func udpSite(t *testing.T, host string, reg *registry, change func(*Options, *store.Options)) (*site, string) {
	t.Helper()
	addr := ""
	s := newSiteWith(t, reg, change, func(g *Gateway) {
		var err error
		if addr, err = g.ListenUDP(net.JoinHostPort(host, "0")); err != nil {
			t.Fatal(err)
		}
	})
	return s, addr
}

// sender is a logger that sends datagrams.
type sender struct {
	t  *testing.T
	nc net.Conn
}

func newSender(t *testing.T, addr string) *sender {
	t.Helper()
	nc, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &sender{t, nc}
}

func framed(segs ...string) string {
	var b []byte
	for _, s := range segs {
		b = hj212.AppendFrame(b, []byte(s))
	}
	return string(b)
}

func (u *sender) send(datagram string) {
	u.t.Helper()
	if _, err := u.nc.Write([]byte(datagram)); err != nil {
		u.t.Fatal(err)
	}
}

// answer returns the next datagram, "" when none comes in time.
func (u *sender) answer(wait time.Duration) string {
	u.t.Helper()
	b := make([]byte, 1<<16)
	_ = u.nc.SetReadDeadline(time.Now().Add(wait))
	n, err := u.nc.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

func (u *sender) expect(segs ...string) {
	u.t.Helper()
	if got, want := u.answer(10*time.Second), framed(segs...); got != want {
		u.t.Fatalf("the gateway answered\n got %q\nwant %q", got, want)
	}
}

// beat sends a heartbeat and expects its answer: the port takes datagrams in
// order, so nothing before it was answered that should have come earlier.
func (u *sender) beat(n int) {
	u.t.Helper()
	qn := fmt.Sprintf("2026112418%07d", n)
	u.send(framed("QN=" + qn + ";ST=31;CN=9015;PW=123456;MN=" + mnA + ";Flag=9;CP=&&&&"))
	u.expect("QN=" + qn + ";ST=91;CN=9013;PW=123456;MN=" + mnA + ";Flag=8;CP=&&&&")
}

// TestDatagrams: two frames in a datagram, repeats, an order that is not that
// of sending, over IPv4 and IPv6; all as over TCP.
func TestDatagrams(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
			if err != nil && host == "::1" {
				t.Skip("this machine has no IPv6 loopback address: ", err)
			} else if err != nil {
				t.Fatal(err)
			}
			_ = pc.Close()
			a := device(mnA)
			a.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
			s, addr := udpSite(t, host, newRegistry(a), nil)
			u := newSender(t, addr)
			r1, r2, r3 := realtime(mnA, 1, "5.1"), realtime(mnA, 2, "5.2"), realtime(mnA, 3, "5.3")
			u.send(framed(r3, r1))
			u.expect(ackOf(r3), ackOf(r1))
			u.send(framed(r2))
			u.expect(ackOf(r2))
			u.send("") // no frame, no answer
			for range 3 {
				u.send(framed(r1))
				u.expect(ackOf(r1))
			}
			if got := s.verdicts(mnA); got != "stored stored stored" {
				t.Errorf("verdicts %q", got)
			}
			d, _ := s.g.Device(mnA)
			if d.Connected || !d.Datagrams || d.Peer != u.nc.LocalAddr().String() || d.Acked != 6 || d.Repeats != 3 {
				t.Errorf("status %+v", d)
			}
			if st := s.g.Stats(); st.Datagrams != 6 || st.UDPPeers != 1 || st.Frames != 6 || st.Bytes == 0 || st.Connections != 0 {
				t.Errorf("stats %+v", st)
			}
			_, err = s.g.Request(t.Context(), mnA, hj212.SetClock("", t0), nil)
			if err != ErrNotConnected { //nolint:errorlint // the value itself is promised
				t.Errorf("a dialogue over UDP: %v", err)
			}
			// The same logger's connection stays what a dialogue goes to.
			p := s.dial()
			p.marker(mnA, 1)
			u.send(framed(r1))
			u.expect(ackOf(r1))
			if d, _ := s.g.Device(mnA); !d.Connected || d.Datagrams {
				t.Errorf("status with a connection %+v", d)
			}
		})
	}
}

// TestDatagramsLost: frames and answers get lost on the way; the logger sends
// again until it is answered, and nothing is stored twice.
func TestDatagramsLost(t *testing.T) {
	t.Parallel()
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), nil)
	u := newSender(t, addr)
	const n = 40
	var want []string
	for i := range n {
		seg := realtime(mnA, i+1, "5.1")
		want = append(want, "stored "+seg)
		for try := range 3 {
			switch {
			case i%2 == 0 && try == 0: // the frame is lost
				continue
			case i%3 == 0 && try < 2: // the answer is lost
				u.send(framed(seg))
				u.expect(ackOf(seg))
				continue
			}
			u.send(framed(seg))
			u.expect(ackOf(seg))
			break
		}
	}
	if got := s.frames(mnA); !slices.Equal(got, want) {
		t.Errorf("stored %d frames, want %d", len(got), len(want))
	}
	if r := s.g.Stats().Repeats; r == 0 {
		t.Error("no repeat was seen")
	}
}

// TestDatagramParts: the parts of a split message are kept each, in whatever
// order they come; what never comes is told.
func TestDatagramParts(t *testing.T) {
	t.Parallel()
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), nil)
	u := newSender(t, addr)
	part := func(n, of int) string {
		return fmt.Sprintf("QN=20261124180001000;ST=31;CN=2011;PW=123456;MN=%s;Flag=7;PNUM=%d;PNO=%d;CP=&&DataTime=20261124180001;a2100%d-Rtd=1.5,a2100%d-Flag=N&&", mnA, of, n, n, n)
	}
	for _, n := range []int{3, 1} {
		u.send(framed(part(n, 3)))
		u.expect(ackOf(part(n, 3)))
	}
	if got := len(s.frames(mnA)); got != 2 {
		t.Errorf("%d parts kept", got)
	}
	s.clock.add(time.Hour)
	s.g.tidy(t.Context(), s.clock.now())
	if d, _ := s.g.Device(mnA); len(d.Incomplete) != 1 || d.Incomplete[0].Got != 2 || d.Incomplete[0].Of != 3 {
		t.Errorf("incomplete %+v", d.Incomplete)
	}
}

// TestDatagramsRefused: strangers, wrong passwords, cut frames and garbage are
// kept as over TCP and never answered; what is cut off does not go on in the
// next datagram.
func TestDatagramsRefused(t *testing.T) {
	t.Parallel()
	locked := device(mnB)
	locked.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA), locked), nil)
	u := newSender(t, addr)
	const stranger = "88888880000001"
	good := framed(realtime(mnA, 1, "5.1"))
	u.send(framed(realtime(stranger, 1, "5.1")))
	u.send(framed(realtime(mnB, 1, "5.1")))
	u.send(strings.Replace(framed(realtime(mnA, 9, "5.1")), "5.1", "5.7", 1))
	u.send(framed(strings.Replace(realtime(mnA, 1, "5.1"), "PW=123456", "PW=654321", 1)))
	u.send(good[:len(good)/2])
	u.send(good[len(good)/2:])
	u.send("GET / HTTP/1.0\r\n\r\n")
	u.send("##")
	u.send("#")
	u.send("##9999" + strings.Repeat("x", 60_000))
	u.send("##0000")
	u.send(strings.Repeat("#", 3000))
	u.beat(1)
	if got := s.verdicts(stranger) + ", " + s.verdicts(mnB); got != "quarantined, quarantined" {
		t.Errorf("verdicts of those who may not send %q", got)
	}
	if got := s.verdicts(mnA); got != "refused:crc_mismatch quarantined refused:half_packet refused:half_packet refused:malformed refused:missing_fields stored" {
		t.Errorf("verdicts %q", got)
	}
	reasons := map[string]string{}
	for _, k := range s.g.Knocking() {
		reasons[k.MN] = k.Reason
	}
	if reasons[stranger] != ReasonUnknown || reasons[mnB] != ReasonNetwork {
		t.Errorf("knocking %v", reasons)
	}
	if st := s.g.Stats(); st.Faults[hj212.HalfPacket] < 2 || st.Faults[hj212.Noise] == 0 || st.Datagrams != 13 {
		t.Errorf("stats %+v", st)
	}
}

// TestDatagramsAfterSync: while the store cannot sync, no answer goes out.
func TestDatagramsAfterSync(t *testing.T) {
	t.Parallel()
	var held atomic.Bool
	var once sync.Once
	free := make(chan struct{})
	release := func() { once.Do(func() { close(free) }) }
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if held.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			<-free
		}
		return nil
	}))
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), func(_ *Options, so *store.Options) { so.FS = fs })
	t.Cleanup(release)
	u := newSender(t, addr)
	u.beat(1)
	held.Store(true)
	seg := realtime(mnA, 1, "5.1")
	u.send(framed(seg))
	u.send(framed(seg)) // impatient
	s.until("received", func() bool { return s.g.Stats().Frames == 3 })
	if got := u.answer(100 * time.Millisecond); got != "" {
		t.Fatalf("answered before it is durable: %q", got)
	}
	release()
	u.expect(ackOf(seg))
	u.expect(ackOf(seg))
	if got := s.verdicts(mnA); got != "stored stored" { // the heartbeat and one record
		t.Errorf("verdicts %q", got)
	}
}

// TestDatagramsStop: what was received is answered before the port closes.
func TestDatagramsStop(t *testing.T) {
	t.Parallel()
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), nil)
	u := newSender(t, addr)
	for n := range 50 {
		u.send(framed(realtime(mnA, n+1, "1")))
	}
	s.until("received", func() bool { return s.g.Stats().Frames > 0 })
	s.stop()
	d, _ := s.g.Device(mnA)
	got := int64(0)
	for u.answer(200*time.Millisecond) != "" {
		got++
	}
	if got == 0 || got != d.Stored || got != s.g.Stats().Stored {
		t.Errorf("%d answers for %d stored frames", got, d.Stored)
	}
}

// TestDatagramsGainNothing: the answers to a datagram are never longer than it,
// and no request of the host goes with them.
func TestDatagramsGainNothing(t *testing.T) {
	t.Parallel()
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.FirstLink = true })
	u := newSender(t, addr)
	beat := framed("QN=20261124180000001;ST=31;CN=9015;PW=123456;MN=" + mnA + ";Flag=9;CP=&&&&")
	u.send(beat[:len(beat)-2]) // without its line end the answer would be longer
	asking := framed("QN=20261124180000003;ST=31;CN=1013;PW=123456;MN=" + mnA + ";Flag=9;CP=&&PolId=w01018&&")
	u.send(asking)
	if got := u.answer(10 * time.Second); got == "" || len(got) > len(asking) {
		t.Errorf("%d bytes for %d: %q", len(got), len(asking), got)
	}
	lost := strings.ReplaceAll(realtime(mnA, 1, "5.1"), "DataTime=2026", "DataTime=2000") // over TCP it would be set right
	u.send(framed(lost))
	u.expect(ackOf(lost))
	u.beat(4)
	if st := s.g.Stats(); st.UDPUnanswered != 1 || st.ClockSets != 0 {
		t.Errorf("stats %+v", st)
	}
}

// TestDatagramQuotas: what is beyond a quota is dropped unanswered, and holds
// nobody else up.
func TestDatagramQuotas(t *testing.T) {
	t.Parallel()
	s, addr := udpSite(t, "127.0.0.1", newRegistry(device(mnA), device(mnB)), func(o *Options, _ *store.Options) {
		o.MNRate, o.ConnRate = Rate{0.001, 3}, Rate{PerSecond: -1}
	})
	u, other := newSender(t, addr), newSender(t, addr)
	for n := range 10 {
		u.send(framed(realtime(mnA, n+1, "1")))
	}
	r := realtime(mnB, 1, "1")
	other.send(framed(r))
	other.expect(ackOf(r))
	if d, _ := s.g.Device(mnA); d.Stored != 3 || s.g.Stats().UDPDropped != 7 {
		t.Errorf("%d stored, stats %+v", d.Stored, s.g.Stats())
	}
}

// TestDatagramPeers: what is remembered of senders is bounded and expires.
func TestDatagramPeers(t *testing.T) {
	t.Parallel()
	s, _ := udpSite(t, "127.0.0.1", newRegistry(device(mnA)), nil)
	u := s.g.udpPort()
	from := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 9)
	}
	for n := range 2 * maxUDPPeers {
		u.peer(from(n), int64(n))
	}
	if n := u.peers(); n != maxUDPPeers {
		t.Errorf("%d peers", n)
	}
	last := u.peer(from(2*maxUDPPeers-1), int64(2*maxUDPPeers))
	u.expire(int64(udpExpiry) + 2*maxUDPPeers - 1)
	if n := u.peers(); n != 1 || u.peer(from(2*maxUDPPeers-1), 0) != last {
		t.Errorf("%d peers after the others expired", n)
	}
	many := &telemetry.Snapshot{Version: 1, Devices: map[string]*telemetry.Device{}}
	for n := range 100 {
		mn := fmt.Sprintf("%024d", n)
		many.Devices[mn] = device(mn)
		last.identify([]byte(mn), many)
	}
	if n := len(last.ids); n > maxUDPIdentities {
		t.Errorf("%d identities of one peer", n)
	}
}
