package simulator

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
)

// testHost is a host for one test: it keeps what it gets, acks by ack, and
// sends requests.
type testHost struct {
	t    *testing.T
	ln   net.Listener
	keys map[string][]byte
	// ack decides whether the n-th frame of a CN (from 1) is acked; nil = always.
	ack func(cn, n int, p *hj212.Packet) bool

	mu     sync.Mutex
	frames []hostFrame
	faults []string
	counts map[int]int
	conns  int
	conn   net.Conn
	news   chan struct{}
}

type hostFrame struct {
	cn  int
	seg string
	raw string
}

func newTestHost(t *testing.T) *testHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &testHost{t: t, ln: ln, keys: map[string][]byte{}, counts: map[int]int{}, news: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = ln.Close() })
	go h.serve()
	return h
}

func (h *testHost) addr() string { return h.ln.Addr().String() }

func (h *testHost) serve() {
	for {
		c, err := h.ln.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		h.conns++
		h.conn = c
		h.mu.Unlock()
		h.wake()
		go h.handle(c)
	}
}

func (h *testHost) handle(c net.Conn) {
	defer c.Close()
	sc := hj212.NewScanner(hj212.ScanOptions{Keys: func(mn []byte) [][]byte {
		if k := h.keys[string(mn)]; k != nil {
			return [][]byte{k}
		}
		return nil
	}})
	buf := make([]byte, 8192)
	r := bufio.NewReader(c)
	for {
		n, err := r.Read(buf)
		sc.Feed(buf[:n])
		for {
			ev, ok := sc.Next()
			if !ok {
				break
			}
			h.event(c, ev)
		}
		if err != nil {
			return
		}
	}
}

func (h *testHost) event(c net.Conn, ev hj212.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wake()
	if ev.Err != nil {
		h.faults = append(h.faults, ev.Err.Name)
		return
	}
	var p hj212.Packet
	if err := p.Parse(ev.Seg); err != nil {
		h.faults = append(h.faults, err.Error())
		return
	}
	cn := p.Command()
	h.counts[cn]++
	h.frames = append(h.frames, hostFrame{cn, string(ev.Seg), string(ev.Raw)})
	v, wants, _, ok := p.FlagBits()
	if !ok || !wants || h.ack != nil && !h.ack(cn, h.counts[cn], &p) {
		return
	}
	qn, mn, pw := p.Bytes(p.QN), p.Bytes(p.MN), p.Bytes(p.PW)
	seg := fmt.Sprintf("QN=%s;ST=91;CN=9014;PW=%s;MN=%s;Flag=%d;CP=&&&&", qn, pw, mn, int(v)<<2)
	if v == 0 {
		seg = fmt.Sprintf("ST=91;CN=9014;CP=&&QN=%s;CN=%d&&", qn, cn)
	}
	_, _ = c.Write(hj212.AppendFrame(nil, []byte(seg)))
}

func (h *testHost) wake() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// request sends a request over the newest connection.
func (h *testHost) request(p *Plant, qn string, cn int, pw, mn, cp string) {
	h.t.Helper()
	if pw == "" {
		pw = p.Device.Password
	}
	if mn == "" {
		mn = p.Device.MN
	}
	flag := map[int]int{2005: 3, 2017: 5, 2025: 9}[p.Version]
	seg := fmt.Sprintf("QN=%s;ST=31;CN=%d;PW=%s;MN=%s;Flag=%d;CP=&&%s&&", qn, cn, pw, mn, flag, cp)
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.conn.Write(hj212.AppendFrame(nil, []byte(seg))); err != nil {
		h.t.Errorf("send request %d: %v", cn, err)
	}
}

// wait blocks until cond holds for what has come, or fails the test.
func (h *testHost) wait(what string, cond func(fs []hostFrame) bool) []hostFrame {
	h.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		h.mu.Lock()
		fs := h.frames
		h.mu.Unlock()
		if cond(fs) {
			return fs
		}
		select {
		case <-h.news:
		case <-deadline:
			h.t.Fatalf("no %s within 15 s; got %d frames, faults %v", what, len(fs), h.faults)
		}
	}
}

// got returns what has come so far.
func (h *testHost) got() []hostFrame {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.frames
}

// find returns the segments of a CN that contain all the texts.
func find(fs []hostFrame, cn int, texts ...string) []string {
	var out []string
next:
	for _, f := range fs {
		if f.cn != cn {
			continue
		}
		for _, t := range texts {
			if !strings.Contains(f.seg, t) {
				continue next
			}
		}
		out = append(out, f.seg)
	}
	return out
}

func runLogger(t *testing.T, w *World, i int, o LoggerOptions) *Stats {
	t.Helper()
	stats := &Stats{}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := w.Logger(i, o, stats)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return stats
}

// plantOf returns the first plant that fits.
func plantOf(t *testing.T, w *World, fits func(*Plant) bool) int {
	t.Helper()
	for i, p := range w.Plants {
		if fits(p) {
			return i
		}
	}
	t.Fatal("no such plant in the region")
	return -1
}

func isPlain2017(p *Plant) bool { return p.Version == 2017 && p.Quirk == "" && isGas(p) && p.o2 >= 0 }

func TestLoggerUploads(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	for _, c := range []struct {
		name string
		fits func(*Plant) bool
		want []int
	}{
		{"2017 gas", isPlain2017, []int{2081, 2011, 2021, 2051, 2061}},
		{"2017 surface", func(p *Plant) bool { return p.Quirk == "flag9" }, []int{2081, 2011, 2061}},
		{"2005 without QN", func(p *Plant) bool { return p.Version == 2005 && p.Quirk == "" }, []int{2011, 2021, 2051, 2061}},
		{"2005 with QN", func(p *Plant) bool { return p.Quirk == "qn05" }, []int{2011, 2021, 2051, 2061}},
		{"2025", func(p *Plant) bool { return p.Version == 2025 && p.Quirk == "" }, []int{2081, 2011, 2021, 2051, 2061}},
		{"2025 encrypted", func(p *Plant) bool { return p.Quirk == "encrypted" }, []int{2081, 2011, 2021, 2051, 2061}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t)
			i := plantOf(t, w, c.fits)
			p := w.Plants[i]
			if len(p.Device.Keys) > 0 {
				h.keys[p.Device.MN] = p.Device.Keys[0]
			}
			// Ten simulated minutes a second, starting two minutes before the hour.
			stats := runLogger(t, w, i, LoggerOptions{Addr: h.addr(), Epoch: testNow.Truncate(time.Hour).Add(-2 * time.Minute), Speed: 600, Realtime: 30 * time.Second})
			fs := h.wait("all kinds", func(fs []hostFrame) bool {
				for _, cn := range c.want {
					if len(find(fs, cn)) == 0 {
						return false
					}
				}
				return true
			})
			for _, f := range fs {
				if !strings.Contains(f.seg, "PW="+p.Device.Password+";MN="+p.Device.MN) {
					t.Errorf("identity missing: %s", f.seg)
				}
				if len(f.seg) > maxSegment {
					t.Errorf("segment of %d bytes: %s", len(f.seg), f.seg)
				}
				if p.Quirk == "encrypted" && bytes.Contains([]byte(f.raw), []byte("DataTime=")) {
					t.Errorf("readable on the wire: %s", f.raw)
				}
			}
			h.mu.Lock()
			if len(h.faults) > 0 {
				t.Errorf("faults without asking for them: %v", h.faults)
			}
			h.mu.Unlock()
			if p.Version == 2005 {
				if s := find(fs, 2011)[0]; strings.Contains(s, "w01018") || strings.Contains(s, "a21026") {
					t.Errorf("codes of 2017 from a 2005 logger: %s", s)
				}
			}
			_ = stats
		})
	}
}

func TestLoggerResends(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	first := map[string]bool{}
	h.ack = func(cn, _ int, p *hj212.Packet) bool { // every frame is acked the second time only
		qn := string(p.Bytes(p.QN))
		seen := first[qn]
		first[qn] = true
		return seen
	}
	stats := runLogger(t, w, plantOf(t, w, isPlain2017), LoggerOptions{Addr: h.addr(), Epoch: testNow, OverTime: 40 * time.Millisecond, Realtime: time.Second, KeepRealtime: true})
	fs := h.wait("re-sent frames", func(fs []hostFrame) bool { return stats.Acked.Load() >= 3 })
	times := map[string]int{}
	for _, f := range fs {
		times[f.seg]++
	}
	for seg, n := range times {
		if n > 3 {
			t.Errorf("sent %d times: %s", n, seg)
		}
	}
	if stats.Resent.Load() < 3 {
		t.Errorf("resent %d", stats.Resent.Load())
	}
}

// TestLoggerGivesUp: a host that never acks is left and dialled again.
func TestLoggerGivesUp(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	h.ack = func(int, int, *hj212.Packet) bool { return false }
	stats := runLogger(t, w, plantOf(t, w, isPlain2017), LoggerOptions{Addr: h.addr(), Epoch: testNow, OverTime: 10 * time.Millisecond, ReCount: 2, Realtime: time.Second, KeepRealtime: true})
	h.wait("a second connection", func([]hostFrame) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.conns >= 2
	})
	if stats.Acked.Load() != 0 || stats.Resent.Load() < 2 {
		t.Errorf("acked %d, resent %d", stats.Acked.Load(), stats.Resent.Load())
	}
}

// dialogue is a request of the host and what the logger should make of it.
type dialogue struct {
	name       string
	cn         int
	pw, mn, cp string
	qnRtn      string
	exeRtn     string   // "" = the exchange ends with the 9011
	data       []string // texts of a returned frame of the same CN
	n          int      // of how many
}

// hold goes through dialogues with plant i's logger.
func hold(t *testing.T, h *testHost, p *Plant, list []dialogue) {
	t.Helper()
	for k, c := range list {
		qn := fmt.Sprintf("2026112410%07d", k)
		h.mu.Lock()
		h.frames = nil
		h.mu.Unlock()
		h.request(p, qn, c.cn, c.pw, c.mn, c.cp)
		fs := h.wait(c.name+": 9011", func(fs []hostFrame) bool { return len(find(fs, 9011, "QN="+qn)) == 1 })
		if got := find(fs, 9011, "QN="+qn, "QnRtn="+c.qnRtn+"&&"); len(got) != 1 {
			t.Errorf("%s: want QnRtn=%s, got %v", c.name, c.qnRtn, find(fs, 9011))
			continue
		}
		if c.exeRtn == "" {
			continue
		}
		fs = h.wait(c.name+": 9012", func(fs []hostFrame) bool { return len(find(fs, 9012, "QN="+qn)) == 1 })
		if got := find(fs, 9012, "ExeRtn="+c.exeRtn+"&&"); len(got) != 1 {
			t.Errorf("%s: want ExeRtn=%s, got %v", c.name, c.exeRtn, find(fs, 9012))
		}
		if got := find(fs, c.cn, c.data...); len(got) != c.n {
			t.Errorf("%s: %d frames with %v, want %d; got %v", c.name, len(got), c.data, c.n, find(fs, c.cn))
		}
		if fs[len(fs)-1].cn != 9012 && c.n > 0 {
			t.Errorf("%s: 9012 was not the last: %v", c.name, fs)
		}
	}
}

func TestLoggerCommands(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	i := plantOf(t, w, func(p *Plant) bool { return isPlain2017(p) && len(p.factors) < 10 }) // hours fit one frame
	p := w.Plants[i]
	runLogger(t, w, i, LoggerOptions{Addr: h.addr(), Epoch: testNow, Realtime: time.Hour})
	h.wait("a connection", func(fs []hostFrame) bool { return len(find(fs, 2081)) > 0 })
	hold(t, h, p, []dialogue{
		{name: "wrong password", cn: 1011, pw: "000000", qnRtn: "3"},
		{name: "wrong MN", cn: 1011, mn: "0000000000000000000000FF", qnRtn: "4"},
		{name: "unknown command", cn: 1099, qnRtn: "8"},
		{name: "clock", cn: 1011, qnRtn: "1", exeRtn: "1", data: []string{"SystemTime=2026112410"}, n: 1},
		{name: "set clock", cn: 1012, cp: "SystemTime=20300101000000", qnRtn: "1", exeRtn: "1"},
		{name: "clock again", cn: 1011, qnRtn: "1", exeRtn: "1", data: []string{"SystemTime=203001010000"}, n: 1},
		{name: "real-time interval", cn: 1061, qnRtn: "1", exeRtn: "1", data: []string{"RtdInterval=3600"}, n: 1},
		{name: "set real-time interval", cn: 1062, cp: "RtdInterval=45", qnRtn: "1", exeRtn: "1"},
		{name: "real-time interval too short", cn: 1062, cp: "RtdInterval=5", qnRtn: "1", exeRtn: "3"},
		{name: "set minute interval", cn: 1064, cp: "MinInterval=5", qnRtn: "1", exeRtn: "1"},
		{name: "minute interval", cn: 1063, qnRtn: "1", exeRtn: "1", data: []string{"MinInterval=5"}, n: 1},
		{name: "minute interval no divisor", cn: 1064, cp: "MinInterval=7", qnRtn: "1", exeRtn: "3"},
		{name: "timeouts", cn: 1000, cp: "OverTime=7;ReCount=2", qnRtn: "1", exeRtn: "1"},
		{name: "hours, both ends", cn: 2061, cp: "BeginTime=20261123000000;EndTime=20261123050000", qnRtn: "1", exeRtn: "1", data: []string{"DataTime=20261123", "-Avg="}, n: 6},
		{name: "a day", cn: 2031, cp: "BeginTime=20261122000000;EndTime=20261122000000", qnRtn: "1", exeRtn: "1", data: []string{"DataTime=20261122000000"}, n: 1},
		{name: "minutes", cn: 2051, cp: "BeginTime=20261124080000;EndTime=20261124080900", qnRtn: "1", exeRtn: "1", data: []string{"DataTime=2026112408"}, n: 10},
		{name: "run times", cn: 2041, cp: "BeginTime=20261122000000;EndTime=20261123000000", qnRtn: "1", exeRtn: "1", data: []string{"SB1-RT="}, n: 2},
		{name: "future", cn: 2061, cp: "BeginTime=20271123000000;EndTime=20271123050000", qnRtn: "1", exeRtn: "100"},
		{name: "run times of days not over", cn: 2041, cp: "BeginTime=20261124000000;EndTime=20261124000000", qnRtn: "1", exeRtn: "100"},
		{name: "clock of an analyser", cn: 1011, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1", data: []string{"PolId=a21026;SystemTime=20261124"}, n: 1},
		{name: "calibrate", cn: 3011, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1"},
		{name: "calibrate nothing", cn: 3011, qnRtn: "1", exeRtn: "3"},
		{name: "compare", cn: 3014, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1"},
		{name: "keep a sample", cn: 3015, qnRtn: "1", exeRtn: "1", data: []string{"VaseNo=1&&"}, n: 1},
		{name: "keep another", cn: 3015, qnRtn: "1", exeRtn: "1", data: []string{"VaseNo=2&&"}, n: 1},
		{name: "set sampling", cn: 3016, cp: "PolId=a21026;CstartTime=083000;CTime=4", qnRtn: "1", exeRtn: "1"},
		{name: "sampling", cn: 3017, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1", data: []string{"PolId=a21026;CstartTime=083000;Ctime=4"}, n: 1},
		{name: "sampling too seldom", cn: 3016, cp: "PolId=a21026;CstartTime=083000;Ctime=25", qnRtn: "1", exeRtn: "3"},
		{name: "result delay", cn: 3018, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1", data: []string{"Stime=40"}, n: 1},
		{name: "a log", cn: 3020, cp: "PolId=a21026;InfoId=i11001;BeginTime=20261122000000;EndTime=20261123000000", qnRtn: "1", exeRtn: "1", data: []string{"i11001-Info=//"}, n: 1},
		{name: "set a parameter", cn: 3021, cp: "PolId=a21026;InfoId=i13004;i13004-Info=170.0", qnRtn: "1", exeRtn: "1"},
		{name: "the parameter", cn: 3020, cp: "PolId=a21026;InfoId=i13004", qnRtn: "1", exeRtn: "1", data: []string{"i13004-Info=170.0"}, n: 1},
		{name: "set a log", cn: 3021, cp: "PolId=a21026;InfoId=i11001;i11001-Info=x", qnRtn: "1", exeRtn: "3"},
		{name: "identity", cn: 3019, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1", data: []string{"a21026-SN="}, n: 1},
		{name: "set password", cn: 1072, cp: "NewPW=654321", qnRtn: "1", exeRtn: "1"},
		{name: "old password", cn: 1011, qnRtn: "3"},
		{name: "new password", cn: 1011, pw: "654321", qnRtn: "1", exeRtn: "1", data: []string{"SystemTime="}, n: 1},
	})
	// 2012 is a notice: 9013, and no 2011 afterwards.
	h.request(p, "20261124105000000", 2012, "654321", "", "")
	h.wait("9013", func(fs []hostFrame) bool { return len(find(fs, 9013, "QN=20261124105000000")) == 1 })
}

func TestLoggerCommands2005(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	i := plantOf(t, w, func(p *Plant) bool { return p.Version == 2005 && p.Quirk == "" && len(p.limited) > 0 })
	p := w.Plants[i]
	pol := p.factors[p.limited[0]].wire
	runLogger(t, w, i, LoggerOptions{Addr: h.addr(), Epoch: testNow, Realtime: time.Hour})
	h.wait("a connection", func([]hostFrame) bool { h.mu.Lock(); defer h.mu.Unlock(); return h.conn != nil })
	hold(t, h, p, []dialogue{
		{name: "wrong password", cn: 1011, pw: "000000", qnRtn: "3"},
		{name: "wrong MN", cn: 1011, mn: "00000000000000", qnRtn: "2"},
		{name: "command of 2017", cn: 1063, qnRtn: "2"},
		{name: "clock", cn: 1011, qnRtn: "1", exeRtn: "1", data: []string{"CP=&&QN=", "SystemTime=2026112410"}, n: 1},
		{name: "alarm time", cn: 1001, cp: "WarnTime=5", qnRtn: "1", exeRtn: "1"},
		{name: "limits", cn: 1021, cp: "PolId=" + pol, qnRtn: "1", exeRtn: "1", data: []string{pol + "-LowValue=0," + pol + "-UpValue="}, n: 1},
		{name: "set limits", cn: 1022, cp: pol + "-LowValue=1.1," + pol + "-UpValue=9.9", qnRtn: "1", exeRtn: "1"},
		{name: "limits again", cn: 1021, cp: "PolId=" + pol, qnRtn: "1", exeRtn: "1", data: []string{pol + "-LowValue=1.1," + pol + "-UpValue=9.9"}, n: 1},
		{name: "limits of a foreign factor", cn: 1021, cp: "PolId=999", qnRtn: "1", exeRtn: "2"},
		{name: "set host address", cn: 1032, cp: "ReportTarget=3882566", qnRtn: "1", exeRtn: "1"},
		{name: "host address", cn: 1031, qnRtn: "1", exeRtn: "1", data: []string{"AlarmTarget=3882566"}, n: 1},
		{name: "set report time", cn: 1042, cp: "ReportTime=0101", qnRtn: "1", exeRtn: "1"},
		{name: "report time", cn: 1041, qnRtn: "1", exeRtn: "1", data: []string{"ReportTime=0101"}, n: 1},
		{name: "alarms", cn: 2071, cp: "BeginTime=20261122000000,EndTime=20261123000000", qnRtn: "1", exeRtn: "100"},
		{name: "calibrate", cn: 3011, cp: "PolID=" + pol, qnRtn: "1", exeRtn: "1"},
		{name: "sampling cycle", cn: 3014, cp: "PolID=" + pol + ",CTime=04,CTime=10", qnRtn: "1", exeRtn: "1"},
		{name: "hours", cn: 2061, cp: "BeginTime=20261123000000,EndTime=20261123050000", qnRtn: "1", exeRtn: "1", data: []string{"DataTime=20261123", "-Avg="}, n: 6},
		{name: "set password", cn: 1072, cp: "PW=654321", qnRtn: "1", exeRtn: "1"},
		{name: "new password", cn: 1061, pw: "654321", qnRtn: "1", exeRtn: "1", data: []string{"RtdInterval=3600"}, n: 1},
	})
}

func TestLoggerCommands2025(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	i := plantOf(t, w, func(p *Plant) bool { return p.Quirk == "encrypted" })
	p := w.Plants[i]
	const next, mn = "NewKeyOfTheTests", "0102030405060708090A0B0C"
	h.keys[p.Device.MN] = p.Device.Keys[0]
	runLogger(t, w, i, LoggerOptions{Addr: h.addr(), Epoch: testNow, Realtime: time.Hour})
	h.wait("a connection", func(fs []hostFrame) bool { return len(find(fs, 2081)) > 0 })
	hold(t, h, p, []dialogue{
		{name: "command of 2017", cn: 3015, qnRtn: "8"},
		{name: "keep a sample", cn: 3022, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1"},
		{name: "standard check", cn: 3024, cp: "PolId=a21026", qnRtn: "1", exeRtn: "1"},
		{name: "results of checks", cn: 2062, cp: "BeginTime=20261122000000;EndTime=20261123000000", qnRtn: "1", exeRtn: "100"},
		{name: "key too short", cn: 1014, cp: "SKCreateTime=20261124100000000;NewSK=short", qnRtn: "1", exeRtn: "3"},
		{name: "a day", cn: 2031, cp: "BeginTime=20261122000000;EndTime=20261122000000", qnRtn: "1", exeRtn: "1", data: []string{"PNUM=2"}, n: 2},
	})
	h.mu.Lock()
	h.keys[p.Device.MN] = []byte(next)
	h.mu.Unlock()
	hold(t, h, p, []dialogue{
		{name: "new key", cn: 1014, cp: "SKCreateTime=20261124100000000,NewSK=" + next, qnRtn: "1", exeRtn: "1"},
		{name: "a day with it", cn: 2031, cp: "BeginTime=20261122000000;EndTime=20261122000000", qnRtn: "1", exeRtn: "1", data: []string{"PNUM=2"}, n: 2},
		{name: "new MN", cn: 1002, cp: "i23005-Info=" + mn, qnRtn: "1", exeRtn: "1"},
		{name: "old MN", cn: 1011, qnRtn: "4"},
		{name: "by the new MN", cn: 1011, mn: mn, qnRtn: "1", exeRtn: "1", data: []string{"MN=" + mn}, n: 1},
	})
}

// TestLoggerFaults lets a logger with all faults talk to a host: everything
// must arrive in the end.
func TestLoggerFaults(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{Calm: true})
	h := newTestHost(t)
	i := plantOf(t, w, isPlain2017)
	stats := runLogger(t, w, i, LoggerOptions{
		Addr: h.addr(), Epoch: testNow, Speed: 600, Faults: true, KeepRealtime: true,
		OverTime: 100 * time.Millisecond, Realtime: 3 * time.Second,
	})
	h.wait("bad CRC and chatter", func(fs []hostFrame) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		kinds := strings.Join(h.faults, " ")
		return strings.Contains(kinds, "crc_mismatch") && strings.Contains(kinds, "noise") && stats.Resent.Load() > 0 && len(fs) > 60
	})
}
