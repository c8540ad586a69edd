package auth

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/db"
)

// Expire drops what has served: sessions that are over, links whose time is over,
// recovery codes that were used, and tokens that ended before an instant. It
// returns how many rows went. These are no acts: the ends themselves are in the
// record, or came with time.
func (s *Service) Expire(ctx context.Context, tokensBefore time.Time) (n int64, err error) {
	now := s.now()
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		for _, x := range []struct {
			text string
			args []any
		}{
			{`DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2`, []any{db.Micros(now), db.Micros(now.Add(-s.idle))}},
			{`DELETE FROM password_links WHERE expires_at <= $1`, []any{db.Micros(now)}},
			{`DELETE FROM recovery_codes WHERE used_at IS NOT NULL`, nil},
			{`DELETE FROM api_tokens WHERE revoked_at < $1 OR expires_at < $1`, []any{db.Micros(tokensBefore)}},
		} {
			res, err := tx.Exec(ctx, x.text, x.args...)
			if err != nil {
				return fmt.Errorf("drop what has served: %w", err)
			}
			gone, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	return n, err
}
