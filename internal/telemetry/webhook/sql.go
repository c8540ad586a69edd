package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
)

var columns = []string{
	"id", "url", "kinds", "areas", "outlets", "note", "secret", "paused", "next_seq", "tries", "first_try", "next_try", "given_up", "version", "created_at", "updated_at", "by_post",
}

func (h *Hook) row() []any {
	var kinds, outlets []string
	for _, k := range h.Kinds {
		kinds = append(kinds, string(k))
	}
	for _, o := range h.Outlets {
		outlets = append(outlets, strconv.FormatUint(uint64(o), 10))
	}
	return []any{
		h.ID, h.URL, strings.Join(kinds, " "), strings.Join(h.Areas, " "), strings.Join(outlets, " "), h.Note, string(h.Secret), db.Bool(h.Paused), h.Next, h.Tries,
		db.MicrosOrNull(h.FirstTry), db.MicrosOrNull(h.NextTry), h.GivenUp, h.Version, db.Micros(h.Created), db.Micros(h.Updated), h.ByPost,
	}
}

func scan(row interface{ Scan(dst ...any) error }) (h Hook, err error) {
	var kinds, areas, outlets string
	var first, next sql.NullInt64
	var created, updated int64
	err = row.Scan(&h.ID, &h.URL, &kinds, &areas, &outlets, &h.Note, &h.Secret, &h.Paused, &h.Next, &h.Tries, &first, &next, &h.GivenUp, &h.Version, &created, &updated, &h.ByPost)
	if err != nil {
		return h, err
	}
	for k := range strings.FieldsSeq(kinds) {
		h.Kinds = append(h.Kinds, events.Kind(k))
	}
	if areas != "" {
		h.Areas = strings.Fields(areas)
	}
	for o := range strings.FieldsSeq(outlets) {
		n, err := strconv.ParseUint(o, 10, 32)
		if err != nil {
			return h, fmt.Errorf("webhook %s: outlet %q", h.ID, o)
		}
		h.Outlets = append(h.Outlets, telemetry.OutletID(n))
	}
	h.FirstTry, h.NextTry, h.Created, h.Updated = db.TimeOrZero(first), db.TimeOrZero(next), db.Time(created), db.Time(updated)
	return h, nil
}

func list(ctx context.Context, q db.Querier, where string, args ...any) (out []Hook, err error) {
	rows, err := q.Query(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM webhooks "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		h, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read webhooks: %w", err)
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

func get(ctx context.Context, q db.Querier, id string) (Hook, error) {
	all, err := list(ctx, q, "WHERE id = $1", id)
	if err != nil {
		return Hook{}, err
	}
	if len(all) == 0 {
		return Hook{}, errs.New(errs.NotFound, "")
	}
	return all[0], nil
}

// List returns all subscriptions, the oldest first.
func (s *Service) List(ctx context.Context) ([]Hook, error) { return list(ctx, s.o.DB, "ORDER BY id") }

// Get returns one; errs.NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Hook, error) { return get(ctx, s.o.DB, id) }

func insert(ctx context.Context, tx *db.Tx, h *Hook) error {
	return tx.Insert(ctx, "webhooks", columns, [][]any{h.row()})
}

// update writes what people set; how far it has come stays, tries begin anew.
func update(ctx context.Context, tx *db.Tx, h *Hook) error {
	r := h.row()
	_, err := tx.Exec(ctx, `UPDATE webhooks SET url = $2, kinds = $3, areas = $4, outlets = $5, note = $6, secret = $7, paused = $8, tries = 0, first_try = NULL, next_try = NULL, version = $9, updated_at = $10, by_post = $11 WHERE id = $1`,
		r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[13], r[15], r[16])
	return err
}

// advance writes how far it has come.
func advance(ctx context.Context, tx *db.Tx, h *Hook) error {
	_, err := tx.Exec(ctx, `UPDATE webhooks SET next_seq = $2, tries = $3, first_try = $4, next_try = $5, given_up = $6 WHERE id = $1`,
		h.ID, h.Next, h.Tries, db.MicrosOrNull(h.FirstTry), db.MicrosOrNull(h.NextTry), h.GivenUp)
	return err
}

// keepLog is how many deliveries of a subscription are kept.
const keepLog = 50

func note(ctx context.Context, tx *db.Tx, hook string, d *Delivery) error {
	if len(d.Fault) > 500 {
		d.Fault = strings.ToValidUTF8(d.Fault[:500], "")
	}
	err := tx.Insert(ctx, "webhook_log", []string{"id", "webhook", "event", "kind", "at", "try", "status", "took", "outcome", "fault"},
		[][]any{{d.ID, hook, d.Event, d.Kind, db.Micros(d.At), d.Try, d.Status, d.Took.Microseconds(), d.Outcome, d.Fault}})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM webhook_log WHERE webhook = $1 AND id NOT IN (SELECT id FROM webhook_log WHERE webhook = $1 ORDER BY id DESC LIMIT $2)`, hook, keepLog)
	return err
}

// Deliveries lists the last deliveries of a subscription, the newest first.
func (s *Service) Deliveries(ctx context.Context, id string) (out []Delivery, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT id, event, kind, at, try, status, took, outcome, fault FROM webhook_log WHERE webhook = $1 ORDER BY id DESC`, id)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivery
		var at, took int64
		if err := rows.Scan(&d.ID, &d.Event, &d.Kind, &at, &d.Try, &d.Status, &took, &d.Outcome, &d.Fault); err != nil {
			return nil, fmt.Errorf("read deliveries: %w", err)
		}
		d.At, d.Took = db.Time(at), time.Duration(took)*time.Microsecond
		out = append(out, d)
	}
	return out, rows.Err()
}
