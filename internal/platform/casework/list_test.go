package casework

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// all reads a list to its end.
func (r *rig) all(t *testing.T, f Filter, by auth.Principal) (ids []string) {
	t.Helper()
	for range 1000 {
		list, next, err := r.List(t.Context(), f, by)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		if f.After = next; next == "" {
			return ids
		}
	}
	t.Fatal("a list without an end")
	return nil
}

// scattered stores cases as chance makes them, in every state of every type.
func (r *rig) scattered(t *testing.T, rnd *rand.Rand, n int) (out []*Case) {
	t.Helper()
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	err := r.DB.Tx(t.Context(), func(tx *db.Tx) error {
		for i := range n {
			typ := r.Types.kinds[pick(r.Types.Kinds()...)][0]
			at := r.now().Add(-time.Duration(rnd.IntN(2000)) * time.Hour).Truncate(time.Second)
			c := &Case{
				ID: fmt.Sprintf("%08d-%04d", rnd.IntN(1e8), i), TrackingNo: Tracking(at), System: typ.System, Kind: typ.Kind, Version: typ.Version,
				State: typ.States[rnd.IntN(len(typ.States))].Name, StateSince: at, Severity: 1 + rnd.IntN(4), Title: "案件", Location: Location{Area: pick("540000", "540100", "540121", "540200")},
				Reporter: pick("", "citizen", "clerk", "handler"), OwnerUnit: pick("", "water", "police", "office"), Handler: pick("", "", "water", "office"), Assignee: pick("", "", "post.clerk", "post.handler"),
				Supervise: rnd.IntN(3), Events: 1, Created: at, Updated: at, Counts: map[string]int{},
			}
			if rnd.IntN(3) == 0 {
				c.CoUnits = []string{pick("water", "police"), pick("office", "water")}
			}
			for _, x := range typ.Actions {
				c.Counts[x.Name] = rnd.IntN(2)
			}
			for range rnd.IntN(3) {
				started := at.Add(time.Duration(rnd.IntN(100)) * time.Hour)
				c.Deadlines = append(c.Deadlines, Deadline{Clock: pick("a", "b", "c", "audit"), Span: "5wd", Started: started, Due: started.Add(time.Duration(1+rnd.IntN(3000)) * time.Hour), Dropped: rnd.IntN(8) == 0})
			}
			if rnd.IntN(6) == 0 {
				c.Paused = at
			}
			if err := r.insert(t.Context(), tx, c); err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// people of the lists: roles near and far, of both systems, organisations, reporters.
var lookers = []auth.Principal{
	clerk, upper, warden, handler, other, both, citizen, who("region", "office_clerk", "540000"), who("all", "inspector", ""), who("far", "chief", "540200"),
	who("officer", "officer", ""), who("county", "supervisor_county", "540121"), who("city", "supervisor_city", "540100"), who("operator", "operator", ""),
	{},
}

// stands is what a queue means, told from the case alone.
func (r *rig) stands(name Queue, c *Case, a *Actor) bool {
	t, now := r.TypeOf(c), r.Now()
	if name == Audits {
		return c.runs(t.audited()) && a.takes(c, &Action{Roles: t.auditors(c.State)})
	}
	if !t.State(c.State).Open {
		return false
	}
	may := func(roles []string) bool { return a.takes(c, &Action{Roles: roles}) }
	standing := ""
	if d := c.Due(); d != nil && c.Paused.IsZero() {
		standing = d.Standing(c, now, r.Calendars(c.Location.Area)).State
	}
	switch name {
	case Mine:
		return c.Assignee == "post."+a.ID || c.Assignee == "" && may(t.Turn(c.State))
	case OfUnit:
		return a.of(c)
	case Overdue:
		return standing == "overdue"
	case Soon:
		return standing == "soon"
	case Supervised:
		return c.Supervise > 0
	case Verifying:
		roles := slices.DeleteFunc(t.verifiers(c.State), func(x string) bool { return x == RoleUnit || x == RoleReporter })
		return may(roles) && (c.Handler == "" || !slices.Contains(a.Units, c.Handler))
	case Returned:
		return t.returned(c)
	case Audits: // no case of these types is drawn
		return false
	case AllOpen:
		return true
	}
	return false
}

// TestListsHoldWhatIsSeen: what the database gives equals what each case says by
// itself: who sees it, and in which queues it stands; every order, in pages of any
// size, holds each once.
func TestListsHoldWhatIsSeen(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		const seed = 20261128
		rnd := rand.New(rand.NewPCG(seed, 1))
		cases := r.scattered(t, rnd, 400)
		some := map[Queue]int{}
		for _, p := range lookers {
			actor := func(c *Case) *Actor {
				a, err := r.Actor(t.Context(), p, c)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			want := func(also func(*Case, *Actor) bool) (ids []string) {
				for _, c := range cases {
					if a := actor(c); a.sees(c) && also(c, a) {
						ids = append(ids, c.ID)
					}
				}
				slices.Sort(ids)
				return ids
			}
			same := func(what string, f Filter, want []string) {
				t.Helper()
				f.N = 1 + rnd.IntN(120)
				got := r.all(t, f, p)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("seed %d, %s, %s: the list holds %d cases, %d are theirs", seed, p.ID, what, len(got), len(want))
				}
			}
			same("all", Filter{}, want(func(*Case, *Actor) bool { return true }))
			same("by due", Filter{Order: ByDue}, want(func(*Case, *Actor) bool { return true }))
			same("area", Filter{Area: "540100"}, want(func(c *Case, _ *Actor) bool { return places{}.Within(c.Location.Area, "540100") }))
			same("overdue", Filter{Overdue: true, Severity: 2, Open: new(true)}, want(func(c *Case, a *Actor) bool { return r.stands(Overdue, c, a) && c.Severity == 2 }))
			counts, err := r.Counts(t.Context(), p, Queues()...)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range Queues() {
				theirs := want(func(c *Case, a *Actor) bool { return r.stands(name, c, a) })
				same(string(name), Filter{Queue: name, Order: ByDue}, theirs)
				if counts[name] != min(len(theirs), MostCounted+1) {
					t.Errorf("%s: %d cases are %s, %d counted", p.ID, len(theirs), name, counts[name])
				}
				some[name] += len(theirs)
			}
		}
		for _, name := range Queues() {
			if some[name] == 0 {
				t.Errorf("no case was ever %s", name)
			}
		}
	})
}

// TestSoonAt: a deadline is due soon from the stored instant on, and not before.
func TestSoonAt(t *testing.T) {
	t.Parallel()
	rnd, now := rand.New(rand.NewPCG(5, 6)), day("2026-06-01T02:00:00Z")
	for range 20_000 {
		started := now.Add(time.Duration(rnd.IntN(1e6)) * time.Second)
		d := Deadline{Started: started, Due: started.Add(time.Duration(1+rnd.IntN(3e6)) * time.Second)}
		at := started.Add(time.Duration(rnd.Int64N(int64(d.Due.Sub(started)) + 1))).Truncate(time.Microsecond)
		if rnd.IntN(4) == 0 {
			at = d.soonAt(week{}).Add(time.Duration(rnd.IntN(3)-1) * time.Microsecond)
		}
		if got, want := !at.Before(d.soonAt(week{})), d.Standing(&Case{}, at, week{}).State == "soon"; got != want && at.Before(d.Due) {
			t.Fatalf("%+v at %s: soon from %s, stands soon: %t", d, at, d.soonAt(week{}), want)
		}
	}
}

// TestOrders: by change the last comes first; by due the soonest, and what is not due
// last.
func TestOrders(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		by := map[string]*Case{}
		for _, c := range r.scattered(t, rand.New(rand.NewPCG(3, 4)), 150) {
			by[c.ID] = c
		}
		due := func(c *Case) time.Time {
			if d := c.Due(); d != nil && c.Paused.IsZero() && r.TypeOf(c).counts(c.State, d.Clock) {
				return d.Due
			}
			return day("9999-12-31T00:00:00Z")
		}
		p := who("all", "inspector", "")
		changed, soonest := r.all(t, Filter{N: 7}, p), r.all(t, Filter{N: 7, Order: ByDue}, p)
		for i := range changed[1:] {
			if by[changed[i]].Updated.Before(by[changed[i+1]].Updated) {
				t.Fatalf("%d: changed before the next", i)
			}
			if due(by[soonest[i]]).After(due(by[soonest[i+1]])) {
				t.Fatalf("%d: due after the next", i)
			}
		}
		if _, _, err := r.List(t.Context(), Filter{After: "x"}, p); err == nil {
			t.Error("a cursor of nothing was taken")
		}
		if _, _, err := r.List(t.Context(), Filter{Queue: "x"}, p); err == nil {
			t.Error("a queue of nothing was taken")
		}
	})
}

// TestProjectAgain: what stands beside cases is made anew from them, and is the same.
func TestProjectAgain(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), context.WithoutCancel(t.Context())
		c := r.opened(t, citizen, report())
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water", "co_units": "police"}})
		r.does(t, handler, c.ID, "accept", Input{})
		r.does(t, handler, c.ID, "progress", Input{Form: map[string]string{"note": "已派人清理"}})
		r.opened(t, citizen, report())
		before := r.beside(t)
		if len(before) < 20 {
			t.Fatalf("%v", before)
		}
		for _, text := range []string{
			`DELETE FROM case_units`, `DELETE FROM case_changes WHERE seq = 1`, `DELETE FROM case_terms`, `INSERT INTO case_terms (term, case_id) SELECT 'x', id FROM cases`,
			`UPDATE cases SET shape = 0, due_order = 1, soon_at = 1, supervise = 7, returned = 1, step = '', handler = 'x'`,
		} {
			if _, err := r.DB.Exec(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.project(ctx); err != nil {
			t.Fatal(err)
		}
		if after := r.beside(t); !slices.Equal(before, after) {
			t.Errorf("made again: %v\nbefore: %v", after, before)
		}
	})
}

// beside is what stands beside the cases.
func (r *rig) beside(t *testing.T) []string {
	t.Helper()
	out := map[string]bool{}
	for _, text := range []string{
		`SELECT case_id || ' ' || seq || ' ' || month || ' ' || to_state || ' ' || what || ' ' || first || ' ' || hours || ' ' || days FROM case_changes`,
		`SELECT unit || ' ' || case_id FROM case_units`, `SELECT term || ' ' || case_id FROM case_terms`,
		`SELECT id || ' ' || due_order || ' ' || COALESCE(soon_at, 0) || ' ' || supervise || ' ' || returned || ' ' || step || ' ' || handler || ' ' || shape FROM cases`,
	} {
		lines, err := r.ids(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			out[l] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}
