package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// Move is the action of an event by which an open case goes on to another version of
// its type; no type can have one of this name.
const Move = "move"

// Moving is open cases that are to go on with another version of their type.
type Moving struct {
	Kind     string
	From, To int               // versions
	States   map[string]string // old to new; a state that is left out keeps its name
}

// Moved is what becomes of the open cases in one state.
type Moved struct {
	State   string   // now
	To      string   // "" = the new version has no such state, and none was named for it
	Cases   int      //
	Dropped []string // clocks that run now and that the new version lacks
	Started []string // clocks that begin with the move
	Stuck   string   // why these cases cannot go on; "" = they can
}

// Preview tells what a moving makes of the open cases of its kind and version, by
// state in the order of the type, and changes nothing. next is the version they would
// go on with; it need not be among the types in force.
func (s *Service) Preview(ctx context.Context, m Moving, next *Type) ([]Moved, error) {
	was, err := s.moves(m, next)
	if err != nil {
		return nil, err
	}
	found := map[string]*Moved{}
	if err := s.each(ctx, s.DB, m, func(c *Case) error {
		x := found[c.State]
		if x == nil {
			x = &Moved{State: c.State}
			found[c.State] = x
		}
		x.Cases++
		ch, to, why := m.move(c, next, s.Calendars(c.Location.Area), s.Now())
		x.To = to
		if x.Stuck == "" {
			x.Stuck = why
		}
		for _, d := range ch.Deadlines {
			list := &x.Started
			if d.Dropped {
				list = &x.Dropped
			} else if have := c.Deadline(d.Clock); have != nil && have.Running() {
				continue // it only moves with the end of a pause
			}
			if !slices.Contains(*list, d.Clock) {
				*list = append(*list, d.Clock)
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var out []Moved
	for _, st := range was.States {
		if x := found[st.Name]; x != nil {
			slices.Sort(x.Dropped)
			slices.Sort(x.Started)
			out = append(out, *x)
		}
	}
	return out, nil
}

// Move lets the open cases of a version go on with another one that is in force, each
// with an event in its history, all of them or none. A state without a successor, or a
// severity or category that the new version lacks, refuses the whole and is named. It
// returns how many cases it moved.
func (s *Service) Move(ctx context.Context, m Moving) (n int, err error) {
	next, ok := s.Types.Version(m.Kind, m.To)
	if !ok {
		return 0, m.unknown(m.To)
	}
	if _, err := s.moves(m, next); err != nil {
		return 0, err
	}
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		n = 0
		var list []*Case
		// Whoever acts on one of them meanwhile waits, or has acted before.
		if _, err := tx.Exec(ctx, `UPDATE cases SET events = events WHERE kind = $1 AND open = 1`, m.Kind); err != nil {
			return err
		}
		if err := s.each(ctx, tx, m, func(c *Case) error { list = append(list, c); return nil }); err != nil {
			return err
		}
		now := s.Now()
		for _, c := range list {
			ch, to, why := m.move(c, next, s.Calendars(c.Location.Area), now)
			if why != "" {
				return fmt.Errorf("case %s stands in %s: %s; no case was moved", Written(c.TrackingNo), c.State, why)
			}
			e := Event{Case: c.ID, Seq: c.Events + 1, Action: Move, From: c.State, To: to, Visibility: Staff, Body: Body{Salt: salt(), Changes: ch}}
			if err := s.follow(ctx, tx, next, c, &e, auth.System, Request{}, now); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// moves checks a moving and returns the version the cases stand on.
func (s *Service) moves(m Moving, next *Type) (*Type, error) {
	was, ok := s.Types.Version(m.Kind, m.From)
	switch {
	case !ok:
		return nil, m.unknown(m.From)
	case next.Kind != m.Kind || next.Version == m.From:
		return nil, fmt.Errorf("the new version is kind %s version %d; name another version of kind %s", next.Kind, next.Version, m.Kind)
	}
	for from, to := range m.States {
		if was.State(from) == nil {
			return nil, fmt.Errorf("version %d of kind %s has no state %s; its states are %s", m.From, m.Kind, from, was.names())
		}
		if next.State(to) == nil {
			return nil, fmt.Errorf("version %d of kind %s has no state %s; its states are %s", next.Version, m.Kind, to, next.names())
		}
	}
	return was, nil
}

func (m Moving) unknown(version int) error {
	return fmt.Errorf("this installation has no version %d of kind %s; put its file into the folder of case types and start the server anew", version, m.Kind)
}

// names lists the states of a type for a person.
func (t *Type) names() string {
	var out []string
	for _, s := range t.States {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

// each reads the open cases that a moving is about.
func (s *Service) each(ctx context.Context, q querier, m Moving, fn func(c *Case) error) error {
	rows, err := q.Query(ctx, `SELECT body FROM cases WHERE kind = $1 AND open = 1 ORDER BY id`, m.Kind)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return err
		}
		c, err := parse(body)
		if err != nil {
			return err
		}
		if c.Version != m.From {
			continue
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// move is what becomes of one case: deadlines that run stay as they were set, for
// people were told of them.
func (m Moving) move(c *Case, next *Type, cal Calendar, now time.Time) (ch Changes, to, why string) {
	if to = m.States[c.State]; to == "" {
		to = c.State
	}
	st := next.State(to)
	if st == nil {
		return ch, "", fmt.Sprintf("version %d has no state %s; name the one they go on in", next.Version, to)
	}
	ch.Version = &next.Version
	if len(next.Severities) > 0 && !slices.ContainsFunc(next.Severities, func(x Severity) bool { return x.Level == c.Severity }) {
		why = fmt.Sprintf("version %d has no severity %d", next.Version, c.Severity)
	}
	if c.Category != "" && !slices.ContainsFunc(next.Categories, func(x Category) bool { return x.Code == c.Category }) {
		why = fmt.Sprintf("version %d has no category %s", next.Version, c.Category)
	}
	s := &step{t: next, c: c, now: now.UTC().Truncate(time.Second), Env: Env{Calendar: cal}}
	if !st.Paused && !c.Paused.IsZero() {
		s.resume()
	}
	for i := range c.Deadlines {
		if d, _ := s.deadline(c.Deadlines[i].Clock); d.Running() && next.Clock(d.Clock) == nil {
			d.Dropped = true
			s.put(d)
		}
	}
	if d, ok := s.deadline(st.Clock); st.Clock != "" && (!ok || !d.Running()) {
		s.start(st.Clock)
	}
	if st.Paused && c.Paused.IsZero() {
		s.out.Paused = &s.now
	}
	s.out.Version = ch.Version
	return s.out, to, why
}
