package auth

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Limits of a session: it ends after idleLimit without use and at the latest
// after lifeLimit, a working day of two shifts.
const (
	idleLimit = 12 * time.Hour
	lifeLimit = 7 * 24 * time.Hour
	// seenEvery bounds how often the use of a session is written.
	seenEvery = 5 * time.Minute
)

// Service keeps users, sessions and tokens. It is safe for concurrent use.
type Service struct {
	db     *db.DB
	now    func() time.Time
	cost   Cost
	decoy  string        // hash checked when the login is unknown
	checks chan struct{} // bounds the memory of password checks under way
	limit  *limiter
	tokens remembered
}

// Options configure a Service; the zero value is usable.
type Options struct {
	Cost Cost // tests take a cheap one
}

// New returns the service over a migrated database.
func New(d *db.DB, now func() time.Time, o Options) *Service {
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost
	}
	return &Service{
		db: d, now: now, cost: o.Cost, decoy: hashPassword(rand.Text(), o.Cost),
		checks: make(chan struct{}, 4), limit: newLimiter(now),
	}
}

// User is an account.
type User struct {
	ID         string
	Login      string
	Post       Post
	Role       Role
	Area       string
	Enterprise string
	Sample     bool // made for the demonstration
	Disabled   bool
}

func (u User) principal() Principal {
	return Principal{ID: u.ID, Login: u.Login, Post: u.Post, Role: u.Role, Area: u.Area, Enterprise: u.Enterprise}
}

// minPassword is the shortest password taken (NIST SP 800-63B section 5.1.1.2
// asks for 8; there is no second factor yet).
const minPassword = 10

// fold makes logins equal that look equal.
func fold(login string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(login))) }

// CreateUser adds an account. It returns errs.Invalid for bad fields and
// errs.Conflict when the login is taken.
func (s *Service) CreateUser(ctx context.Context, u User, password string) (User, error) {
	u.Login = fold(u.Login)
	var c errs.Checks
	c.Require(u.Login != "", "login", "err.field.required")
	c.Require(len(u.Login) <= 64, "login", "err.field.long", "max", 64)
	c.Require(u.Post.Zh != "", "post", "err.field.required")
	c.Require(u.Role.Valid(), "role", "err.field.choice", "choices", strings.Join(access.Default().Accounts(), ", "))
	c.Require(!access.Default().NeedsOrganisation(string(u.Role)) || u.Enterprise != "", "enterprise", "err.field.required")
	c.Require(access.Default().Seat(string(u.Role)) == "" || u.Area != "", "area", "err.field.required")
	c.Require(utf8.RuneCountInString(password) >= minPassword, "password", "err.field.password", "min", minPassword)
	if err := c.Err(); err != nil {
		return User{}, err
	}
	return s.insertUser(ctx, u, password)
}

func (s *Service) insertUser(ctx context.Context, u User, password string) (User, error) {
	u.ID = uuid.Must(uuid.NewV7()).String()
	hash, err := s.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO users (id, login, post_zh, post_bo, post_en, role, area, enterprise, password, sample, disabled, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		u.ID, u.Login, u.Post.Zh, u.Post.Bo, u.Post.En, string(u.Role), u.Area, u.Enterprise, hash,
		db.Bool(u.Sample), db.Bool(u.Disabled), db.Micros(s.now()))
	if errs.Is(err, errs.Conflict) {
		return User{}, errs.Wrap(err, errs.Conflict, "err.auth.login_taken", "login", u.Login)
	}
	return u, err
}

// hash bounds how many passwords are worked on at once: each takes 19 MiB.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.leave()
	return hashPassword(password, s.cost), nil
}

func (s *Service) enter(ctx context.Context) error {
	select {
	case s.checks <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Busy, "err.busy")
	}
}

func (s *Service) leave() { <-s.checks }

// SetPassword changes a password and ends all sessions of the account.
func (s *Service) SetPassword(ctx context.Context, userID, password string) error {
	if utf8.RuneCountInString(password) < minPassword {
		return errs.InvalidField("password", "err.field.password", "min", minPassword)
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE users SET password = $2 WHERE id = $1`, userID, hash)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID)
		return err
	})
}

// SetDisabled closes or opens an account; closing ends its sessions at once.
func (s *Service) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	defer s.tokens.forget()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE users SET disabled = $2 WHERE id = $1`, userID, db.Bool(disabled))); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID)
		return err
	})
}

const userColumns = `u.id, u.login, u.post_zh, u.post_bo, u.post_en, u.role, u.area, u.enterprise, u.sample, u.disabled`

func (u *User) targets() []any {
	return []any{&u.ID, &u.Login, &u.Post.Zh, &u.Post.Bo, &u.Post.En, (*string)(&u.Role), &u.Area, &u.Enterprise, &u.Sample, &u.Disabled}
}

// Users returns all accounts by login.
func (s *Service) Users(ctx context.Context) ([]User, error) {
	rows, err := s.db.Query(ctx, `SELECT `+userColumns+` FROM users u ORDER BY u.login`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		var u User
		if err := rows.Scan(u.targets()...); err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// SignIn checks login and password and opens a session. The secret goes into
// the cookie. from is the peer's address, for the rate limit. A wrong login and
// a wrong password cannot be told apart: both are errs.Unauthenticated and take
// as long. Too many failures are errs.Busy.
func (s *Service) SignIn(ctx context.Context, login, password, from string) (secret string, p Principal, err error) {
	login = fold(login)
	if wait, ok := s.limit.allow(login, from); !ok {
		return "", Principal{}, errs.New(errs.Busy, "err.auth.too_many", "n", int(wait.Minutes())+1)
	}
	var u User
	var hash string
	err = s.db.QueryRow(ctx, `SELECT `+userColumns+`, u.password FROM users u WHERE u.login = $1`, login).Scan(append(u.targets(), &hash)...)
	if err = db.NotFound(err); err != nil && !errs.Is(err, errs.NotFound) {
		return "", Principal{}, fmt.Errorf("find user: %w", err)
	}
	if err != nil {
		hash = s.decoy
	}
	if err := s.enter(ctx); err != nil {
		return "", Principal{}, err
	}
	right := checkPassword(hash, password)
	s.leave()
	if !right || u.ID == "" || u.Disabled {
		s.limit.failed(login, from)
		return "", Principal{}, errs.New(errs.Unauthenticated, "err.auth.wrong")
	}
	s.limit.forget(login)
	secret, err = s.openSession(ctx, u.ID)
	return secret, u.principal(), err
}

func (s *Service) openSession(ctx context.Context, userID string) (string, error) {
	id, now := secret(), s.now()
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2`,
			db.Micros(now), db.Micros(now.Add(-idleLimit))); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO sessions (hash, user_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			hashSecret(id), userID, db.Micros(now), db.Micros(now), db.Micros(now.Add(lifeLimit)))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	return id, nil
}

// Session returns whose session a cookie's secret opens; errs.Unauthenticated
// when it is unknown, over, or its account is closed.
func (s *Service) Session(ctx context.Context, secret string) (Principal, error) {
	var u User
	var seen int64
	now := s.now()
	err := s.db.QueryRow(ctx, `SELECT `+userColumns+`, s.seen_at FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.disabled = 0`,
		hashSecret(secret), db.Micros(now), db.Micros(now.Add(-idleLimit))).Scan(append(u.targets(), &seen)...)
	if err = db.NotFound(err); errs.Is(err, errs.NotFound) {
		return Principal{}, errs.New(errs.Unauthenticated, "err.unauthenticated")
	} else if err != nil {
		return Principal{}, fmt.Errorf("find session: %w", err)
	}
	if now.Sub(db.Time(seen)) > seenEvery {
		// A full disk keeps nobody from reading: the next use is noted again.
		if _, err := s.db.Exec(ctx, `UPDATE sessions SET seen_at = $2 WHERE hash = $1`, hashSecret(secret), db.Micros(now)); err != nil && !errs.Is(err, errs.Busy) {
			return Principal{}, fmt.Errorf("note use of session: %w", err)
		}
	}
	return u.principal(), nil
}

// SignOut ends a session; an unknown one is no error.
func (s *Service) SignOut(ctx context.Context, secret string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM sessions WHERE hash = $1`, hashSecret(secret))
	return err
}

// CreateToken makes an API token for an account and returns it; only its hash
// is kept, so it cannot be shown again. A zero expires is never.
func (s *Service) CreateToken(ctx context.Context, userID, label string, expires time.Time) (token, id string, err error) {
	token, id = "plt_"+secret(), uuid.Must(uuid.NewV7()).String()
	_, err = s.db.Exec(ctx, `INSERT INTO api_tokens (id, hash, user_id, label, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, hashSecret(token), userID, label, db.Micros(s.now()), db.MicrosOrNull(expires))
	if err != nil {
		return "", "", fmt.Errorf("create token: %w", err)
	}
	return token, id, nil
}

// RevokeToken ends a token at once; errs.NotFound when there is no such live one.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	defer s.tokens.forget()
	return one(s.db.Exec(ctx, `UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, db.Micros(s.now())))
}

// Bearer returns whose token it is; errs.Unauthenticated when it is unknown,
// over, revoked, or its account is closed.
func (s *Service) Bearer(ctx context.Context, token string) (Principal, error) {
	hash, now := hashSecret(token), s.now()
	p, epoch, ok := s.tokens.get(hash, now)
	if ok {
		return p, nil
	}
	var u User
	err := s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM api_tokens t JOIN users u ON u.id = t.user_id
		WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.disabled = 0`,
		hash, db.Micros(now)).Scan(u.targets()...)
	if err = db.NotFound(err); errs.Is(err, errs.NotFound) {
		return Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
	} else if err != nil {
		return Principal{}, fmt.Errorf("find token: %w", err)
	}
	p = u.principal()
	p.Token = true
	s.tokens.put(hash, p, now, epoch)
	return p, nil
}

// one makes errs.NotFound of a statement that changed nothing.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return errs.New(errs.NotFound, "err.not_found")
}
