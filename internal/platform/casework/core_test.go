package casework

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// TestComments: everybody who sees an open case comments on it; who reads it and whom it
// tells follows from who writes and what they choose.
func TestComments(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		r.PostSees = func(_ context.Context, _ *Case, post string) bool { return post == "near" }
		c := r.opened(t, citizen, report())
		r.refuses(t, other, c.ID, Comment, Input{Form: map[string]string{"text": "x"}}, errs.NotFound, "")
		r.refuses(t, clerk, c.ID, Comment, Input{}, errs.Invalid, "")
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water", "co_units": "police"}})
		for _, x := range []struct {
			by                      auth.Principal
			visibility, mention     string
			seen                    Visibility
			tell                    []string
			code                    string
			reporter, unit, upstair bool // who reads it
		}{
			{by: clerk, seen: Staff, unit: true, upstair: true},
			{by: clerk, visibility: "reporter", mention: "reporter,unit,unit:police", seen: ToReporter, tell: []string{"reporter", "unit", "unit:police"}, reporter: true, unit: true, upstair: true},
			{by: clerk, visibility: "public", mention: "post:near", seen: Public, tell: []string{"post:near"}, reporter: true, unit: true, upstair: true},
			{by: clerk, mention: "reporter", code: "mention_reporter"},
			{by: clerk, mention: "post:far", code: "mention"},
			{by: clerk, mention: "followers", code: "mention"},
			{by: handler, visibility: "reporter", mention: "office", seen: ToReporter, tell: []string{"office"}, reporter: true, unit: true, upstair: true},
			{by: handler, visibility: "public", code: "visibility"},
			{by: citizen, seen: Restricted, tell: []string{"office"}, reporter: true, upstair: true},
			{by: citizen, visibility: "reporter", code: "visibility"},
			{by: citizen, mention: "office", code: "mention"},
			{by: warden, seen: Staff, unit: true, upstair: true},
		} {
			in := Input{Form: map[string]string{"text": "桥下还有", "visibility": x.visibility, "mention": x.mention}}
			if x.code != "" {
				r.refuses(t, x.by, c.ID, Comment, in, errs.Invalid, x.code)
				continue
			}
			got := r.does(t, x.by, c.ID, Comment, in)
			events, err := r.Events(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			e := &events[len(events)-1]
			if e.Visibility != x.seen || !slices.Equal(e.Body.Tell, x.tell) || got.State != "assigned" {
				t.Errorf("%s, %q: for %s, tells %v, %s", x.by.ID, x.visibility, e.Visibility, e.Body.Tell, got.State)
			}
			for _, reader := range []struct {
				p    auth.Principal
				want bool
			}{{citizen, x.reporter}, {handler, x.unit}, {upper, x.upstair}} {
				a, err := r.Actor(t.Context(), reader.p, got)
				if err != nil || a.Reads(got, e) != reader.want {
					t.Errorf("%s reads the comment of %s, %q: %t, %v", reader.p.ID, x.by.ID, x.visibility, !reader.want, err)
				}
			}
		}
		x := r.opened(t, citizen, report())
		r.does(t, clerk, x.ID, "reject", Input{Form: map[string]string{"reason": "not_ours"}})
		r.refuses(t, clerk, x.ID, Comment, Input{Form: map[string]string{"text": "x"}}, errs.Conflict, "")
	})
}

// TestTakeBack: one's own last step is taken back within minutes, and the case is as it was,
// with its deadlines and the rungs of the ladder that are behind it.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		c := r.opened(t, citizen, report())
		r.refuses(t, citizen, c.ID, TakeBack, Input{}, errs.Invalid, "take_back") // an opening
		r.pass(26 * time.Hour)                                                    // past 80 % of triage
		if n, err := r.Sweep(t.Context()); err != nil || n == 0 {
			t.Fatalf("%d, %v", n, err)
		}
		was, err := r.load(t.Context(), r.DB, `id = $1`, c.ID)
		if err != nil || was.Escalation == 0 {
			t.Fatalf("%+v, %v", was, err)
		}
		r.refuses(t, clerk, c.ID, TakeBack, Input{}, errs.Invalid, "take_back") // a step of the ladder
		hand := Input{Form: map[string]string{"unit": "water"}}
		r.does(t, clerk, c.ID, "hand_out", hand)
		r.refuses(t, upper, c.ID, TakeBack, Input{}, errs.Invalid, "take_back") // of somebody else
		r.refuses(t, handler, c.ID, TakeBack, Input{}, errs.Invalid, "take_back")
		r.pass(10 * time.Minute)
		now := r.does(t, clerk, c.ID, TakeBack, Input{Form: map[string]string{"reason": "选错单位"}})
		want := was.clone()
		want.Events, want.Updated = now.Events, now.Updated
		if d := cmp.Diff(want, now); d != "" || now.Deadline("handle") != nil || !now.Deadline("triage").Running() {
			t.Errorf("it is not as it was: %s", d)
		}
		events, err := r.Events(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if e := events[len(events)-1]; e.From != "assigned" || e.To != "new" || e.Body.Changes.TakesBack != e.Seq-1 || !slices.Contains(e.Body.Tell, "unit") || e.Body.Form["reason"] != "选错单位" {
			t.Errorf("%+v", e)
		}
		r.refuses(t, handler, c.ID, "accept", Input{}, errs.NotFound, "")
		r.refuses(t, clerk, c.ID, TakeBack, Input{}, errs.Invalid, "take_back") // of what was taken back already
		r.pass(24 * time.Hour)
		if n, err := r.Sweep(t.Context()); err != nil || n == 0 {
			t.Errorf("nothing came of what is late after a step that was taken back: %d, %v", n, err)
		}

		r.does(t, clerk, c.ID, "hand_out", hand)
		r.does(t, clerk, c.ID, Comment, Input{Form: map[string]string{"text": "x", "visibility": "public"}})
		r.does(t, clerk, c.ID, TakeBack, Input{}) // the comment
		r.does(t, handler, c.ID, "accept", Input{})
		r.refuses(t, clerk, c.ID, TakeBack, Input{}, errs.Invalid, "take_back") // something else happened
		r.pass(10*time.Minute + time.Second)
		r.refuses(t, handler, c.ID, TakeBack, Input{}, errs.Invalid, "take_back_late")
		r.does(t, handler, c.ID, "report_done", Input{Form: map[string]string{"note": "x"}, Attachments: photo})
		r.does(t, clerk, c.ID, "verify_ok", Input{Form: map[string]string{"summary": "x"}})
		r.refuses(t, clerk, c.ID, TakeBack, Input{}, errs.Conflict, "") // it is closed and told
	})
}

// TestTakeBackOfType: a type says how long, and 0m is never.
func TestTakeBackOfType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": takeBackTime, "take_back: 3m\n": 3 * time.Minute, "take_back: 0m\n": -1} {
		x, faults := Parse("small.1.yaml", []byte("kind: small\nversion: 1\nstart: new\nstates: {new: {open: true}, done: {open: false}}\nactions: {close: {from: [new], to: done, roles: [office_clerk]}, look: {from: [new], roles: [office_clerk]}}\n"+text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		e := &Event{Seq: 2, At: day("2026-06-01T02:00:00Z"), Actor: "user:a", To: "new"}
		if got := x.Undone(e, "user:a", e.At.Add(want)); (got == "") != (want > 0) {
			t.Errorf("%q: %q", text, got)
		}
		if got := x.Undone(e, "user:a", e.At.Add(max(want, 0)+time.Second)); got != "err.case.guard.take_back_late" {
			t.Errorf("%q, later: %q", text, got)
		}
	}
	for _, text := range []string{"take_back: 10\n", "take_back: 61m\n", "take_back: -1m\n", "take_back: [1]\n"} {
		if _, faults := Parse("small.1.yaml", []byte("kind: small\nversion: 1\nstart: new\nstates: {new: {open: true}, done: {open: false}}\nactions: {close: {from: [new], to: done, roles: [office_clerk]}}\n"+text)); len(faults) != 1 || faults[0].Line != 6 {
			t.Errorf("%q: %v", text, faults)
		}
	}
}
