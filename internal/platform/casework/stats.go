package casework

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// What an event does to the count of open cases.
const (
	noTurn  = iota
	opened  // it is the first
	closed  // from an open state to a closed one
	againOf // from a closed state to an open one
)

// change stores what statistics count of an event that c has taken in. t is the type
// c is of by now; nil when this program lacks it, and then only the opening counts.
func (s *Service) change(ctx context.Context, tx *db.Tx, t *Type, c *Case, e *Event) error {
	if e.Seq > 1 && e.From == e.To {
		return nil
	}
	open := func(state string) bool {
		st := t.State(state)
		return st != nil && st.Open
	}
	what := noTurn
	switch {
	case e.Seq == 1:
		what = opened
	case t == nil:
	case open(e.From) && !open(e.To):
		what = closed
	case !open(e.From) && open(e.To):
		what = againOf
	}
	_, err := tx.Exec(ctx, `INSERT INTO case_changes (case_id, seq, month, system, kind, area, to_state, what, first, hours, days)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN EXISTS (SELECT 1 FROM case_changes WHERE case_id = $1 AND to_state = $7) THEN 0 ELSE 1 END, $9, $10)`,
		c.ID, e.Seq, e.At.In(zone).Format("2006-01"), c.System, c.Kind, c.Location.Area, e.To, what, int64(e.At.Sub(c.Created)/time.Hour), s.Calendars(c.Location.Area).WorkingDays(c.Created, e.At))
	if err != nil {
		return fmt.Errorf("count event: %w", err)
	}
	return nil
}

// Statistics are counts of the cases that somebody sees.
type Statistics struct {
	Open, Overdue, Soon     int // now
	Opened, Closed, Reopens int // in the months
	Months                  []Counted
	Areas, Kinds            []Counted
	Times                   []Took
}

// Counted are the counts of a month (YYYY-MM), an area or a kind.
type Counted struct {
	Key                     string
	Opened, Closed, Reopens int
	Open, Overdue           int // now; none for months
}

// Took is how long cases took from their opening to the first time they came to a
// state, for cases that came there in the months.
type Took struct {
	Kind, State          string
	N                    int
	MedianDays, P90Days  int // working days
	MedianHours, P90Hour int // of the clock
}

// StatisticsFilter chooses what is counted; empty fields choose nothing away.
type StatisticsFilter struct {
	System, Kind string
	Area         string // with all below
	From, To     string // first and last month, YYYY-MM
}

// mostMonths bounds the months of one answer.
const mostMonths = 60

// months lists those of a filter; errs.Invalid about "from" or "to".
func (f *StatisticsFilter) months() (out []string, err error) {
	var c errs.Checks
	from, err := time.Parse("2006-01", f.From)
	c.Require(err == nil, "from", "err.case.month")
	to, err := time.Parse("2006-01", f.To)
	c.Require(err == nil && !to.Before(from), "to", "err.case.month_to")
	c.Require(to.Before(from.AddDate(0, mostMonths, 0)), "to", "err.case.months", "max", mostMonths)
	if err := c.Err(); err != nil {
		return nil, err
	}
	for m := from; !m.After(to); m = m.AddDate(0, 1, 0) {
		out = append(out, m.Format("2006-01"))
	}
	return out, nil
}

// Statistics counts the cases that who asks may see.
func (s *Service) Statistics(ctx context.Context, f StatisticsFilter, by auth.Principal) (out Statistics, err error) {
	months, err := f.months()
	if err != nil {
		return out, err
	}
	v, err := s.viewer(ctx, by)
	if err != nil || v == nil {
		return out, err
	}
	counts := tallies{}
	for _, m := range months {
		counts.of("month", m)
	}
	if err := s.standing(ctx, f, v, counts, &out); err != nil {
		return out, err
	}
	if err := s.turned(ctx, f, v, counts, &out); err != nil {
		return out, err
	}
	if out.Times, err = s.took(ctx, f, v); err != nil {
		return out, err
	}
	out.Months, out.Areas, out.Kinds = counts.list("month"), counts.list("area"), counts.list("kind")
	return out, nil
}

// tallies are counts by what they are of: "area", "kind" or "month", and which.
type tallies map[[2]string]*Counted

func (t tallies) of(what, key string) *Counted {
	k := [2]string{what, key}
	if t[k] == nil {
		t[k] = &Counted{Key: key}
	}
	return t[k]
}

func (t tallies) list(what string) (out []Counted) {
	for k, c := range t {
		if k[0] == what {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Counted) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// standing counts open cases as they stand now.
func (s *Service) standing(ctx context.Context, f StatisticsFilter, v *viewer, counts tallies, out *Statistics) error {
	q := &selection{}
	if err := s.choose(q, &Filter{System: f.System, Kind: f.Kind, Area: f.Area, Queue: AllOpen}, v); err != nil {
		return err
	}
	now := q.arg(db.Micros(s.Now()))
	rows, err := s.DB.Query(ctx, `SELECT kind, area, count(*), sum(CASE WHEN due_order < `+now+` THEN 1 ELSE 0 END), sum(CASE WHEN soon_at <= `+now+` AND due_order >= `+now+` THEN 1 ELSE 0 END)
		FROM cases WHERE `+q.text()+` GROUP BY kind, area`, q.args...)
	if err != nil {
		return fmt.Errorf("count open cases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, area string
		var open, late, soon int
		if err := rows.Scan(&kind, &area, &open, &late, &soon); err != nil {
			return err
		}
		out.Open, out.Overdue, out.Soon = out.Open+open, out.Overdue+late, out.Soon+soon
		for _, c := range []*Counted{counts.of("kind", kind), counts.of("area", area)} {
			c.Open, c.Overdue = c.Open+open, c.Overdue+late
		}
	}
	return rows.Err()
}

// changes is the condition on case_changes, x, that a viewer sees the case and the
// filter asks for it.
func (s *Service) changes(q *selection, f StatisticsFilter, v *viewer) {
	q.add("x.month >= ?", f.From)
	q.add("x.month <= ?", f.To)
	if f.System != "" {
		q.add("x.system = ?", f.System)
	}
	if f.Kind != "" {
		q.add("x.kind = ?", f.Kind)
	}
	within := func(r *reach) string {
		if r.all {
			return "1 = 1"
		}
		return q.in("x.area", r.areas)
	}
	if f.Area != "" {
		r := &reach{}
		r.add(f.Area, s)
		q.where = append(q.where, within(r))
	}
	any := []string{"x.case_id IN " + q.own(v)}
	for system, r := range v.systems {
		any = append(any, "x.system = "+q.arg(system)+" AND "+within(r))
	}
	slices.Sort(any)
	q.where = append(q.where, "("+strings.Join(any, " OR ")+")")
}

// turned counts what was opened, closed and opened again.
func (s *Service) turned(ctx context.Context, f StatisticsFilter, v *viewer, counts tallies, out *Statistics) error {
	q := &selection{}
	s.changes(q, f, v)
	rows, err := s.DB.Query(ctx, `SELECT x.month, x.kind, x.area, x.what, count(*) FROM case_changes x WHERE x.what > 0 AND `+q.text()+` GROUP BY x.month, x.kind, x.area, x.what`, q.args...)
	if err != nil {
		return fmt.Errorf("count changes of cases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var month, kind, area string
		var what, n int
		if err := rows.Scan(&month, &kind, &area, &what, &n); err != nil {
			return err
		}
		all := &Counted{}
		for _, c := range []*Counted{all, counts.of("month", month), counts.of("kind", kind), counts.of("area", area)} {
			switch what {
			case opened:
				c.Opened += n
			case closed:
				c.Closed += n
			case againOf:
				c.Reopens += n
			}
		}
		out.Opened, out.Closed, out.Reopens = out.Opened+all.Opened, out.Closed+all.Closed, out.Reopens+all.Reopens
	}
	return rows.Err()
}

// share is a length of time and how many cases took it.
type share struct{ length, n int }

// took tells how long cases took to each state. What was opened is in its first
// state at once, which says nothing.
func (s *Service) took(ctx context.Context, f StatisticsFilter, v *viewer) (out []Took, err error) {
	days, err := s.lengths(ctx, f, v, "days")
	if err != nil {
		return nil, err
	}
	hours, err := s.lengths(ctx, f, v, "hours")
	if err != nil {
		return nil, err
	}
	for key, list := range days {
		t := Took{Kind: key[0], State: key[1]}
		for _, x := range list {
			t.N += x.n
		}
		t.MedianDays, t.P90Days = quantile(list, t.N, 50), quantile(list, t.N, 90)
		t.MedianHours, t.P90Hour = quantile(hours[key], t.N, 50), quantile(hours[key], t.N, 90)
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Took) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.State, b.State)) })
	return out, nil
}

// lengths are the lengths of time to the states of each kind, the shortest first.
// column is days or hours.
func (s *Service) lengths(ctx context.Context, f StatisticsFilter, v *viewer, column string) (map[[2]string][]share, error) {
	q := &selection{}
	s.changes(q, f, v)
	rows, err := s.DB.Query(ctx, `SELECT x.kind, x.to_state, x.`+column+`, count(*) FROM case_changes x WHERE x.first = 1 AND x.what <> 1 AND `+q.text()+` GROUP BY x.kind, x.to_state, x.`+column+` ORDER BY x.kind, x.to_state, x.`+column, q.args...)
	if err != nil {
		return nil, fmt.Errorf("time to states of cases: %w", err)
	}
	defer rows.Close()
	out := map[[2]string][]share{}
	for rows.Next() {
		var kind, state string
		var x share
		if err := rows.Scan(&kind, &state, &x.length, &x.n); err != nil {
			return nil, err
		}
		key := [2]string{kind, state}
		out[key] = append(out[key], x)
	}
	return out, rows.Err()
}

// quantile is the shortest length that so many of a hundred took at most (nearest
// rank).
func quantile(list []share, n, percent int) int {
	rank := max(1, (n*percent+99)/100)
	for _, x := range list {
		if rank -= x.n; rank <= 0 {
			return x.length
		}
	}
	return 0
}
