package casework

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// TestDueByLetter: an upper level names the day by which it wants an answer, and the
// case is late when that has passed, whatever its other clocks say.
func TestDueByLetter(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		c := r.opened(t, citizen, report())
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water"}})
		r.does(t, handler, c.ID, "accept", Input{})
		form := func(due string) Input {
			return Input{Form: map[string]string{"letter_no": "1", "due": due}}
		}
		r.refuses(t, upper, c.ID, "supervise", form("2026-05-31"), errs.Invalid, "due_ahead")
		c = r.does(t, upper, c.ID, "supervise", form("2026-06-03"))
		if d := c.Deadline("supervise"); d == nil || !d.Due.Equal(day("2026-06-03T15:59:59Z")) || c.Due() != d || c.Supervise != 1 {
			t.Fatalf("%+v", c)
		}
		r.pass(4 * 24 * time.Hour)
		if list, _, err := r.List(t.Context(), Filter{Overdue: true}, upper); err != nil || len(list) != 1 {
			t.Errorf("%d, %v", len(list), err)
		}
	})
}

// TestAudit: what the lot drew is due for the level above until that has looked at it,
// also behind the end of the case, and those who are late with it are reminded.
func TestAudit(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		county, city := who("county", "supervisor_county", "540121"), who("city", "supervisor_city", "540100")
		drawn := 0
		for i := 0; drawn == 0 || i == drawn; i++ { // until one is drawn and one is not
			if i == 200 {
				t.Fatal("two hundred cases, and none is drawn")
			}
			o := Opening{Kind: "supervision", Action: "raise", Title: fmt.Sprint(i), Source: "inspection", Unit: "water", Location: Location{Area: "540121"}}
			c, _, err := r.Open(t.Context(), o, Input{Form: map[string]string{"outlet": "x", "factor": "x", "statistic": "x", "value": "2", "limit": "1", "days_over": "1", "link": "/"}}, county, Request{})
			if err != nil {
				t.Fatal(err)
			}
			r.does(t, county, c.ID, "issue", Input{})
			r.does(t, handler, c.ID, "acknowledge", Input{})
			r.does(t, handler, c.ID, "answer", Input{Form: map[string]string{"answer": "x"}, Attachments: photo})
			r.refuses(t, county, c.ID, "accept", Input{}, errs.Invalid, "")
			c = r.does(t, county, c.ID, "accept", Input{Form: map[string]string{"finding": "excess"}})
			d := c.Deadline("audit")
			if (d != nil) != (c.Data["sample"] == "yes") {
				t.Fatalf("%+v", c)
			}
			c = r.does(t, county, c.ID, "close", Input{Form: map[string]string{"summary": "x"}})
			if d == nil {
				if c.Due() != nil {
					t.Fatalf("something is due of a case that is over: %+v", c.Due())
				}
				continue
			}
			drawn++
			if c.Due() == nil || c.Due().Clock != "audit" {
				t.Fatalf("%+v", c)
			}
			list, _, err := r.List(t.Context(), Filter{Queue: Audits}, city)
			if err != nil || len(list) != 1 || list[0].ID != c.ID {
				t.Fatalf("the queue of audits: %d, %v", len(list), err)
			}
			r.pass(30 * 24 * time.Hour)
			if _, err := r.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if list, _, err := r.List(t.Context(), Filter{Overdue: true}, city); err != nil || len(list) != 1 || list[0].Escalation == 0 {
				t.Errorf("%d, %v", len(list), err)
			}
			c = r.does(t, city, c.ID, "audit", Input{})
			if c.Due() != nil || c.State != "closed" {
				t.Errorf("%+v", c)
			}
			if list, _, err := r.List(t.Context(), Filter{Queue: Audits}, city); err != nil || len(list) != 0 {
				t.Errorf("the queue of audits: %d, %v", len(list), err)
			}
		}
	})
}

// TestSay: what the program says of the subject of a case is an event of it, also when
// it is over, and is told in the transaction; when that fails, nothing was said.
func TestSay(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		var told []string
		fail := false
		r.Added = func(_ context.Context, _ *db.Tx, _ *Type, c *Case, e *Event) error {
			if fail {
				return fmt.Errorf("it cannot be told")
			}
			told = append(told, fmt.Sprint(c.Events, e.Action, e.Body.Tell))
			return nil
		}
		c := r.opened(t, citizen, report())
		r.does(t, clerk, c.ID, "reject", Input{Form: map[string]string{"reason": "abuse"}})
		say := func() error {
			return r.DB.Tx(t.Context(), func(tx *db.Tx) error {
				return r.Say(t.Context(), tx, c.ID, map[string]string{"what": "withdrawn"}, "unit")
			})
		}
		if err := say(); err != nil {
			t.Fatal(err)
		}
		fail = true
		if say() == nil {
			t.Error("it was said and not told")
		}
		events, err := r.Events(t.Context(), c.ID)
		if err != nil || len(events) != 3 || events[2].Action != News || events[2].Body.Form["what"] != "withdrawn" {
			t.Errorf("%+v, %v", events, err)
		}
		if want := []string{"1report[office]", "2reject[reporter]", "3news[unit]"}; !slices.Equal(told, want) {
			t.Errorf("%q", told)
		}
		got, err := r.load(t.Context(), r.DB, `id = $1`, c.ID)
		if err != nil || got.State != "rejected" {
			t.Fatalf("%+v, %v", got, err)
		}
		r.holds(t, got)
	})
}
