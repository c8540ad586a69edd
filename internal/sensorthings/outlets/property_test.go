package outlets

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
)

// everything reads all observations one Datastream at a time, the plain way.
func everything(tb testing.TB, r sensorthings.Reader) (all []sensorthings.Observation) {
	tb.Helper()
	err := r.Entities(tb.Context(), sensorthings.Datastreams, 0, func(e *sensorthings.Entity) bool {
		all = append(all, read(tb, r, sensorthings.Scan{Datastream: e.ID, From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.ByTime})...)
		return true
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// Any scan is what filtering, sorting and cutting everything gives.
func TestScansAgreeWithFiltering(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.fill(t, day0, 30)
	k.send(t, 1, 2011, day0.Add(30*time.Hour), "a21002-Rtd=1,a21002-Flag=N")
	k.send(t, 1, 2051, day0.Add(3*time.Hour), "a21002-Avg=77,a21002-Flag=N") // a revision
	k.send(t, 2, 2051, day0.Add(4*time.Hour), "w01018-Avg=3,w01018-Flag=N")  // a part
	k.judge(t)
	r := k.Reader(nil)
	all := everything(t, r)
	if len(all) < 800 {
		t.Fatalf("%d observations", len(all))
	}
	for _, o := range all {
		if got, err := r.Observation(t.Context(), o.ID); err != nil || gocmp.Diff(o, *got) != "" {
			t.Fatalf("observation %d: %v %s", o.ID, err, gocmp.Diff(o, *got))
		}
	}
	var streams []sensorthings.ID
	for _, o := range all {
		if !slices.Contains(streams, o.Datastream) {
			streams = append(streams, o.Datastream)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sc := sensorthings.Scan{From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.Order(rapid.IntRange(0, 3).Draw(t, "order"))}
		byTime := sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc
		if byTime || rapid.Bool().Draw(t, "one") {
			sc.Datastream = rapid.SampledFrom(streams).Draw(t, "datastream")
		}
		sc.Feature = rapid.SampledFrom([]sensorthings.ID{0, 0, 1, 2, 3, 99, -1}).Draw(t, "feature")
		instant := rapid.Custom(func(t *rapid.T) int64 {
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "of")].Phenomenon.Start + rapid.SampledFrom([]int64{0, 0, 1, -1, micro, -micro}).Draw(t, "shift")
		})
		if rapid.Bool().Draw(t, "from") {
			sc.From = instant.Draw(t, "from")
		}
		if rapid.Bool().Draw(t, "to") {
			sc.To = instant.Draw(t, "to")
		}
		if rapid.Bool().Draw(t, "after") {
			m := sensorthings.Mark{ID: all[rapid.IntRange(0, len(all)-1).Draw(t, "mark")].ID + rapid.SampledFrom([]int64{0, 0, 1, -1, 1 << 32}).Draw(t, "next")}
			if byTime {
				m.Start = instant.Draw(t, "start")
			}
			sc.After = &m
		}
		want := slices.DeleteFunc(slices.Clone(all), func(o sensorthings.Observation) bool {
			return sc.Datastream != 0 && o.Datastream != sc.Datastream || sc.Feature != 0 && o.Feature != sc.Feature || o.Phenomenon.Start < sc.From || o.Phenomenon.Start >= sc.To ||
				sc.After != nil && behind(sc.Order, sensorthings.Mark{Start: o.Phenomenon.Start, ID: o.ID}, *sc.After) <= 0
		})
		slices.SortFunc(want, func(a, b sensorthings.Observation) int {
			return behind(sc.Order, sensorthings.Mark{Start: a.Phenomenon.Start, ID: a.ID}, sensorthings.Mark{Start: b.Phenomenon.Start, ID: b.ID})
		})
		most := rapid.IntRange(1, 2000).Draw(t, "most")
		var got []sensorthings.Observation
		if err := r.Observations(t.Context(), sc, func(o *sensorthings.Observation) bool {
			got = append(got, copied(o))
			return len(got) < most
		}); err != nil {
			t.Fatal(err)
		}
		want = want[:min(len(want), most)]
		if len(got) != len(want) || !slices.EqualFunc(got, want, func(a, b sensorthings.Observation) bool { return gocmp.Equal(a, b) }) {
			t.Fatalf("%+v: %d observations, want %d", sc, len(got), len(want))
		}
	})
}

// behind orders as a scan does.
func behind(o sensorthings.Order, a, b sensorthings.Mark) int {
	switch o {
	case sensorthings.ByID:
		return cmp.Compare(a.ID, b.ID)
	case sensorthings.ByIDDesc:
		return cmp.Compare(b.ID, a.ID)
	case sensorthings.ByTimeDesc:
		a, b = b, a
	case sensorthings.ByTime:
	}
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
}

// Whatever comes in whatever order, what is counted is what is there.
func TestCountsStayExact(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	r := k.Reader(nil)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			outlet := telemetry.OutletID(rapid.IntRange(1, 3).Draw(rt, "outlet"))
			at := day0.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "slot")) * 10 * time.Minute)
			cn := rapid.SampledFrom([]int{2011, 2051}).Draw(rt, "cn")
			suffix := map[int]string{2011: "Rtd", 2051: "Avg"}[cn]
			code := rapid.SampledFrom([]string{"a21002", "a19001", "001", "w01018"}).Draw(rt, "code")
			f := frame(t, outlet, cn, at, code+"-"+suffix+"="+rapid.SampledFrom([]string{"1", "2", "2.5"}).Draw(rt, "value")+","+code+"-Flag=N")
			f.Received = at.Add(time.Duration(rapid.IntRange(0, 9000).Draw(rt, "delay")) * time.Second)
			k.sendAll(t, f)
		}
		if rapid.Bool().Draw(rt, "judge") {
			k.setClock(k.clock().Add(time.Duration(rapid.IntRange(0, 9).Draw(rt, "passes")) * time.Hour))
			k.judge(t)
		}
		k.fresh()
		if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
			k.reopen(t)
			r = k.Reader(nil)
		}
		err := r.Entities(t.Context(), sensorthings.Datastreams, 0, func(e *sensorthings.Entity) bool {
			var want sensorthings.Summary
			for i, o := range read(t, r, sensorthings.Scan{Datastream: e.ID, From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.ByTime}) {
				if i == 0 {
					want.Phenomenon, want.HasResult = o.Phenomenon, o.HasResultTime
					if o.HasResultTime {
						want.Result = sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}
					}
				}
				want.Count++
				want.Phenomenon.End = max(want.Phenomenon.End, o.Phenomenon.End)
				if o.HasResultTime {
					want.Result.Start, want.Result.End = min(want.Result.Start, o.ResultTime), max(want.Result.End, o.ResultTime)
				}
			}
			got, err := r.Summary(t.Context(), e.ID)
			if err != nil || got != want {
				rt.Fatalf("Datastream %d: %+v, want %+v: %v", e.ID, got, want, err)
			}
			return true
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// Numbers are kept: a restart, outlets that come and go and factors seen later
// leave those that were given as they are.
func TestNumbersAreKept(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.fill(t, day0, 3)
	if _, err := k.Reader(nil).Summary(t.Context(), sensorthings.FirstOutletDatastream); err != nil {
		t.Fatal(err)
	}
	given := map[key]sensorthings.ID{}
	note := func() {
		for _, se := range k.numbers.list.Load().all {
			if was, ok := given[se.key]; ok && was != se.id {
				t.Errorf("%v was %d, is %d", se.key, was, se.id)
			}
			given[se.key] = se.id
		}
	}
	note()
	first := len(given)
	s := *k.reg.Snapshot()
	s.Version++
	s.Outlets = map[telemetry.OutletID]*telemetry.Outlet{1: s.Outlets[1], 4: {ID: 4, Name: telemetry.Name{Zh: "新"}, Medium: telemetry.Gas, Factors: []telemetry.OutletFactor{{Code: "a34013"}}}}
	s.Order = []telemetry.OutletID{4, 1}
	k.reg.s.Store(&s)
	k.reopen(t)
	note()
	if len(given) != first+4 {
		t.Errorf("%d numbers, had %d", len(given), first)
	}
	if _, err := k.Reader(nil).Entity(t.Context(), sensorthings.Datastreams, k.stream(t, 2, "w01001", minute, "Avg")); err == nil {
		t.Error("a Datastream of an outlet that is gone is shown")
	}
	k.reg.s.Store(region())
	k.send(t, 1, 2051, day0.Add(9*time.Hour), "a34013-Avg=4,a34013-Flag=N", "zzz-Avg=1")
	k.fresh()
	if err := k.look(false); err != nil {
		t.Fatal(err)
	}
	note()
	k.stream(t, 1, "a34013", minute, "Avg")
	if k.numbers.list.Load().byKey[key{1, "zzz", minute, "Avg"}] != nil {
		t.Error("a code that names no factor has a number")
	}
	seen := map[sensorthings.ID]bool{}
	for _, id := range given {
		if seen[id] {
			t.Errorf("number %d was given twice", id)
		}
		seen[id] = true
	}
}

// What an asker may not see is not there in any way.
func TestVisibility(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.fill(t, day0, 3)
	r := k.Reader(func(o *telemetry.Outlet) bool { return o.Enterprise == "e1" })
	for _, o := range everything(t, k.Reader(nil)) {
		mine := k.numbers.list.Load().byID[o.Datastream].outlet == 1
		if _, err := r.Observation(t.Context(), o.ID); (err == nil) != mine {
			t.Fatalf("observation %d: %v", o.ID, err)
		}
	}
	for _, o := range read(t, r, sensorthings.All()) {
		if k.numbers.list.Load().byID[o.Datastream].outlet != 1 {
			t.Fatalf("observation %d of another is read", o.ID)
		}
	}
	for _, s := range sensorthings.Sets() {
		_ = r.Entities(t.Context(), s, 0, func(e *sensorthings.Entity) bool {
			for _, rel := range s.Relations() {
				if !rel.Many {
					if _, err := r.Entity(t.Context(), rel.To, e.To(rel.Name)); err != nil {
						t.Errorf("%s(%d)/%s: %v", s, e.ID, rel.Name, err)
					}
					continue
				}
				_ = r.Related(t.Context(), s, e.ID, rel.Name, func(id sensorthings.ID) bool {
					if _, err := r.Entity(t.Context(), rel.To, id); err != nil {
						t.Errorf("%s(%d)/%s leads to %d: %v", s, e.ID, rel.Name, id, err)
					}
					return true
				})
			}
			return true
		})
	}
	for _, s := range []sensorthings.Set{sensorthings.Things, sensorthings.Locations, sensorthings.Sensors, sensorthings.FeaturesOfInterest} {
		if _, err := r.Entity(t.Context(), s, 2); err == nil {
			t.Errorf("%s(2) is shown", s)
		}
	}
	if sum, err := r.Summary(t.Context(), k.stream(t, 2, "w01001", minute, "Avg")); err != nil || sum.Count != 0 {
		t.Errorf("summary of another's: %+v %v", sum, err)
	}
}
