package casework

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		list        []share
		median, p90 int
	}{
		{[]share{{3, 1}}, 3, 3},
		{[]share{{1, 1}, {2, 1}}, 1, 2},
		{[]share{{1, 1}, {2, 1}, {9, 1}}, 2, 9},
		{[]share{{0, 9}, {100, 1}}, 0, 0},
		{[]share{{0, 8}, {7, 1}, {100, 1}}, 0, 7},
		{nil, 0, 0},
	} {
		n := 0
		for _, x := range tt.list {
			n += x.n
		}
		if m, p := quantile(tt.list, n, 50), quantile(tt.list, n, 90); m != tt.median || p != tt.p90 {
			t.Errorf("%v: %d, %d", tt.list, m, p)
		}
	}
}

// TestStatistics counts cases that lived for a while, and compares with the same
// counted from their events, for people who see all, some and none of them.
func TestStatistics(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		rnd := rand.New(rand.NewPCG(7, 8))
		for range 24 {
			o := report()
			o.Location.Area = []string{"540121", "540200"}[rnd.IntN(2)]
			by := []auth.Principal{citizen, clerk}[rnd.IntN(2)]
			if o.Location.Area == "540200" {
				by = citizen
			}
			c := r.opened(t, by, o)
			r.pass(time.Duration(rnd.IntN(200)) * time.Hour)
			if o.Location.Area == "540200" {
				continue
			}
			switch rnd.IntN(4) {
			case 0:
				r.does(t, clerk, c.ID, "reject", Input{Form: map[string]string{"reason": "abuse"}})
				r.pass(30 * time.Hour)
				r.does(t, by, c.ID, "appeal", Input{Form: map[string]string{"reason": "x"}})
			case 1, 2:
				r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water"}})
				r.pass(time.Duration(rnd.IntN(100)) * time.Hour)
				r.does(t, handler, c.ID, "accept", Input{})
			}
		}
		f := StatisticsFilter{From: "2026-05", To: "2026-12"}
		for _, p := range lookers {
			for _, area := range []string{"", "540100"} {
				f.Area = area
				got, err := r.Statistics(ctx, f, p)
				if err != nil {
					t.Fatal(err)
				}
				want := r.counted(t, f, p)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s in %q: %s", p.ID, area, d)
				}
			}
		}
		before, err := r.Statistics(ctx, f, upper)
		if err != nil || before.Opened == 0 || before.Reopens == 0 || len(before.Times) == 0 {
			t.Fatalf("%+v %v", before, err)
		}
		if _, err := r.DB.Exec(ctx, `UPDATE cases SET shape = 0`); err != nil {
			t.Fatal(err)
		}
		if err := r.project(ctx); err != nil {
			t.Fatal(err)
		}
		if after, err := r.Statistics(ctx, f, upper); err != nil || cmp.Diff(before, after) != "" {
			t.Errorf("made again: %s %v", cmp.Diff(before, after), err)
		}
		for _, bad := range []StatisticsFilter{{From: "x", To: "2026-01"}, {From: "2026-02", To: "2026-01"}, {From: "2000-01", To: "2026-01"}} {
			if _, err := r.Statistics(ctx, bad, upper); !errs.Is(err, errs.Invalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// counted is Statistics, worked out from the events of every case.
func (r *rig) counted(t *testing.T, f StatisticsFilter, p auth.Principal) (out Statistics) {
	t.Helper()
	if !p.Known() {
		return out
	}
	ids, err := r.ids(t.Context(), `SELECT id FROM cases`)
	if err != nil {
		t.Fatal(err)
	}
	counts, days, hours := tallies{}, map[[2]string][]int{}, map[[2]string][]int{}
	months, err := f.months()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range months {
		counts.of("month", m)
	}
	for _, id := range ids {
		c, a, err := r.Get(t.Context(), id, p)
		if errs.Is(err, errs.NotFound) || err == nil && f.Area != "" && !r.Places.Within(c.Location.Area, f.Area) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		typ := r.TypeOf(c)
		if r.stands(AllOpen, c, a) {
			late := r.stands(Overdue, c, a)
			out.Open++
			if r.stands(Soon, c, a) {
				out.Soon++
			}
			for _, x := range []*Counted{counts.of("kind", c.Kind), counts.of("area", c.Location.Area)} {
				x.Open++
				if late {
					x.Overdue++
				}
			}
			if late {
				out.Overdue++
			}
		}
		events, err := r.Events(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		been := map[string]bool{}
		for _, e := range events {
			if e.From == e.To {
				continue
			}
			lists := []*Counted{counts.of("month", e.At.In(zone).Format("2006-01")), counts.of("kind", c.Kind), counts.of("area", c.Location.Area)}
			was, is := typ.State(e.From), typ.State(e.To)
			switch {
			case e.Seq == 1:
				out.Opened++
				for _, x := range lists {
					x.Opened++
				}
			case was.Open && !is.Open:
				out.Closed++
				for _, x := range lists {
					x.Closed++
				}
			case !was.Open && is.Open:
				out.Reopens++
				for _, x := range lists {
					x.Reopens++
				}
			}
			if key := [2]string{c.Kind, e.To}; !been[e.To] && e.Seq > 1 {
				days[key] = append(days[key], week{}.WorkingDays(c.Created, e.At))
				hours[key] = append(hours[key], int(e.At.Sub(c.Created)/time.Hour))
			}
			been[e.To] = true
		}
	}
	at := func(list []int, percent int) int {
		slices.Sort(list)
		return list[(len(list)*percent+99)/100-1]
	}
	for key := range days {
		out.Times = append(out.Times, Took{key[0], key[1], len(days[key]), at(days[key], 50), at(days[key], 90), at(hours[key], 50), at(hours[key], 90)})
	}
	slices.SortFunc(out.Times, func(a, b Took) int {
		if a.Kind != b.Kind {
			return map[bool]int{true: -1, false: 1}[a.Kind < b.Kind]
		}
		return map[bool]int{true: -1, false: 1}[a.State < b.State]
	})
	out.Months, out.Areas, out.Kinds = counts.list("month"), counts.list("area"), counts.list("kind")
	return out
}
