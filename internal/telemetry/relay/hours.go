package relay

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/db"
)

// sampleEvery is how often it is noted how targets do.
const sampleEvery = time.Minute

// keepHours is how long hours are kept.
const keepHours = 92 * 24 * time.Hour

// Hour is how a target did in an hour.
type Hour struct {
	At      time.Time // its beginning
	Acked   int64     // frames
	Refused int64
	Resent  int64
	Behind  int64         // the most frames that waited
	Lag     time.Duration // the longest that one had waited
	Seen    int           // minutes in which the target was at work
	Linked  int           // of those, minutes with a connection
}

// sample adds the running minute to the hours.
func (s *Service) sample(ctx context.Context) error {
	now := s.o.Now().UTC()
	s.mu.Lock()
	at := make(map[string]*runner, len(s.running))
	for id, r := range s.running {
		at[id] = r.runner
	}
	s.mu.Unlock()
	if len(at) == 0 {
		return nil
	}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		for id, r := range at {
			st := r.State()
			r.mu.Lock()
			sum := r.sum
			r.sum = sums{}
			r.mu.Unlock()
			lag := time.Duration(0)
			if !st.Oldest.IsZero() {
				lag = max(now.Sub(st.Oldest), 0)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO relay_hours (target, at, acked, refused, resent, behind, lag, seen, linked) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)
ON CONFLICT (target, at) DO UPDATE SET acked = relay_hours.acked + excluded.acked, refused = relay_hours.refused + excluded.refused, resent = relay_hours.resent + excluded.resent,
behind = CASE WHEN excluded.behind > relay_hours.behind THEN excluded.behind ELSE relay_hours.behind END, lag = CASE WHEN excluded.lag > relay_hours.lag THEN excluded.lag ELSE relay_hours.lag END,
seen = relay_hours.seen + 1, linked = relay_hours.linked + excluded.linked`,
				id, db.Micros(now.Truncate(time.Hour)), sum.acked, sum.refused, sum.resent, st.Behind, lag.Microseconds(), db.Bool(st.Connected)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM relay_hours WHERE at < $1`, db.Micros(now.Add(-keepHours)))
		return err
	})
}

// Hours returns how a target did since an instant, the earliest first; hours in
// which it was not at work are missing.
func (s *Service) Hours(ctx context.Context, id string, since time.Time) (out []Hour, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT at, acked, refused, resent, behind, lag, seen, linked FROM relay_hours WHERE target = $1 AND at >= $2 ORDER BY at`, id, db.Micros(since))
	if err != nil {
		return nil, fmt.Errorf("read hours of a relay target: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h Hour
		var at, lag int64
		if err := rows.Scan(&at, &h.Acked, &h.Refused, &h.Resent, &h.Behind, &lag, &h.Seen, &h.Linked); err != nil {
			return nil, fmt.Errorf("read hours of a relay target: %w", err)
		}
		h.At, h.Lag = db.Time(at), time.Duration(lag)*time.Microsecond
		out = append(out, h)
	}
	return out, rows.Err()
}
