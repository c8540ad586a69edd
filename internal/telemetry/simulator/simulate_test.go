package simulator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"

	"github.com/google/go-cmp/cmp"
)

const goodCSV = `time,mn,factor,value,flag
2026-11-24T08:30:00+08:00,010000A8900016F000169DC0,a21026,12.50,N
2026-11-24T08:30:00+08:00,010000A8900016F000169DC0,a21002,33,N
2026-11-24T08:31:00+08:00,010000A8900016F000169DC0,a21026,13.10,N
2026-11-24T00:30:00Z,010000A8900016F000169DC1,w01018,41.0,
2026-11-24T08:30:00+08:00,010000A8900016F000169DC0,a19001,,B
`

func TestSimulateCSV(t *testing.T) {
	t.Parallel()
	h := newTestHost(t)
	var out strings.Builder
	err := Simulate(context.Background(), Options{To: h.addr(), CSV: strings.NewReader(goodCSV), Now: time.Now, Progress: &out})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range h.got() {
		_, after, _ := strings.Cut(f.seg, ";")
		got = append(got, after)
	}
	want := []string{
		"ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20261124083000;a21026-Rtd=12.50,a21026-Flag=N;a21002-Rtd=33,a21002-Flag=N;a19001-Flag=B&&",
		"ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20261124083100;a21026-Rtd=13.10,a21026-Flag=N&&",
		"ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC1;Flag=5;CP=&&DataTime=20261124083000;w01018-Rtd=41.0&&",
	}
	if d := cmp.Diff(sorted(want), sorted(got)); d != "" {
		t.Error(d)
	}
	if !strings.Contains(out.String(), "3 frames sent, 3 acked") {
		t.Errorf("summary: %s", out.String())
	}
}

func TestSimulateCSVUnacked(t *testing.T) {
	t.Parallel()
	h := newTestHost(t)
	h.ack = func(_, _ int, p *hj212.Packet) bool { return strings.HasSuffix(string(p.Bytes(p.MN)), "C1") }
	var out strings.Builder
	err := Simulate(context.Background(), Options{To: h.addr(), CSV: strings.NewReader(goodCSV), Now: time.Now, Progress: &out, OverTime: 10 * time.Millisecond})
	if !errors.Is(err, ErrUnacked) || !strings.HasPrefix(err.Error(), "2 frames") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "2 unacked") {
		t.Errorf("summary: %s", out.String())
	}
}

func TestSimulateNobodyThere(t *testing.T) {
	t.Parallel()
	err := Simulate(context.Background(), Options{To: "127.0.0.1:1", CSV: strings.NewReader(goodCSV), Now: time.Now})
	if err == nil {
		t.Error("no error without a host")
	}
}

func TestPlaylistErrors(t *testing.T) {
	t.Parallel()
	const head = "time,mn,factor,value,flag\n"
	const mn = "010000A8900016F000169DC0"
	const good = "2026-11-24T08:30:00+08:00," + mn + ",a21026,1,N\n"
	for _, c := range []struct{ name, csv, want string }{
		{"empty", "", "line 1: the file is empty"},
		{"header only", head, "line 2: no rows"},
		{"unknown column", "time,mn,factor,value,mark\n", `line 1: unknown column "mark"`},
		{"missing column", "time,mn,factor,value\n", `line 1: column "flag" is missing`},
		{"column twice", "time,mn,factor,value,flag,flag\n", `line 1: column "flag" stands twice`},
		{"time", head + good + "2026-11-24 08:30," + mn + ",a21026,1,N\n", `line 3: time "2026-11-24 08:30" is not RFC 3339; write it like`},
		{"fraction", head + "2026-11-24T08:30:00.5Z," + mn + ",a21026,1,N\n", "line 2: time"},
		{"mn", head + "2026-11-24T08:30:00Z,ab c,a21026,1,N\n", `line 2: mn "ab c" is no device identity; use`},
		{"factor", head + "2026-11-24T08:30:00Z," + mn + ",a 1,1,N\n", `line 2: factor "a 1" is no factor code; use`},
		{"value", head + "2026-11-24T08:30:00Z," + mn + ",a21026,NaN,N\n", `line 2: value "NaN" is no decimal number; write`},
		{"value comma", head + "2026-11-24T08:30:00Z," + mn + ",a21026,\"1,5\",N\n", `line 2: value "1,5"`},
		{"flag", head + "2026-11-24T08:30:00Z," + mn + ",a21026,1,;N\n", `line 2: flag ";N" is no data mark; use`},
		{"nothing", head + "2026-11-24T08:30:00Z," + mn + ",a21026,,\n", "line 2: neither value nor flag; give"},
		{"twice", head + good + good, "line 3: factor a21026 stands twice"},
		{"fields", head + "2026-11-24T08:30:00Z," + mn + ",a21026\n", "line 2: 3 fields where the header has 5; check"},
		{"quotes", head + "2026-11-24T08:30:00Z,\"" + mn + "\"x,a21026,1,N\n", "line 2: "},
	} {
		_, err := readPlaylist(strings.NewReader(c.csv))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	var many strings.Builder
	many.WriteString(head)
	for range 50 {
		many.WriteString("x,y,z,1,N\n")
	}
	_, err := readPlaylist(strings.NewReader(many.String()))
	if n := strings.Count(err.Error(), "\n"); n != maxRowErrors {
		t.Errorf("%d lines of errors for 50 faulty rows", n+1)
	}
}

func TestSimulateGenerated(t *testing.T) {
	t.Parallel()
	h := newTestHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	var out strings.Builder
	done := make(chan error, 1)
	go func() {
		done <- Simulate(ctx, Options{To: h.addr(), Outlets: 5, Interval: time.Minute, Speed: 600, Now: time.Now, Progress: lockedWriter{&mu, &out}, Every: 20 * time.Millisecond})
	}()
	h.wait("real-time and hour records of five loggers", func(fs []hostFrame) bool {
		for i := range 5 {
			if len(find(fs, 2011, SimulatedMN(i))) < 2 {
				return false
			}
		}
		return len(find(fs, 2051)) > 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped by hand: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if s := out.String(); !strings.Contains(s, "running") || !strings.Contains(s, "done") {
		t.Errorf("progress: %s", s)
	}
	if err := Simulate(context.Background(), Options{To: h.addr(), Interval: time.Millisecond, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "at least 1s") {
		t.Errorf("interval of a millisecond: %v", err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *strings.Builder
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	h := newTestHost(t)
	res, err := Load(context.Background(), LoadOptions{Addr: h.addr(), Conns: 7, Frames: 1000, Window: 8, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if res.Acked != 1000 || res.Sent != 1000 || res.P50 <= 0 || res.Slow < res.P99 || res.P99 < res.P50 {
		t.Errorf("result %+v", res)
	}
	seen := map[string]bool{}
	var p hj212.Packet
	for _, f := range h.got() {
		if err := p.Parse([]byte(f.seg)); err != nil {
			t.Fatal(err)
		}
		at, _ := p.Param("DataTime")
		key := string(p.Bytes(p.MN)) + string(at)
		if seen[key] {
			t.Errorf("DataTime twice: %s", key)
		}
		seen[key] = true
		if n := strings.Count(f.seg, "-Rtd="); n != 10 {
			t.Errorf("%d values: %s", n, f.seg)
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d frames", len(seen))
	}
	if _, err := Load(context.Background(), LoadOptions{Addr: "127.0.0.1:1", Conns: 2, Frames: 1, Now: time.Now}); err == nil {
		t.Error("no error without a host")
	}
}

func TestLoadDuration(t *testing.T) {
	t.Parallel()
	h := newTestHost(t)
	res, err := Load(context.Background(), LoadOptions{Addr: h.addr(), Conns: 3, Duration: 50 * time.Millisecond, Factors: 2, Now: time.Now})
	if err != nil || res.Acked == 0 || res.Acked != res.Sent {
		t.Errorf("%+v, %v", res, err)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func BenchmarkLoadPatch(b *testing.B) {
	l := newLoadConn(nil, LoadOptions{Window: 32, Factors: 10, Password: "123456", Start: testNow, Now: time.Now}, 1)
	buf := append([]byte(nil), l.template...)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.patch(buf, testNow.Unix()+int64(i))
	}
}
