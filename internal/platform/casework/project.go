package casework

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"plateau/internal/platform/db"
)

// What lists ask for stands in columns beside the case, and in tables of their own:
// the organisations that must act, and the words that a case is found by. They are
// made from the events and can be thrown away. So is what statistics count.

// layout is how this program makes them. A row of another shape is made again when
// the program starts.
const layout = 2

// never is the due time of what is not due, so that it comes last: the end of the
// year 9999.
const never = 253402300799999999

// row is what stands beside a case.
type row struct {
	open     bool
	due      sql.NullInt64 // of the deadline that ends first; NULL while the case is paused
	order    int64         // due, or never
	soon     sql.NullInt64 // from when on it is due soon
	next     sql.NullInt64 // when the program has to look at the case again
	returned bool
	drawn    bool // by lot, and not looked at yet
	step     string
	body     string
}

func (s *Service) row(t *Type, c *Case) (r row, err error) {
	text, err := json.Marshal(c)
	r.body, r.order, r.step = string(text), never, stepOf(c.Kind, c.Version, c.State)
	if st := t.State(c.State); st != nil {
		r.open = st.Open
	}
	cal := s.Calendars(c.Location.Area)
	if d := c.Due(); d != nil && t.counts(c.State, d.Clock) && c.Paused.IsZero() {
		r.due = sql.NullInt64{Int64: db.Micros(d.Due), Valid: true}
		r.order = r.due.Int64
		r.soon = sql.NullInt64{Int64: db.Micros(d.soonAt(cal)), Valid: true}
	}
	r.next, r.returned, r.drawn = t.look(c, cal), t.returned(c), t.audited() != "" && c.runs(t.audited())
	return r, err
}

// longestWalk bounds the days that soonAt goes back: no run of days off is longer.
const longestWalk = 60

// soonAt is the instant from which Standing says soon: a fifth of the time is left,
// or the first day on which no more than one working day is.
func (d *Deadline) soonAt(cal Calendar) time.Time {
	at := d.Due.Add(-d.Due.Sub(d.Started) / 5)
	local := d.Due.In(zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	for range longestWalk {
		before := day.AddDate(0, 0, -1)
		if cal.WorkingDays(before, d.Due) > 1 {
			break
		}
		day = before
	}
	if day.Before(at) {
		return day
	}
	return at
}

func (s *Service) insert(ctx context.Context, tx *db.Tx, c *Case) error {
	r, err := s.row(s.TypeOf(c), c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO cases (id, tracking_no, system, kind, state, open, severity, category, area, owner_unit, assignee, reporter_id, subject_kind, subject_ref, due_at, next_at, events, created_at, updated_at, body,
			due_order, soon_at, supervise, returned, step, handler, shape, drawn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
		c.ID, c.TrackingNo, c.System, c.Kind, c.State, db.Bool(r.open), c.Severity, c.Category, c.Location.Area, c.OwnerUnit, c.Assignee, c.Reporter, c.Subject.Kind, c.Subject.ID,
		r.due, r.next, c.Events, db.Micros(c.Created), db.Micros(c.Updated), r.body, r.order, r.soon, c.Supervise, db.Bool(r.returned), r.step, c.Handler, layout, db.Bool(r.drawn))
	if err != nil {
		return fmt.Errorf("store case: %w", err)
	}
	return s.units(ctx, tx, c)
}

func (s *Service) update(ctx context.Context, tx *db.Tx, t *Type, c *Case) error {
	r, err := s.row(t, c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE cases SET state = $2, open = $3, severity = $4, category = $5, owner_unit = $6, assignee = $7, due_at = $8, next_at = $9, events = $10, updated_at = $11, body = $12,
			due_order = $13, soon_at = $14, supervise = $15, returned = $16, step = $17, handler = $18, shape = $19, drawn = $20 WHERE id = $1`,
		c.ID, c.State, db.Bool(r.open), c.Severity, c.Category, c.OwnerUnit, c.Assignee, r.due, r.next, c.Events, db.Micros(c.Updated), r.body,
		r.order, r.soon, c.Supervise, db.Bool(r.returned), r.step, c.Handler, layout, db.Bool(r.drawn))
	if err != nil {
		return fmt.Errorf("store case: %w", err)
	}
	return nil
}

// units stores which organisations must act on a case.
func (s *Service) units(ctx context.Context, tx *db.Tx, c *Case) error {
	if _, err := tx.Exec(ctx, `DELETE FROM case_units WHERE case_id = $1`, c.ID); err != nil {
		return fmt.Errorf("units of a case: %w", err)
	}
	for _, u := range append([]string{c.OwnerUnit}, c.CoUnits...) {
		if u == "" {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO case_units (unit, case_id) VALUES ($1, $2) ON CONFLICT (unit, case_id) DO NOTHING`, u, c.ID); err != nil {
			return fmt.Errorf("units of a case: %w", err)
		}
	}
	return nil
}

// index stores the terms that a case is found by, beside those it has.
func (s *Service) index(ctx context.Context, tx *db.Tx, id string, terms []string) error {
	const chunk = 20
	for len(terms) > 0 {
		n := min(chunk, len(terms))
		var values []string
		args := []any{id}
		for _, t := range terms[:n] {
			args = append(args, t)
			values = append(values, fmt.Sprintf("($%d, $1)", len(args)))
		}
		if _, err := tx.Exec(ctx, `INSERT INTO case_terms (term, case_id) VALUES `+strings.Join(values, ", ")+` ON CONFLICT (term, case_id) DO NOTHING`, args...); err != nil {
			return fmt.Errorf("terms of a case: %w", err)
		}
		terms = terms[n:]
	}
	return nil
}

// opened are the texts of a case that everybody who sees it may read.
func (c *Case) opened() []string {
	return []string{c.TrackingNo, c.Title, c.Text, c.Location.Address}
}

// said are the texts of an event that everybody who sees the case may read: what a
// form shows to who reported it or to everybody. An event that is not for all of them
// says nothing.
func (t *Type) said(e *Event) (out []string) {
	if t == nil || e.Seq == 1 || e.Visibility != ToReporter && e.Visibility != Public {
		return nil
	}
	x := t.ActionIn(e.Action, e.From)
	if x == nil {
		return nil
	}
	f := t.Form(x.Form)
	if f == nil {
		return nil
	}
	for _, q := range f.Fields {
		if (q.Type == "long" || q.Type == "text") && (q.Reporter || q.Public) {
			out = append(out, e.Body.Form[q.Name])
		}
	}
	return out
}

// projected is how many rows are made again in one transaction.
const projected = 200

// project makes what stands beside cases again where another program wrote it.
func (s *Service) project(ctx context.Context) error {
	for {
		ids, err := s.ids(ctx, `SELECT id FROM cases WHERE shape < $1 ORDER BY shape, id`+fmt.Sprintf(" LIMIT %d", projected), layout)
		if err != nil || len(ids) == 0 {
			return err
		}
		err = s.DB.Tx(ctx, func(tx *db.Tx) error {
			for _, id := range ids {
				if err := s.projectOne(ctx, tx, id); err != nil {
					return fmt.Errorf("columns of case %s: %w", id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

func (s *Service) projectOne(ctx context.Context, tx *db.Tx, id string) error {
	c, err := s.load(ctx, tx, `id = $1`, id)
	if err != nil {
		return err
	}
	events, err := s.events(ctx, tx, id)
	if err != nil {
		return err
	}
	t := s.TypeOf(c)
	if t == nil { // its columns stay as the program made them that knew it
		_, err = tx.Exec(ctx, `UPDATE cases SET shape = $2 WHERE id = $1`, id, layout)
	} else {
		err = s.update(ctx, tx, t, c)
	}
	if err != nil {
		return err
	}
	if err := s.units(ctx, tx, c); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM case_terms WHERE case_id = $1`, id); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM case_changes WHERE case_id = $1`, id); err != nil {
		return err
	}
	texts := c.opened()
	for i := range events {
		if err := s.change(ctx, tx, t, c, &events[i]); err != nil {
			return err
		}
		texts = append(texts, t.said(&events[i])...)
	}
	return s.index(ctx, tx, id, terms(texts...))
}

func (s *Service) ids(ctx context.Context, query string, args ...any) (ids []string, err error) {
	rows, err := s.DB.Query(ctx, query, args...)
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
