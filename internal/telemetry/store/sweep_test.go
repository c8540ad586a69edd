package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/platform/lsm/lsmtest"
	"plateau/internal/testkit"
)

// script is the same work every time: frames, rows of a projection, the flushes
// and compactions that these bring about, and one compaction of everything, which
// reads. acked collects the frames that were acknowledged; errors other than those
// of a failing disk are reported.
type script struct {
	mu     sync.Mutex
	acked  map[string]bool
	n      int
	chance *rand.Rand
}

func newScript() *script {
	return &script{acked: map[string]bool{}, chance: rand.New(rand.NewPCG(1, 2))}
}

func (w *script) run(t *testing.T, s *Store) {
	t.Helper()
	for step := range 6 {
		for range 3 {
			w.write(t, s, 12) //nolint:errcheck // it may fail; what was acknowledged counts
		}
		row := Derived{Table: 'h', Outlet: 1, At: t0.Unix() + int64(step)*3600, Value: fmt.Appendf(nil, "row %d", step)}
		_ = s.PutDerived([]Derived{row}, "sweep", uint64(step+1))
		if step == 3 {
			_ = s.Compact(t.Context())
		}
	}
}

// write hands frames over together. They are large and cannot be compressed, so
// that memory tables fill and are flushed.
func (w *script) write(t *testing.T, s *Store, n int) (err error) {
	t.Helper()
	frames := make([]*Frame, n)
	for i := range frames {
		w.n++
		noise := make([]byte, 3000)
		for k := range noise {
			noise[k] = byte('0' + w.chance.IntN(64))
		}
		frames[i] = frameOf(t, 1, 2011, t0.Add(time.Duration(w.n)*time.Second), fmt.Sprintf("a-Rtd=%d.5,b-Info=%x", w.n, noise))
	}
	for i, r := range put(t, s, frames...) {
		switch {
		case r.Err == nil:
			w.mu.Lock()
			w.acked[string(frames[i].Raw)] = true
			w.mu.Unlock()
		case errors.Is(r.Err, ErrDegraded):
			err = r.Err
		default:
			t.Fatalf("an error of another kind: %v", r.Err)
		}
	}
	return err
}

// so far is what was acknowledged until now.
func (w *script) soFar() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.acked)
}

// sample spreads so many of 1..n evenly.
func sample(n, most int64) (out []int64) {
	switch {
	case lsmtest.All():
		most = n
	case testkit.Race: // which makes a run ten times as dear and sees the same in each
		most = 2
	}
	for i := range min(n, most) {
		out = append(out, 1+i*n/min(n, most))
	}
	return out
}

// TestFaultSweep lets every kind of access to the disk fail once, at its first,
// second, … occurrence in a piece of work that is always the same, and lets the
// disk be full from each write on. Whatever fails: what was acknowledged is there
// once, at once after the disk is well again and after the next start, and
// frames are acknowledged again. With PLATEAU_TEST_FAULTS=all every occurrence is
// tried, else a sample.
func TestFaultSweep(t *testing.T) {
	t.Parallel()
	for _, kind := range lsmtest.Accesses {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			calm := kind.Calm()
			sweepOnce(t, calm)
			var injected, runs, acked int64
			for _, k := range sample(calm.Seen.Load(), 6) {
				j := kind.At(k)
				acked += int64(sweepOnce(t, j))
				injected += j.Injected.Load()
				runs++
			}
			if injected == 0 {
				t.Error("no fault was injected")
			}
			t.Logf("%s: %d runs, %d faults injected, %d occurrences in the work, %d frames acknowledged, 0 lost", kind.Name, runs, injected, calm.Seen.Load(), acked)
		})
	}
}

// sweepOnce does the work with one fault; it returns the frames acknowledged.
func sweepOnce(t *testing.T, j *lsmtest.Injector) int {
	t.Helper()
	disk := vfs.NewMem()
	fs := errorfs.Wrap(disk, j)
	w := newScript()
	s, err := Open("db", Options{FS: fs, MemMB: 1, CacheMB: 16})
	if err == nil {
		w.run(t, s)
	}
	j.Healed.Store(true)
	if err != nil { // the fault met the start: the next one must succeed
		if s, err = Open("db", Options{FS: fs, MemMB: 1, CacheMB: 16}); err != nil {
			t.Fatalf("operation %d: not even opened after the fault was over: %v", j.K, err)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for w.write(t, s, 1) != nil {
		if time.Now().After(deadline) {
			t.Fatalf("operation %d: did not recover: %v", j.K, s.Health())
		}
		time.Sleep(5 * time.Millisecond)
	}
	verified(t, s)
	checkAcked(t, s, w.soFar())
	if err := s.Close(); err != nil {
		t.Fatalf("operation %d: close: %v", j.K, err)
	}
	again := open(t, "db", Options{FS: disk, MemMB: 1, CacheMB: 16})
	verified(t, again)
	checkAcked(t, again, w.soFar())
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	return len(w.soFar())
}

// TestPowerLoss takes the disk as a power failure leaves it before any write,
// sync, creation, renaming or removal of the work: what was synced, and of the
// rest a random part. Opened, it has every frame that was acknowledged until then.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	type loss struct {
		disk  *vfs.MemFS
		acked map[string]bool
		at    int64
	}
	var (
		disk    = vfs.NewCrashableMem()
		w       = newScript()
		chance  = rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
		mu      sync.Mutex
		losses  []loss
		seen    int64
		stopped atomic.Bool
	)
	every := int64(10)
	switch {
	case lsmtest.All():
		every = 1
	case testkit.Race: // every tenth without it
		every = 50
	}
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || stopped.Load() {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen%every == 0 {
			acked := w.soFar() // before the copy: what is acknowledged later need not be in it
			percent := []int{0, 0, 25, 50, 75, 100}[chance.IntN(6)]
			losses = append(losses, loss{disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: chance}), acked, seen})
		}
		return nil
	}))
	s, err := Open("db", Options{FS: fs, MemMB: 1, CacheMB: 16})
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, s)
	stopped.Store(true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, l := range losses {
		s, err := Open("db", Options{FS: l.disk, MemMB: 1, CacheMB: 16})
		if err != nil {
			t.Fatalf("power lost before operation %d: %v", l.at, err)
		}
		verified(t, s)
		checkAcked(t, s, l.acked)
		most = max(most, len(l.acked))
		if r := put(t, s, frameOf(t, 2, 2011, t0, "a-Rtd=1"))[0]; r.Err != nil {
			t.Errorf("power lost before operation %d: %v", l.at, r.Err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if most == 0 {
		t.Error("nothing was acknowledged before any loss")
	}
	t.Logf("power lost at %d of %d operations, at most %d frames acknowledged before, 0 lost", len(losses), seen, most)
}
