package auth

import (
	"cmp"
	"context"
	"database/sql"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Service keeps users, sessions and tokens. It is safe for concurrent use.
type Service struct {
	db      *db.DB
	now     func() time.Time
	hasher  *hasher
	limit   *limiter
	idle    time.Duration
	life    time.Duration
	proxies []netip.Prefix
	sealer  *Sealer
	steps   steps
	tokens  remembered
	posts   Posts
	url     string
	most    time.Duration // that a token lives
	demand  []Role

	failures   failures
	ceremonies ceremonies
}

// Options configure a Service; the zero value is usable.
type Options struct {
	Cost    Cost           // tests take a cheap one
	Idle    time.Duration  // a session ends when it is not used for so long; 0 = 12 hours
	Life    time.Duration  // and at the latest after this; 0 = 7 days
	Proxies []netip.Prefix // whose forwarding headers are believed
	Sealer  *Sealer        // nil: secrets of second factors are lost with the process
	Most    time.Duration  // a token lives for; 0 = 365 days
	URL     string         // under which people reach the program; passkeys are made for its host. "" = told by nobody
	Posts   Posts          // nil: every account works by its kind
	Demand  []Role         // kinds that need a second factor before they may do anything else
}

// New returns the service over a migrated database.
func New(d *db.DB, now func() time.Time, o Options) *Service {
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost
	}
	if o.Sealer == nil {
		o.Sealer = newSealer(randomKey())
	}
	return &Service{
		db: d, now: now, hasher: newHasher(o.Cost), limit: newLimiter(now),
		idle: cmp.Or(o.Idle, idleLimit), life: cmp.Or(o.Life, lifeLimit), proxies: o.Proxies, sealer: o.Sealer, posts: o.Posts,
		url: o.URL, demand: o.Demand, most: cmp.Or(o.Most, tokenLife), ceremonies: ceremonies{sealer: newSealer(randomKey())},
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
	Factor     bool // has a second factor; told by Users only
}

func (u User) principal() Principal {
	return Principal{ID: u.ID, Login: u.Login, Post: u.Post, Role: u.Role, Area: u.Area, Enterprise: u.Enterprise}
}

// fold makes logins equal that look equal.
func fold(login string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(login))) }

// CreateUser adds an account. It returns errs.Invalid for bad fields and
// errs.Conflict when the login is taken.
func (s *Service) CreateUser(ctx context.Context, u User, password string) (User, error) {
	u, err := checkUser(u)
	if err != nil {
		return User{}, err
	}
	if err := checkNew("password", password, u.Login); err != nil {
		return User{}, err
	}
	return s.insertUser(ctx, u, password)
}

// checkUser returns the account as it is stored, or errs.Invalid.
func checkUser(u User) (User, error) {
	u.Login = fold(u.Login)
	var c errs.Checks
	c.Require(u.Login != "", "login", "err.field.required")
	c.Require(len(u.Login) <= 64, "login", "err.field.long", "max", 64)
	c.Require(u.Post.Zh != "", "post", "err.field.required")
	c.Require(u.Role.Valid(), "role", "err.field.choice", "choices", strings.Join(access.Default().Accounts(), ", "))
	c.Require(!access.Default().NeedsOrganisation(string(u.Role)) || u.Enterprise != "", "enterprise", "err.field.required")
	c.Require(access.Default().Seat(string(u.Role)) == "" || u.Area != "", "area", "err.field.required")
	return u, c.Err()
}

// AddUser is CreateUser without a password: nobody signs in before a link has
// set one (MakeLink).
func (s *Service) AddUser(ctx context.Context, u User) (User, error) {
	u, err := checkUser(u)
	if err != nil {
		return User{}, err
	}
	return s.storeUser(ctx, u, "")
}

func (s *Service) insertUser(ctx context.Context, u User, password string) (User, error) {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	return s.storeUser(ctx, u, hash)
}

func (s *Service) storeUser(ctx context.Context, u User, hash string) (User, error) {
	u.ID = uuid.Must(uuid.NewV7()).String()
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO users (id, login, post_zh, post_bo, post_en, role, area, enterprise, password, sample, disabled, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			u.ID, u.Login, u.Post.Zh, u.Post.Bo, u.Post.En, string(u.Role), u.Area, u.Enterprise, hash,
			db.Bool(u.Sample), db.Bool(u.Disabled), db.Micros(s.now())); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.create", u.ID, "login", u.Login, "role", u.Role, "post", u.Post.Zh, "area", u.Area, "enterprise", u.Enterprise)
	})
	if errs.Is(err, errs.Conflict) {
		return User{}, errs.Wrap(err, errs.Conflict, "err.auth.login_taken", "login", u.Login)
	}
	return u, err
}

// SetDisabled closes or opens an account; closing ends its sessions at once.
func (s *Service) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	defer s.tokens.forget()
	defer s.steps.endAll(userID)
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE users SET disabled = $2 WHERE id = $1`, userID, db.Bool(disabled))); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID); err != nil {
			return err
		}
		act := "account.open"
		if disabled {
			act = "account.close"
		}
		return s.note(ctx, tx, act, userID)
	})
}

const userColumns = `u.id, u.login, u.post_zh, u.post_bo, u.post_en, u.role, u.area, u.enterprise, u.sample, u.disabled`

func (u *User) targets() []any {
	return []any{&u.ID, &u.Login, &u.Post.Zh, &u.Post.Bo, &u.Post.En, (*string)(&u.Role), &u.Area, &u.Enterprise, &u.Sample, &u.Disabled}
}

// Users returns all accounts by login.
func (s *Service) Users(ctx context.Context) ([]User, error) {
	holders, err := s.factorHolders(ctx)
	if err != nil {
		return nil, err
	}
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
		u.Factor = holders[u.ID]
		all = append(all, u)
	}
	return all, rows.Err()
}

// RevokeToken ends a token at once; errs.NotFound when there is no such live one.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.RevokeOwnToken(ctx, "", id)
}

// UserByLogin returns an account; errs.NotFound when there is none.
func (s *Service) UserByLogin(ctx context.Context, login string) (u User, err error) {
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE u.login = $1`, fold(login)).Scan(u.targets()...))
	return u, err
}

func (s *Service) userByID(ctx context.Context, id string) (u User, err error) {
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id).Scan(u.targets()...))
	return u, err
}

// RevokeOwnToken ends a token of an account, of any where userID is empty;
// errs.NotFound when the account has no such live one.
func (s *Service) RevokeOwnToken(ctx context.Context, userID, id string) error {
	defer s.tokens.forget()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var of string
		if err := db.NotFound(tx.QueryRow(ctx, `UPDATE api_tokens SET revoked_at = $3 WHERE (CAST($1 AS TEXT) = '' OR user_id = CAST($1 AS TEXT)) AND id = $2 AND revoked_at IS NULL RETURNING user_id`,
			userID, id, db.Micros(s.now())).Scan(&of)); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.token_revoke", of, "token", id)
	})
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
