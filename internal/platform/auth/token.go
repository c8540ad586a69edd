package auth

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// tokenLife is how long a token lives at most where the installation sets nothing.
const tokenLife = 365 * 24 * time.Hour

// TokenLife is how long a token lives at most.
func (s *Service) TokenLife() time.Duration { return s.most }

// CreateToken makes an API token for an account and returns it; only its hash
// is kept, so it cannot be shown again. With it a program may do what only leaves
// of what the account may. A zero expires is as late as the installation allows;
// one that is later, or over, is errs.Invalid about "days". Where the account itself
// asks in ctx, the token acts in the post it acts in now, and ends with it.
func (s *Service) CreateToken(ctx context.Context, userID, label string, only access.Only, expires time.Time) (token, id string, err error) {
	u, err := s.userByID(ctx, userID)
	if err != nil {
		return "", "", err
	}
	if !u.ForPerson() {
		return "", "", errs.New(errs.Conflict, "err.auth.token_service")
	}
	if expires.IsZero() {
		expires = s.now().Add(s.most)
	}
	token = "plt_" + secret()
	id, err = s.addToken(ctx, userID, label, hashSecret(token), only, expires)
	return token, id, err
}

// addToken stores what a program shows when it asks, by its hash.
func (s *Service) addToken(ctx context.Context, userID, label, hash string, only access.Only, expires time.Time) (id string, err error) {
	now := s.now()
	if life := expires.Sub(now); life <= 0 || life > s.most {
		return "", errs.InvalidField("days", "err.auth.token_life", "n", int(s.most.Hours()/24))
	}
	id = uuid.Must(uuid.NewV7()).String()
	detail := []any{"token", id, "label", label, "only", string(only), "until", expires.UTC().Format(time.RFC3339)}
	if key, ok := strings.CutPrefix(hash, keyPrefix); ok {
		detail = append(detail, "key", key)
	}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO api_tokens (id, hash, user_id, label, scope, created_at, expires_at, acting) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			id, hash, userID, label, string(only), db.Micros(now), db.Micros(expires), actingOf(ctx, userID)); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.token_make", userID, detail...)
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return id, nil
}

// APIToken is a live token, without its secret, or a live key of a service.
type APIToken struct {
	ID, Label string
	User      string      // id of the account
	Login     string      // of the account
	Only      access.Only // what it is for; "" = all that the account may
	Key       string      // fingerprint of a service's key; "" = a token
	Created   time.Time
	Expires   time.Time // zero = never, of tokens that were made before they had to end
	Used      time.Time // to some minutes; zero = never
}

// Tokens returns the live tokens of an account, of all accounts where userID is
// empty, the newest first.
func (s *Service) Tokens(ctx context.Context, userID string) ([]APIToken, error) {
	rows, err := s.db.Query(ctx, `SELECT t.id, t.label, u.id, u.login, t.scope, t.created_at, t.expires_at, t.used_at,
		CASE WHEN t.hash LIKE '`+keyPrefix+`%' THEN t.hash ELSE '' END FROM api_tokens t JOIN users u ON u.id = t.user_id
		WHERE (CAST($1 AS TEXT) = '' OR t.user_id = CAST($1 AS TEXT)) AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) ORDER BY t.created_at DESC, t.id`, userID, db.Micros(s.now()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []APIToken
	for rows.Next() {
		var t APIToken
		var created int64
		var expires, used sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Label, &t.User, &t.Login, (*string)(&t.Only), &created, &expires, &used, &t.Key); err != nil {
			return nil, err
		}
		t.Key = strings.TrimPrefix(t.Key, keyPrefix)
		t.Created, t.Expires, t.Used = db.Time(created), db.TimeOrZero(expires), db.TimeOrZero(used)
		all = append(all, t)
	}
	return all, rows.Err()
}

// Bearer returns whose token it is; errs.Unauthenticated when it is unknown,
// over, revoked, or its account is closed.
func (s *Service) Bearer(ctx context.Context, token string) (Principal, error) {
	return s.holder(ctx, hashSecret(token))
}

// holder returns who asks with a token or a key, by its hash.
func (s *Service) holder(ctx context.Context, hash string) (Principal, error) {
	now := s.now()
	p, epoch, ok := s.tokens.get(hash, now)
	if ok {
		return p, nil
	}
	var u User
	var acting string
	var used sql.NullInt64
	err := s.db.QueryRow(ctx, `SELECT `+userColumns+`, t.scope, t.used_at, t.acting FROM api_tokens t JOIN users u ON u.id = t.user_id
		WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.disabled = 0`,
		hash, db.Micros(now)).Scan(append(u.targets(), (*string)(&p.Only), &used, &acting)...)
	if err = db.NotFound(err); errs.Is(err, errs.NotFound) {
		return Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
	} else if err != nil {
		return Principal{}, fmt.Errorf("find token: %w", err)
	}
	if now.Sub(db.TimeOrZero(used)) > seenEvery {
		// As with sessions: a full disk keeps nobody from reading.
		if _, err := s.db.Exec(ctx, `UPDATE api_tokens SET used_at = $2 WHERE hash = $1`, hash, db.Micros(now)); err != nil && !errs.Is(err, errs.Busy) {
			return Principal{}, fmt.Errorf("note use of token: %w", err)
		}
	}
	only := p.Only
	if p, err = s.tokenActs(ctx, u.principal(), acting); err != nil {
		return Principal{}, err
	}
	if p, err = s.settled(ctx, p); err != nil {
		return Principal{}, err
	}
	p.Token, p.Only = true, only
	s.tokens.put(hash, p, now, epoch)
	return p, nil
}
