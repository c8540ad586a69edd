package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/telemetry"
	"plateau/internal/testkit"
)

const crashDir = "PLATEAU_TEST_CRASH_DIR"

// TestMain lets the test binary serve as the victim of TestKill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		victim(dir)
		return
	}
	os.Exit(m.Run())
}

// victim writes frames as fast as it can and prints each that was acknowledged.
func victim(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	out := bufio.NewWriter(os.Stdout)
	acked := make(chan string, 1<<16)
	go func() {
		for line := range acked {
			fmt.Fprintln(out, line)
			if len(acked) == 0 {
				_ = out.Flush()
			}
		}
	}()
	t := &testing.T{}
	start := t0.Add(time.Duration(time.Now().UnixNano()%1e9) * time.Second) // each life has times of its own
	for i := 0; ; i++ {
		outlet := telemetry.OutletID(i%50 + 1)
		f := frameOf(t, outlet, 2011, start.Add(time.Duration(i/50)*time.Second), fmt.Sprintf("a-Rtd=%d.5,a-Flag=N", i))
		raw := string(f.Raw)
		f.Done = func(r Result) {
			if r.Err == nil {
				acked <- fmt.Sprintf("%s %s", r.Locator, raw)
			}
		}
		if err := s.Submit(context.Background(), f); err != nil {
			return
		}
	}
}

// TestKill kills a writing process ten times, three times where the race
// detector makes each dear; every acknowledged frame is then there, once, under
// the locator it was given, and the projections are what the journal gives.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[string]string{} // locator -> frame
	rounds := 10
	if testkit.Race {
		rounds = 3
	}
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var dead atomic.Bool
		sc := bufio.NewScanner(out)
		n := 0
		for sc.Scan() {
			loc, raw, ok := strings.Cut(sc.Text(), " ")
			if !ok || !strings.Contains(raw, "&&") || len(raw) < 10 {
				continue // the pipe was cut inside the line
			}
			if frame := []byte(raw); len(frame) == 10+int(frame[2]-'0')*1000+int(frame[3]-'0')*100+int(frame[4]-'0')*10+int(frame[5]-'0') {
				acked[loc] = raw
			}
			if n++; n >= 300+round*200 && dead.CompareAndSwap(false, true) {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if n == 0 {
			t.Fatalf("round %d: nothing was acknowledged", round)
		}
	}
	s := open(t, dir, Options{})
	verified(t, s)
	seen := map[string]int{}
	for o := range 50 {
		cursor := ""
		for {
			page, next, err := s.Frames(fmt.Sprintf("M%d", o+1), time.Time{}, time.Time{}, cursor, 5000)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				seen[string(page[i].Raw)]++
				if want, ok := acked[page[i].String()]; ok && want != string(page[i].Raw) {
					t.Fatalf("frame %s is not the one that was acknowledged", page[i].Locator)
				}
			}
			if cursor = next; next == "" {
				break
			}
		}
	}
	for loc, raw := range acked {
		if seen[raw] != 1 {
			t.Fatalf("acknowledged frame %s is there %d times", loc, seen[raw])
		}
	}
	t.Logf("%d acknowledged frames in ten lives, %d stored", len(acked), len(seen))
}

// TestTornTail cuts the end of the write-ahead log, as a power loss may: what
// was written before is there, and writing goes on.
func TestTornTail(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	s, err := Open("db", Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		put(t, s, frameOf(t, 1, 2011, t0.Add(time.Duration(i)*time.Minute), "a-Rtd=1"))
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{}) // only what was synced
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := crashed.List("db")
	if err != nil {
		t.Fatal(err)
	}
	torn := 0
	for _, name := range logs {
		if strings.HasSuffix(name, ".log") {
			f, err := crashed.OpenReadWrite(filepath.Join("db", name), vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte("torn"), info.Size()); err != nil { // half a record behind the last one
				t.Fatal(err)
			}
			_ = f.Close()
			torn++
		}
	}
	if torn == 0 {
		t.Fatal("no write-ahead log to tear")
	}
	again, err := Open("db", Options{FS: crashed})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if r := verified(t, again); r.Frames != 20 {
		t.Errorf("%d of 20 frames", r.Frames)
	}
	if r := put(t, again, frameOf(t, 1, 2011, t0.Add(time.Hour), "a-Rtd=1")); r[0].Err != nil {
		t.Error(r[0].Err)
	}
}

// TestFailingDisk refuses every write for a while: nothing is acknowledged,
// the state says so, and it recovers without a restart.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		t.Run(fault.Error(), func(t *testing.T) { t.Parallel(); failingDisk(t, fault) })
	}
}

func failingDisk(t *testing.T, fault error) {
	t.Helper()
	var broken atomic.Bool
	noSpace := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return fault
		}
		return nil
	})
	s, err := Open("db", Options{FS: errorfs.Wrap(vfs.NewMem(), noSpace)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	next := func() *Frame {
		n++
		return frameOf(t, 1, 2011, t0.Add(time.Duration(n)*time.Minute), "a-Rtd=1")
	}
	good := 0
	for range 10 {
		if r := put(t, s, next()); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		good++
	}
	broken.Store(true)
	for range 3 {
		if r := put(t, s, next()); !errors.Is(r[0].Err, ErrDegraded) {
			t.Fatalf("acknowledged on a full disk: %+v", r[0])
		}
	}
	if s.Health() == nil {
		t.Error("the state does not tell")
	}
	broken.Store(false)
	deadline := time.Now().Add(20 * time.Second)
	for {
		r := put(t, s, next())
		if r[0].Err == nil {
			good++
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("did not recover: %v", r[0].Err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := s.Health(); err != nil {
		t.Errorf("still degraded: %v", err)
	}
	if r := verified(t, s); int(r.Frames) < good {
		t.Errorf("%d frames, %d were acknowledged", r.Frames, good)
	}
}

// TestFailingFiles refuses writes of one kind of file only. The tree meets these
// faults in goroutines of its own (flushing, compacting, changing its manifest):
// the process must live on, and the store recover, with every acknowledged frame.
func TestFailingFiles(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"MANIFEST", ".sst", ".log"} {
		t.Run(kind, func(t *testing.T) { t.Parallel(); failingFiles(t, kind) })
	}
}

func failingFiles(t *testing.T, kind string) {
	t.Helper()
	var broken atomic.Bool
	fault := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(filepath.Base(op.Path), kind) {
			return syscall.ENOSPC
		}
		return nil
	})
	s, err := Open("db", Options{FS: errorfs.Wrap(vfs.NewMem(), fault), MemMB: 1, CacheMB: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	acked := map[string]bool{}
	noise := strings.Repeat("0123456789abcdef", 40)
	n := 0
	write := func() (err error) {
		frames := make([]*Frame, 50)
		for i := range frames {
			n++
			frames[i] = frameOf(t, 1, 2011, t0.Add(time.Duration(n)*time.Second), fmt.Sprintf("a-Rtd=%d,b-Info=%x%s", n, uint64(n)*0x9E3779B97F4A7C15, noise))
		}
		for i, r := range put(t, s, frames...) {
			if r.Err == nil {
				acked[string(frames[i].Raw)] = true
			} else if err = r.Err; !errors.Is(err, ErrDegraded) {
				t.Fatalf("an error of another kind: %v", err)
			}
		}
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		broken.Store(true)
		for i := 0; write() == nil; i++ {
			if i > 2000 {
				t.Fatalf("round %d: nothing failed", round)
			}
		}
		if s.Health() == nil {
			t.Error("the state does not tell")
		}
		if s.Records(1, telemetry.KindRealtime, 0, t0.Unix()+2, func(*telemetry.Record) bool { return true }) != nil {
			t.Error("what is stored cannot be read while the disk fails")
		}
		broken.Store(false)
		// It recovers without a frame that would ask for it.
		deadline := time.Now().Add(20 * time.Second)
		for s.Health() != nil {
			if time.Now().After(deadline) {
				t.Fatalf("did not recover: %v", s.Health())
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := write(); err != nil {
			t.Fatalf("after the recovery: %v", err)
		}
	}
	verified(t, s)
	checkAcked(t, s, acked)
}

// smallDisk mounts a tmpfs of the given size.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("cannot mount a small disk (needs root): %v", err)
		}
		t.Skipf("cannot mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk fills a real small disk, then makes room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 24)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 14<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(dir, "db"), Options{})
	acked := map[string]bool{}
	noise := make([]byte, 3000) // hardly to be compressed, so that few frames fill it
	chance := rand.New(rand.NewPCG(1, 2))
	write := func(i int) error {
		for k := range noise {
			noise[k] = byte(chance.Uint32())
		}
		f := frameOf(t, 1, 2011, t0.Add(time.Duration(i)*time.Second), fmt.Sprintf("a-Rtd=%d,b-Info=%x", i, noise))
		r := put(t, s, f)
		if r[0].Err == nil {
			acked[string(f.Raw)] = true
		}
		return r[0].Err
	}
	i := 0
	for ; i < 200_000; i++ {
		if write(i) != nil {
			break
		}
	}
	if s.Health() == nil {
		t.Fatalf("the disk did not fill up in %d frames", i)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for err := write(i + 1); err != nil; err = write(i + 1) {
		if time.Now().After(deadline) {
			t.Fatalf("did not recover: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	verified(t, s)
	checkAcked(t, s, acked)
}

// TestReadOnlyDisk opens a store on a read-only disk (the kernel makes no disk
// read-only that is open for writing; TestFailingDisk has that case): the error
// names the folder, and it works again once the disk does.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 200)
	db := filepath.Join(dir, "db")
	s, err := Open(db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, frameOf(t, 1, 2011, t0, "a-Rtd=1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(db, Options{}); err == nil || !strings.Contains(err.Error(), db) {
		if err == nil {
			_ = s.Close()
		}
		t.Errorf("a read-only disk was opened: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	s = open(t, db, Options{})
	if r := verified(t, s); r.Frames != 1 {
		t.Errorf("%d frames", r.Frames)
	}
}

func checkAcked(t *testing.T, s *Store, acked map[string]bool) {
	t.Helper()
	page, _, err := s.Frames("M1", time.Time{}, time.Time{}, "", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i := range page {
		seen[string(page[i].Raw)]++
	}
	for raw := range acked {
		if seen[raw] != 1 {
			t.Fatalf("an acknowledged frame is there %d times: %.120s", seen[raw], raw)
		}
	}
}
