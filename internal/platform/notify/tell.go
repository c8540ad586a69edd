package notify

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
)

// Tell writes what happened for everybody who may know of it and wants to, in
// the transaction of what it tells of: both are kept or neither. A key that
// somebody was told already is passed over.
func (s *Service) Tell(ctx context.Context, tx *db.Tx, list []Message) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		if _, ok := s.kinds[list[i].Kind]; !ok || list[i].Key == "" || list[i].Text.Key == "" {
			return fmt.Errorf("notify: a message needs a known kind, a key and a text: %+v", list[i])
		}
	}
	accounts, err := s.o.Accounts(ctx, tx)
	if err != nil {
		return err
	}
	settings, err := loadSettings(ctx, tx, "")
	if err != nil {
		return err
	}
	reach, err := s.confirmed(ctx, tx)
	if err != nil {
		return err
	}
	// In one order of recipients in every transaction, so that two of them never
	// wait for each other's rows.
	slices.SortFunc(accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	areas, now := s.o.Areas(), s.o.Now()
	for i := range accounts {
		a := &accounts[i]
		set := settings[a.ID]
		if set == nil {
			d := defaults()
			set = &d
		}
		for k := range list {
			if list[k].To != nil && !slices.Contains(list[k].To, a.ID) {
				continue
			}
			if !access.Default().May(a.Grants, s.kinds[list[k].Kind].Permission, list[k].About, areas) {
				continue
			}
			if err := s.tell(ctx, tx, a.ID, set, reach[a.ID], &list[k], now); err != nil {
				return fmt.Errorf("tell %s: %w", list[k].Key, err)
			}
		}
	}
	return nil
}

// tell writes one message for one recipient.
func (s *Service) tell(ctx context.Context, tx *db.Tx, userID string, set *Settings, reach []Channel, m *Message, now time.Time) error {
	page := s.Mode(set, m.Kind, Page) != Off
	var out []Channel
	for _, c := range Channels() {
		if s.Mode(set, m.Kind, c) != Off && s.o.Senders[c] != nil && slices.Contains(reach, c) {
			out = append(out, c)
		}
	}
	if !page && len(out) == 0 {
		return nil
	}
	if m.Follows != "" {
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM notifications WHERE user_id = $1 AND path = $2`, userID, m.Follows).Scan(&n); err != nil || n == 0 {
			return err
		}
	}
	text, err := m.Text.stored()
	if err != nil {
		return err
	}
	id := uuid.Must(uuid.NewV7()).String()
	res, err := tx.Exec(ctx, `INSERT INTO notifications (id, user_id, key, kind, at, urgent, path, text, area, organisation, page, read_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL) ON CONFLICT (user_id, key) DO NOTHING`,
		id, userID, m.Key, m.Kind, db.Micros(now), db.Bool(m.Urgent), m.Path, text, m.About.Area, m.About.Organisation, db.Bool(page))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // told already
	}
	for _, c := range out {
		due := set.due(now, s.Mode(set, m.Kind, c), m.Urgent, s.o.Collect)
		if m.Space > 0 && c != Webhook {
			if due, err = s.spaced(ctx, tx, userID, c, m, now, due); err != nil {
				return err
			}
		}
		if err := s.enclose(ctx, tx, userID, c, due, now, id); err != nil {
			return err
		}
	}
	return nil
}

// spaced is when something goes out that comes soon after something else with the same
// page did: with what waits for its time already, or behind the space.
func (s *Service) spaced(ctx context.Context, tx *db.Tx, userID string, c Channel, m *Message, now, due time.Time) (time.Time, error) {
	var last sql.NullInt64
	err := tx.QueryRow(ctx, `SELECT max(d.due_at) FROM notify_deliveries d JOIN notify_items i ON i.delivery = d.id JOIN notifications n ON n.id = i.notification
		WHERE d.user_id = $1 AND d.channel = $2 AND n.path = $3`, userID, string(c), m.Path).Scan(&last)
	if err != nil || !last.Valid {
		return due, err
	}
	at := db.Time(last.Int64)
	if !at.After(now) {
		at = at.Add(m.Space)
	}
	if at.After(due) {
		return at, nil
	}
	return due, nil
}

// enclose puts a notification into what goes out to somebody at an instant. What
// is under way already is left as it is, so that its repeat says the same.
func (s *Service) enclose(ctx context.Context, tx *db.Tx, userID string, c Channel, due, now time.Time, notification string) error {
	for n := 1; ; n++ {
		batch := strconv.FormatInt(db.Micros(due), 10)
		if n > 1 {
			batch += "." + strconv.Itoa(n)
		}
		if err := s.open(ctx, tx, delivery{ID: uuid.Must(uuid.NewV7()).String(), User: userID, Channel: c, batch: batch, Purpose: purposeTold, Created: now, Due: due}); err != nil {
			return err
		}
		var id string
		err := tx.QueryRow(ctx, `UPDATE notify_deliveries SET items = items + 1 WHERE user_id = $1 AND channel = $2 AND batch = $3 AND state = 'waiting' AND tries = 0 RETURNING id`,
			userID, string(c), batch).Scan(&id)
		switch {
		case isNone(err):
			continue
		case err != nil:
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO notify_items (delivery, notification) VALUES ($1, $2)`, id, notification)
		return err
	}
}

// open makes a delivery unless its batch is there.
func (s *Service) open(ctx context.Context, tx *db.Tx, d delivery) error {
	_, err := tx.Exec(ctx, `INSERT INTO notify_deliveries (id, user_id, channel, batch, purpose, state, created_at, due_at, next_try, lease, items, tries, first_try, ended_at, status, fault)
		VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, 0, '', 0, 0, NULL, NULL, 0, '') ON CONFLICT (user_id, channel, batch) DO NOTHING`,
		d.ID, d.User, string(d.Channel), d.batch, d.Purpose, db.Micros(d.Created), db.Micros(d.Due))
	return err
}

// confirmed lists the channels over which accounts can be reached.
func (s *Service) confirmed(ctx context.Context, q db.Querier) (map[string][]Channel, error) {
	rows, err := q.Query(ctx, `SELECT user_id, channel FROM notify_addresses WHERE confirmed_at IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("read who can be reached: %w", err)
	}
	defer rows.Close()
	out := map[string][]Channel{}
	for rows.Next() {
		var id string
		var c Channel
		if err := rows.Scan(&id, &c); err != nil {
			return nil, fmt.Errorf("read who can be reached: %w", err)
		}
		out[id] = append(out[id], c)
	}
	return out, rows.Err()
}
