package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// Notification is what somebody was told, worded for the reader.
type Notification struct {
	ID     string
	Kind   string
	At     time.Time
	Urgent bool
	Path   string // of the page about it, without the language
	Text   string
	Read   bool
}

// Filter chooses notifications.
type Filter struct {
	Unread bool
	Kind   string // "" = all
	Offset int
	Limit  int
}

// Inbox lists what an account was told on the page, the newest first, and counts
// all that the filter chooses.
func (s *Service) Inbox(ctx context.Context, userID string, lang i18n.Lang, f Filter) (out []Notification, all int, err error) {
	const where = ` FROM notifications WHERE user_id = $1 AND page = 1 AND ($2 = 0 OR read_at IS NULL) AND (CAST($3 AS TEXT) = '' OR kind = CAST($3 AS TEXT))`
	l := s.o.Catalogue.For(lang)
	err = s.o.DB.View(ctx, func(tx *db.Tx) error {
		args := []any{userID, db.Bool(f.Unread), f.Kind}
		if err := tx.QueryRow(ctx, `SELECT count(*)`+where, args...).Scan(&all); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id, kind, at, urgent, path, text, read_at`+where+` ORDER BY id DESC LIMIT $4 OFFSET $5`, append(args, f.Limit, f.Offset)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n Notification
			var at int64
			var text string
			var read sql.NullInt64
			if err := rows.Scan(&n.ID, &n.Kind, &at, &n.Urgent, &n.Path, &text, &read); err != nil {
				return err
			}
			w, err := loadWord(text)
			if err != nil {
				return fmt.Errorf("notification %s: %w", n.ID, err)
			}
			n.At, n.Text, n.Read = db.Time(at), w.In(l), read.Valid
			out = append(out, n)
		}
		return rows.Err()
	})
	return out, all, err
}

// MostUnread is the highest count that Unread tells.
const MostUnread = 100

// Unread counts what an account has not read, up to MostUnread.
func (s *Service) Unread(ctx context.Context, userID string) (n int, err error) {
	err = s.o.DB.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM notifications WHERE user_id = $1 AND page = 1 AND read_at IS NULL LIMIT 100) AS unread`, userID).Scan(&n)
	return n, err
}

// Read marks a notification of an account as read; one that is not there is left.
func (s *Service) Read(ctx context.Context, userID, id string) error {
	_, err := s.o.DB.Exec(ctx, `UPDATE notifications SET read_at = $3 WHERE user_id = $1 AND id = $2 AND read_at IS NULL`, userID, id, db.Micros(s.o.Now()))
	return err
}

// ReadAll marks all up to a notification as read: what came after the reader's
// page was drawn stays unread.
func (s *Service) ReadAll(ctx context.Context, userID, upTo string) error {
	_, err := s.o.DB.Exec(ctx, `UPDATE notifications SET read_at = $3 WHERE user_id = $1 AND id <= $2 AND page = 1 AND read_at IS NULL`, userID, upTo, db.Micros(s.o.Now()))
	return err
}

// Delivery is what became of something that goes out, without what it says and
// where it goes.
type Delivery struct {
	ID      string
	User    string
	Channel Channel
	Purpose string // told, code, test
	State   string
	Items   int
	Created time.Time
	Due     time.Time
	Next    time.Time // of a waiting one that was tried
	Ended   time.Time // zero = it waits
	Tries   int
	Status  int
	Fault   string
}

// DeliveryFilter chooses deliveries.
type DeliveryFilter struct {
	State   string  // "" = all
	Channel Channel // "" = all
	User    string  // "" = all
	ID      string  // "" = all
	Offset  int
	Limit   int
}

// Deliveries lists what goes out and went out, the newest first, and counts all
// that the filter chooses.
func (s *Service) Deliveries(ctx context.Context, f DeliveryFilter) (out []Delivery, all int, err error) {
	const where = ` FROM notify_deliveries WHERE (CAST($1 AS TEXT) = '' OR state = CAST($1 AS TEXT)) AND (CAST($2 AS TEXT) = '' OR channel = CAST($2 AS TEXT))
		AND (CAST($3 AS TEXT) = '' OR user_id = CAST($3 AS TEXT)) AND (CAST($4 AS TEXT) = '' OR id = CAST($4 AS TEXT))`
	err = s.o.DB.View(ctx, func(tx *db.Tx) error {
		args := []any{f.State, string(f.Channel), f.User, f.ID}
		if err := tx.QueryRow(ctx, `SELECT count(*)`+where, args...).Scan(&all); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id, user_id, channel, purpose, state, items, created_at, due_at, next_try, ended_at, tries, status, fault`+where+` ORDER BY id DESC LIMIT $5 OFFSET $6`, append(args, f.Limit, f.Offset)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Delivery
			var created, due, next int64
			var ended sql.NullInt64
			if err := rows.Scan(&d.ID, &d.User, &d.Channel, &d.Purpose, &d.State, &d.Items, &created, &due, &next, &ended, &d.Tries, &d.Status, &d.Fault); err != nil {
				return err
			}
			d.Created, d.Due, d.Next, d.Ended = db.Time(created), db.Time(due), db.Time(next), db.TimeOrZero(ended)
			out = append(out, d)
		}
		return rows.Err()
	})
	return out, all, err
}

// Test sends a test to the confirmed address of an account at once and returns
// how it went; over the page it is a notification. Errors: errs.NotFound without
// such a channel, errs.Conflict without a confirmed address.
func (s *Service) Test(ctx context.Context, userID string, c Channel) (d Delivery, err error) {
	now, id := s.o.Now(), uuid.Must(uuid.NewV7()).String()
	if c == Page {
		text, err := Word{Key: "notify.text.test"}.stored()
		if err != nil {
			return d, err
		}
		_, err = s.o.DB.Exec(ctx, `INSERT INTO notifications (id, user_id, key, kind, at, urgent, path, text, area, organisation, page, read_at) VALUES ($1, $2, $3, 'test', $4, 0, '/notifications', $5, '', '', 1, NULL)`,
			id, userID, "test:"+id, db.Micros(now), text)
		return Delivery{ID: id, Channel: Page, Purpose: purposeTest, State: Sent, Created: now}, err
	}
	if s.o.Senders[c] == nil {
		return d, errs.New(errs.NotFound, "err.notify.channel")
	}
	a, err := loadAddress(ctx, s.o.DB, userID, c)
	if errs.Is(err, errs.NotFound) || err == nil && a.Confirmed.IsZero() {
		return d, errs.New(errs.Conflict, "err.notify.unconfirmed")
	}
	if err != nil {
		return d, err
	}
	s.mu.Lock()
	s.busy[id] = true
	s.mu.Unlock()
	defer s.release(id)
	if err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		return s.open(ctx, tx, delivery{ID: id, User: userID, Channel: c, batch: purposeTest + " " + id, Purpose: purposeTest, Created: now, Due: now})
	}); err != nil {
		return d, err
	}
	if err := s.deliver(ctx, id); err != nil {
		return d, err
	}
	list, _, err := s.Deliveries(ctx, DeliveryFilter{ID: id, Limit: 1})
	if err != nil || len(list) == 0 {
		return d, err
	}
	return list[0], nil
}
