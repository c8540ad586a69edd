package casework

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

func who(id string, role auth.Role, area string) auth.Principal {
	return auth.Principal{ID: id, Login: id, Post: auth.Post{Zh: id + "岗"}, Role: role, Area: area}
}

var (
	clerk   = who("clerk", "office_clerk", "540121")
	upper   = who("upper", "office_clerk", "540100")
	warden  = who("warden", "warden", "540121")
	handler = who("handler", "person", "")
	other   = who("other", "person", "")
	both    = who("both", "chief", "540121") // acts for the organisation that handles, too
	citizen = who("citizen", "person", "")
)

func report() Opening {
	return Opening{Kind: "river_case", Category: "litter", Severity: 3, Title: "岸边垃圾", Source: "resident", Location: Location{Area: "540121"}}
}

// does takes an action that must be allowed, and checks what must always hold.
func (r *rig) does(t *testing.T, by auth.Principal, id, action string, in Input) *Case {
	t.Helper()
	c, _, err := r.Act(t.Context(), id, action, in, by, Request{})
	if err != nil {
		t.Fatalf("%s by %s: %v", action, by.ID, err)
	}
	r.holds(t, c)
	return c
}

// refuses takes an action that must not be allowed, and checks that nothing changed.
func (r *rig) refuses(t *testing.T, by auth.Principal, id, action string, in Input, kind errs.Kind, code string) {
	t.Helper()
	before, err := r.load(t.Context(), r.DB, `id = $1`, id)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Act(t.Context(), id, action, in, by, Request{})
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != kind || code != "" && (len(e.Fields) != 1 || e.Fields[0].Key != "err.case.guard."+code) {
		t.Errorf("%s by %s is %v, want %v %s", action, by.ID, err, kind, code)
	}
	if after, err := r.load(t.Context(), r.DB, `id = $1`, id); err != nil || after.Events != before.Events || after.State != before.State {
		t.Errorf("a refused %s changed the case: %+v, %v", action, after, err)
	}
}

// holds checks that the row is what the events make of it.
func (r *rig) holds(t *testing.T, c *Case) {
	t.Helper()
	if same, err := r.Rebuild(t.Context(), c.ID); err != nil || !same {
		t.Fatalf("the case is not what its events make of it: %t, %v", same, err)
	}
}

func (r *rig) opened(t *testing.T, by auth.Principal, o Opening) *Case {
	t.Helper()
	c, again, err := r.Open(t.Context(), o, Input{}, by, Request{})
	if err != nil || again {
		t.Fatal(err)
	}
	r.holds(t, c)
	return c
}

var photo = []string{"5e2fb6d219df19a77870471a3c93517308d3a279224bb0e05af2800bcd8a9647"}

// TestRiverCase is a case from its report to its end, with everything on the way that
// must be refused: the worked example of the reference's state machine.
func TestRiverCase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		c := r.opened(t, citizen, report())
		if c.State != "new" || c.Deadline("triage") == nil || !c.Deadline("triage").Running() {
			t.Fatalf("%+v", c)
		}
		out := Input{Form: map[string]string{"unit": "water"}}
		r.refuses(t, citizen, c.ID, "hand_out", out, errs.Forbidden, "")
		r.refuses(t, other, c.ID, "hand_out", out, errs.NotFound, "")
		r.refuses(t, clerk, c.ID, "accept", Input{}, errs.Conflict, "")
		r.refuses(t, clerk, c.ID, "hand_out", Input{}, errs.Invalid, "")
		r.refuses(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "far"}}, errs.Invalid, "unit")
		r.refuses(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "office"}}, errs.Invalid, "level")

		for range 2 { // declined twice
			r.does(t, clerk, c.ID, "hand_out", out)
			r.refuses(t, other, c.ID, "accept", Input{}, errs.NotFound, "")
			r.does(t, handler, c.ID, "decline", Input{Form: map[string]string{"reason": "不属于本单位"}})
		}
		r.refuses(t, clerk, c.ID, "hand_out", out, errs.Invalid, "ruling")
		r.does(t, upper, c.ID, "ruling", Input{Form: map[string]string{"note": "由水利局办理"}})
		if got, _ := r.load(t.Context(), r.DB, `id = $1`, c.ID); got.State != "assigned" {
			r.does(t, clerk, c.ID, "hand_out", out)
		}
		c = r.does(t, handler, c.ID, "accept", Input{})
		if d := c.Deadline("handle"); c.State != "handling" || d == nil || !d.Running() {
			t.Fatalf("%+v", c)
		}
		done, ok := map[string]string{"note": "已清理"}, map[string]string{"summary": "垃圾已清理"}
		r.refuses(t, handler, c.ID, "report_done", Input{Form: done}, errs.Invalid, "evidence")
		r.does(t, handler, c.ID, "report_done", Input{Form: done, Attachments: photo})
		r.refuses(t, both, c.ID, "verify_ok", Input{Form: ok}, errs.Invalid, "four_eyes")
		c = r.does(t, clerk, c.ID, "verify_ok", Input{Form: ok})
		if c.State != "resolved" {
			t.Fatalf("%+v", c)
		}
		r.pass(15*24*time.Hour + time.Hour)
		r.refuses(t, citizen, c.ID, "reopen", Input{Form: map[string]string{"reason": "还在"}}, errs.Invalid, "too_late")
	})
}

// TestRepeated: what is sent twice is done once; what is sent with a key of before
// and is something else is refused, and so is an act on a case that has changed.
func TestRepeated(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		first, again, err := r.Open(ctx, report(), Input{}, citizen, Request{Key: "k1", Sum: "a"})
		if err != nil || again {
			t.Fatal(err)
		}
		second, again, err := r.Open(ctx, report(), Input{}, citizen, Request{Key: "k1", Sum: "a"})
		if err != nil || !again || second.ID != first.ID {
			t.Errorf("%v, %t, %v", second, again, err)
		}
		if _, _, err := r.Open(ctx, report(), Input{}, citizen, Request{Key: "k1", Sum: "b"}); !errs.Is(err, errs.Conflict) {
			t.Errorf("another request with the key: %v", err)
		}
		if c, again, err := r.Open(ctx, report(), Input{}, warden, Request{Key: "k1", Sum: "a"}); err != nil || again || c.ID == first.ID {
			t.Errorf("somebody else's key of the same name: %t, %v", again, err)
		}
		in := Input{Form: map[string]string{"unit": "water"}}
		c, again, err := r.Act(ctx, first.ID, "hand_out", in, clerk, Request{Key: "k2", Sum: "x", Version: 1})
		if err != nil || again || c.Events != 2 {
			t.Fatalf("%v, %v", c, err)
		}
		if c, again, err = r.Act(ctx, first.ID, "hand_out", in, clerk, Request{Key: "k2", Sum: "x", Version: 1}); err != nil || !again || c.Events != 2 {
			t.Errorf("the same again: %v, %t, %v", c, again, err)
		}
		_, _, err = r.Act(ctx, first.ID, "supervise", Input{}, upper, Request{Version: 1})
		if stale, ok := IsStale(err); !ok || stale.Version != 2 || stale.State != "assigned" || len(stale.Allowed) == 0 {
			t.Errorf("an act on what it was before: %v", err)
		}
		events, err := r.Events(ctx, first.ID)
		if err != nil || len(events) != 2 {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

// TestOneWins: of acts at the same time on the same version exactly one is done, and
// the others learn what happened.
func TestOneWins(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		c := r.opened(t, citizen, report())
		var wg sync.WaitGroup
		var mu sync.Mutex
		won, stale := 0, 0
		for i := range 8 {
			wg.Go(func() {
				_, _, err := r.Act(ctx, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water"}}, clerk, Request{Key: fmt.Sprint(i), Sum: "x", Version: 1})
				mu.Lock()
				defer mu.Unlock()
				if _, ok := IsStale(err); ok {
					stale++
				} else if err == nil {
					won++
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 || stale != 7 {
			t.Errorf("%d won, %d learnt that it had changed", won, stale)
		}
		r.holds(t, c)
	})
}

// TestLadder: what is late climbs the ladder rung by rung, each once, however often
// anybody looks; what waits for its reporter closes by itself.
func TestLadder(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		c := r.opened(t, citizen, report())
		waits := r.opened(t, citizen, report())
		r.does(t, clerk, waits.ID, "need_info", Input{Form: map[string]string{"question": "在哪里？"}})
		ladder := len(r.TypeOf(c).Ladder)
		if ladder == 0 {
			t.Fatal("no ladder")
		}
		seen := 0
		for range 80 {
			r.pass(12 * time.Hour)
			for range 2 {
				if _, err := r.Sweep(ctx); err != nil {
					t.Fatal(err)
				}
			}
			got, err := r.load(ctx, r.DB, `id = $1`, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n := got.Counts[reached("triage")]; n < seen || n > ladder {
				t.Fatalf("%d rungs after %d", n, seen)
			} else {
				seen = n
			}
		}
		r.holds(t, c)
		r.holds(t, waits)
		events, err := r.Events(ctx, c.ID)
		got, _ := r.load(ctx, r.DB, `id = $1`, c.ID)
		if err != nil || len(events) != 1+ladder*len(got.Deadlines) || seen != ladder || got.Escalation != ladder*len(got.Deadlines) {
			t.Errorf("%d events after the first, %d deadlines of %d rungs, %v", len(events)-1, len(got.Deadlines), ladder, err)
		}
		if got, _ := r.load(ctx, r.DB, `id = $1`, waits.ID); r.TypeOf(got).State(got.State).Open {
			t.Errorf("who was asked has never answered, and the case is %s", got.State)
		}
	})
}

// TestPaused: the clock stands still while a case is paused, and goes on by the
// working days of the pause.
func TestPaused(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		c := r.opened(t, citizen, report())
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water"}})
		c = r.does(t, handler, c.ID, "accept", Input{})
		due := c.Deadline("handle").Due
		r.refuses(t, clerk, c.ID, "pause", Input{Form: map[string]string{"reason": "season", "until": "2026-01-01"}}, errs.Invalid, "end_date")
		r.does(t, clerk, c.ID, "pause", Input{Form: map[string]string{"reason": "season", "until": "2026-07-01"}})
		r.pass(7 * 24 * time.Hour) // five working days
		c = r.does(t, clerk, c.ID, "resume", Input{})
		want, _ := week{}.Due(due, Span{5, WorkingDays})
		if got := c.Deadline("handle"); !got.Due.Equal(want) || !got.Original.Equal(due) || !c.Paused.IsZero() {
			t.Errorf("due %s, was %s, want %s", got.Due, due, want)
		}
	})
}

// TestWhoSees: a case is seen where its system's roles reach, by the organisation
// that must act, and by who reported it; not by others, and lists hold to it.
func TestWhoSees(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		c := r.opened(t, citizen, report())
		away := report()
		away.Location.Area = "540200"
		r.opened(t, warden, away)
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water"}})
		sees := func(p auth.Principal) int {
			t.Helper()
			list, next, err := r.List(ctx, Filter{}, p)
			if err != nil || next != "" {
				t.Fatal(err)
			}
			for _, x := range list {
				if _, _, err := r.Get(ctx, x.ID, p); err != nil {
					t.Errorf("%s lists a case and does not see it: %v", p.ID, err)
				}
			}
			return len(list)
		}
		for _, x := range []struct {
			p    auth.Principal
			want int
		}{{clerk, 1}, {upper, 1}, {handler, 1}, {citizen, 1}, {other, 0}, {who("officer", "officer", ""), 0}, {who("far", "office_clerk", "540200"), 1}, {auth.Principal{}, 0}} {
			if got := sees(x.p); got != x.want {
				t.Errorf("%s sees %d cases, want %d", x.p.ID, got, x.want)
			}
		}
		events, err := r.Events(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			p    auth.Principal
			want bool
		}{{clerk, true}, {handler, false}, {citizen, true}} {
			a, err := r.Actor(ctx, x.p, c)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := r.Get(ctx, c.ID, x.p)
			if err != nil {
				t.Fatal(err)
			}
			if a.Reads(got, &events[0]) != x.want {
				t.Errorf("%s learns who reported: %t", x.p.ID, !x.want)
			}
		}
	})
}

// TestPages: a list in pages holds each case once.
func TestPages(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), context.WithoutCancel(t.Context())
		want := map[string]bool{}
		for i := range 23 {
			o := report()
			if i%3 == 0 {
				o.Location.Area = "540200" // which the clerk does not see
			}
			c := r.opened(t, citizen, o)
			if i%3 != 0 {
				want[c.ID] = true
			}
			r.pass(time.Duration(i%2) * time.Second)
		}
		for _, n := range []int{1, 2, 7, 50} {
			got, after := map[string]bool{}, ""
			for range 100 {
				list, next, err := r.List(ctx, Filter{N: n, After: after}, clerk)
				if err != nil || len(list) > n {
					t.Fatal(err)
				}
				for _, c := range list {
					if got[c.ID] || !want[c.ID] {
						t.Errorf("pages of %d: %s twice, or not the clerk's", n, c.ID)
					}
					got[c.ID] = true
				}
				if after = next; next == "" {
					break
				}
			}
			if len(got) != len(want) {
				t.Errorf("pages of %d: %d cases, want %d", n, len(got), len(want))
			}
		}
	})
}

// TestNumberIsTaken: a number that another case has is drawn again.
func TestNumberIsTaken(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		first := r.opened(t, clerk, report())
		draws := []string{first.TrackingNo, first.TrackingNo}
		r.number = func(at time.Time) string {
			if len(draws) == 0 {
				return Tracking(at)
			}
			n := draws[0]
			draws = draws[1:]
			return n
		}
		if second := r.opened(t, clerk, report()); second.TrackingNo == first.TrackingNo || len(draws) != 0 {
			t.Errorf("%s twice, %d draws are left", second.TrackingNo, len(draws))
		}
	})
}
