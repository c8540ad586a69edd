package entitystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/sensorthings"
	"plateau/internal/testkit"
)

// verified fails the test when Verify finds anything.
func verified(tb testing.TB, s *Store) {
	tb.Helper()
	r, err := s.Verify(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range r.Faults {
		tb.Error(f)
	}
}

func healthy(t *testing.T, s *Store) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); s.Health() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not recover: %v", s.Health())
		}
	}
}

// TestFailingDisk refuses all writes, or those to one kind of file, in the midst
// of work: nobody is told that something is done which is not, reading goes on,
// and the store recovers by itself.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "MANIFEST", ".sst", ".log"} {
		t.Run("files"+kind, func(t *testing.T) { t.Parallel(); failingDisk(t, kind) })
	}
}

func failingDisk(t *testing.T, kind string) {
	t.Helper()
	var broken atomic.Bool
	fault := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(filepath.Base(op.Path), kind) {
			return syscall.ENOSPC
		}
		return nil
	})
	s := open(t, "db", Options{FS: errorfs.Wrap(vfs.NewMem(), fault), MemMB: 1, CacheMB: 1})
	_, ds := stream(t, s)
	done := map[sensorthings.ID]string{}
	given := map[sensorthings.ID]bool{}
	noise := strings.Repeat("0123456789abcdef", 20)
	n := 0
	write := func() error {
		obs := make([]sensorthings.Observation, 20)
		for i := range obs {
			n++
			obs[i] = observation(ds, t0+int64(n)*1e6, fmt.Sprintf(`"%x%s"`, uint64(n)*0x9E3779B97F4A7C15, noise))
		}
		ids, err := s.Append(t.Context(), obs)
		if err != nil && !errors.Is(err, ErrDegraded) {
			t.Fatalf("an error of another kind: %v", err)
		}
		for i, id := range ids {
			if given[id] {
				t.Fatalf("identifier %d was given twice", id)
			}
			given[id], done[id] = true, string(obs[i].Result)
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
		if err := s.Update(t.Context(), func(x *Tx) error {
			_, err := x.Create(entity(sensorthings.Things, "x"))
			return err
		}); !errors.Is(err, ErrDegraded) {
			t.Errorf("an update on a failing disk: %v", err)
		}
		if len(scan(t, s, all(ds, sensorthings.ByTime))) < len(done) {
			t.Error("what is stored cannot be read while the disk fails")
		}
		broken.Store(false)
		healthy(t, s)
		if err := write(); err != nil {
			t.Fatalf("after the recovery: %v", err)
		}
	}
	verified(t, s)
	found := map[sensorthings.ID]string{}
	if err := s.Observations(t.Context(), all(ds, sensorthings.ByTime), func(o *sensorthings.Observation) bool {
		found[o.ID] = string(o.Result)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(found, func(id sensorthings.ID, _ string) bool { _, ok := done[id]; return !ok })
	if !maps.Equal(found, done) {
		t.Errorf("%d were told done, %d of them are there", len(done), len(found))
	}
}

// TestConcurrent appends to Datastreams while transactions change and delete
// their observations: no count is lost.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	_, a := stream(t, s)
	_, b := stream(t, s)
	var group sync.WaitGroup
	for k := range 8 {
		group.Go(func() {
			for i := range 200 {
				add(t, s, observation(a, t0+int64(i*8+k), "1"), observation(b, t0-int64(i*8+k), "2"))
			}
		})
	}
	var deleted atomic.Int64
	group.Go(func() {
		for range 200 {
			update(t, s, func(x *Tx) error {
				var last sensorthings.ID
				if err := x.Observations(t.Context(), all(a, sensorthings.ByTimeDesc), func(o *sensorthings.Observation) bool { last = o.ID; return false }); err != nil || last == 0 {
					return err
				}
				deleted.Add(1)
				return x.Delete(sensorthings.Observations, last)
			})
		}
	})
	group.Wait()
	if sum, _ := s.Summary(t.Context(), a); sum.Count != 1600-deleted.Load() {
		t.Errorf("%d observations, want %d", sum.Count, 1600-deleted.Load())
	}
	if sum, _ := s.Summary(t.Context(), b); sum.Count != 1600 || sum.Phenomenon.Start != t0-1599 {
		t.Errorf("%+v", sum)
	}
	verified(t, s)
}

// cascaded is how many thousand observations TestCascadeOfMany deletes. The race
// detector, which slows each of them down tenfold, sees the same with fewer: they
// still fill several memory tables.
func cascaded() int {
	if testkit.Race {
		return 30
	}
	return 200
}

// TestCascadeOfMany deletes what has 200,000 observations: at once for the
// caller, and the index by identifier is emptied behind it.
func TestCascadeOfMany(t *testing.T) {
	t.Parallel()
	for _, what := range []sensorthings.Set{sensorthings.Things, sensorthings.FeaturesOfInterest} {
		t.Run(what.String(), func(t *testing.T) { t.Parallel(); cascade(t, what) })
	}
}

func cascade(t *testing.T, what sensorthings.Set) {
	t.Helper()
	s := open(t, "db", Options{FS: vfs.NewMem(), NoSync: true, CacheMB: 8, MemMB: 1})
	thing, ds := stream(t, s)
	_, other := stream(t, s)
	kept := add(t, s, observation(other, t0, "1"))
	victim := thing
	var feature sensorthings.ID
	if what == sensorthings.FeaturesOfInterest {
		update(t, s, func(x *Tx) (err error) {
			feature, err = x.Create(entity(what, "feature"))
			return err
		})
		victim = feature
		kept = append(kept, add(t, s, observation(ds, t0+5e5, "1"))...) // of no feature
	}
	for k := range cascaded() {
		batch := make([]sensorthings.Observation, 1000)
		for i := range batch {
			batch[i] = observation(ds, t0+int64(k*1000+i)*1e6, "1.5")
			batch[i].Feature = feature
		}
		add(t, s, batch...)
	}
	began := time.Now()
	update(t, s, func(x *Tx) error { return x.Delete(what, victim) })
	t.Logf("deleted in %s", time.Since(began))
	if got := scan(t, s, sensorthings.All()); fmt.Sprint(got) != fmt.Sprint(kept) {
		t.Errorf("left: %d observations, want %v", len(got), kept)
	}
	verified(t, s)
	rows := func() (n int) {
		if err := s.read(func(v *view) error {
			return v.each(t.Context(), []byte{kIndex}, []byte{kIndex}, func([]byte, []byte) (bool, error) { n++; return true, nil })
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for end := time.Now().Add(10 * time.Second); rows() > len(kept); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d rows of the index are left", rows())
		}
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	got := make(chan sensorthings.Change, 100)
	stop := s.Subscribe(func(changes []sensorthings.Change, lost int) {
		for _, c := range changes {
			got <- c
		}
		if lost > 0 {
			t.Errorf("lost %d", lost)
		}
	})
	thing, ds := stream(t, s)
	id := add(t, s, observation(ds, t0, "1"))[0]
	update(t, s, func(x *Tx) error {
		o := observation(ds, t0, "2")
		o.ID = id
		if err := x.ReplaceObservation(&o); err != nil {
			return err
		}
		e := entity(sensorthings.Things, "renamed")
		e.ID = thing
		return x.Replace(e)
	})
	update(t, s, func(x *Tx) error { return x.Delete(sensorthings.Things, thing) })
	want := []string{
		fmt.Sprintf("Things %d 1 []", thing), fmt.Sprintf("Datastreams %d 1 []", ds), fmt.Sprintf("Observations %d 1 []", id),
		fmt.Sprintf("Observations %d 2 [result]", id), fmt.Sprintf("Things %d 2 [name]", thing),
		fmt.Sprintf("Datastreams %d 3 []", ds), fmt.Sprintf("Things %d 3 []", thing),
	}
	for _, w := range want {
		select {
		case c := <-got:
			if text := fmt.Sprintf("%s %d %d %v", c.Set, c.ID, c.What, c.Properties); text != w {
				t.Errorf("got %s, want %s", text, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not told", w)
		}
	}
	stop()
	add2, err := s.Append(t.Context(), []sensorthings.Observation{observation(ds, t0, "1")})
	if err == nil {
		t.Errorf("appended %v to what is gone", add2)
	}
}

// TestSlowSubscriber keeps a subscriber from going on: it is told how much it
// missed, and what it is told is in order.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	_, ds := stream(t, s)
	var (
		told, missed atomic.Int64
		last         sensorthings.ID
	)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer s.Subscribe(func(changes []sensorthings.Change, lost int) {
		once.Do(func() { close(begun); <-goOn })
		for _, c := range changes {
			if c.ID <= last {
				t.Errorf("%d behind %d", c.ID, last)
			}
			last = c.ID
		}
		told.Add(int64(len(changes)))
		missed.Add(int64(lost))
	})()
	add(t, s, observation(ds, t0, "1"))
	<-begun
	batch := make([]sensorthings.Observation, 10_000)
	for i := range batch {
		batch[i] = observation(ds, t0+int64(i), "1")
	}
	for range 10 {
		add(t, s, batch...)
	}
	close(goOn)
	for end := time.Now().Add(10 * time.Second); told.Load()+missed.Load() < 100_001; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("told %d, missed %d", told.Load(), missed.Load())
		}
	}
	if missed.Load() == 0 {
		t.Error("nothing was missed")
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	_, a := stream(t, s)
	_, b := stream(t, s)
	for i := range 100 {
		add(t, s, observation(a, t0+int64(i), "1"), observation(b, t0+int64(i), "1"))
	}
	m := &sensorthings.Meter{Limit: 50}
	ctx := sensorthings.WithMeter(t.Context(), m)
	sc := all(a, sensorthings.ByTime)
	sc.Feature = 3
	if err := s.Observations(ctx, sc, func(*sensorthings.Observation) bool { return true }); !errors.Is(err, sensorthings.ErrTooMuch) {
		t.Errorf("passed over %d rows: %v", m.Rows, err)
	}
	m.Rows, m.Limit = 0, 0
	if err := s.Observations(ctx, all(a, sensorthings.ByID), func(*sensorthings.Observation) bool { return true }); err != nil || m.Rows < 90 {
		t.Errorf("passed over %d rows of the other Datastream: %v", m.Rows, err)
	}
}
