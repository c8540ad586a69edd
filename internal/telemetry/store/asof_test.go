package store

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
)

// TestSequenceAt asks for every instant around the groups of a journal whose
// frames wait a little for one another.
func TestSequenceAt(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := open(t, t.TempDir(), Options{NoSync: true})
		now, n := t0, int64(0)
		newest := []time.Time{{}} // by sequence: of all frames up to there
		for range 60 {
			var frames []*Frame
			last := newest[len(newest)-1]
			for range 1 + rng.IntN(3) {
				n++
				f := frameOf(t, 1, 2011, t0.Add(time.Duration(n)*time.Second), "a-Rtd=1")
				f.Received = now.Add(-time.Duration(rng.IntN(70)) * time.Second) // waited
				if f.Received.After(last) {
					last = f.Received
				}
				frames = append(frames, f)
			}
			put(t, s, frames...)
			// SubmitBatch may be taken as several groups only when it is large.
			for len(newest) <= int(s.Tail()) {
				newest = append(newest, last)
			}
			now = now.Add([]time.Duration{0, time.Second, 20 * time.Second, 3 * time.Minute, 2 * time.Hour}[rng.IntN(5)])
		}
		var asked []time.Time
		for _, at := range newest[1:] {
			asked = append(asked, at.Add(-time.Microsecond), at, at.Add(time.Microsecond), at.Truncate(time.Minute), at.Add(30*time.Second))
		}
		for _, at := range append(asked, t0.Add(-time.Hour), now.Add(time.Hour)) {
			want := 0
			for seq := 1; seq < len(newest) && !newest[seq].After(at); seq++ {
				want = seq
			}
			if got, err := s.SequenceAt(at); err != nil || got != uint64(want) {
				t.Fatalf("seed %d: at %s: %d (%v), want %d", seed, at, got, err, want)
			}
		}
	}
}

// TestSequenceAtClockSetBack: an instant that came twice is the second one.
func TestSequenceAtClockSetBack(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	if got, err := s.SequenceAt(t0); err != nil || got != 0 {
		t.Errorf("nothing there: %d, %v", got, err)
	}
	for i, minute := range []int{0, 10, 600, 610, 20, 30, 40} { // ten hours ahead for a while
		f := frameOf(t, 1, 2011, t0.Add(time.Duration(i)*time.Second), "a-Rtd=1")
		f.Received = t0.Add(time.Duration(minute) * time.Minute)
		put(t, s, f)
	}
	for minute, want := range map[int]uint64{-1: 0, 0: 1, 9: 1, 10: 2, 19: 2, 20: 5, 35: 6, 40: 7, 605: 7, 700: 7} {
		if got, err := s.SequenceAt(t0.Add(time.Duration(minute) * time.Minute)); err != nil || got != want {
			t.Errorf("at minute %d: %d (%v), want %d", minute, got, err, want)
		}
	}
}

// TestRecordsAt holds what was there at every sequence against a store that got
// no more than that.
func TestRecordsAt(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	s, shorter := open(t, t.TempDir(), Options{NoSync: true}), open(t, t.TempDir(), Options{NoSync: true})
	read := func(s *Store, seq uint64) (out []telemetry.Record) {
		err := s.RecordsAt(seq, 1, telemetry.KindMinute, t0.Unix(), t0.Unix()+3600, func(r *telemetry.Record) bool {
			c := *r
			c.Values, c.Parts = slices.Clone(r.Values), slices.Clone(r.Parts)
			out = append(out, c)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		for at := t0.Unix(); at < t0.Unix()+3600; at += 600 {
			parts, err := s.PartsAt(seq, 1, telemetry.KindMinute, at)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, parts...)
		}
		return out
	}
	var known [][]telemetry.Record
	for range 40 {
		f := frameOf(t, 1, 2051, t0.Add(time.Duration(rng.IntN(6))*10*time.Minute), []string{"a-Avg=1", "a-Avg=2", "b-Avg=3", "a-Avg=4,b-Avg=5"}[rng.IntN(4)])
		f.Raw = append(slices.Clone(f.Raw), byte(rng.IntN(250))) // as if the request number were another
		g := *f
		put(t, s, f)
		put(t, shorter, &g)
		for len(known) < int(shorter.Tail()) {
			known = append(known, read(shorter, math.MaxUint64))
		}
	}
	for i, want := range known {
		if d := cmp.Diff(want, read(s, uint64(i+1))); d != "" {
			t.Fatalf("as of sequence %d:\n%s", i+1, d)
		}
	}
	if got := read(s, 0); got != nil {
		t.Errorf("before everything: %v", got)
	}
}

// TestDamagedRow: a row that cannot be read is told as damage, and those beside
// it are read.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	for m := range 3 {
		put(t, s, frameOf(t, 1, 2051, t0.Add(time.Duration(m)*time.Minute), "a-Avg=1"))
	}
	key := appendLocator(seriesTime(nil, 1, telemetry.KindMinute, t0.Unix()+60), telemetry.Locator{Seq: 2})
	if err := s.engine.Load().DB.Set(key, []byte{0, 99}, nil); err != nil {
		t.Fatal(err)
	}
	read := func(from, to int64) (n int, err error) {
		err = s.Records(1, telemetry.KindMinute, t0.Unix()+from, t0.Unix()+to, func(*telemetry.Record) bool { n++; return true })
		return n, err
	}
	if _, err := read(0, 180); !errors.Is(err, ErrDamaged) {
		t.Errorf("with the damaged row: %v", err)
	}
	for _, from := range []int64{0, 120} {
		if n, err := read(from, from+60); n != 1 || err != nil {
			t.Errorf("beside it: %d, %v", n, err)
		}
	}
}
