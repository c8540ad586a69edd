package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// t0 is the time of the tests: 18:00 in UTC+8.
var t0 = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

const (
	mnA = "010000A8900016F000169DC0"
	mnB = "010000A8900016F000169DC1"
)

// clock can be moved.
type clock struct{ ns atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.ns.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

// registry is a registry in memory.
type registry struct {
	mu   sync.Mutex
	snap atomic.Pointer[telemetry.Snapshot]
	fail atomic.Bool
}

func newRegistry(devices ...*telemetry.Device) *registry {
	r := &registry{}
	r.snap.Store(&telemetry.Snapshot{Devices: map[string]*telemetry.Device{}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}})
	for _, d := range devices {
		r.put(d)
	}
	return r
}

func (r *registry) Snapshot() *telemetry.Snapshot { return r.snap.Load() }

// put registers or replaces a device; without an outlet it gets one of its own.
func (r *registry) put(d *telemetry.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.snap.Load()
	next := &telemetry.Snapshot{Version: old.Version + 1, Devices: map[string]*telemetry.Device{}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}}
	maps.Copy(next.Devices, old.Devices)
	maps.Copy(next.Outlets, old.Outlets)
	if d.Outlet == 0 {
		d.Outlet = telemetry.OutletID(len(next.Outlets) + 1)
	}
	if next.Outlets[d.Outlet] == nil {
		next.Outlets[d.Outlet] = &telemetry.Outlet{ID: d.Outlet}
	}
	next.Devices[d.MN] = d
	r.snap.Store(next)
}

func (r *registry) AdoptUnknown(_ context.Context, mn, _ string, _ []string) error {
	if r.fail.Load() {
		return errors.New("registry is read-only")
	}
	if r.Snapshot().Devices[mn] == nil {
		r.put(&telemetry.Device{MN: mn, AutoAdopted: true})
	}
	return nil
}

// site is a gateway with its store.
type site struct {
	t     testing.TB
	g     *Gateway
	store *store.Store
	reg   *registry
	clock *clock
	addr  string
	stop  func() // graceful; waits
}

func newSite(tb testing.TB, reg *registry, change func(*Options, *store.Options)) *site {
	tb.Helper()
	return newSiteWith(tb, reg, change, func(*Gateway) {})
}

// newSiteWith is newSite with something done to the gateway before it serves.
func newSiteWith(tb testing.TB, reg *registry, change func(*Options, *store.Options), open func(*Gateway)) *site {
	tb.Helper()
	s := &site{t: tb, reg: reg, clock: newClock(t0)}
	o := Options{Addr: "127.0.0.1:0", Registry: reg, Now: s.clock.now, OverTime: 2 * time.Second, DrainWait: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)}
	so := store.Options{Now: s.clock.now, CacheMB: 1}
	if change != nil {
		change(&o, &so)
	}
	st, err := store.Open(tb.TempDir(), so)
	if err != nil {
		tb.Fatal(err)
	}
	o.Store, s.store = st, st
	if s.g, err = New(o); err != nil {
		tb.Fatal(err)
	}
	if s.addr, err = s.g.Listen(); err != nil {
		tb.Fatal(err)
	}
	open(s.g)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.g.Serve(ctx) }()
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-served; err != nil {
				tb.Errorf("serve: %v", err)
			}
		})
	}
	tb.Cleanup(func() {
		s.stop()
		if err := st.Close(); err != nil {
			tb.Errorf("close the store: %v", err)
		}
	})
	return s
}

// peer is a test's end of a connection.
type peer struct {
	t    testing.TB
	nc   net.Conn
	scan *hj212.Scanner
}

func (s *site) dial() *peer {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: s.t, nc: nc, scan: hj212.NewScanner(hj212.ScanOptions{})}
}

func (p *peer) write(b string) {
	p.t.Helper()
	if _, err := io.WriteString(p.nc, b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// send writes frames around the segments.
func (p *peer) send(segs ...string) {
	p.t.Helper()
	var b []byte
	for _, s := range segs {
		b = hj212.AppendFrame(b, []byte(s))
	}
	p.write(string(b))
}

// next returns the next segment from the gateway; "" when it closed the connection.
func (p *peer) next() string {
	p.t.Helper()
	for {
		ev, ok := p.scan.Next()
		if ok {
			if ev.Err != nil {
				p.t.Fatalf("the gateway sent %v", ev.Err)
			}
			return string(ev.Seg)
		}
		_ = p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := p.scan.Fill(p.nc); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				p.t.Fatal("no answer from the gateway")
			}
			return ""
		}
	}
}

func (p *peer) expect(segs ...string) {
	p.t.Helper()
	for _, want := range segs {
		if got := p.next(); got != want {
			p.t.Fatalf("the gateway answered\n got %s\nwant %s", got, want)
		}
	}
}

// marker sends a heartbeat and expects its answer next: whatever was sent
// before got no (further) answer, because answers keep their order.
func (p *peer) marker(mn string, n int) {
	p.t.Helper()
	qn := fmt.Sprintf("2026112418%07d", n)
	p.send("QN=" + qn + ";ST=31;CN=9015;PW=123456;MN=" + mn + ";Flag=9;CP=&&&&")
	p.expect("QN=" + qn + ";ST=91;CN=9013;PW=123456;MN=" + mn + ";Flag=8;CP=&&&&")
}

// closed expects that the gateway closes the connection without a word.
func (p *peer) closed() {
	p.t.Helper()
	if got := p.next(); got != "" {
		p.t.Fatalf("the gateway answered %s", got)
	}
}

// realtime is a 2011 segment of mn with one value; n makes QN and DataTime.
func realtime(mn string, n int, value string) string {
	at := t0.Add(time.Duration(n) * time.Second)
	return "QN=" + string(hj212.AppendQN(nil, at)) + ";ST=31;CN=2011;PW=123456;MN=" + mn + ";Flag=5;CP=&&DataTime=" +
		string(hj212.AppendTime(nil, at)) + ";a21026-Rtd=" + value + ",a21026-Flag=N&&"
}

// ackOf is the 9014 for a segment that realtime made.
func ackOf(seg string) string {
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err != nil {
		panic(err)
	}
	v, _, _, _ := p.FlagBits()
	return fmt.Sprintf("QN=%s;ST=91;CN=9014;PW=%s;MN=%s;Flag=%d;CP=&&&&", p.Bytes(p.QN), p.Bytes(p.PW), p.Bytes(p.MN), int(v)<<2)
}

// frames lists what the store has of mn, oldest first, as "verdict raw-segment".
func (s *site) frames(mn string) []string {
	s.t.Helper()
	fs, _, err := s.store.Frames(mn, time.Time{}, t0.AddDate(100, 0, 0), "", 10_000)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, f := range fs {
		seg := f.Raw
		if i := bytes.IndexAny(seg, "QS"); i >= 0 && len(seg) > i+4 {
			seg = seg[i : len(seg)-4]
		}
		out = append(out, f.Verdict.Text(f.Reason)+" "+string(seg))
	}
	return out
}

func (s *site) verdicts(mn string) string {
	s.t.Helper()
	var v []string
	for _, f := range s.frames(mn) {
		name, _, _ := strings.Cut(f, " ")
		v = append(v, name)
	}
	return strings.Join(v, " ")
}

// until waits for something that no answer tells of.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("never came: %s; stats %+v", what, s.g.Stats())
		}
	}
}

func device(mn string) *telemetry.Device { return &telemetry.Device{MN: mn, Password: "123456"} }
