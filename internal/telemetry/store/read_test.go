package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
)

// TestFramesBetween asks for spans of receipt that begin and end inside groups
// and minutes, under clocks that go on, that wait a little, and that are set.
func TestFramesBetween(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]func(r *rand.Rand) time.Duration{
		"steady":    func(*rand.Rand) time.Duration { return 0 },
		"reordered": func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(120)-60) * time.Second },
		"set": func(r *rand.Rand) time.Duration {
			if r.IntN(10) > 0 {
				return 0
			}
			return []time.Duration{-time.Hour, time.Hour, -10 * time.Minute, 24 * 365 * 14 * time.Hour, -24 * 365 * 14 * time.Hour}[r.IntN(5)]
		},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); framesBetween(t, jump) })
	}
}

func framesBetween(t *testing.T, jump func(*rand.Rand) time.Duration) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, Options{NoSync: true})
	r := rand.New(rand.NewPCG(1, 2))
	var times []time.Time
	at := t0
	for n := range 200 {
		if n == 100 { // the index goes on after a restart
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, Options{NoSync: true})
		}
		var frames []*Frame
		for range 1 + r.IntN(5) {
			at = at.Add(time.Duration(r.IntN(20_000)) * time.Millisecond).Add(jump(r))
			f := frameOf(t, 1, 2011, t0.Add(time.Duration(len(times))*time.Second), "a-Rtd="+strconv.Itoa(len(times)))
			f.Received = at
			times, frames = append(times, at), append(frames, f)
		}
		put(t, s, frames...)
	}
	for range 60 {
		from, to := times[r.IntN(len(times))], times[r.IntN(len(times))]
		switch r.IntN(4) {
		case 0:
			from = from.Truncate(time.Minute)
		case 1:
			from = time.Time{}
		case 2:
			to = time.Time{}
		}
		var want, got []time.Time
		for _, at := range times {
			if !at.Before(from) && (to.IsZero() || at.Before(to)) {
				want = append(want, at)
			}
		}
		for cursor := ""; ; {
			page, next, err := s.Frames("M1", from, to, cursor, 40)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				got = append(got, page[i].Received)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("frames in [%s, %s) (-want +got):\n%s", from, to, diff)
		}
	}
}

// TestBackPressure: a full queue makes Submit wait, and its context ends that.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
			<-gate
		}
		return nil
	}))
	opened := make(chan *Store)
	go func() {
		s, err := Open("db", Options{FS: fs, MaxQueue: 4, MaxBatch: 2})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	var s *Store
	for s == nil { // opening syncs some files
		select {
		case gate <- struct{}{}:
		case s = <-opened:
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	n, done := 0, make(chan Result, 100)
	for {
		f := frameOf(t, 1, 2011, t0.Add(time.Duration(n)*time.Second), "a-Rtd=1")
		f.Done = func(r Result) { done <- r }
		if err := s.Submit(ctx, f); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		if n++; n > 50 {
			t.Fatal("a queue of four took 50 frames")
		}
	}
	if len(done) != 0 {
		t.Fatalf("%d frames were acknowledged before a sync", len(done))
	}
	close(gate)
	for range n {
		if r := <-done; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Submit(t.Context(), frameOf(t, 1, 2011, t0, "a-Rtd=1")); !errors.Is(err, ErrClosed) {
		t.Errorf("submitted to a closed store: %v", err)
	}
	if err := s.Records(1, telemetry.KindRealtime, 0, 1<<40, func(*telemetry.Record) bool { return true }); !errors.Is(err, ErrClosed) {
		t.Errorf("read from a closed store: %v", err)
	}
}

// TestLatestAfterReopen: what is kept in memory is the same after a restart.
func TestLatestAfterReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, Options{NoSync: true})
	put(t, s, frameOf(t, 1, 2011, t0, "a-Rtd=1"), frameOf(t, 1, 2011, t0.Add(time.Minute), "a-Rtd=2"))
	put(t, s, frameOf(t, 1, 2011, t0.Add(time.Minute), "b-Rtd=3"), frameOf(t, 1, 2011, t0.Add(time.Minute), "a-Rtd=2.5"), frameOf(t, 1, 2011, t0, "c-Rtd=1"))
	check := func(s *Store) {
		t.Helper()
		rec, ok := s.Latest(1, telemetry.KindRealtime)
		if !ok || rec.At != t0.Add(time.Minute).Unix() || len(rec.Parts) != 3 || len(rec.Values) != 2 || rec.Values[0].Source() != "2.5" || !rec.Revised {
			t.Errorf("latest %+v", rec)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, dir, Options{}))
}
