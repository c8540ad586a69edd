package handover

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Action is what a post did.
type Action string

// The actions, in the order in which a shift goes through them.
const (
	Note Action = "note" // wrote something down
	Give Action = "give" // signed off and handed over
	Take Action = "take" // took the shift over
)

// Entry is what a post did, when. Entries are never changed.
type Entry struct {
	ID     string
	Shift  Shift
	Action Action
	At     time.Time
	By     string // user id
	Post   string
	Text   string
	Facts  string // JSON of what was handed over; of Give only
}

// maxText bounds a note, in characters.
const maxText = 4000

// Service keeps the entries.
type Service struct {
	db  *db.DB
	now func() time.Time
}

// New returns the service on a migrated database.
func New(d *db.DB, now func() time.Time) *Service { return &Service{d, now} }

// Add appends an entry. A shift is handed over once and before it is taken
// over; what does not fit is errs.Conflict, a text that is missing or too long
// errs.Invalid about the field "text".
func (s *Service) Add(ctx context.Context, e Entry) error {
	e.Text = strings.TrimSpace(e.Text)
	switch {
	case e.By == "" || e.Post == "":
		return errs.New(errs.Unauthenticated, "err.unauthenticated")
	case e.Action == Note && e.Text == "":
		return errs.InvalidField("text", "handover.text_error")
	case len([]rune(e.Text)) > maxText:
		return errs.InvalidField("text", "err.field.long", "max", maxText)
	}
	e.At = s.now()
	e.ID = uuid.Must(uuid.NewV7()).String()
	facts := sql.NullString{String: e.Facts, Valid: e.Action == Give && e.Facts != ""}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var given, taken int
		if err := tx.QueryRow(ctx, `SELECT coalesce(sum(CASE WHEN action = 'give' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN action = 'take' THEN 1 ELSE 0 END), 0)
			FROM handovers WHERE shift = $1`, db.Micros(e.Shift.From)).Scan(&given, &taken); err != nil {
			return err
		}
		switch {
		case taken > 0, e.Action == Give && given > 0:
			return errs.New(errs.Conflict, "handover.is_over")
		case e.Action == Take && given == 0:
			return errs.New(errs.Conflict, "handover.not_given")
		}
		if _, err := tx.Exec(ctx, `INSERT INTO handovers (id, shift, until, action, at, by_id, by_post, text, facts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			e.ID, db.Micros(e.Shift.From), db.Micros(e.Shift.To), string(e.Action), db.Micros(e.At), e.By, e.Post, e.Text, facts); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{At: e.At, Who: e.By, Post: e.Post, System: "telemetry", Act: "shift." + string(e.Action), Kind: "shift", Ref: e.Shift.From.UTC().Format(time.RFC3339)})
	})
}

// Of lists the entries of a shift in the order in which they were made.
func (s *Service) Of(ctx context.Context, shift Shift) ([]Entry, error) {
	return s.list(ctx, `SELECT id, shift, until, action, at, by_id, by_post, text, coalesce(facts, '') FROM handovers WHERE shift = $1 ORDER BY id`, db.Micros(shift.From))
}

// Last lists the handed-over shifts, newest first, without their facts.
func (s *Service) Last(ctx context.Context, limit int) ([]Entry, error) {
	return s.list(ctx, `SELECT id, shift, until, action, at, by_id, by_post, text, '' FROM handovers WHERE action = 'give' ORDER BY shift DESC, id DESC LIMIT $1`, limit)
}

func (s *Service) list(ctx context.Context, query string, args ...any) ([]Entry, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Entry
	for rows.Next() {
		var e Entry
		var from, to, at int64
		if err := rows.Scan(&e.ID, &from, &to, (*string)(&e.Action), &at, &e.By, &e.Post, &e.Text, &e.Facts); err != nil {
			return nil, err
		}
		e.Shift, e.At = Shift{db.Time(from), db.Time(to)}, db.Time(at)
		out = append(out, e)
	}
	return out, rows.Err()
}
