package outlets

import (
	"errors"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

var errDisk = errors.New("the disk takes nothing")

// failing is a store that fails so often.
type failing struct {
	*store.Store
	puts, parts, groups int // that are still to fail
	tried               int // puts
}

func (f *failing) PutDerived(rows []store.Derived, cursor string, seq uint64) error {
	if f.tried++; f.puts > 0 {
		f.puts--
		return errDisk
	}
	return f.Store.PutDerived(rows, cursor, seq)
}

func (f *failing) Parts(o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error) {
	if f.parts > 0 {
		f.parts--
		return nil, errDisk
	}
	return f.Store.Parts(o, k, at)
}

func (f *failing) Groups(seq uint64, fn func(store.GroupMeta) bool) error {
	err := f.Store.Groups(seq, fn)
	if f.groups > 0 {
		f.groups--
		return errDisk
	}
	return err
}

func newFailing(tb testing.TB) (*kit, *failing) {
	tb.Helper()
	k := newKit(tb)
	f := &failing{Store: k.store}
	var err error
	if k.Source, err = New(Options{Store: f, Registry: k.reg, Quality: k.engine, Now: k.clock}); err != nil {
		tb.Fatal(err)
	}
	return k, f
}

// What could not be counted is counted by the next who asks, once.
func TestCountsAfterAFault(t *testing.T) {
	t.Parallel()
	k, f := newFailing(t)
	want := int64(0)
	send := func(at time.Time, items ...string) {
		k.send(t, 1, 2051, at, append(items, "a21002-Avg=20,a21002-Flag=N")...)
		want++
	}
	count := func(fails bool) {
		t.Helper()
		got, err := k.counts.of(k.numbers.list.Load().byKey[key{1, "a21002", minute, suffixMean}])
		if fails {
			if !errors.Is(err, errDisk) {
				t.Fatalf("%v", err)
			}
			return
		}
		if err != nil || got.n != want {
			t.Fatalf("%d of %d observations, %v", got.n, want, err)
		}
	}
	for i := range 18 {
		send(day0.Add(time.Duration(i) * 10 * time.Minute))
	}
	count(false)
	// A series that has no number yet, in what is now counted for good.
	for i := range 15 {
		at := day0.Add(time.Duration(3+i) * time.Hour)
		if i == 2 {
			send(at, "a01014-Avg=3,a01014-Flag=N")
			continue
		}
		send(at)
	}
	f.puts = 1
	count(true)
	count(false)
	// What comes late.
	send(day0.Add(5 * time.Minute))
	f.parts = 1
	count(true)
	count(false)
	send(day0.Add(15 * time.Minute))
	f.groups = 1
	count(true)
	count(false)
}

// While nothing can be written, numbers are tried once in a while, not with
// every request; what the registry declares has them as soon as it can be.
func TestNumbersAreNotTriedWithEveryRequest(t *testing.T) {
	t.Parallel()
	k, f := newFailing(t)
	more := region()
	more.Outlets[3].Factors = append(more.Outlets[3].Factors, telemetry.OutletFactor{Code: "w01018", Order: 2})
	k.reg.s.Store(more)
	f.tried, f.puts = 0, 2
	ask := func(tried int, numbered bool) {
		t.Helper()
		for range 3 {
			if _, err := k.Reader(nil).Entity(t.Context(), sensorthings.Things, 1); err != nil {
				t.Fatal(err)
			}
		}
		if se := k.numbers.list.Load().byKey[key{3, "w01018", hour, suffixMean}]; f.tried != tried || (se != nil) != numbered {
			t.Fatalf("tried %d times, want %d; numbered: %v", f.tried, tried, se != nil)
		}
	}
	ask(1, false)
	k.setClock(k.clock().Add(lookEvery))
	ask(2, false)
	k.setClock(k.clock().Add(lookEvery))
	ask(3, true)
}
