package events

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Options of a Log.
type Options struct {
	DB       *db.DB
	Registry Registry
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	Keep     time.Duration    // events older than this are dropped; 0 = never
	Poll     time.Duration    // how often followers look; 0 = half a second
}

// Log is the log of events. All methods may be called from any goroutine.
type Log struct {
	o Options

	mu    sync.Mutex
	nudge chan struct{} // closed when something may have been written
}

// New returns the log in a database.
func New(o Options) (*Log, error) {
	if o.DB == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("events: database, registry and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Poll <= 0 {
		o.Poll = 500 * time.Millisecond
	}
	return &Log{o: o, nudge: make(chan struct{})}, nil
}

// Append adds events inside a transaction; it gives them ID, cursor and, where
// it is zero, the time. The row of the counter stays locked until the
// transaction ends, so cursors become visible in their order.
func (l *Log) Append(ctx context.Context, tx *db.Tx, list []Event) error {
	if len(list) == 0 {
		return nil
	}
	var last int64
	err := tx.QueryRow(ctx, `UPDATE event_marks SET value = value + $1 WHERE name = 'last' RETURNING value`, len(list)).Scan(&last)
	if err != nil {
		return fmt.Errorf("number events: %w", err)
	}
	rows := make([][]any, len(list))
	for i := range list {
		e := &list[i]
		e.Seq = last - int64(len(list)-1-i)
		e.ID = uuid.Must(uuid.NewV7()).String()
		if e.Time.IsZero() {
			e.Time = l.o.Now()
		}
		e.Time = e.Time.UTC()
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("write event: %w", err)
		}
		rows[i] = []any{e.Seq, e.ID, db.Micros(e.Time), string(e.Kind), int64(e.Outlet), string(body)}
	}
	return tx.Insert(ctx, "events", []string{"seq", "id", "at", "kind", "outlet", "body"}, rows)
}

// Since returns at most limit events behind a cursor, the oldest first, and the
// cursor to read on from. errs.Conflict: events behind the cursor were dropped
// already; the oldest that are left begin behind Bounds' first value.
func (l *Log) Since(ctx context.Context, cursor int64, limit int) (list []Event, next int64, err error) {
	next = cursor
	err = l.o.DB.View(ctx, func(tx *db.Tx) error {
		var dropped int64
		if err := tx.QueryRow(ctx, `SELECT value FROM event_marks WHERE name = 'dropped'`).Scan(&dropped); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if cursor < dropped {
			if cursor > 0 {
				return errs.New(errs.Conflict, "events.dropped", "cursor", Cursor(dropped))
			}
			next = dropped // who begins begins with what is left
		}
		rows, err := tx.Query(ctx, `SELECT seq, body FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`, cursor, limit)
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var e Event
			var body string
			if err := rows.Scan(&next, &body); err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				return fmt.Errorf("event %d: %w", next, err)
			}
			e.Seq = next
			list = append(list, e)
		}
		return rows.Err()
	})
	return list, next, err
}

// Bounds returns the cursor behind which events are kept, and that of the last.
func (l *Log) Bounds(ctx context.Context) (first, last int64, err error) {
	return first, last, l.o.DB.View(ctx, func(tx *db.Tx) error {
		return errors.Join(
			tx.QueryRow(ctx, `SELECT value FROM event_marks WHERE name = 'dropped'`).Scan(&first),
			tx.QueryRow(ctx, `SELECT value FROM event_marks WHERE name = 'last'`).Scan(&last))
	})
}

// Latest is the cursor of the last event there is, for Subscribe.
const Latest = -1

// Subscribe hands events behind a cursor to fn, the oldest first and at most 100
// at once, and waits for further ones until ctx ends. Where they cannot be read
// that is logged and tried again; what was dropped meanwhile is passed over. An
// error of fn ends it.
func (l *Log) Subscribe(ctx context.Context, cursor int64, fn func(list []Event) error) error {
	said := ""
	for {
		list, next, err := l.following(ctx, cursor)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			cursor, said = next, ""
		case err.Error() != said:
			said = err.Error()
			l.o.Logger.ErrorContext(ctx, "events could not be read for who follows them", slog.Any("error", err))
		}
		if len(list) > 0 {
			if err := fn(list); err != nil {
				return err
			}
			continue
		}
		if err := l.Wait(ctx); err != nil {
			return err
		}
	}
}

// following is Since for Subscribe. It returns no events with an error.
func (l *Log) following(ctx context.Context, cursor int64) (list []Event, next int64, err error) {
	if cursor == Latest {
		_, next, err = l.Bounds(ctx)
		return nil, next, err
	}
	list, next, err = l.Since(ctx, cursor, 100)
	if errs.Is(err, errs.Conflict) {
		l.o.Logger.WarnContext(ctx, "events were dropped before who follows them heard of them", slog.Int64("cursor", cursor))
		next, _, err = l.Bounds(ctx)
	}
	if err != nil {
		list = nil
	}
	return list, next, err
}

// Wait returns when it is time to look for new events, or with the error of ctx.
func (l *Log) Wait(ctx context.Context) error {
	l.mu.Lock()
	nudge := l.nudge
	l.mu.Unlock()
	timer := time.NewTimer(l.o.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-nudge:
	case <-timer.C:
	}
	return nil
}

// wake tells those who wait, after a commit.
func (l *Log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.nudge)
	l.nudge = make(chan struct{})
}

// Drop removes events that are older than Options.Keep.
func (l *Log) Drop(ctx context.Context) error {
	if l.o.Keep <= 0 {
		return nil
	}
	return l.o.DB.Tx(ctx, func(tx *db.Tx) error {
		var last sql.NullInt64
		before := db.Micros(l.o.Now().Add(-l.o.Keep))
		if err := tx.QueryRow(ctx, `SELECT max(seq) FROM events WHERE at < $1`, before).Scan(&last); err != nil || !last.Valid {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM events WHERE seq <= $1`, last.Int64); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE event_marks SET value = $1 WHERE name = 'dropped'`, last.Int64)
		return err
	})
}
