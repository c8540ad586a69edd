package alarm

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// columns of the table alarms, in the order of row and scan.
var columns = []string{
	"id", "outlet", "kind", "factor", "factors", "statistic", "severity", "start_at", "opened_at", "last_at", "end_at", "n", "blank",
	"worst", "worst_at", "folded", "times_over", "limit_id", "limit_op", "limit_lo", "limit_hi", "limit_statistic", "rule", "rule_version",
	"cause", "ended_by", "parent", "quiet", "flags", "stops", "live", "withdrawn_at",
	"acked_at", "acked_by", "acked_post", "acked_note", "false_at", "false_by", "false_post", "false_note",
}

var selectAlarms = "SELECT " + strings.Join(columns, ", ") + " FROM alarms"

func number(v quality.Opt) sql.NullFloat64 { return sql.NullFloat64{Float64: v.V, Valid: v.OK} }

func optional(v sql.NullFloat64) quality.Opt { return quality.Opt{V: v.Float64, OK: v.Valid} }

// row writes an episode down in the order of columns.
func row(e *Episode) ([]any, error) {
	cause, err := json.Marshal(e.Cause)
	if err != nil {
		return nil, err
	}
	stops, err := json.Marshal(e.Stops)
	if err != nil {
		return nil, err
	}
	acked, err := json.Marshal(e.Ack.Post)
	if err != nil {
		return nil, err
	}
	falsely, err := json.Marshal(e.False.Post)
	if err != nil {
		return nil, err
	}
	return []any{
		e.ID, int64(e.Outlet), string(e.Kind), e.Factor, strings.Join(e.Factors, " "), e.Statistic, string(e.Severity),
		db.Micros(e.Start), db.Micros(e.Opened), db.Micros(e.Last), db.MicrosOrNull(e.End), e.Count, e.Blank,
		number(e.Max), db.MicrosOrNull(e.MaxAt), db.Bool(e.Folded), number(e.Times),
		e.Limit.ID, e.Limit.Op, number(e.Limit.Lo), number(e.Limit.Hi), e.Limit.Statistic, e.Rule, e.Version,
		string(cause), e.EndedBy, e.Parent, e.Quiet, strings.Join(e.Flags, " "), string(stops), db.Bool(e.Live), db.MicrosOrNull(e.Withdrawn),
		db.MicrosOrNull(e.Ack.At), e.Ack.By, string(acked), e.Ack.Text,
		db.MicrosOrNull(e.False.At), e.False.By, string(falsely), e.False.Text,
	}, nil
}

type scanner interface{ Scan(dst ...any) error }

func scan(rows scanner) (Episode, error) {
	var (
		e                                              Episode
		outlet, start, opened, last                    int64
		end, worstAt, withdrawn, acked, falsely        sql.NullInt64
		worst, times, lo, hi                           sql.NullFloat64
		folded, live                                   int64
		factors, cause, flags, stops, ackPost, badPost string
	)
	err := rows.Scan(&e.ID, &outlet, &e.Kind, &e.Factor, &factors, &e.Statistic, &e.Severity, &start, &opened, &last, &end, &e.Count, &e.Blank,
		&worst, &worstAt, &folded, &times, &e.Limit.ID, &e.Limit.Op, &lo, &hi, &e.Limit.Statistic, &e.Rule, &e.Version,
		&cause, &e.EndedBy, &e.Parent, &e.Quiet, &flags, &stops, &live, &withdrawn,
		&acked, &e.Ack.By, &ackPost, &e.Ack.Text, &falsely, &e.False.By, &badPost, &e.False.Text)
	if err != nil {
		return e, err
	}
	e.Outlet = telemetry.OutletID(outlet)
	e.Start, e.Opened, e.Last, e.End = db.Time(start), db.Time(opened), db.Time(last), db.TimeOrZero(end)
	e.Max, e.MaxAt, e.Times = optional(worst), db.TimeOrZero(worstAt), optional(times)
	e.Limit.Lo, e.Limit.Hi = optional(lo), optional(hi)
	e.Folded, e.Live = folded != 0, live != 0
	e.Withdrawn, e.Ack.At, e.False.At = db.TimeOrZero(withdrawn), db.TimeOrZero(acked), db.TimeOrZero(falsely)
	if factors != "" {
		e.Factors = strings.Fields(factors)
	}
	if flags != "" {
		e.Flags = strings.Fields(flags)
	}
	for _, part := range []struct {
		text string
		into any
	}{{cause, &e.Cause}, {stops, &e.Stops}, {ackPost, &e.Ack.Post}, {badPost, &e.False.Post}} {
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return e, fmt.Errorf("alarm %s: %w", e.ID, err)
		}
	}
	return e, nil
}

func query(ctx context.Context, q db.Querier, where string, args ...any) (out []Episode, err error) {
	rows, err := q.Query(ctx, selectAlarms+" "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read alarms: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read alarms: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// put inserts or replaces episodes.
func put(ctx context.Context, tx *db.Tx, list []Episode) error {
	var set []string
	for _, c := range columns[1:] {
		set = append(set, c+" = excluded."+c)
	}
	holes := make([]string, len(columns))
	for i := range holes {
		holes[i] = "$" + strconv.Itoa(i+1)
	}
	text := "INSERT INTO alarms (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(holes, ", ") + ") ON CONFLICT (id) DO UPDATE SET " + strings.Join(set, ", ")
	for i := range list {
		args, err := row(&list[i])
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, text, args...); err != nil {
			return fmt.Errorf("write alarm: %w", err)
		}
	}
	return nil
}

// Entry is one act of somebody with an alarm.
type Entry struct {
	Alarm  string
	At     time.Time
	By     string
	Post   Post
	Action string // ack, unack, false, unfalse
	Note   string
}

// Filter chooses alarms. The zero Filter is all that stand for themselves and
// were not kept quiet.
type Filter struct {
	Outlets  []telemetry.OutletID                 // nil = any
	Sees     func(outlet telemetry.OutletID) bool // nil = all
	Kinds    []Kind
	Severity Severity
	Open     *bool     // nil = open and closed
	Acked    *bool     // nil = both
	From, To time.Time // overlap with [From, To); zero = unbounded
	Quiet    bool      // those that were kept quiet, and only those
	Parts    bool      // also those that belong to another one
	Parent   string    // parts of this one only
	Limit    int       // newest first; 0 = all
}

func (f *Filter) where() (text string, args []any) {
	var parts []string
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	in := func(column string, n int, at func(i int) any) {
		holes := make([]string, n)
		for i := range holes {
			holes[i] = arg(at(i))
		}
		parts = append(parts, column+" IN ("+strings.Join(holes, ", ")+")")
	}
	parts = append(parts, "withdrawn_at IS NULL")
	if f.Quiet {
		parts = append(parts, "quiet <> ''")
	} else {
		parts = append(parts, "quiet = ''")
	}
	switch {
	case f.Parent != "":
		parts = append(parts, "parent = "+arg(f.Parent))
	case !f.Parts:
		parts = append(parts, "parent = ''")
	}
	if n := len(f.Outlets); n > 0 && n <= 200 { // more are sorted out behind
		in("outlet", n, func(i int) any { return int64(f.Outlets[i]) })
	}
	if len(f.Kinds) > 0 {
		in("kind", len(f.Kinds), func(i int) any { return string(f.Kinds[i]) })
	}
	if f.Severity != "" {
		parts = append(parts, "severity = "+arg(string(f.Severity)))
	}
	either := func(column string, want *bool, null bool) {
		switch {
		case want == nil:
		case *want == null:
			parts = append(parts, column+" IS NULL")
		default:
			parts = append(parts, column+" IS NOT NULL")
		}
	}
	either("end_at", f.Open, true)
	either("acked_at", f.Acked, false)
	if !f.To.IsZero() {
		parts = append(parts, "start_at < "+arg(db.Micros(f.To)))
	}
	if !f.From.IsZero() {
		parts = append(parts, "(end_at IS NULL OR end_at > "+arg(db.Micros(f.From))+")")
	}
	return "WHERE " + strings.Join(parts, " AND ") + " ORDER BY start_at DESC, id", args
}

func (f *Filter) keeps(e *Episode) bool {
	if f.Sees != nil && !f.Sees(e.Outlet) {
		return false
	}
	return f.Outlets == nil || slices.Contains(f.Outlets, e.Outlet)
}

// List returns the alarms that a filter chooses, newest first.
func (s *Service) List(ctx context.Context, f Filter) ([]Episode, error) {
	if f.Outlets != nil && len(f.Outlets) == 0 {
		return nil, nil
	}
	where, args := f.where()
	all, err := query(ctx, s.o.DB, where, args...)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for i := range all {
		if f.keeps(&all[i]) {
			if out = append(out, all[i]); len(out) == f.Limit {
				break
			}
		}
	}
	return out, nil
}

// Between returns the alarms that stood for themselves in [from, to), newest
// first; zero instants are unbounded.
func (s *Service) Between(ctx context.Context, from, to time.Time) ([]Episode, error) {
	return s.List(ctx, Filter{From: from, To: to})
}

// Counts of the alarms that a filter chooses.
type Counts struct {
	All, Open  int
	Act, Warn  int // of the open ones
	Unacked    int // open ones that somebody has to act on and nobody has taken note of
	OpenByKind map[Kind]int
}

// Count counts the alarms that a filter chooses.
func (s *Service) Count(ctx context.Context, f Filter) (Counts, error) {
	list, err := s.List(ctx, f)
	if err != nil {
		return Counts{}, err
	}
	return CountOf(list), nil
}

// CountOf counts a list.
func CountOf(list []Episode) Counts {
	c := Counts{All: len(list), OpenByKind: map[Kind]int{}}
	for i := range list {
		e := &list[i]
		if !e.Open() {
			continue
		}
		c.Open++
		c.OpenByKind[e.Kind]++
		if e.Severity != Act {
			c.Warn++
			continue
		}
		c.Act++
		if !e.Ack.Done() && !e.False.Done() {
			c.Unacked++
		}
	}
	return c
}

// Get returns one alarm, also a withdrawn or quiet one; errs.NotFound when there
// is none.
func (s *Service) Get(ctx context.Context, id string) (Episode, error) {
	e, err := scan(s.o.DB.QueryRow(ctx, selectAlarms+" WHERE id = $1", id))
	return e, db.NotFound(err)
}

// Parts returns the alarms that belong to one, oldest first.
func (s *Service) Parts(ctx context.Context, id string) ([]Episode, error) {
	return query(ctx, s.o.DB, "WHERE parent = $1 AND withdrawn_at IS NULL ORDER BY start_at, id", id)
}

// History lists what people did with an alarm, oldest first.
func (s *Service) History(ctx context.Context, id string) (out []Entry, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT alarm, at, by_id, by_post, action, note FROM alarm_log WHERE alarm = $1 ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("read the log of an alarm: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var at int64
		var post string
		if err := rows.Scan(&e.Alarm, &at, &e.By, &post, &e.Action, &e.Note); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(post), &e.Post); err != nil {
			return nil, err
		}
		e.At = db.Time(at)
		out = append(out, e)
	}
	return out, rows.Err()
}

// mark reads a number of the service; 0 when it was never set.
func (s *Service) mark(ctx context.Context, name string) (int64, error) {
	var v int64
	err := s.o.DB.QueryRow(ctx, `SELECT value FROM alarm_marks WHERE name = $1`, name).Scan(&v)
	if err = db.NotFound(err); errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	return v, err
}

func setMark(ctx context.Context, tx *db.Tx, name string, v int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO alarm_marks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, v)
	return err
}

// loadDown reads when the program did not run.
func (s *Service) loadDown(ctx context.Context) (out []Span, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT from_at, to_at FROM alarm_down ORDER BY from_at`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var from, to int64
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		out = append(out, Span{db.Time(from), db.Time(to)})
	}
	return out, rows.Err()
}
