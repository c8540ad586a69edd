package relay

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// t0 is the time of the tests: 18:00 in UTC+8.
var t0 = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// fixed is a registry that does not change.
type fixed struct{ snap telemetry.Snapshot }

func (f *fixed) Snapshot() *telemetry.Snapshot { return &f.snap }

func (*fixed) AdoptUnknown(context.Context, string, string, []string) error {
	return errors.New("nobody is adopted")
}

// outletsOf is a registry of n outlets; every second lies in area 540102.
func outletsOf(n int) *fixed {
	f := &fixed{telemetry.Snapshot{
		Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{}, Enterprises: map[string]*telemetry.Enterprise{"e1": {ID: "e1"}},
		Areas: map[string]*telemetry.Area{"540000": {Code: "540000"}, "540102": {Code: "540102", Parent: "540000"}, "540621": {Code: "540621", Parent: "540000"}},
	}}
	for i := 1; i <= n; i++ {
		o := &telemetry.Outlet{ID: telemetry.OutletID(i), Area: []string{"540102", "540621"}[i%2]}
		f.snap.Outlets[o.ID] = o
		f.snap.Devices[ours(i)] = &telemetry.Device{MN: ours(i), Outlet: o.ID, Password: "100000"}
	}
	return f
}

func ours(i int) string   { return fmt.Sprintf("010000A8900016F00016%04d", i) }
func theirs(i int) string { return fmt.Sprintf("88888880%06d", i) }

// frameOf makes a stored frame of outlet i.
func frameOf(tb testing.TB, i, cn int, at, received time.Time, version string) *store.Frame {
	tb.Helper()
	head := fmt.Sprintf("QN=%s;ST=31;CN=%d;PW=100000;MN=%s;Flag=5;", hj212.AppendQN(nil, at.Add(time.Duration(i)*time.Millisecond)), cn, ours(i))
	switch version {
	case "2005":
		head = fmt.Sprintf("ST=31;CN=%d;PW=100000;MN=%s;", cn, ours(i))
	case "2005 acknowledged":
		head = fmt.Sprintf("ST=31;CN=%d;QN=%s;PW=100000;MN=%s;Flag=1;", cn, hj212.AppendQN(nil, at), ours(i))
	case "quiet":
		head = strings.Replace(head, "Flag=5", "Flag=4", 1)
	}
	seg := fmt.Sprintf("%sCP=&&DataTime=%s;a21026-Rtd=%d.50,a21026-Flag=N&&", head, hj212.AppendTime(nil, at), at.Unix()%1000)
	raw := hj212.AppendFrame(nil, []byte(seg))
	raw = raw[:len(raw)-2]
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err != nil {
		tb.Fatal(err)
	}
	return &store.Frame{
		MN: ours(i), Outlet: telemetry.OutletID(i), Kind: telemetry.KindOf(cn), At: at.Unix(), Received: received, Raw: raw, Verdict: telemetry.Stored, Values: telemetry.ValuesOf(&p, nil),
	}
}

// put stores frames, each call in groups of its own.
func put(tb testing.TB, s *store.Store, frames ...*store.Frame) {
	tb.Helper()
	var wg sync.WaitGroup
	wg.Add(len(frames))
	for _, f := range frames {
		f.Done = func(r store.Result) {
			if r.Err != nil || r.Repeat {
				tb.Errorf("%+v", r)
			}
			wg.Done()
		}
	}
	if err := s.SubmitBatch(tb.Context(), frames); err != nil {
		tb.Fatal(err)
	}
	wg.Wait()
}

func openStore(tb testing.TB, o store.Options) *store.Store {
	tb.Helper()
	o.CacheMB, o.MemMB = 1, 4
	s, err := store.Open(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// clock can be moved.
type clock struct{ ns atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.ns.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

// desk is a sender with its journal and database.
type desk struct {
	*Service
	tb    testing.TB
	base  *db.DB
	store *store.Store
	reg   *fixed
	clock *clock
	opt   Options
	halt  func()
}

func newDesk(tb testing.TB, url string, outlets int, change func(o *Options)) *desk {
	tb.Helper()
	base, err := db.Open(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = base.Close() })
	sealer, err := auth.OpenSealer(filepath.Join(tb.TempDir(), auth.KeyFile))
	if err != nil {
		tb.Fatal(err)
	}
	d := &desk{tb: tb, base: base, reg: outletsOf(outlets), clock: newClock(t0)}
	d.store = openStore(tb, store.Options{NoSync: true})
	d.opt = Options{
		DB: base, Journal: d.store, Registry: d.reg, Sealer: sealer, Now: d.clock.now, Private: true,
		OverTime: 500 * time.Millisecond, First: 5 * time.Millisecond, Longest: 20 * time.Millisecond, SaveEvery: 5 * time.Millisecond, Look: 50 * time.Millisecond,
	}
	if change != nil {
		change(&d.opt)
	}
	d.restart()
	return d
}

// restart makes a new service over the same database and journal.
func (d *desk) restart() {
	d.tb.Helper()
	s, err := New(d.opt)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.Service = s
}

// run sends until stop, which waits.
func (d *desk) run() {
	d.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var once sync.Once
	d.halt = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				d.tb.Error(err)
			}
		})
	}
	d.tb.Cleanup(d.halt)
}

// to adds a target at an address.
func (d *desk) to(addr string, change func(t *Target)) Target {
	d.tb.Helper()
	host, port, _ := net.SplitHostPort(addr)
	t := Target{Name: "省平台", Host: host, Ack: true, Rate: maxRate, Window: 64}
	_, _ = fmt.Sscan(port, &t.Port)
	if change != nil {
		change(&t)
	}
	t, err := d.Add(d.tb.Context(), t)
	if err != nil {
		d.tb.Fatal(err)
	}
	return t
}

// until waits for something that a service does by itself.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("never came: %s", what)
		}
	}
}

// idle waits until nothing is left to be sent to a target.
func (d *desk) idle(id string) {
	d.tb.Helper()
	until(d.tb, "everything is sent", func() bool {
		p, err := progressOf(d.tb.Context(), d.base, id)
		if err != nil {
			d.tb.Fatal(err)
		}
		var again int
		if err := d.base.QueryRow(d.tb.Context(), `SELECT count(*) FROM relay_refused WHERE again = 1`).Scan(&again); err != nil {
			d.tb.Fatal(err)
		}
		return p.Live == d.store.Tail() && len(p.Past) == 0 && again == 0
	})
}

// region is a second instance of the program's receiving side.
type region struct {
	store *store.Store
	g     *gateway.Gateway
	addr  string
}

func newRegion(tb testing.TB, devices ...*telemetry.Device) *region {
	tb.Helper()
	reg := &fixed{telemetry.Snapshot{Version: 1, Devices: map[string]*telemetry.Device{}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}}}
	for i, d := range devices {
		d.Outlet = telemetry.OutletID(i + 1)
		reg.snap.Devices[d.MN] = d
		reg.snap.Outlets[d.Outlet] = &telemetry.Outlet{ID: d.Outlet}
	}
	x := &region{store: openStore(tb, store.Options{NoSync: true})}
	var err error
	if x.g, err = gateway.New(gateway.Options{Addr: "127.0.0.1:0", Store: x.store, Registry: reg, Now: func() time.Time { return t0.AddDate(0, 0, 1) }, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		tb.Fatal(err)
	}
	if x.addr, err = x.g.Listen(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- x.g.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return x
}

// segments lists what came from a logger, in order of arrival.
func (x *region) segments(tb testing.TB, mn string) (out []string) {
	tb.Helper()
	for cursor := ""; ; {
		page, next, err := x.store.Frames(mn, time.Time{}, time.Time{}, cursor, 500)
		if err != nil {
			tb.Fatal(err)
		}
		for i := range page {
			seg, err := page[i].Segment(nil)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(out, string(seg))
		}
		if cursor = next; next == "" {
			return out
		}
	}
}

// sent is a frame that a platform of tests received.
type sent struct {
	conn int
	seg  string
	mn   string
	qn   string
	cn   int
	time string
}

// platform is a host that answers as a test says.
type platform struct {
	tb   testing.TB
	addr string
	l    net.Listener

	mu      sync.Mutex
	conns   int
	got     []sent
	answer  func(n int, s sent, p *hj212.Packet, c net.Conn) []byte // of frame n in all; nil = none
	greet   []byte                                                  // sent at each connection
	replies []string                                                // acknowledgements of ours: what we answered
}

func newPlatform(tb testing.TB, answer func(n int, s sent, p *hj212.Packet, c net.Conn) []byte) *platform {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	x := &platform{tb: tb, l: l, addr: l.Addr().String(), answer: answer}
	tb.Cleanup(func() { _ = l.Close() })
	go x.serve(l)
	return x
}

func (x *platform) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		x.mu.Lock()
		x.conns++
		n, greet := x.conns, x.greet
		x.mu.Unlock()
		go x.talk(n, c, greet)
	}
}

func (x *platform) talk(conn int, c net.Conn, greet []byte) {
	defer c.Close()
	if len(greet) > 0 {
		_, _ = c.Write(greet)
	}
	s := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	for {
		if _, err := s.Fill(c); err != nil {
			return
		}
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err != nil || p.Parse(ev.Seg) != nil {
				x.tb.Errorf("the sender wrote %q: %v", ev.Raw, ev.Err)
				continue
			}
			if p.IsAck() {
				x.mu.Lock()
				x.replies = append(x.replies, string(ev.Seg))
				x.mu.Unlock()
				continue
			}
			at, _ := p.Param("DataTime")
			f := sent{conn, string(ev.Seg), string(p.Bytes(p.MN)), string(p.Bytes(p.QN)), p.Command(), string(at)}
			x.mu.Lock()
			x.got = append(x.got, f)
			n, answer := len(x.got), x.answer
			x.mu.Unlock()
			if b := answer(n, f, &p, c); b != nil {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}
	}
}

func (x *platform) received() []sent {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.got)
}

func (x *platform) say(answer func(n int, s sent, p *hj212.Packet, c net.Conn) []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = answer
}

// takes acknowledges everything.
func takes(_ int, _ sent, p *hj212.Packet, _ net.Conn) []byte {
	b, _ := hj212.AppendAck(nil, p)
	return b
}

// coded is a 9014 or 9011 with a code.
func coded(p *hj212.Packet, cn int, code string) []byte {
	return hj212.AppendFrame(nil, fmt.Appendf(nil, "QN=%s;ST=91;CN=%d;PW=%s;MN=%s;Flag=4;CP=&&%s&&", p.Bytes(p.QN), cn, p.Bytes(p.PW), p.Bytes(p.MN), code))
}

// inOrder fails where the frames of a logger did not come in the order of their
// DataTime, repeats left out.
func inOrder(tb testing.TB, got []sent) {
	tb.Helper()
	last := map[string]string{}
	seen := map[string]bool{}
	for _, s := range got {
		if seen[s.seg] {
			continue
		}
		seen[s.seg] = true
		if s.time < last[s.mn] {
			tb.Errorf("%s: %s came behind %s", s.mn, s.time, last[s.mn])
		}
		last[s.mn] = s.time
	}
}

func each(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, d.URL(t))
		})
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		return
	}
	if err := flag.Set("rapid.checks", "25"); err != nil { // each runs a service for a while; the flag still counts
		panic(err)
	}
	os.Exit(testkit.Main(m))
}

// counted is how often each frame came.
func counted(got []sent) map[string]int {
	out := map[string]int{}
	for _, s := range got {
		out[s.seg]++
	}
	return out
}
