package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
)

// Choice is a kind over a channel.
type Choice struct {
	Kind    string
	Channel Channel
}

// Settings are how an account wants to be told.
type Settings struct {
	Lang i18n.Lang
	// Quiet hours on the clock of the installation; equal = none. They may go
	// over midnight.
	QuietFrom, QuietTo int  // minutes from midnight
	Breaks             bool // what is urgent is told in them, too
	DigestAt           int  // minutes from midnight
	Modes              map[Choice]Mode
}

// day is the minutes of a day.
const day = 24 * 60

// defaults are the settings of who has chosen nothing.
func defaults() Settings {
	return Settings{Lang: i18n.Zh, Breaks: true, DigestAt: 8 * 60, Modes: map[Choice]Mode{}}
}

// Mode is when a kind is told over a channel: on the page at once unless the kind
// is optional, elsewhere not at all, unless somebody chose otherwise.
func (s *Service) Mode(set *Settings, kind string, c Channel) Mode {
	if m, ok := set.Modes[Choice{kind, c}]; ok {
		return m
	}
	if c == Page && !s.kinds[kind].Optional {
		return Now
	}
	return Off
}

// due is when something that happens at now goes out. What comes within collect
// goes out together.
func (s *Settings) due(now time.Time, mode Mode, urgent bool, collect time.Duration) time.Time {
	at := now
	switch {
	case mode == Digest:
		at = nextAt(now, s.DigestAt)
	case collect > 0:
		at = now.Truncate(collect).Add(collect)
	}
	if s.QuietFrom != s.QuietTo && (!urgent || !s.Breaks) && s.quiet(at) {
		at = nextAt(at, s.QuietTo)
	}
	return at
}

// quiet reports whether t is in the quiet hours.
func (s *Settings) quiet(t time.Time) bool {
	h, m, _ := t.In(i18n.Zone).Clock()
	at := h*60 + m
	if s.QuietFrom < s.QuietTo {
		return s.QuietFrom <= at && at < s.QuietTo
	}
	return at >= s.QuietFrom || at < s.QuietTo
}

// nextAt is the first instant behind t at so many minutes from midnight.
func nextAt(t time.Time, minutes int) time.Time {
	y, m, d := t.In(i18n.Zone).Date()
	at := time.Date(y, m, d, 0, minutes, 0, 0, i18n.Zone)
	if !at.After(t) {
		at = at.Add(day * time.Minute)
	}
	return at
}

// loadSettings reads the settings of one account, of all where userID is "".
func loadSettings(ctx context.Context, q db.Querier, userID string) (map[string]*Settings, error) {
	out := map[string]*Settings{}
	of := func(id string) *Settings {
		if out[id] == nil {
			d := defaults()
			out[id] = &d
		}
		return out[id]
	}
	rows, err := q.Query(ctx, `SELECT user_id, lang, quiet_from, quiet_to, breaks, digest_at FROM notify_settings WHERE CAST($1 AS TEXT) = '' OR user_id = CAST($1 AS TEXT)`, userID)
	if err != nil {
		return nil, fmt.Errorf("read settings of notifications: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var from, to sql.NullInt64
		set := defaults()
		if err := rows.Scan(&id, &set.Lang, &from, &to, &set.Breaks, &set.DigestAt); err != nil {
			return nil, fmt.Errorf("read settings of notifications: %w", err)
		}
		set.QuietFrom, set.QuietTo = int(from.Int64), int(to.Int64)
		out[id] = &set
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	_ = rows.Close() // PostgreSQL reads one answer after the other
	chosen, err := q.Query(ctx, `SELECT user_id, kind, channel, mode FROM notify_choices WHERE CAST($1 AS TEXT) = '' OR user_id = CAST($1 AS TEXT)`, userID)
	if err != nil {
		return nil, fmt.Errorf("read choices of notifications: %w", err)
	}
	defer chosen.Close()
	for chosen.Next() {
		var id string
		var c Choice
		var m Mode
		if err := chosen.Scan(&id, &c.Kind, &c.Channel, &m); err != nil {
			return nil, fmt.Errorf("read choices of notifications: %w", err)
		}
		of(id).Modes[c] = m
	}
	return out, chosen.Err()
}

// Settings returns how an account wants to be told.
func (s *Service) Settings(ctx context.Context, userID string) (Settings, error) {
	all, err := loadSettings(ctx, s.o.DB, userID)
	if err != nil {
		return Settings{}, err
	}
	if set := all[userID]; set != nil {
		return *set, nil
	}
	return defaults(), nil
}

// SaveSettings keeps how who asks wants to be told; what is not among the modes
// goes by its default.
func (s *Service) SaveSettings(ctx context.Context, by auth.Principal, set Settings) error {
	from, to := sql.NullInt64{}, sql.NullInt64{}
	if set.QuietFrom != set.QuietTo {
		from, to = sql.NullInt64{Int64: int64(set.QuietFrom), Valid: true}, sql.NullInt64{Int64: int64(set.QuietTo), Valid: true}
	}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO notify_settings (user_id, lang, quiet_from, quiet_to, breaks, digest_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (user_id) DO UPDATE SET lang = excluded.lang, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, breaks = excluded.breaks, digest_at = excluded.digest_at`,
			by.ID, string(set.Lang), from, to, db.Bool(set.Breaks), set.DigestAt); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM notify_choices WHERE user_id = $1`, by.ID); err != nil {
			return err
		}
		for c, m := range set.Modes {
			if _, err := tx.Exec(ctx, `INSERT INTO notify_choices (user_id, kind, channel, mode) VALUES ($1, $2, $3, $4)`, by.ID, c.Kind, string(c.Channel), string(m)); err != nil {
				return err
			}
		}
		return s.note(ctx, tx, by, "settings", "")
	})
}
