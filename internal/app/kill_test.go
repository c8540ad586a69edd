package app

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// loggers is how many send at once.
const loggers = 8

const victimDir = "PLATEAU_TEST_VICTIM_DIR"

// TestMain lets the test binary serve as the victim of TestKillUnderLoad.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		err := Run(context.Background(), victimOptions(dir))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(testkit.Main(m))
}

// cheap is a password cost for tests only.
var cheap = auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}

func victimOptions(dir string) Options {
	return Options{Stdout: os.Stdout, Stderr: os.Stderr, Cost: cheap, Flags: map[string]string{
		"data": dir, "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0", "hj212.adopt_unknown": "true", "log.level": "error",
	}}
}

// TestKillUnderLoad kills the whole program again and again while loggers send over
// TCP. Every frame that was acknowledged is then there once, the journal
// verifies, and what was judged on the way, across all the kills, has the bytes
// that judging the journal anew gives.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := load{acked: map[string]map[string]bool{}, start: time.Now().Add(-5 * 24 * time.Hour).Truncate(time.Hour)}
	between := 0
	rounds := 10
	if testkit.Race { // a watched program starts and judges ten times as slowly
		rounds = 3
	}
	for round := range rounds {
		victim := exec.CommandContext(t.Context(), os.Args[0])
		victim.Env = append(os.Environ(), victimDir+"="+dir)
		victim.Stderr = os.Stderr
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		addr := ""
		for sc := bufio.NewScanner(out); addr == "" && sc.Scan(); {
			if a, ok := strings.CutPrefix(sc.Text(), "hj212: "); ok {
				addr = a
			}
		}
		if addr == "" {
			t.Fatalf("round %d: the program did not start: %v", round, victim.Wait())
		}
		go func() { _, _ = io.Copy(io.Discard, out) }()
		enough := make(chan struct{})
		load.begin(150+round*50, enough)
		var wg sync.WaitGroup
		for n := range loggers {
			wg.Go(func() { load.run(addr, n) })
		}
		select {
		case <-enough:
		case <-time.After(60 * time.Second):
			t.Errorf("round %d: too few acknowledgements", round)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_ = victim.Wait()
		// Rows already judged are right, whatever the kill cut off; frames that
		// were durable but not judged wait.
		r, err := VerifyJudgement(t.Context(), victimOptions(dir), nil)
		if err != nil || !r.OK() {
			t.Fatalf("round %d: judged again after the kill: %v %v", round, err, r.Faults)
		}
		if r.Waiting > 0 || r.Pending > 0 {
			between++
		}
	}
	if between == 0 {
		t.Error("no kill fell between the commit and the judgement")
	}
	t.Logf("%d of %d kills fell between the commit and the judgement", between, rounds)
	load.check(t, dir)
}

// load sends minute records of made-up loggers and notes what was acknowledged.
type load struct {
	start time.Time

	mu     sync.Mutex
	acked  map[string]map[string]bool // by MN: frames
	sent   [loggers]int               // minutes sent by each logger
	total  int
	wanted int
	enough chan struct{}
	wrong  []string
}

func (l *load) begin(wanted int, enough chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted, l.enough = l.total+wanted, enough
}

// batch is how many frames a logger sends before it waits for their answers.
const batch = 16

// run sends until the connection breaks. Each minute is sent, sent again as it
// was, and now and then sent with another value.
func (l *load) run(addr string, n int) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer nc.Close()
	mn := fmt.Sprintf("KILL%02d", n)
	in := hj212.NewScanner(hj212.ScanOptions{})
	for {
		waiting := map[string]string{} // request number -> frame
		var out []byte
		for range batch {
			l.mu.Lock()
			i := l.sent[n]
			l.sent[n]++
			l.mu.Unlock()
			value := i
			if i%7 == 6 {
				i, value = i-1, -i // the minute before again, corrected
			}
			at := l.start.Add(time.Duration(i) * time.Minute)
			qn := fmt.Sprintf("%017d", value+1e9)
			seg := fmt.Appendf(nil, "QN=%s;ST=31;CN=2051;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Avg=%d.5,a21026-Flag=N;a19001-Avg=8.0,a19001-Flag=N&&",
				qn, mn, hj212.AppendTime(nil, at), 100+value)
			from := len(out)
			out = hj212.AppendFrame(out, seg)
			waiting[qn] = string(out[from : len(out)-2])
		}
		if _, err := nc.Write(append(out, out...)); err != nil { // each frame twice: the second is a repeat
			return
		}
		for got := 0; got < 2*batch; {
			ev, ok := in.Next()
			if !ok {
				if _, err := in.Fill(nc); err != nil {
					return
				}
				continue
			}
			got++
			var p hj212.Packet
			if ev.Err != nil || p.Parse(ev.Seg) != nil || p.Command() != hj212.CNDataAck {
				l.note(mn, "", fmt.Sprintf("answer %q", ev.Raw))
				return
			}
			l.note(mn, waiting[string(p.Bytes(p.QN))], "")
		}
	}
}

// note takes an acknowledgement.
func (l *load) note(mn, frame, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong != "" {
		l.wrong = append(l.wrong, wrong)
		return
	}
	if l.acked[mn] == nil {
		l.acked[mn] = map[string]bool{}
	}
	if !l.acked[mn][frame] {
		l.acked[mn][frame] = true
		if l.total++; l.total == l.wanted {
			close(l.enough)
		}
	}
}

func (l *load) check(t *testing.T, dir string) {
	t.Helper()
	for _, w := range l.wrong {
		t.Error(w)
	}
	r, err := Verify(t.Context(), victimOptions(dir))
	if err != nil || !r.OK() {
		t.Fatalf("verify: %v %v", err, r.Faults)
	}
	s, err := store.Open(filepath.Join(dir, TelemetryDir), store.Options{Archive: archive.NewReader(0, archive.Folder(filepath.Join(dir, ArchiveDir)))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for mn, frames := range l.acked {
		all, _, err := s.Frames(mn, time.Time{}, time.Time{}, "", 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		times := map[string]int{}
		for i := range all {
			times[string(all[i].Raw)]++
		}
		for f := range frames {
			if times[f] != 1 {
				t.Errorf("an acknowledged frame is there %d times: %s", times[f], f)
			}
		}
	}
	d, err := db.Open(t.Context(), filepath.Join(dir, "plateau.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	reg, err := telemetry.Open(t.Context(), d, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	judged := func(st quality.Store) map[string]string {
		t.Helper()
		e, err := quality.New(quality.Options{Store: st, Registry: reg, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, table := range []byte{quality.TableHour, quality.TableDay} {
			for _, id := range reg.Snapshot().Order {
				if err := st.Derived(table, id, 0, 1<<40, func(at int64, v []byte) bool {
					out[fmt.Sprintf("%c %d %d", table, id, at)] = string(v)
					return true
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return out
	}
	kept, anew := judged(s), judged(&blank{Store: s})
	if diff := gocmp.Diff(anew, kept); diff != "" || len(anew) == 0 {
		t.Errorf("%d rows; what was judged is not what the journal gives (-anew +kept):\n%.2000s", len(anew), diff)
	}
	t.Logf("%d frames acknowledged, %d stored, %d rows judged", l.total, r.Frames, len(kept))
}

// blank is a store of which nothing has been judged yet.
type blank struct {
	*store.Store
	rows []store.Derived
}

func (*blank) Cursor(string) (uint64, error) { return 0, nil }

func (b *blank) PutDerived(rows []store.Derived, _ string, _ uint64) error {
	for _, r := range rows {
		b.rows = slices.DeleteFunc(b.rows, func(o store.Derived) bool { return o.Table == r.Table && o.Outlet == r.Outlet && o.At == r.At })
		if r.Value != nil {
			r.Value = slices.Clone(r.Value)
			b.rows = append(b.rows, r)
		}
	}
	slices.SortFunc(b.rows, func(x, y store.Derived) int { return cmp.Compare(x.At, y.At) })
	return nil
}

func (b *blank) Derived(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error {
	for _, r := range slices.Clone(b.rows) {
		if r.Table == table && r.Outlet == o && r.At >= from && r.At < to && !fn(r.At, r.Value) {
			break
		}
	}
	return nil
}
