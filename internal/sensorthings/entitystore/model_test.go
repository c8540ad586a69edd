package entitystore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"plateau/internal/sensorthings"
	"plateau/internal/testkit"
)

// model is what the store should hold.
type model struct {
	entities map[sensorthings.Set]map[sensorthings.ID]*sensorthings.Entity
	links    map[link]bool
	obs      map[sensorthings.ID]sensorthings.Observation
	used     map[sensorthings.ID]bool // identifiers of observations ever given
	usedE    map[sensorthings.ID]bool
}

type link struct {
	set      sensorthings.Set
	id       sensorthings.ID
	relation string
	other    sensorthings.ID
}

func newModel() *model {
	m := &model{
		entities: map[sensorthings.Set]map[sensorthings.ID]*sensorthings.Entity{}, links: map[link]bool{},
		obs: map[sensorthings.ID]sensorthings.Observation{}, used: map[sensorthings.ID]bool{}, usedE: map[sensorthings.ID]bool{},
	}
	for _, set := range sensorthings.Sets() {
		m.entities[set] = map[sensorthings.ID]*sensorthings.Entity{}
	}
	return m
}

func (m *model) clone() *model {
	c := *m
	c.links, c.obs, c.used, c.usedE = maps.Clone(m.links), maps.Clone(m.obs), maps.Clone(m.used), maps.Clone(m.usedE)
	c.entities = map[sensorthings.Set]map[sensorthings.ID]*sensorthings.Entity{}
	for set, es := range m.entities {
		c.entities[set] = maps.Clone(es)
	}
	return &c
}

func (m *model) ids(set sensorthings.Set) []sensorthings.ID {
	if set == sensorthings.Observations {
		return slices.Sorted(maps.Keys(m.obs))
	}
	return slices.Sorted(maps.Keys(m.entities[set]))
}

// remove deletes with the cascades of the standard, spelled out.
func (m *model) remove(set sensorthings.Set, id sensorthings.ID) {
	each := func(of sensorthings.Set, relation string) {
		for _, other := range m.ids(of) {
			if e := m.entities[of][other]; e != nil && e.To(relation) == id {
				m.remove(of, other)
			}
		}
	}
	switch set { //nolint:exhaustive // a HistoricalLocation takes nothing with it
	case sensorthings.Things:
		each(sensorthings.Datastreams, "Thing")
		each(sensorthings.HistoricalLocations, "Thing")
	case sensorthings.Sensors:
		each(sensorthings.Datastreams, "Sensor")
	case sensorthings.ObservedProperties:
		each(sensorthings.Datastreams, "ObservedProperty")
	case sensorthings.Locations:
		for l := range m.links {
			if l.set == sensorthings.HistoricalLocations && l.other == id && m.entities[l.set][l.id] != nil {
				m.remove(l.set, l.id)
			}
		}
	case sensorthings.Datastreams:
		maps.DeleteFunc(m.obs, func(_ sensorthings.ID, o sensorthings.Observation) bool { return o.Datastream == id })
	case sensorthings.FeaturesOfInterest:
		maps.DeleteFunc(m.obs, func(_ sensorthings.ID, o sensorthings.Observation) bool { return o.Feature == id })
	case sensorthings.Observations:
		delete(m.obs, id)
	}
	for l := range m.links {
		_, r, _ := relationOf(l.set, l.relation)
		if l.set == set && l.id == id || r.To == set && l.other == id {
			delete(m.links, l)
		}
	}
	delete(m.entities[set], id)
}

func (m *model) scan(sc sensorthings.Scan) (list []sensorthings.Observation) {
	byTime := sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc
	compare := func(a, b *sensorthings.Observation) int {
		c := 0
		if byTime {
			c = cmp.Compare(a.Phenomenon.Start, b.Phenomenon.Start)
		}
		if c = cmp.Or(c, cmp.Compare(a.ID, b.ID)); sc.Order == sensorthings.ByIDDesc || sc.Order == sensorthings.ByTimeDesc {
			return -c
		}
		return c
	}
	for _, o := range m.obs {
		if sc.Datastream != 0 && o.Datastream != sc.Datastream || sc.Feature != 0 && o.Feature != sc.Feature ||
			o.Phenomenon.Start < sc.From || o.Phenomenon.Start >= sc.To {
			continue
		}
		if a := sc.After; a != nil && compare(&o, &sensorthings.Observation{ID: a.ID, Phenomenon: sensorthings.Span{Start: a.Start}}) <= 0 {
			continue
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b sensorthings.Observation) int { return compare(&a, &b) })
	return list
}

func (m *model) summary(ds sensorthings.ID) (s sensorthings.Summary) {
	for _, o := range m.obs {
		if o.Datastream != ds {
			continue
		}
		if s.Count++; s.Count == 1 {
			s.Phenomenon = o.Phenomenon
		}
		s.Phenomenon.Start, s.Phenomenon.End = min(s.Phenomenon.Start, o.Phenomenon.Start), max(s.Phenomenon.End, o.Phenomenon.End)
		if !o.HasResultTime {
			continue
		}
		if !s.HasResult {
			s.HasResult, s.Result = true, sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}
		}
		s.Result.Start, s.Result.End = min(s.Result.Start, o.ResultTime), max(s.Result.End, o.ResultTime)
	}
	return s
}

// machine drives store and model side by side.
type machine struct {
	t   *rapid.T
	ctx context.Context
	fs  *vfs.MemFS
	s   *Store
	m   *model
}

func (k *machine) open() {
	s, err := Open("db", Options{FS: k.fs, CacheMB: 1, MemMB: 1})
	if err != nil {
		k.t.Fatal(err)
	}
	k.s = s
}

func (k *machine) pick(set sensorthings.Set, outlets bool) sensorthings.ID {
	ids := k.m.ids(set)
	if outlets {
		ids = append(ids, 3, 4)
	}
	if len(ids) == 0 {
		return 0
	}
	return rapid.SampledFrom(ids).Draw(k.t, set.One())
}

func (k *machine) observation() sensorthings.Observation {
	at := func(name string) int64 {
		us := t0 + 1000*rapid.Int64Range(0, 30).Draw(k.t, name)
		if rapid.IntRange(0, 9).Draw(k.t, "odd") == 0 {
			us++
		}
		return us
	}
	o := sensorthings.Observation{
		Datastream: k.pick(sensorthings.Datastreams, false),
		Result:     json.RawMessage(rapid.SampledFrom([]string{"1", "2.50", "true", `"x"`, "-0.0", "1e3"}).Draw(k.t, "result")),
	}
	o.Phenomenon.Start = at("start")
	o.Phenomenon.End = o.Phenomenon.Start
	if rapid.IntRange(0, 3).Draw(k.t, "period") == 0 {
		o.Phenomenon.End += 1000 * rapid.Int64Range(1, 40).Draw(k.t, "length")
	}
	switch rapid.IntRange(0, 4).Draw(k.t, "result time") {
	case 0, 1:
		o.HasResultTime, o.ResultTime = true, o.Phenomenon.Start
	case 2:
		o.HasResultTime, o.ResultTime = true, at("result at")
	}
	if rapid.Bool().Draw(k.t, "feature") {
		o.Feature = k.pick(sensorthings.FeaturesOfInterest, true)
	}
	return o
}

// change runs one change in a transaction and in m.
func (k *machine) change(x *Tx, m *model) error {
	switch rapid.IntRange(0, 9).Draw(k.t, "change") {
	case 0, 1:
		set := rapid.SampledFrom([]sensorthings.Set{
			sensorthings.Things, sensorthings.Locations, sensorthings.HistoricalLocations, sensorthings.Datastreams,
			sensorthings.Sensors, sensorthings.ObservedProperties, sensorthings.FeaturesOfInterest,
		}).Draw(k.t, "set")
		e := k.fresh(set, m)
		id, err := x.Create(e)
		if err != nil {
			return err
		}
		if m.usedE[id] {
			k.t.Fatalf("identifier %d was given twice", id)
		}
		m.usedE[id] = true
		e.ID = id
		m.entities[set][id] = e
	case 2:
		set := rapid.SampledFrom([]sensorthings.Set{sensorthings.Things, sensorthings.HistoricalLocations}).Draw(k.t, "set")
		id, other := k.pick(set, true), k.pick(sensorthings.Locations, true)
		l := link{set, id, "Locations", other}
		if rapid.Bool().Draw(k.t, "unlink") {
			delete(m.links, l)
			return x.Unlink(set, id, l.relation, other)
		}
		m.links[l] = true
		return x.Link(set, id, l.relation, other)
	case 3:
		set := rapid.SampledFrom(sensorthings.Sets()).Draw(k.t, "set")
		ids := m.ids(set)
		if len(ids) == 0 {
			return nil
		}
		id := rapid.SampledFrom(ids).Draw(k.t, "id")
		m.remove(set, id)
		return x.Delete(set, id)
	case 4:
		set := rapid.SampledFrom([]sensorthings.Set{sensorthings.Datastreams, sensorthings.HistoricalLocations, sensorthings.Things}).Draw(k.t, "set")
		ids := m.ids(set)
		if len(ids) == 0 {
			return nil
		}
		e := k.fresh(set, m)
		e.ID = rapid.SampledFrom(ids).Draw(k.t, "id")
		m.entities[set][e.ID] = e
		return x.Replace(e)
	case 5, 6:
		o := k.observation()
		if _, there := m.entities[sensorthings.Datastreams][o.Datastream]; !there || !k.feature(m, o.Feature) {
			return nil
		}
		id, err := x.Observe(&o)
		if err != nil {
			return err
		}
		k.given(m, id)
		o.ID = id
		m.obs[id] = o
	case 7, 8:
		ids := m.ids(sensorthings.Observations)
		o := k.observation()
		if _, there := m.entities[sensorthings.Datastreams][o.Datastream]; !there || len(ids) == 0 || !k.feature(m, o.Feature) {
			return nil
		}
		o.ID = rapid.SampledFrom(ids).Draw(k.t, "id")
		m.obs[o.ID] = o
		return x.ReplaceObservation(&o)
	default:
		k.compare(x, m)
	}
	return nil
}

func (k *machine) feature(m *model, id sensorthings.ID) bool {
	return id < sensorthings.FirstClientID || m.entities[sensorthings.FeaturesOfInterest][id] != nil
}

func (k *machine) given(m *model, id sensorthings.ID) {
	if m.used[id] {
		k.t.Fatalf("identifier %d was given twice", id)
	}
	m.used[id] = true
}

// fresh makes an entity with single relations to what is there, or to outlets.
func (k *machine) fresh(set sensorthings.Set, m *model) *sensorthings.Entity {
	e := entity(set, rapid.StringMatching(`[a-z]{0,5}`).Draw(k.t, "name"))
	for _, r := range set.Relations() {
		if r.Many {
			continue
		}
		ids := append(m.ids(r.To), 5)
		e.One = append(e.One, rapid.SampledFrom(ids).Draw(k.t, r.Name))
	}
	return e
}

var errRollback = errors.New("on second thoughts")

func (k *machine) actions() map[string]func(*rapid.T) {
	with := func(fn func()) func(*rapid.T) {
		return func(t *rapid.T) { k.t = t; fn() }
	}
	return map[string]func(*rapid.T){
		"append": with(func() {
			var obs []sensorthings.Observation
			for range rapid.IntRange(1, 8).Draw(k.t, "n") {
				if o := k.observation(); o.Datastream != 0 {
					obs = append(obs, o)
				}
			}
			ids, err := k.s.Append(k.ctx, obs)
			if err != nil {
				k.t.Fatal(err)
			}
			for i, id := range ids {
				k.given(k.m, id)
				obs[i].ID = id
				k.m.obs[id] = obs[i]
			}
		}),
		"update": with(func() {
			m := k.m.clone()
			undo := rapid.IntRange(0, 4).Draw(k.t, "undo") == 0
			err := k.s.Update(k.ctx, func(x *Tx) error {
				for range rapid.IntRange(1, 6).Draw(k.t, "changes") {
					if err := k.change(x, m); err != nil {
						return err
					}
				}
				if undo {
					return errRollback
				}
				return nil
			})
			switch {
			case undo && !errors.Is(err, errRollback), !undo && err != nil:
				k.t.Fatal(err)
			case !undo:
				k.m = m
			}
		}),
		"crash": with(func() {
			clone := k.fs.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: rapid.IntRange(0, 100).Draw(k.t, "kept"), RNG: rand.New(rand.NewPCG(rapid.Uint64().Draw(k.t, "seed"), 0)),
			})
			_ = k.s.Close()
			k.fs = clone
			k.open()
		}),
		"compact": with(func() {
			if err := k.s.Compact(k.ctx); err != nil {
				k.t.Fatal(err)
			}
		}),
		"look": with(k.look),
	}
}

func (k *machine) look() {
	k.compare(k.s, k.m)
	r, err := k.s.Verify(k.ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, f := range r.Faults {
		k.t.Error(f)
	}
}

// compare reads everything in every way.
func (k *machine) compare(r sensorthings.Reader, m *model) {
	for _, set := range sensorthings.Sets() {
		if set == sensorthings.Observations {
			continue
		}
		var got []sensorthings.ID
		if err := r.Entities(k.ctx, set, 0, func(e *sensorthings.Entity) bool { got = append(got, e.ID); return true }); err != nil {
			k.t.Fatal(err)
		}
		if want := m.ids(set); !slices.Equal(got, want) {
			k.t.Fatalf("%s: %v, want %v", set, got, want)
		}
		for _, id := range append(m.ids(set), 3, 4, 5) {
			for _, rel := range set.Relations() {
				if rel.Many && rel.To != sensorthings.Observations {
					k.compareRelated(r, m, set, id, rel)
				}
			}
		}
	}
	for id, want := range m.obs {
		got, err := r.Observation(k.ctx, id)
		if err != nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", want) {
			k.t.Fatalf("observation %d: %+v, %v, want %+v", id, got, err, want)
		}
	}
	for id := range m.used {
		if _, there := m.obs[id]; !there {
			if _, err := r.Observation(k.ctx, id); !errors.Is(err, sensorthings.ErrNotFound) {
				k.t.Fatalf("observation %d is still there: %v", id, err)
			}
		}
	}
	for _, ds := range append(m.ids(sensorthings.Datastreams), 0, 1) {
		if got, err := r.Summary(k.ctx, ds); err != nil || got != m.summary(ds) {
			k.t.Fatalf("summary of %d: %+v, %v, want %+v", ds, got, err, m.summary(ds))
		}
		for order := sensorthings.ByID; order <= sensorthings.ByTimeDesc; order++ {
			if ds == 0 && (order == sensorthings.ByTime || order == sensorthings.ByTimeDesc) {
				continue
			}
			for _, feature := range append(m.ids(sensorthings.FeaturesOfInterest), 0, 3) {
				k.compareScan(r, m, sensorthings.Scan{Datastream: ds, Feature: feature, From: math.MinInt64, To: math.MaxInt64, Order: order})
			}
			sc := sensorthings.Scan{Datastream: ds, From: t0 + rapid.Int64Range(-1, 31000).Draw(k.t, "from"), To: t0 + rapid.Int64Range(-1, 31000).Draw(k.t, "to"), Order: order}
			k.compareScan(r, m, sc)
			sc.From, sc.To = math.MinInt64, math.MaxInt64
			sc.After = &sensorthings.Mark{Start: t0 + 1000*rapid.Int64Range(0, 30).Draw(k.t, "mark"), ID: rapid.Int64Range(0, 200).Draw(k.t, "mark id")}
			k.compareScan(r, m, sc)
		}
	}
}

func (k *machine) compareRelated(r sensorthings.Reader, m *model, set sensorthings.Set, id sensorthings.ID, rel sensorthings.Relation) {
	var want, got []sensorthings.ID
	for other, e := range m.entities[rel.To] {
		if back, _ := rel.To.Relation(rel.Inverse); !back.Many && e.To(rel.Inverse) == id {
			want = append(want, other)
		}
	}
	for l := range m.links {
		_, r, _ := relationOf(l.set, l.relation)
		switch {
		case l.set == set && l.id == id && l.relation == rel.Name:
			want = append(want, l.other)
		case r.To == set && l.other == id && r.Inverse == rel.Name && l.set == rel.To:
			want = append(want, l.id)
		}
	}
	slices.Sort(want)
	if err := r.Related(k.ctx, set, id, rel.Name, func(other sensorthings.ID) bool { got = append(got, other); return true }); err != nil {
		k.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		k.t.Fatalf("%s(%d)/%s: %v, want %v", set, id, rel.Name, got, want)
	}
}

func (k *machine) compareScan(r sensorthings.Reader, m *model, sc sensorthings.Scan) {
	want := m.scan(sc)
	i := 0
	if err := r.Observations(k.ctx, sc, func(o *sensorthings.Observation) bool {
		if i >= len(want) || fmt.Sprintf("%+v", *o) != fmt.Sprintf("%+v", want[i]) {
			k.t.Fatalf("scan %+v at %d: %+v, want %+v", sc, i, *o, want[min(i, len(want)-1):])
		}
		i++
		return true
	}); err != nil {
		k.t.Fatal(err)
	}
	if i != len(want) {
		k.t.Fatalf("scan %+v: %d, want %d", sc, i, len(want))
	}
}

// racedModels is how many runs TestModel has under the race detector, unless it is
// told by -rapid.checks.
const racedModels = "20"

// TestModel drives the store against a map, with crashes that lose what was not
// synced. Everything that was told done is there afterwards, and nothing else.
//
// Under the race detector a run costs ten times as much, because the tree then
// notes the stack of each use of a file; nothing here runs at once but the tree's
// own work, so fewer runs show what it can see.
func TestModel(t *testing.T) {
	t.Parallel()
	if testkit.Race && !slices.ContainsFunc(os.Args, func(a string) bool { return strings.Contains(a, "rapid.checks") }) {
		if err := flag.Set("rapid.checks", racedModels); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		k := &machine{t: rt, ctx: context.Background(), fs: vfs.NewCrashableMem(), m: newModel()}
		k.open()
		defer func() { _ = k.s.Close() }()
		rt.Repeat(k.actions())
		k.t = rt
		k.look()
	})
}
