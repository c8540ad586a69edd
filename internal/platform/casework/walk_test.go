package casework

import (
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
)

// TestWalk takes random actions, comments and steps back by random actors on every case type, straight on the
// engine, and holds each step against what must be true of all of them: only a state
// of the type, reached as the type says, by who may; clocks of open states run and
// those of closed ones do not; nothing that was due is forgotten; and the chain gives
// the same case again.
func TestWalk(t *testing.T) {
	t.Parallel()
	// A walk takes half a millisecond, and a hundred do not get everywhere.
	if !slices.ContainsFunc(os.Args, func(a string) bool { return strings.Contains(a, "rapid.checks") }) {
		if err := flag.Set("rapid.checks", "2000"); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range Default().Kinds() {
		typ, ok := Default().InForce(kind, "2026-11-28")
		if !ok {
			t.Fatalf("no %s in force", kind)
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			taken := map[string]bool{}
			rapid.Check(t, func(rt *rapid.T) { walk(rt, typ, taken) })
			for _, x := range append([]*Action{comment, takeBack}, typ.Actions...) {
				if !taken[x.Name] {
					t.Errorf("no walk took %s", x.Name)
				}
			}
		})
	}
}

func walk(rt *rapid.T, typ *Type, taken map[string]bool) {
	now := day("2026-06-01T02:00:00Z")
	env := Env{Calendar: week{}, Areas: places{}, Look: func(string) *Case { return &Case{ID: "target", Kind: typ.Kind, State: typ.Start} }, Unit: places{}.Unit, Number: Tracking}
	o := Opening{Kind: typ.Kind, Title: "x", Source: "alarm", Unit: "water", Location: Location{Area: "540121"}}
	o.System, o.Version = typ.System, typ.Version
	if len(typ.Severities) > 0 {
		o.Severity = rapid.SampledFrom(typ.Severities).Draw(rt, "severity").Level
	}
	var opening []*Action
	for _, x := range typ.Actions {
		if len(x.From) == 0 {
			opening = append(opening, x)
		}
	}
	if len(opening) == 0 {
		opening = []*Action{{Name: "create", To: typ.Start}}
	}
	x := rapid.SampledFrom(opening).Draw(rt, "opening")
	in := fill(rt, typ, x)
	c, e, err := typ.begin(o, x, &Actor{Timer: true}, in, now, env)
	if err != nil {
		if errs.Is(err, errs.Invalid) {
			return
		}
		rt.Fatal(err)
	}
	taken[x.Name] = true
	c.apply(&e)
	if err := e.seal(genesis); err != nil {
		rt.Fatal(err)
	}
	events, entered := []Event{e}, true
	set, setBefore := map[string]bool{}, map[string]bool{}
	env.Post = func(_ *Case, id string) bool { return id == "p" }
	env.By = "user:a"
	env.Last = func() (*Event, *Case) {
		if len(events) < 2 {
			return nil, nil
		}
		before, err := Fold(events[:len(events)-1])
		if err != nil {
			rt.Fatal(err)
		}
		return &events[len(events)-1], before
	}
	for range 40 {
		st := typ.State(c.State)
		if st == nil {
			rt.Fatalf("%s is no state of the type", c.State)
		}
		for _, d := range c.Deadlines {
			set[d.Clock] = true
			if d.Running() && !st.Open && d.Clock != st.Clock && !typ.stops(c.State, d.Clock) {
				rt.Fatalf("%s is closed and %s still runs", c.State, d.Clock)
			}
			if d.Due.Before(d.Original) {
				rt.Fatalf("%s is due before it ever was", d.Clock)
			}
		}
		for clock := range set {
			if c.Deadline(clock) == nil {
				rt.Fatalf("%s was due and is forgotten", clock)
			}
		}
		if clock := typ.Clock(st.Clock); clock != nil && c.StateSince.Equal(c.Updated) && entered {
			if _, timed := clock.Spans[c.Severity]; timed && (c.Deadline(st.Clock) == nil || !c.Deadline(st.Clock).Running()) {
				rt.Fatalf("%s has the clock %s, which does not run", c.State, st.Clock)
			}
		}
		if rapid.Bool().Draw(rt, "at once") {
			now = now.Add(time.Duration(rapid.IntRange(0, 12).Draw(rt, "minutes")) * time.Minute)
		} else {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "hours")) * time.Hour)
		}
		choice := typ.Actions
		if rapid.IntRange(0, 7).Draw(rt, "any") > 0 { // else mostly what the state refuses
			choice = nil
			for _, x := range typ.Actions {
				if len(x.From) > 0 && typ.from(x, c.State) {
					choice = append(choice, x)
				}
			}
			if st.Open {
				choice = append(choice, comment, takeBack)
			}
			if len(choice) == 0 {
				break
			}
		}
		x := rapid.SampledFrom(choice).Draw(rt, "action")
		a := &Actor{
			ID: "a", Units: rapid.SampledFrom([][]string{nil, {"water"}, {"police"}, {c.OwnerUnit}, {c.Handler}}).Draw(rt, "units"),
			Reporter: rapid.Bool().Draw(rt, "reporter"), Timer: rapid.Bool().Draw(rt, "timer"),
		}
		roles := access.Default().Roles(typ.System)
		for range rapid.IntRange(0, 3).Draw(rt, "roles") {
			a.Roles = append(a.Roles, rapid.SampledFrom(roles).Draw(rt, "role"))
			a.Areas = append(a.Areas, rapid.SampledFrom([]string{"", "540100", "540121"}).Draw(rt, "area"))
		}
		if rapid.Bool().Draw(rt, "fits") && len(x.Roles) > 0 {
			a.Roles, a.Areas = append(a.Roles, rapid.SampledFrom(x.Roles).Draw(rt, "its role")), append(a.Areas, "540100")
		}
		in := fill(rt, typ, x)
		before := *c // its state and units; the next step changes maps, not these
		to, ch, _, err := typ.Next(c, a, x.Name, in, now, env)
		if err != nil {
			if k := errs.KindOf(err); k == errs.Internal {
				rt.Fatalf("%s in %s: %v", x.Name, c.State, err)
			} else if e, ok := errors.AsType[*errs.Error](err); ok && k == errs.Invalid && len(e.Fields) == 0 {
				rt.Fatalf("%s is refused without a reason", x.Name)
			}
			continue
		}
		variant := typ.ActionIn(x.Name, before.State)
		if variant == nil || variant.To != "" && to != variant.To || variant.To == "" && to != before.State && x != takeBack || !a.takes(&before, variant) {
			rt.Fatalf("%s led from %s to %s by somebody with %v", x.Name, before.State, to, a.Roles)
		}
		taken[x.Name] = true
		entered = to != c.State && x != takeBack
		e := Event{
			Case: c.ID, Seq: c.Events + 1, At: now, Action: x.Name, From: c.State, To: to, Actor: rapid.SampledFrom([]string{"user:a", "user:a", "user:b", actorProgram}).Draw(rt, "by"),
			Body: Body{Salt: salt(), Form: in.Form, Attachments: in.Attachments, Changes: ch},
		}
		if x == takeBack {
			step, was := env.Last()
			if step.Actor != "user:a" || now.Sub(step.At) > takeBackTime || !typ.State(step.To).Open || ch.TakesBack != step.Seq {
				rt.Fatalf("%s of %s, %s after, was taken back as %d", step.Action, step.Actor, now.Sub(step.At), ch.TakesBack)
			}
			c.restore(was, &e)
			was.Events, was.Updated = c.Events, c.Updated
			if d := cmp.Diff(was, c); d != "" {
				rt.Fatalf("taken back, and not as it was before: %s", d)
			}
			set = maps.Clone(setBefore)
		} else {
			setBefore = maps.Clone(set)
			c.apply(&e)
		}
		if err := e.seal(events[len(events)-1].Hash); err != nil {
			rt.Fatal(err)
		}
		events = append(events, e)
	}
	again, err := Fold(events)
	if err != nil {
		rt.Fatal(err)
	}
	if d := cmp.Diff(c, again, cmpopts.EquateEmpty()); d != "" {
		rt.Fatalf("the events make another case: %s", d)
	}
	if len(events) > 1 { // an event that is changed, or left out, is noticed
		i := rapid.IntRange(0, len(events)-2).Draw(rt, "gone")
		if _, err := Fold(append(append([]Event{}, events[:i]...), events[i+1:]...)); err == nil {
			rt.Fatal("an event was left out, and nobody noticed")
		}
	}
}

// fill answers the form of an action, now and then wrongly.
func fill(rt *rapid.T, typ *Type, x *Action) Input {
	in := Input{Form: map[string]string{}}
	if rapid.Bool().Draw(rt, "attached") {
		in.Attachments = []string{photo[0], strings.Repeat("a", 64)}
	}
	f := typ.Form(x.Form)
	if f == nil {
		return in
	}
	for _, q := range f.Fields {
		if !q.Required && rapid.Bool().Draw(rt, "left out") {
			continue
		}
		switch q.Type {
		case WhomField:
			in.Form[q.Name] = rapid.SampledFrom([]string{"", "office", "unit", "reporter", "post:p, upper_office", "post:x", "police"}).Draw(rt, q.Name)
		case "choice", VisibilityField:
			in.Form[q.Name] = rapid.SampledFrom(q.Options).Draw(rt, q.Name).Value
		case "date":
			in.Form[q.Name] = "2027-12-01"
		case "number":
			in.Form[q.Name] = "3"
		case "yes":
			in.Form[q.Name] = "yes"
		case "unit":
			in.Form[q.Name] = rapid.SampledFrom([]string{"water", "police"}).Draw(rt, q.Name)
		case "units":
			in.Form[q.Name] = rapid.SampledFrom([]string{"", "police", "police, office", "x"}).Draw(rt, q.Name)
		default:
			in.Form[q.Name] = rapid.SampledFrom([]string{"说明", "x", "y", "z", ""}).Draw(rt, q.Name)
		}
	}
	return in
}
