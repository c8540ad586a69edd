package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Limits of a session where the installation sets none: it ends after idleLimit
// without use and at the latest after lifeLimit, a working day of two shifts.
const (
	idleLimit = 12 * time.Hour
	lifeLimit = 7 * 24 * time.Hour
	// seenEvery bounds how often the use of a session is written.
	seenEvery = 5 * time.Minute
)

// ProofLife is how long ago somebody may have proved who they are, for an act
// that could let another one in: new password, second factor, token.
const ProofLife = 10 * time.Minute

// Session is a sign-in of a browser.
type Session struct {
	ID      string // not the secret, which only its cookie has
	Created time.Time
	Seen    time.Time // to some minutes
	Ends    time.Time // at the latest
	Proved  time.Time // when the credential was last given
	Client

	hash   string
	acting string // the appointment or delegation chosen; "" = the default
}

// Fresh reports whether who uses the session proved not long ago who they are.
func (s *Session) Fresh(now time.Time) bool {
	return s.ID != "" && now.Sub(s.Proved) < ProofLife
}

// SessionLimits returns after what time without use a session ends, and after
// what time at the latest.
func (s *Service) SessionLimits() (idle, life time.Duration) { return s.idle, s.life }

type sessionKey struct{}

// SessionFrom returns the session of a request that Middleware let through; the
// zero Session for a token's request and for nobody's.
func SessionFrom(ctx context.Context) Session {
	s, _ := ctx.Value(sessionKey{}).(Session)
	return s
}

const sessionColumns = `s.id, s.hash, s.created_at, s.seen_at, s.expires_at, s.proved_at, s.address, s.browser, s.acting`

// scanned are the columns of a session in their stored form.
type scanned struct {
	s                              Session
	created, seen, expires, proved int64
}

func (x *scanned) targets() []any {
	return []any{&x.s.ID, &x.s.hash, &x.created, &x.seen, &x.expires, &x.proved, &x.s.Address, &x.s.Browser, &x.s.acting}
}

func (x *scanned) session() Session {
	x.s.Created, x.s.Seen, x.s.Ends, x.s.Proved = db.Time(x.created), db.Time(x.seen), db.Time(x.expires), db.Time(x.proved)
	return x.s
}

// openSession opens a session for who has just shown to be u; with says by what.
func (s *Service) openSession(ctx context.Context, u User, with string, from Client) (string, error) {
	return s.openSessionProved(ctx, u, with, from, db.Micros(s.now()))
}

// openSessionProved opens a session; proved is when the credential was given, in
// microseconds, 0 = not here.
func (s *Service) openSessionProved(ctx context.Context, u User, with string, from Client, proved int64) (string, error) {
	if !u.ForPerson() {
		return "", errs.New(errs.Unauthenticated, "err.auth.wrong")
	}
	cookie, now := secret(), s.now()
	ctx = With(ctx, u.principal()) // whoever else this browser was until now
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2`,
			db.Micros(now), db.Micros(now.Add(-s.idle))); err != nil {
			return err
		}
		id := uuid.NewString()
		if _, err := tx.Exec(ctx, `INSERT INTO sessions (id, hash, user_id, created_at, seen_at, expires_at, proved_at, address, browser)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			id, hashSecret(cookie), u.ID, db.Micros(now), db.Micros(now), db.Micros(now.Add(s.life)), proved, from.Address, from.Browser); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.sign_in", u.ID, "session", id, "with", with, "browser", from.Browser)
	})
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	return cookie, nil
}

// Session returns whose session a cookie's secret opens; errs.Unauthenticated
// when it is unknown, over, or its account is closed.
func (s *Service) Session(ctx context.Context, secret string) (Principal, Session, error) {
	var u User
	var x scanned
	now := s.now()
	err := s.db.QueryRow(ctx, `SELECT `+userColumns+`, `+sessionColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.disabled = 0`,
		hashSecret(secret), db.Micros(now), db.Micros(now.Add(-s.idle))).Scan(append(u.targets(), x.targets()...)...)
	if err = db.NotFound(err); errs.Is(err, errs.NotFound) {
		return Principal{}, Session{}, errs.New(errs.Unauthenticated, "err.unauthenticated")
	} else if err != nil {
		return Principal{}, Session{}, fmt.Errorf("find session: %w", err)
	}
	if now.Sub(db.Time(x.seen)) > seenEvery {
		// A full disk keeps nobody from reading: the next use is noted again.
		if _, err := s.db.Exec(ctx, `UPDATE sessions SET seen_at = $2 WHERE hash = $1`, hashSecret(secret), db.Micros(now)); err != nil && !errs.Is(err, errs.Busy) {
			return Principal{}, Session{}, fmt.Errorf("note use of session: %w", err)
		}
	}
	p, err := s.sessionActs(ctx, u.principal(), x.s.acting)
	if err != nil {
		return Principal{}, Session{}, err
	}
	p, err = s.settled(ctx, p)
	return p, x.session(), err
}

// Sessions returns the live sessions of an account, the last used first.
func (s *Service) Sessions(ctx context.Context, userID string) ([]Session, error) {
	now := s.now()
	rows, err := s.db.Query(ctx, `SELECT `+sessionColumns+` FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2 AND s.seen_at > $3
		ORDER BY s.seen_at DESC, s.created_at DESC, s.id`, userID, db.Micros(now), db.Micros(now.Add(-s.idle)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Session
	for rows.Next() {
		var x scanned
		if err := rows.Scan(x.targets()...); err != nil {
			return nil, err
		}
		all = append(all, x.session())
	}
	return all, rows.Err()
}

// EndSession ends one session of an account; errs.NotFound when the account has
// no such one.
func (s *Service) EndSession(ctx context.Context, userID, id string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id = $2`, userID, id)); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.session_end", userID, "session", id)
	})
}

// EndOthers ends all sessions of an account but the one named.
func (s *Service) EndOthers(ctx context.Context, userID, keep string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		res, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, userID, keep)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		return s.note(ctx, tx, "account.sessions_end", userID, "n", n)
	})
}

// SignOut ends a session; an unknown one is no error.
func (s *Service) SignOut(ctx context.Context, secret string) error {
	if secret == "" {
		return nil
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var id string
		var u User
		err := db.NotFound(tx.QueryRow(ctx, `SELECT s.id, `+userColumns+` FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = $1`, hashSecret(secret)).Scan(append([]any{&id}, u.targets()...)...))
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := one(tx.Exec(ctx, `DELETE FROM sessions WHERE hash = $1`, hashSecret(secret))); err != nil {
			if errs.Is(err, errs.NotFound) { // somebody else was faster
				return nil
			}
			return err
		}
		return s.note(With(ctx, u.principal()), tx, "account.sign_out", u.ID, "session", id)
	})
}

// renew gives a session another secret, and notes that who uses it has just
// proved who they are: a secret that somebody got hold of before is worth nothing
// after.
func (s *Service) renew(ctx context.Context, tx *db.Tx, old Session) (cookie string, err error) {
	cookie = secret()
	return cookie, one(tx.Exec(ctx, `UPDATE sessions SET hash = $2, proved_at = $3, seen_at = $3 WHERE hash = $1`,
		old.hash, hashSecret(cookie), db.Micros(s.now())))
}
