package entitystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/platform/lsm/lsmtest"
	"plateau/internal/sensorthings"
	"plateau/internal/testkit"
)

// errLooking is what a step returns that could not even find what it is about.
var errLooking = errors.New("looking")

// work is what the sweeps do to a store, step by step: always the same, and
// everything by name, so that the states it leads through can be compared whatever
// identifiers were given.
type work struct {
	seed  uint64
	given map[string]sensorthings.ID // what was acknowledged, by name
}

// find returns the identifier of the entity with a name.
func find(s sensorthings.Reader, set sensorthings.Set, name string) (id sensorthings.ID, err error) {
	err = s.Entities(context.Background(), set, 0, func(e *sensorthings.Entity) bool {
		if string(e.Properties[0]) == strconv.Quote(name) {
			id = e.ID
		}
		return id == 0
	})
	if err == nil && id == 0 {
		err = fmt.Errorf("no %s %q", set.One(), name)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errLooking, err)
	}
	return id, nil
}

// seek returns the observation whose result begins with a word.
func seek(s sensorthings.Reader, word string) (found sensorthings.Observation, err error) {
	err = s.Observations(context.Background(), sensorthings.All(), func(o *sensorthings.Observation) bool {
		if strings.HasPrefix(string(o.Result), `"`+word+" ") {
			found = *o.Clone()
		}
		return found.ID == 0
	})
	if err == nil && found.ID == 0 {
		err = fmt.Errorf("no observation %q", word)
	}
	if err != nil {
		return found, fmt.Errorf("%w: %w", errLooking, err)
	}
	return found, nil
}

// array makes observations of two Datastreams with results that cannot be
// compressed; every third has the feature, some are periods, some have a result time.
func (w *work) array(s *Store, n int, size int, label string) error {
	a, err := find(s, sensorthings.Datastreams, "a")
	if err != nil {
		return err
	}
	b, err := find(s, sensorthings.Datastreams, "b")
	if err != nil {
		return err
	}
	feature, err := find(s, sensorthings.FeaturesOfInterest, "field")
	if err != nil {
		return err
	}
	noise := rand.New(rand.NewPCG(w.seed, uint64(label[0]))) // the same when it is tried again
	obs := make([]sensorthings.Observation, n)
	for i := range obs {
		text := make([]byte, size)
		for k := range text {
			text[k] = byte('a' + noise.IntN(26))
		}
		o := observation([]sensorthings.ID{a, b}[i%2], t0+int64(i*37%50)*1e6, fmt.Sprintf(`"%s%d %s"`, label, i, text))
		if i%3 == 0 {
			o.Feature = feature
		}
		if i%4 == 0 {
			o.Phenomenon.End += 5e6
		}
		if i%5 == 0 {
			o.HasResultTime, o.ResultTime = true, o.Phenomenon.Start+int64(i%2)
		}
		obs[i] = o
	}
	ids, err := s.Append(context.Background(), obs)
	for i, id := range ids {
		w.given[fmt.Sprintf("%s%d", label, i)] = id
	}
	return err
}

// create makes entities in a transaction, one after another.
func (w *work) create(x *Tx, set sensorthings.Set, name string, one ...sensorthings.ID) (sensorthings.ID, error) {
	return x.Create(entity(set, name, one...))
}

// change is a step whose changes are one transaction.
func change(fn func(x *Tx) error) func(*Store) error {
	return func(s *Store) error { return s.Update(context.Background(), fn) }
}

func (w *work) steps() []func(*Store) error {
	const much = 25_000 // bytes: an array fills a third of a memory table
	return []func(*Store) error{
		change(w.station),
		func(s *Store) error { return w.array(s, 1, 10, "single") },
		func(s *Store) error { return w.array(s, 16, much, "first") },
		change(w.rename),
		func(s *Store) error { return s.Compact(context.Background()) },
		change(w.second),
		func(s *Store) error { return w.array(s, 16, much, "next") },
		change(func(x *Tx) error {
			o, err := seek(x, "first7")
			if err != nil {
				return err
			}
			return x.Delete(sensorthings.Observations, o.ID)
		}),
		change(func(x *Tx) error { return w.remove(x, sensorthings.Things, "second") }),
		func(s *Store) error { return w.array(s, 16, much, "more") },
		change(func(x *Tx) error { return w.remove(x, sensorthings.FeaturesOfInterest, "field") }),
		func(s *Store) error { return s.Compact(context.Background()) },
		change(func(x *Tx) error {
			_, err := w.create(x, sensorthings.FeaturesOfInterest, "field")
			return err
		}),
		func(s *Store) error { return w.array(s, 12, 20, "last") },
	}
}

// station is what a deep insert makes.
func (w *work) station(x *Tx) error {
	ids := map[sensorthings.Set]sensorthings.ID{}
	for _, set := range []sensorthings.Set{
		sensorthings.Things, sensorthings.Locations, sensorthings.Sensors, sensorthings.ObservedProperties, sensorthings.FeaturesOfInterest,
	} {
		name := "first"
		if set == sensorthings.FeaturesOfInterest {
			name = "field"
		}
		id, err := w.create(x, set, name)
		if err != nil {
			return err
		}
		ids[set] = id
	}
	if err := x.Link(sensorthings.Things, ids[sensorthings.Things], "Locations", ids[sensorthings.Locations]); err != nil {
		return err
	}
	if err := x.SetGeneratedFeature(ids[sensorthings.Locations], ids[sensorthings.FeaturesOfInterest]); err != nil {
		return err
	}
	for _, name := range []string{"a", "b"} {
		if _, err := w.create(x, sensorthings.Datastreams, name, ids[sensorthings.Things], ids[sensorthings.Sensors], ids[sensorthings.ObservedProperties]); err != nil {
			return err
		}
	}
	return nil
}

// rename gives a Thing another name and an observation other times.
func (w *work) rename(x *Tx) error {
	id, err := find(x, sensorthings.Things, "first")
	if err != nil {
		return err
	}
	e := entity(sensorthings.Things, "renamed")
	e.ID = id
	if err := x.Replace(e); err != nil {
		return err
	}
	o, err := seek(x, "first4")
	if err != nil {
		return err
	}
	o.Phenomenon = sensorthings.Span{Start: t0 - 9e6, End: t0 - 9e6}
	o.HasResultTime = false
	return x.ReplaceObservation(&o)
}

// second makes another Thing, with observations in the same transaction.
func (w *work) second(x *Tx) error {
	thing, err := w.create(x, sensorthings.Things, "second")
	if err != nil {
		return err
	}
	ds, err := w.create(x, sensorthings.Datastreams, "c", thing, 7, 8)
	if err != nil {
		return err
	}
	for i := range 20 {
		o := observation(ds, t0+int64(i)*1e6, fmt.Sprintf(`"second%d "`, i))
		if _, err := x.Observe(&o); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) remove(x *Tx, set sensorthings.Set, name string) error {
	id, err := find(x, set, name)
	if err != nil {
		return err
	}
	return x.Delete(set, id)
}

// state writes down all that a store holds, by name: entities with their
// relations at both ends, observations by each way to them, summaries.
func state(t *testing.T, s *Store) string {
	t.Helper()
	var (
		b     bytes.Buffer
		ctx   = context.Background()
		names = map[sensorthings.ID]string{}
		lists = map[sensorthings.Set][]*sensorthings.Entity{}
	)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, set := range sensorthings.Sets() {
		if set == sensorthings.Observations {
			continue
		}
		must(s.Entities(ctx, set, 0, func(e *sensorthings.Entity) bool {
			own := *e
			own.One = slices.Clone(e.One)
			own.Properties = make([]json.RawMessage, len(e.Properties))
			for i, p := range e.Properties {
				own.Properties[i] = bytes.Clone(p)
			}
			names[e.ID], lists[set] = set.One()+" "+string(own.Properties[0]), append(lists[set], &own)
			return true
		}))
	}
	name := func(id sensorthings.ID) string {
		if n, known := names[id]; known {
			return n
		}
		return strconv.FormatInt(id, 10)
	}
	rows := func(what string, sc sensorthings.Scan) {
		fmt.Fprintf(&b, " %s:", what)
		must(s.Observations(ctx, sc, func(o *sensorthings.Observation) bool {
			fmt.Fprintf(&b, " [%s %d %d %v %d of %s at %s]", o.Result[:min(12, len(o.Result))], o.Phenomenon.Start-t0, o.Phenomenon.End-t0, o.HasResultTime, o.ResultTime, name(o.Datastream), name(o.Feature))
			return true
		}))
		b.WriteByte('\n')
	}
	for _, set := range sensorthings.Sets() {
		for _, e := range lists[set] {
			fmt.Fprintf(&b, "%s %s", name(e.ID), e.Properties)
			for _, one := range e.One {
				fmt.Fprintf(&b, " -> %s", name(one))
			}
			b.WriteByte('\n')
			for _, r := range set.Relations() {
				if r.Many && r.To != sensorthings.Observations {
					must(s.Related(ctx, set, e.ID, r.Name, func(other sensorthings.ID) bool { fmt.Fprintf(&b, " %s %s\n", r.Name, name(other)); return true }))
				}
			}
			switch set { //nolint:exhaustive // the others have no observations
			case sensorthings.Datastreams:
				rows("by time", all(e.ID, sensorthings.ByTime))
				rows("by identifier", all(e.ID, sensorthings.ByID))
				sum, err := s.Summary(ctx, e.ID)
				must(err)
				fmt.Fprintf(&b, " %+v\n", sum)
			case sensorthings.FeaturesOfInterest:
				sc := all(0, sensorthings.ByID)
				sc.Feature = e.ID
				rows("of the feature", sc)
			}
		}
	}
	rows("all", all(0, sensorthings.ByID))
	return b.String()
}

// One in how many occurrences the sweep tries, from a random one on; each one
// with PLATEAU_TEST_FAULTS=all. A run is some ten times as dear under the race
// detector.
const (
	sampled      = 5
	sampledRaced = 25
)

// TestFaultSweep lets each access to the disk fail once, at its first, second, …
// occurrence in work that is always the same, and lets the disk be full from each
// change of it on. Whatever fails: each step is wholly done or not at all, done
// when it was acknowledged, once; that holds for the store that goes on by itself
// when the disk is well again, for a power failure at the fault and for one at the
// end. Indexes agree with entities each time. PLATEAU_TEST_SEED repeats a run.
func TestFaultSweep(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PLATEAU_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	states := reference(t, seed)
	var all atomic.Int64
	t.Cleanup(func() {
		if all.Load() == 0 {
			t.Error("no fault was injected at all")
		}
	})
	for _, kind := range lsmtest.Accesses {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			calm := &sweepRun{states: states, seed: seed, j: kind.Calm()}
			calm.run(t)
			var injected, refused, cuts, runs int64
			every := int64(sampled)
			switch {
			case lsmtest.All():
				every = 1
			case testkit.Race:
				every = sampledRaced
			}
			n := calm.j.Seen.Load()
			for k := 1 + min(int64(seed%uint64(every)), n-1); k <= n; k += every {
				r := &sweepRun{states: states, seed: seed, j: kind.At(k)}
				t.Run(fmt.Sprint(k), r.run)
				injected += r.j.Injected.Load()
				refused += r.refused
				if r.cut.disk != nil {
					cuts++
				}
				runs++
			}
			all.Add(injected)
			// What is in the background differs a little from run to run.
			if injected == 0 && every == 1 {
				t.Error("no fault was injected")
			}
			t.Logf("%s: %d occurrences, %d runs, %d faults injected, %d steps refused, %d power failures at a fault and %d at the end; 0 of %d acknowledged steps lost", kind.Name, n, runs, injected, refused, cuts, runs, runs*int64(len(states)-1))
		})
	}
}

// reference does the work on a sound disk and returns the state before it and
// after each step.
func reference(t *testing.T, seed uint64) []string {
	t.Helper()
	s, err := Open("db", Options{FS: vfs.NewMem(), NoSync: true, CacheMB: 8, MemMB: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWork(seed)
	states := []string{state(t, s)}
	for i, step := range w.steps() {
		if err := step(s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		states = append(states, state(t, s))
	}
	verified(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return states
}

func newWork(seed uint64) *work {
	return &work{seed: seed, given: map[string]sensorthings.ID{}}
}

// sweepRun is the work once, with one fault.
type sweepRun struct {
	states  []string
	seed    uint64
	j       *lsmtest.Injector
	done    atomic.Int64 // steps
	refused int64
	cut     struct {
		disk     *vfs.MemFS
		from, to int64 // the steps that may be done on it
	}
}

func (r *sweepRun) run(t *testing.T) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	chance := rand.New(rand.NewPCG(r.seed, uint64(r.j.K)))
	clone := func() *vfs.MemFS {
		return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 0, 50, 100}[chance.IntN(4)], RNG: chance})
	}
	r.j.Cut = func() {
		r.cut.from = r.done.Load()
		r.cut.disk = clone()
		r.cut.to = r.done.Load() + 1
	}
	o := Options{FS: errorfs.Wrap(disk, r.j), CacheMB: 8, MemMB: 1}
	s, err := Open("db", o)
	if err != nil { // the fault met the start: the next one must succeed
		r.j.Healed.Store(true)
		if s, err = Open("db", o); err != nil {
			t.Fatalf("not even opened after the fault was over: %v", err)
		}
	}
	w := newWork(r.seed)
	for i, step := range w.steps() {
		for tries := 0; !r.step(t, s, i, step); tries++ {
			if tries > 3 {
				t.Fatalf("step %d is refused again and again", i)
			}
		}
		r.done.Store(int64(i) + 1)
	}
	r.j.Healed.Store(true)
	healthy(t, s) // a fault in the background may be met just now
	r.check(t, s, int64(len(r.states)-1), int64(len(r.states)-1))
	for name, id := range w.given {
		if o, err := s.Observation(context.Background(), id); err == nil && !strings.HasPrefix(string(o.Result), `"`+name+" ") {
			t.Errorf("%s was told to be %d, which is %.12s", name, id, o.Result)
		}
	}
	last := clone()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	r.reopen(t, last, int64(len(r.states)-1), int64(len(r.states)-1))
	if r.cut.disk != nil {
		r.reopen(t, r.cut.disk, r.cut.from, r.cut.to)
	}
}

// step tries a step until it is known whether it is done.
func (r *sweepRun) step(t *testing.T, s *Store, i int, do func(*Store) error) (done bool) {
	t.Helper()
	err := do(s)
	if err == nil {
		return true
	}
	r.refused++
	before, after := int64(i), int64(i+1)
	if !errors.Is(err, ErrDegraded) && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, errLooking) && s.Health() == nil {
		t.Fatalf("step %d: an error of another kind: %v", i, err)
	}
	if r.j.Lasting && s.Health() != nil {
		if err := s.Update(context.Background(), func(x *Tx) error {
			_, err := x.Create(entity(sensorthings.Things, "refused"))
			return err
		}); !errors.Is(err, ErrDegraded) {
			t.Errorf("step %d: a change of a full disk: %v", i, err)
		}
		_ = state(t, s) // reading goes on; it may show what nobody was told yet
	}
	r.j.Healed.Store(true)
	healthy(t, s)
	r.check(t, s, before, after)
	if r.states[before] == r.states[after] { // a compaction
		return do(s) == nil
	}
	return state(t, s) == r.states[after]
}

// among sees that the store has one of some states.
func (r *sweepRun) among(t *testing.T, s *Store, from, to int64) {
	t.Helper()
	to = min(to, int64(len(r.states)-1))
	got := state(t, s)
	if !slices.Contains(r.states[from:to+1], got) {
		t.Fatalf("none of the states after steps %d to %d: %s", from, to, differingLine(got, r.states[to]))
	}
}

// differingLine shows where two states part.
func differingLine(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("%.300s\nwant\n%.300s", g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return "it ends too soon"
}

func (r *sweepRun) check(t *testing.T, s *Store, from, to int64) {
	t.Helper()
	verified(t, s)
	r.among(t, s, from, to)
}

func (r *sweepRun) reopen(t *testing.T, disk *vfs.MemFS, from, to int64) {
	t.Helper()
	s, err := Open("db", Options{FS: disk, CacheMB: 8, MemMB: 1})
	if err != nil {
		t.Fatalf("after a power failure: %v", err)
	}
	r.check(t, s, from, to)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
