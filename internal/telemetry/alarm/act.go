package alarm

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// maxNote is the longest note, in characters.
const maxNote = 500

// Acknowledge notes that somebody has taken note of an alarm; the note may be
// empty. Errors: errs.NotFound, errs.Conflict when it is acknowledged already,
// errs.Invalid for a note that is too long.
func (s *Service) Acknowledge(ctx context.Context, id, note string, by auth.Principal) error {
	return s.act(ctx, id, "ack", note, by, func(e *Episode, n Note) error {
		if e.Ack.Done() {
			return errs.New(errs.Conflict, "alarm.err.acked")
		}
		e.Ack = n
		return nil
	})
}

// TakeBack undoes one's own acknowledgement. Errors: errs.NotFound,
// errs.Conflict when it is not acknowledged, errs.Forbidden when somebody else
// did.
func (s *Service) TakeBack(ctx context.Context, id string, by auth.Principal) error {
	return s.act(ctx, id, "unack", "", by, func(e *Episode, _ Note) error {
		return takeBack(&e.Ack, by)
	})
}

// CallFalse notes that an alarm was a false one, and why. Errors: errs.NotFound,
// errs.Invalid without a reason, errs.Conflict when it is noted already.
func (s *Service) CallFalse(ctx context.Context, id, reason string, by auth.Principal) error {
	if strings.TrimSpace(reason) == "" {
		return errs.InvalidField("reason", "alarm.err.reason")
	}
	return s.act(ctx, id, "false", reason, by, func(e *Episode, n Note) error {
		if e.False.Done() {
			return errs.New(errs.Conflict, "alarm.err.false")
		}
		e.False = n
		return nil
	})
}

// CallTrue undoes one's own note that the alarm was false; errors as TakeBack.
func (s *Service) CallTrue(ctx context.Context, id string, by auth.Principal) error {
	return s.act(ctx, id, "unfalse", "", by, func(e *Episode, _ Note) error {
		return takeBack(&e.False, by)
	})
}

func takeBack(n *Note, by auth.Principal) error {
	switch {
	case !n.Done():
		return errs.New(errs.Conflict, "alarm.err.nothing")
	case n.By != by.ID:
		return errs.New(errs.Forbidden, "alarm.err.not_own")
	}
	*n = Note{}
	return nil
}

// act changes what is said of an alarm and writes it into the log, in one
// transaction.
func (s *Service) act(ctx context.Context, id, action, note string, by auth.Principal, change func(e *Episode, n Note) error) error {
	note = strings.TrimSpace(note)
	if utf8.RuneCountInString(note) > maxNote {
		field := "note"
		if action == "false" {
			field = "reason"
		}
		return errs.InvalidField(field, "err.field.long", "max", maxNote)
	}
	s.writing.Lock() // an episode derived anew meanwhile must not lose it
	defer s.writing.Unlock()
	post, err := json.Marshal(Post(by.Post))
	if err != nil {
		return err
	}
	detail := ""
	if note != "" {
		b, err := json.Marshal(map[string]string{"note": note})
		if err != nil {
			return err
		}
		detail = string(b)
	}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		e, err := scan(tx.QueryRow(ctx, selectAlarms+" WHERE id = $1", id))
		if err != nil {
			return db.NotFound(err)
		}
		at := s.o.Now().UTC()
		if err := change(&e, Note{By: by.ID, Post: Post(by.Post), At: at, Text: note}); err != nil {
			return err
		}
		if err := s.store(ctx, tx, []Episode{e}, nil); err != nil {
			return err
		}
		if err := tx.Insert(ctx, "alarm_log", []string{"id", "alarm", "at", "by_id", "by_post", "action", "note"},
			[][]any{{uuid.Must(uuid.NewV7()).String(), id, db.Micros(at), by.ID, string(post), action, note}}); err != nil {
			return err
		}
		entry := by.Entry(at, "telemetry", "alarm."+action, "alarm", id)
		entry.Detail = detail
		return audit.Append(ctx, tx, entry)
	})
}
