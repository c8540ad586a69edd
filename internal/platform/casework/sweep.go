package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// Escalation is the action of an event that the ladder of a type makes; no type can
// have one of this name.
const Escalation = "escalation"

// reached counts the rungs behind a case for one clock.
func reached(clock string) string { return "rung." + clock }

// rung is the next step of the ladder for a case, its clock and when it is reached;
// nil when none is left.
func (t *Type) rung(c *Case, cal Calendar) (next *Step, clock string, at time.Time) {
	for i := range c.Deadlines {
		d := &c.Deadlines[i]
		k := c.Counts[reached(d.Clock)]
		if !d.Running() || k >= len(t.Ladder) || !t.counts(c.State, d.Clock) {
			continue
		}
		x := &t.Ladder[k]
		when := d.Due
		switch {
		case x.Percent > 0:
			when = d.Started.Add(d.Due.Sub(d.Started) / 100 * time.Duration(x.Percent))
		case x.After.N > 0:
			when, _ = cal.Due(d.Due, x.After)
		}
		if next == nil || when.Before(at) {
			next, clock, at = x, d.Clock, when
		}
	}
	return next, clock, at
}

// counts reports whether somebody is late in a state when the deadline of a clock has
// passed: in one that is not open only with what is still asked for there.
func (t *Type) counts(state, clock string) bool {
	st := t.State(state)
	return st != nil && (st.Open || t.stops(state, clock))
}

// timer is the action that the program itself takes in a state; nil when there is
// none.
func (t *Type) timer(state string) *Action {
	i := slices.IndexFunc(t.Actions, func(x *Action) bool {
		return slices.Contains(x.Roles, RoleTimer) && t.from(x, state) && len(x.From) > 0
	})
	if i < 0 {
		return nil
	}
	return t.Actions[i]
}

// timerAt is when the program takes it: when the clock of the state is over, or on
// the day until which the case is paused. Zero is never.
func (t *Type) timerAt(c *Case, st *State) time.Time {
	if st.Paused && c.PausedTo != "" {
		day, err := time.ParseInLocation(time.DateOnly, c.PausedTo, zone)
		if err != nil {
			return time.Time{}
		}
		return day.AddDate(0, 0, 1)
	}
	if d := c.Deadline(st.Clock); st.Clock != "" && d != nil && d.Running() {
		return d.Due
	}
	return time.Time{}
}

// swept is how many cases one look takes at most; what is left is taken by the next.
const swept = 500

// Sweep does what the time asks for: the actions that types leave to the program,
// and the next rung of the ladder for what is late. Each rung is taken once, however
// often it runs. It returns how many events it made.
func (s *Service) Sweep(ctx context.Context) (n int, err error) {
	now := s.Now()
	ids, err := s.waiting(ctx, now)
	if err != nil {
		return 0, err
	}
	var faults []error // one case does not hold the others up
	for _, id := range ids {
		did := 0
		err := s.DB.Tx(ctx, func(tx *db.Tx) (err error) {
			did, err = s.sweepOne(ctx, tx, id, now)
			return err
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("case %s: %w", id, err))
			continue
		}
		n += did
	}
	return n, errors.Join(faults...)
}

// waiting are the cases whose time has come, the longest over first.
func (s *Service) waiting(ctx context.Context, now time.Time) (ids []string, err error) {
	rows, err := s.DB.Query(ctx, `SELECT id FROM cases WHERE next_at <= $1 ORDER BY next_at, id`+fmt.Sprintf(" LIMIT %d", swept), db.Micros(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// catchUp bounds the rungs that one look takes of one case: after a long standstill
// all of them may be behind it.
const catchUp = 50

func (s *Service) sweepOne(ctx context.Context, tx *db.Tx, id string, now time.Time) (n int, err error) {
	if _, err := tx.Exec(ctx, `UPDATE cases SET events = events WHERE id = $1`, id); err != nil {
		return 0, err
	}
	for range catchUp {
		c, err := s.load(ctx, tx, `id = $1`, id)
		if err != nil {
			return n, err
		}
		t := s.TypeOf(c)
		if t == nil {
			return n, fmt.Errorf("%s version %d is not known to this program", c.Kind, c.Version)
		}
		cal := s.Calendars(c.Location.Area)
		st := t.State(c.State)
		if x := t.timer(c.State); x != nil && st != nil {
			if at := t.timerAt(c, st); !at.IsZero() && !at.After(now) {
				if _, _, err := s.actIn(ctx, tx, id, x.Name, Input{}, auth.System, Request{}, &Actor{ID: auth.System.ID, Timer: true}); err != nil {
					return n, err
				}
				n++
				continue
			}
		}
		step, clock, at := t.rung(c, cal)
		if st == nil || st.Paused || step == nil || at.After(now) {
			return n, s.update(ctx, tx, t, c) // what is next may have changed with the type
		}
		if err := s.climb(ctx, tx, t, c, step, clock, now); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// climb takes one rung of the ladder. Who is responsible stays so; somebody above is
// added.
func (s *Service) climb(ctx context.Context, tx *db.Tx, t *Type, c *Case, step *Step, clock string, now time.Time) error {
	level, rungs := c.Supervise+step.Level, c.Escalation+1
	ch := Changes{Counts: map[string]int{reached(clock): c.Counts[reached(clock)] + 1}, Escalation: &rungs}
	if step.Level > 0 {
		ch.Supervise = &level
	}
	e := Event{Case: c.ID, Seq: c.Events + 1, Action: Escalation, From: c.State, To: c.State, Visibility: Staff, Body: Body{Salt: salt(), Form: map[string]string{"clock": clock}, Tell: []string{step.Tell}, Changes: ch}}
	return s.follow(ctx, tx, t, c, &e, auth.System, Request{}, now)
}
