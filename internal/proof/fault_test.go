package proof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	gocmp "github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// minuteFrames are n records of outlet 1, one after another; now and then one is
// sent again with other values, or late.
func minuteFrames(rnd *rand.Rand, from, n int) (out [][]byte) {
	for i := from; i < from+n; i++ {
		k := i
		if rnd.IntN(10) == 0 {
			k = rnd.IntN(i + 1)
		}
		v := version{up: upload{1, 2051, orderNow.Add(-46*time.Hour + time.Duration(k%270)*10*time.Minute), []item{
			{"a21002", "Avg", fmt.Sprintf("%d.%d", 30+i%60, i%10), "N"}, {"a19001", "Avg", "14.5", "N"},
		}, false}}
		m := v.message(fmt.Sprintf("20261124%09d", i))
		raw, err := m.AppendTo(nil)
		if err != nil {
			panic(err)
		}
		out = append(out, raw)
	}
	return out
}

// judgedAnew compares the rows of a store with those that judging its journal
// anew gives.
func judgedAnew(t *testing.T, s *store.Store, reg snapOf, now time.Time) {
	t.Helper()
	fresh := &anew{Store: s, rows: map[string]store.Derived{}}
	e, err := quality.New(quality.Options{Store: fresh, Registry: reg, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := derived(t, fresh, reg)
	if d := gocmp.Diff(want, derived(t, s, reg)); d != "" || len(want) < 20 {
		t.Errorf("%d rows; what was judged is not what the journal gives (-anew +kept):\n%.3000s", len(want), d)
	}
}

// TestDiskFullWhileJudging fills the disk again and again while frames come in
// and are judged. Rows that the fault took with it are made again without a
// restart, and the log tells of each fault and of its end.
func TestDiskFullWhileJudging(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	var refused atomic.Int64
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			refused.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}))
	s, err := store.Open("proof", store.Options{FS: fs, Now: func() time.Time { return orderNow }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reg := orderRegistry()
	var log lines
	e, err := quality.New(quality.Options{
		Store: s, Registry: reg, Now: time.Now, Every: time.Millisecond, Batch: 20, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	rnd := rand.New(rand.NewPCG(3, 1))
	n := 0
	for round := range 6 {
		for range 4 {
			// While the disk is full frames are refused; loggers send them again.
			frames := minuteFrames(rnd, n, 40)
			for !submitted(t, s, frames) {
				if full.Load() {
					e.MarkDirty(1, orderNow.Add(-10*time.Hour), orderNow)
					time.Sleep(30 * time.Millisecond)
					full.Store(false)
				}
				time.Sleep(10 * time.Millisecond)
			}
			n += 40
			full.Store(round%2 == 0 || rnd.IntN(2) == 0)
		}
	}
	time.Sleep(20 * time.Millisecond)
	full.Store(false)
	for deadline := time.Now().Add(30 * time.Second); s.Health() != nil || !e.Backlog().Done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not judged: %v, %+v\n%s", s.Health(), e.Backlog(), log.String())
		}
	}
	r, err := e.Check(t.Context(), nil)
	if err != nil || !r.OK() || r.Hours < 20 {
		t.Errorf("computed again: %v %+v", err, r)
	}
	cancel()
	running.Wait()
	judgedAnew(t, s, reg, orderNow)
	if refused.Load() == 0 {
		t.Error("the disk was never full")
	}
	t.Logf("%d frames, %d writes refused, %d times judging failed", n, refused.Load(), strings.Count(log.String(), "judging failed"))
}

// lines is a log that may be read meanwhile.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// submitted reports whether every frame became durable.
func submitted(t *testing.T, s *store.Store, frames [][]byte) bool {
	t.Helper()
	done := make(chan store.Result, len(frames))
	batch := make([]*store.Frame, 0, len(frames))
	for _, raw := range frames {
		batch = append(batch, stored(t, raw, func(r store.Result) { done <- r }))
	}
	if err := s.SubmitBatch(t.Context(), batch); err != nil {
		if errors.Is(err, store.ErrDegraded) {
			return false
		}
		t.Fatal(err)
	}
	ok := true
	for range frames {
		ok = (<-done).Err == nil && ok
	}
	return ok
}

// TestClockJumpsWhileJudging sets the clock of the server forwards and back while
// frames come in and are judged, by hours and by years. Rows depend on what came,
// not on when it was judged.
func TestClockJumpsWhileJudging(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(orderNow.Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	s, err := store.Open("proof", store.Options{FS: vfs.NewMem(), NoSync: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reg := orderRegistry()
	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: now, Every: time.Millisecond, Batch: 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	rnd := rand.New(rand.NewPCG(5, 1))
	for i, jump := range []time.Duration{0, time.Hour, -3 * time.Hour, 48 * time.Hour, 5 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour, 30 * time.Minute, 0} {
		clock.Store(orderNow.Add(jump).Unix())
		submit(t, s, minuteFrames(rnd, i*40, 40))
		if i%3 == 1 {
			e.MarkDirty(1, orderNow.Add(-10*time.Hour), orderNow)
		}
		if _, err := e.State(1, now()); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for deadline := time.Now().Add(30 * time.Second); !e.Backlog().Done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not judged: %+v", e.Backlog())
		}
	}
	r, err := e.Check(t.Context(), nil)
	if err != nil || !r.OK() || r.Hours < 20 {
		t.Errorf("computed again: %v %+v", err, r)
	}
	cancel()
	running.Wait()
	judgedAnew(t, s, reg, orderNow)
	judgedAnew(t, s, reg, orderNow.AddDate(20, 0, 0))
	// What the program keeps in memory follows the clock once it is right again.
	st, err := e.State(1, now())
	if last, ok := s.Latest(1, telemetry.KindMinute); err != nil || !ok || st.Latest != last.At {
		t.Errorf("state %+v, %v; the latest record is of %s", st, err, time.Unix(last.At, 0).In(beijing))
	}
}
