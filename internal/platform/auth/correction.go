package auth

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Correction is what somebody asks to have put right, or erased, of what is held
// on them, and what was answered.
type Correction struct {
	ID, User, Login string
	Asked           time.Time
	Text            string
	Answered        time.Time // zero = open
	Post            string    // that answered
	Answer          string
}

// A person's text is a message, not a file; and a hundred requests that nobody
// answers are not answered by one more.
const (
	maxCorrection = 2000
	maxOpen       = 20
)

func correctionText(field, text string) (string, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxCorrection {
		return "", errs.InvalidField(field, "err.correction.text", "n", maxCorrection)
	}
	return text, nil
}

// AskCorrection keeps a request of who asks. An empty or overlong text is
// errs.Invalid about "text"; errs.Conflict when too many are open.
func (s *Service) AskCorrection(ctx context.Context, p Principal, text string) error {
	text, err := correctionText("text", text)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var open int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM corrections WHERE user_id = $1 AND answered_at IS NULL`, p.ID).Scan(&open); err != nil {
			return err
		}
		if open >= maxOpen {
			return errs.New(errs.Conflict, "err.correction.many", "n", open)
		}
		id := uuid.Must(uuid.NewV7()).String()
		if _, err := tx.Exec(ctx, `INSERT INTO corrections (id, user_id, asked_at, text, by_id, by_post, answer) VALUES ($1, $2, $3, $4, '', '', '')`,
			id, p.ID, db.Micros(s.now()), text); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.correction_ask", p.ID, "correction", id)
	})
}

// Corrections lists the requests of an account, the newest first; of all accounts,
// the open ones first and the oldest of these first, where userID is empty.
func (s *Service) Corrections(ctx context.Context, userID string) ([]Correction, error) {
	order := `c.asked_at DESC, c.id`
	if userID == "" {
		order = `CASE WHEN c.answered_at IS NULL THEN 0 ELSE 1 END, CASE WHEN c.answered_at IS NULL THEN c.asked_at ELSE -c.answered_at END, c.id`
	}
	rows, err := s.db.Query(ctx, `SELECT c.id, c.user_id, u.login, c.asked_at, c.text, c.answered_at, c.by_post, c.answer FROM corrections c JOIN users u ON u.id = c.user_id
		WHERE CAST($1 AS TEXT) = '' OR c.user_id = CAST($1 AS TEXT) ORDER BY `+order, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Correction
	for rows.Next() {
		var c Correction
		var asked int64
		var answered sql.NullInt64
		if err := rows.Scan(&c.ID, &c.User, &c.Login, &asked, &c.Text, &answered, &c.Post, &c.Answer); err != nil {
			return nil, err
		}
		c.Asked, c.Answered = db.Time(asked), db.TimeOrZero(answered)
		all = append(all, c)
	}
	return all, rows.Err()
}

// AnswerField is the field of a request's answer, since several stand on a page.
func AnswerField(id string) string { return "answer-" + id }

// AnswerCorrection answers a request. An empty or overlong answer is errs.Invalid
// about AnswerField, one's own request errs.Forbidden; errs.Conflict when it was
// answered already, errs.NotFound when there is none.
func (s *Service) AnswerCorrection(ctx context.Context, p Principal, id, answer string) error {
	answer, err := correctionText(AnswerField(id), answer)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var of string
		var answered sql.NullInt64
		if err := db.NotFound(tx.QueryRow(ctx, `SELECT c.user_id, c.answered_at FROM corrections c WHERE c.id = $1`, id).Scan(&of, &answered)); err != nil {
			return err
		}
		switch {
		case of == p.ID:
			return errs.New(errs.Forbidden, "err.correction.own")
		case answered.Valid:
			return errs.New(errs.Conflict, "err.correction.answered")
		}
		if err := one(tx.Exec(ctx, `UPDATE corrections SET answered_at = $2, by_id = $3, by_post = $4, answer = $5 WHERE id = $1 AND answered_at IS NULL`,
			id, db.Micros(s.now()), p.ID, p.Post.Zh, answer)); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.correction_answer", of, "correction", id)
	})
}
