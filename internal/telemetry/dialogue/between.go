package dialogue

import (
	"context"
	"time"

	"plateau/internal/platform/db"
)

// Between returns the dialogues that began in [from, to), the newest first.
func (s *Service) Between(ctx context.Context, from, to time.Time, limit int) ([]Record, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT `+columns+` FROM dialogues WHERE started >= $1 AND started < $2 ORDER BY id DESC LIMIT $3`, db.Micros(from), db.Micros(to), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, s.live(r))
	}
	return out, rows.Err()
}
