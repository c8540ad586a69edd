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

// swept is how many cases one look reads at a time, and together how many of them are
// written in one transaction: one sync for all, and others who write wait no longer
// than for that.
const (
	swept    = 500
	together = 25
)

// Sweep does what the time asks for: the actions that types leave to the program,
// and the next rung of the ladder for what is late. Each rung is taken once, however
// often it runs. It returns how many events it made.
func (s *Service) Sweep(ctx context.Context) (n int, err error) {
	now := s.Now()
	var faults []error // one case does not hold the others up
	after := due{}
	for {
		list, err := s.waiting(ctx, now, after)
		if err != nil {
			return n, errors.Join(append(faults, err)...)
		}
		if len(list) == 0 {
			return n, errors.Join(faults...)
		}
		after = list[len(list)-1]
		for chunk := range slices.Chunk(list, together) {
			did, err := s.sweepAll(ctx, chunk, now)
			if err != nil && len(chunk) > 1 { // each by itself, so that the fault is told of the right one
				for i := range chunk {
					did, err := s.sweepAll(ctx, chunk[i:i+1], now)
					n += did
					if err != nil {
						faults = append(faults, fmt.Errorf("case %s: %w", chunk[i].id, err))
					}
				}
				continue
			}
			n += did
			if err != nil {
				faults = append(faults, fmt.Errorf("case %s: %w", chunk[0].id, err))
			}
		}
		if err := ctx.Err(); err != nil {
			return n, errors.Join(append(faults, err)...)
		}
	}
}

// sweepAll does what the time asks of some cases, in one transaction.
func (s *Service) sweepAll(ctx context.Context, list []due, now time.Time) (n int, err error) {
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		n = 0
		for _, d := range list {
			did, err := s.sweepOne(ctx, tx, d.id, now)
			if err != nil {
				return err
			}
			n += did
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// due is a case whose time has come, and when it came.
type due struct {
	at int64
	id string
}

// waiting are the cases whose time has come, the longest over first, behind after.
func (s *Service) waiting(ctx context.Context, now time.Time, after due) (list []due, err error) {
	rows, err := s.DB.Query(ctx, `SELECT next_at, id FROM cases WHERE next_at <= $1 AND next_at >= $2 AND (next_at > $2 OR id > $3) ORDER BY next_at, id`+fmt.Sprintf(" LIMIT %d", swept), db.Micros(now), after.at, after.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d due
		if err := rows.Scan(&d.at, &d.id); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
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
			if n > 0 {
				return n, nil // its last event has written when to look next
			}
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
