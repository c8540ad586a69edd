package telemetry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plateau/internal/platform/db"
)

// OutletAt is an outlet with everything that belongs to it as the registry had
// it at an instant: what the first change after it found. errs.NotFound when
// there was no such outlet then.
func (r *Registry) OutletAt(ctx context.Context, id OutletID, at time.Time) (*Outlet, error) {
	// The log is read after the snapshot: a change that comes between them is in
	// the log, and what it found is what the snapshot holds.
	now := r.Snapshot().Outlets[id]
	var found sql.NullString
	err := r.db.QueryRow(ctx, `SELECT old FROM registry_log WHERE kind = 'outlet' AND ref = $1 AND at > $2 ORDER BY id LIMIT 1`,
		id.ref(), db.Micros(at)).Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if now == nil {
			return nil, notFound()
		}
		return now, nil
	case err != nil:
		return nil, fmt.Errorf("read log of outlet %d: %w", id, err)
	case !found.Valid:
		return nil, notFound()
	}
	var o Outlet
	if err := json.Unmarshal([]byte(found.String), &o); err != nil {
		return nil, fmt.Errorf("read log of outlet %d: %w", id, err)
	}
	return &o, nil
}

// LastChange is the newest entry of an outlet's log; false when there is none.
func (r *Registry) LastChange(ctx context.Context, id OutletID) (LogEntry, bool, error) {
	list, err := r.Log(ctx, "outlet", id.ref(), 1)
	if err != nil || len(list) == 0 {
		return LogEntry{}, false, err
	}
	return list[0], true, nil
}

// DevicesAt are the periods of an outlet's loggers that had begun by an instant,
// newest first, as they were known then: one that ended later was still open.
func (s *Snapshot) DevicesAt(id OutletID, at time.Time) []Device {
	all := slices.DeleteFunc(s.DevicesOf(id), func(d Device) bool { return d.From.After(at) })
	for i := range all {
		if all[i].To.After(at) {
			all[i].To = time.Time{}
		}
	}
	return all
}
