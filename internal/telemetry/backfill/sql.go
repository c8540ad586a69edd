package backfill

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

const gapColumns = `id, outlet, mn, kind, from_at, to_at, cause, due, missing, detected, changed, state, how, closed, by_post, reason, requests, fails, next_at`

func scanGap(rows interface{ Scan(...any) error }) (*Gap, error) {
	g := &Gap{saved: true}
	var from, to, detected, changed, next int64
	var closed sql.NullInt64
	err := rows.Scan(&g.ID, &g.Outlet, &g.MN, &g.Kind, &from, &to, (*string)(&g.Cause), &g.Due, &g.Missing, &detected, &changed, (*string)(&g.State), &g.How,
		&closed, &g.ByPost, &g.Reason, &g.Requests, &g.Fails, &next)
	g.From, g.To, g.Detected, g.Changed, g.Next, g.Closed = db.Time(from), db.Time(to), db.Time(detected), db.Time(changed), db.Time(next), db.TimeOrZero(closed)
	return g, err
}

func gapRow(g *Gap) []any {
	return []any{
		g.ID, int64(g.Outlet), g.MN, int64(g.Kind), db.Micros(g.From), db.Micros(g.To), string(g.Cause), g.Due, g.Missing, db.Micros(g.Detected), db.Micros(g.Changed),
		string(g.State), g.How, db.MicrosOrNull(g.Closed), g.ByPost, g.Reason, g.Requests, g.Fails, db.Micros(g.Next),
	}
}

// load reads what a former run has left.
func (s *Service) load(ctx context.Context) error {
	late := db.Micros(s.o.Now().Add(-s.Params().Window))
	return s.o.DB.View(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+gapColumns+` FROM gaps WHERE state = $1 OR state = $2 AND to_at >= $3 ORDER BY id`, string(Open), string(GivenUp), late)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			g, err := scanGap(rows)
			if err != nil {
				return err
			}
			s.keep(g)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := s.loadAsked(ctx, tx, late); err != nil {
			return err
		}
		return s.loadRuns(ctx, tx)
	})
}

func (s *Service) loadAsked(ctx context.Context, tx *db.Tx, late int64) error {
	rows, err := tx.Query(ctx, `SELECT gap, at, ended FROM gap_requests WHERE at >= $1`, late)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at, ended int64
		if err := rows.Scan(&id, &at, &ended); err != nil {
			return err
		}
		if s.byID[id] != nil {
			s.asked[id] = append(s.asked[id], run{db.Time(at), db.Time(ended)})
		}
	}
	return rows.Err()
}

func (s *Service) loadRuns(ctx context.Context, tx *db.Tx) error {
	rows, err := tx.Query(ctx, `SELECT from_at, seen_at FROM platform_runs ORDER BY from_at`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var from, seen int64
		if err := rows.Scan(&from, &seen); err != nil {
			return err
		}
		s.runs = append(s.runs, run{db.Time(from), db.Time(seen)})
	}
	return rows.Err()
}

// save writes what changed and the platform's sign of life, all or nothing;
// what could not be written is tried again by the next look.
func (s *Service) save(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	changed := make([]Gap, 0, len(s.unsaved))
	for _, g := range s.unsaved {
		changed = append(changed, *g)
	}
	pending := s.unsaved
	s.unsaved = map[string]*Gap{}
	last := s.runs[len(s.runs)-1]
	s.mu.Unlock()
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := write(ctx, tx, changed); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO platform_runs (from_at, seen_at) VALUES ($1, $2) ON CONFLICT (from_at) DO UPDATE SET seen_at = excluded.seen_at`,
			db.Micros(last.from), db.Micros(now))
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, g := range pending {
		// A commit whose answer was lost may have happened: written again it is
		// no insertion of a new row.
		g.saved = true
		if err != nil && s.unsaved[id] == nil {
			s.unsaved[id] = g
		}
	}
	if err == nil {
		s.checked, s.runs[len(s.runs)-1].seen = now, now
	}
	return err
}

// write puts gaps into the ledger: new ones in bulk, others one by one.
func write(ctx context.Context, tx *db.Tx, gaps []Gap) error {
	var fresh [][]any
	for i := range gaps {
		g := &gaps[i]
		if !g.saved {
			fresh = append(fresh, gapRow(g))
			continue
		}
		_, err := tx.Exec(ctx, `INSERT INTO gaps (`+gapColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
			ON CONFLICT (id) DO UPDATE SET to_at = excluded.to_at, due = excluded.due, missing = excluded.missing, changed = excluded.changed,
			state = excluded.state, how = excluded.how, closed = excluded.closed, by_post = excluded.by_post, reason = excluded.reason,
			requests = excluded.requests, fails = excluded.fails, next_at = excluded.next_at`, gapRow(g)...)
		if err != nil {
			return err
		}
	}
	return tx.Insert(ctx, "gaps", strings.Split(gapColumns, ", "), fresh)
}

// Filter chooses gaps; zero fields choose all.
type Filter struct {
	Outlets  []telemetry.OutletID // nil = all; empty = none
	MN       string
	Kind     telemetry.Kind
	Cause    Cause
	State    State
	From, To time.Time // gaps that overlap [From, To)
	Limit    int       // 0 = 1000; negative = all
	After    string    // id of the last gap of the page before
}

// List returns gaps of the ledger, the latest found first.
func (s *Service) List(ctx context.Context, f Filter) ([]Gap, error) {
	if f.Outlets != nil && len(f.Outlets) == 0 {
		return nil, nil
	}
	var where []string
	var args []any
	add := func(cond string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(args))))
	}
	if len(f.Outlets) > 0 && len(f.Outlets) <= maxListed {
		ids := make([]string, len(f.Outlets))
		for i, id := range f.Outlets {
			ids[i] = strconv.FormatUint(uint64(id), 10)
		}
		where = append(where, "outlet IN ("+strings.Join(ids, ", ")+")")
	}
	if f.MN != "" {
		add("mn = ?", f.MN)
	}
	if f.Kind != 0 {
		add("kind = ?", int64(f.Kind))
	}
	if f.Cause != "" {
		add("cause = ?", string(f.Cause))
	}
	if f.State != "" {
		add("state = ?", string(f.State))
	}
	if !f.From.IsZero() {
		add("to_at > ?", db.Micros(f.From))
	}
	if !f.To.IsZero() {
		add("from_at < ?", db.Micros(f.To))
	}
	if f.After != "" {
		add("id < ?", f.After)
	}
	query := `SELECT ` + gapColumns + ` FROM gaps`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	limit := f.Limit
	if limit == 0 {
		limit = 1000
	}
	few := len(f.Outlets) <= maxListed // else the outlets are sorted out here
	query += ` ORDER BY id DESC`
	if limit > 0 && few {
		query += ` LIMIT ` + strconv.Itoa(limit)
	}
	rows, err := s.o.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	wanted := map[telemetry.OutletID]bool{}
	for _, id := range f.Outlets {
		wanted[id] = true
	}
	var out []Gap
	for rows.Next() {
		g, err := scanGap(rows)
		if err != nil {
			return nil, err
		}
		if (few || wanted[g.Outlet]) && (limit < 0 || len(out) < limit) {
			out = append(out, *g)
		}
	}
	return out, rows.Err()
}

// maxListed bounds the outlets named in a statement.
const maxListed = 2000

// Get returns a gap with the requests made for it; errs.NotFound when there is
// none.
func (s *Service) Get(ctx context.Context, id string) (Gap, []Request, error) {
	g, err := scanGap(s.o.DB.QueryRow(ctx, `SELECT `+gapColumns+` FROM gaps WHERE id = $1`, id))
	if err != nil {
		return Gap{}, nil, db.NotFound(err)
	}
	rows, err := s.o.DB.Query(ctx, `SELECT dialogue, at, from_at, to_at, outcome, gained FROM gap_requests WHERE gap = $1 ORDER BY at`, id)
	if err != nil {
		return *g, nil, err
	}
	defer rows.Close()
	var asked []Request
	for rows.Next() {
		var r Request
		var at, from, to int64
		if err := rows.Scan(&r.Dialogue, &at, &from, &to, &r.Outcome, &r.Gained); err != nil {
			return *g, nil, err
		}
		r.At, r.From, r.To = db.Time(at), db.Time(from), db.Time(to)
		asked = append(asked, r)
	}
	return *g, asked, rows.Err()
}

// Downtime lists the stretches of [from, to) in which the platform did not run
// or could not store, oldest first; nothing is known of the time before its
// first run.
func (s *Service) Downtime(from, to time.Time) [][2]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][2]time.Time
	for i := 1; i < len(s.runs); i++ {
		a, b := s.runs[i-1].seen, s.runs[i].from
		if a.Before(to) && b.After(from) && b.Sub(a) > 0 {
			out = append(out, [2]time.Time{later(a, from), earlier(b, to)})
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// OpenCount is how many gaps are open, without reading the database.
func (s *Service) OpenCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, g := range s.byID {
		if g.State == Open {
			n++
		}
	}
	return n
}

// maxReason is the longest reason, in characters.
const maxReason = 500

// GiveUp ends the requests for a gap, for a reason that a person gives.
// errs.NotFound without such a gap, errs.Conflict when it is not open any more,
// errs.Invalid about the field "reason" when that is missing or too long.
func (s *Service) GiveUp(ctx context.Context, id, post, reason string) error {
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		return errs.InvalidField("reason", "gaps.reason_error")
	case utf8.RuneCountInString(reason) > maxReason:
		return errs.InvalidField("reason", "err.field.long", "max", maxReason)
	}
	return s.edit(ctx, id, func(g *Gap, now time.Time) {
		s.finish(g, GivenUp, ByPerson, now)
		g.ByPost, g.Reason = post, reason
	})
}

// edit changes an open gap and writes it at once.
func (s *Service) edit(ctx context.Context, id string, fn func(g *Gap, now time.Time)) error {
	now := s.o.Now()
	s.mu.Lock()
	g := s.byID[id]
	open := g != nil && g.State == Open && g.saved
	if open {
		fn(g, now)
	}
	var row Gap
	if g != nil {
		row = *g
	}
	s.mu.Unlock()
	if !open {
		if _, _, err := s.Get(ctx, id); err != nil {
			return err
		}
		return errs.New(errs.Conflict, "gaps.not_open")
	}
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error { return write(ctx, tx, []Gap{row}) })
	if err != nil {
		return errors.Join(err, s.undo(ctx, id))
	}
	return nil
}

// undo reads a gap again whose change could not be written.
func (s *Service) undo(ctx context.Context, id string) error {
	g, err := scanGap(s.o.DB.QueryRow(context.WithoutCancel(ctx), `SELECT `+gapColumns+` FROM gaps WHERE id = $1`, id))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.byID[id]; now != nil {
		busy := now.busy
		*now = *g
		now.busy = busy
	}
	return nil
}
