package mark

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

var columns = []string{
	"number", "sort", "outlet", "rule", "rule_version", "code", "factors", "from_at", "to_at", "value", "cause", "evidence", "state", "late", "source",
	"author_id", "author_post", "created_at", "submitted_at", "decided_at", "document_due", "document_at",
}

func (p *Paper) row() []any {
	var value sql.NullFloat64
	if p.Sort == SortCorrection {
		value = sql.NullFloat64{Float64: p.Value, Valid: true}
	}
	return []any{
		p.Number, p.Sort, p.Outlet, p.Rule, p.Version, p.Code, strings.Join(p.Factors, " "), db.Micros(p.From), db.Micros(p.To), value,
		p.Cause, p.Evidence, string(p.State), db.Bool(p.Late), p.Source, p.Author, p.AuthorPost, db.Micros(p.Created), db.MicrosOrNull(p.Submitted),
		db.MicrosOrNull(p.Decided), db.MicrosOrNull(p.DocumentDue), db.MicrosOrNull(p.DocumentAt),
	}
}

// update writes what acts may change of a paper that is still in the state was;
// errs.Conflict where somebody else was faster.
func (p *Paper) update(ctx context.Context, tx *db.Tx, was State) error {
	res, err := tx.Exec(ctx, `UPDATE marks SET state = $3, cause = $4, evidence = $5, submitted_at = $6, decided_at = $7, document_at = $8
		WHERE number = $1 AND state = $2`, p.Number, string(was), string(p.State), p.Cause, p.Evidence,
		db.MicrosOrNull(p.Submitted), db.MicrosOrNull(p.Decided), db.MicrosOrNull(p.DocumentAt))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		if err != nil {
			return err
		}
		return errs.New(errs.Conflict, "marks.past", "number", p.Number)
	}
	return nil
}

// number takes the next number. One that is not used after all leaves a gap.
func (s *Service) number(ctx context.Context, sort string) (string, error) {
	var n int64
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'mark' RETURNING value`).Scan(&n)
	})
	if err != nil {
		return "", fmt.Errorf("take a number: %w", err)
	}
	letter := "M"
	if sort == SortCorrection {
		letter = "K"
	}
	return fmt.Sprintf("%s%06d", letter, n), nil
}

func addEvents(ctx context.Context, tx *db.Tx, number string, seq int, events []Event) error {
	rows := make([][]any, 0, len(events))
	for i := range events {
		e := &events[i]
		rows = append(rows, []any{number, seq + i, db.Micros(e.At), string(e.Act), string(e.From), string(e.To), e.By, e.Post, e.Note})
	}
	return tx.Insert(ctx, "mark_events", []string{"number", "seq", "at", "act", "from_state", "to_state", "by_id", "by_post", "note"}, rows)
}

// Paper finds a mark or a correction by its number; errs.NotFound.
func (s *Service) Paper(ctx context.Context, number string) (*Paper, error) {
	list, err := s.list(ctx, `number = $1`, number)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errs.New(errs.NotFound, "err.not_found")
	}
	return &list[0], nil
}

// OfOutlet lists the papers of an outlet that touch [from, to), the newest first.
func (s *Service) OfOutlet(ctx context.Context, id telemetry.OutletID, from, to time.Time) ([]Paper, error) {
	return s.list(ctx, `outlet = $1 AND from_at < $3 AND to_at > $2 ORDER BY from_at DESC, number DESC`, id, db.Micros(from), db.Micros(to))
}

// InState lists the papers in a state, those first that were submitted first, at
// most limit.
func (s *Service) InState(ctx context.Context, state State, limit int) ([]Paper, error) {
	return s.list(ctx, `state = $1 ORDER BY submitted_at, number LIMIT $2`, string(state), limit)
}

func (s *Service) list(ctx context.Context, which string, args ...any) ([]Paper, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM marks WHERE `+which, args...)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	defer rows.Close()
	var out []Paper
	for rows.Next() {
		var p Paper
		var factors string
		var from, to, created int64
		var submitted, decided, due, document sql.NullInt64
		var value sql.NullFloat64
		if err := rows.Scan(&p.Number, &p.Sort, &p.Outlet, &p.Rule, &p.Version, &p.Code, &factors, &from, &to, &value, &p.Cause, &p.Evidence,
			(*string)(&p.State), &p.Late, &p.Source, &p.Author, &p.AuthorPost, &created, &submitted, &decided, &due, &document); err != nil {
			return nil, fmt.Errorf("read marks: %w", err)
		}
		p.Factors, p.From, p.To, p.Value, p.Created = strings.Fields(factors), db.Time(from), db.Time(to), value.Float64, db.Time(created)
		p.Submitted, p.Decided, p.DocumentDue, p.DocumentAt = db.TimeOrZero(submitted), db.TimeOrZero(decided), db.TimeOrZero(due), db.TimeOrZero(document)
		out = append(out, p)
	}
	return out, rows.Err()
}

// Events are what happened to a paper, the earliest first.
func (s *Service) Events(ctx context.Context, number string) ([]Event, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT number, seq, at, act, from_state, to_state, by_id, by_post, note FROM mark_events WHERE number = $1 ORDER BY seq`, number)
	if err != nil {
		return nil, fmt.Errorf("read events of a mark: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.Number, &e.Seq, &at, (*string)(&e.Act), (*string)(&e.From), (*string)(&e.To), &e.By, &e.Post, &e.Note); err != nil {
			return nil, fmt.Errorf("read events of a mark: %w", err)
		}
		e.At = db.Time(at)
		out = append(out, e)
	}
	return out, rows.Err()
}
