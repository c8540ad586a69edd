package quality

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// remembersStored: an engine that has stopped keeps the rows that are stored, of
// the hours it says it has all of.
func remembersStored(t *testing.T, e *Engine) {
	t.Helper()
	for id, l := range e.outlets {
		var stored keptRows
		if err := e.o.Store.Derived(TableHour, id, l.floor+1, lastTime, func(at int64, v []byte) bool {
			stored = stored.put(at, v)
			return true
		}); err != nil {
			t.Error(err)
		}
		if diff := gocmp.Diff(stored, l.hours, gocmp.AllowUnexported(keptRow{}), cmpopts.EquateEmpty()); l.whole && diff != "" {
			t.Errorf("outlet %d: stored and kept hours after %d (-stored +kept):\n%s", id, l.floor, diff)
		}
		for _, d := range l.days {
			if err := e.o.Store.Derived(TableDay, id, d.at, d.at+1, func(_ int64, v []byte) bool {
				if !bytes.Equal(v, d.row) {
					t.Errorf("outlet %d: day %d is not kept as stored", id, d.at)
				}
				return true
			}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestJudgedWhileReceiving: late frames, revisions and registry changes come
// while the cascade runs and is stopped and started again; in the end its rows
// are those of a rebuild.
func TestJudgedWhileReceiving(t *testing.T) {
	t.Parallel()
	end := at(23, 8, 0)
	s, err := store.Open(t.TempDir(), store.Options{Now: func() time.Time { return unix(end) }, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	reg := &locked{s: registry(turbine(1), works(2)).s}
	start := func() (stop func()) {
		e, err := New(Options{Store: s, Registry: reg, Now: func() time.Time { return unix(end) }, Every: time.Millisecond, Batch: 7})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = e.Run(ctx) })
		return func() { cancel(); wg.Wait(); remembersStored(t, e) }
	}
	stop := start()
	rnd := rand.New(rand.NewPCG(1, 2))
	kinds := []telemetry.Kind{telemetry.KindMinute, telemetry.KindMinute, telemetry.KindRealtime, telemetry.KindHour, telemetry.KindDay}
	done := make(chan store.Result, 64)
	for i := range 120 {
		var batch []*store.Frame
		for range 1 + rnd.IntN(20) {
			o := telemetry.OutletID(1 + rnd.IntN(2))
			k := kinds[rnd.IntN(len(kinds))]
			suffix, when := "Avg", end-int64(rnd.IntN(36*6))*600
			switch k {
			case telemetry.KindRealtime:
				suffix = "Rtd"
			case telemetry.KindHour:
				when = hourStart(when)
			case telemetry.KindDay:
				when = dayStart(when)
			default:
			}
			codes := []string{"a21002", "a19001"}
			if o == 2 {
				codes = []string{"w01018", "w00000"}
			}
			r := rec(o, k, when, fmt.Sprintf("%s-%s=%d:N", codes[0], suffix, rnd.IntN(90)), fmt.Sprintf("%s-%s=%d:N", codes[1], suffix, rnd.IntN(20)))
			batch = append(batch, &store.Frame{
				MN: fmt.Sprintf("MN%d", o), Outlet: o, Kind: k, At: when, Received: unix(end), Values: r.Values,
				Raw: []byte("##0000"), Verdict: telemetry.Stored, Done: func(r store.Result) { done <- r },
			})
		}
		if err := s.SubmitBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for range batch {
			if r := <-done; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		switch i % 30 {
		case 10:
			stop()
			stop = start()
		case 20:
			o := turbine(1)
			o.Limits = []telemetry.Limit{{ID: "own", EffectiveFrom: "2026-11-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(float64(i))}}
			next := registry(o, works(2)).s
			next.Version = uint64(i)
			reg.set(next)
		}
	}
	stop()
	last := newEngine(t, s, reg, end)
	catchUp(t, last)
	read := func() (map[string]string, []store.Derived) {
		out := map[string]string{}
		var wipe []store.Derived
		for _, table := range []byte{TableHour, TableDay, tableBasis} {
			for _, id := range reg.Snapshot().Order {
				if err := s.Derived(table, id, firstTime, lastTime, func(at int64, v []byte) bool {
					out[derivedKey(table, id, at)] = string(v)
					wipe = append(wipe, store.Derived{Table: table, Outlet: id, At: at})
					return true
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return out, wipe
	}
	got, wipe := read()
	if err := s.PutDerived(wipe, cursorName, 0); err != nil {
		t.Fatal(err)
	}
	catchUp(t, newEngine(t, s, reg, end))
	want, _ := read()
	if d := gocmp.Diff(want, got); d != "" || len(want) < 60 {
		t.Errorf("%d rows; a rebuild gives other bytes:\n%s", len(want), d)
	}
}

// locked is a registry that changes while it is read.
type locked struct {
	mu sync.Mutex
	s  *telemetry.Snapshot
}

func (l *locked) Snapshot() *telemetry.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s
}

func (l *locked) set(s *telemetry.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s = s
}
