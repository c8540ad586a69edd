package auth

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/oidc"
)

// Identity is whom an identity provider knows as the owner of an account.
type Identity struct {
	ID, Issuer, Label string
	Created           time.Time
	Used              time.Time // zero = never
}

// Identities returns those of an account, the oldest first.
func (s *Service) Identities(ctx context.Context, userID string) ([]Identity, error) {
	rows, err := s.db.Query(ctx, `SELECT i.id, i.issuer, i.label, i.created_at, i.used_at FROM identities i WHERE i.user_id = $1 ORDER BY i.created_at, i.id`, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Identity
	for rows.Next() {
		var i Identity
		var created int64
		var used sql.NullInt64
		if err := rows.Scan(&i.ID, &i.Issuer, &i.Label, &created, &used); err != nil {
			return nil, err
		}
		i.Created, i.Used = db.Time(created), db.TimeOrZero(used)
		all = append(all, i)
	}
	return all, rows.Err()
}

// SignInIdentity opens a session of the account that is linked with whom a
// provider named. The provider's word stands for password and second step, and is
// no proof before a dangerous act. One that is linked with none is errs.NotFound,
// unless it names the login of an account that has none of the provider yet: then
// they are linked. A closed account is errs.Unauthenticated.
func (s *Service) SignInIdentity(ctx context.Context, who oidc.Identity, from Client) (secret string, p Principal, err error) {
	var userID string
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT i.user_id FROM identities i WHERE i.issuer = $1 AND i.subject = $2`, who.Issuer, who.Subject).Scan(&userID))
	if errs.Is(err, errs.NotFound) && who.Login != "" {
		userID, err = s.linkByLogin(ctx, who)
	}
	if errs.Is(err, errs.NotFound) {
		return "", Principal{}, errs.New(errs.NotFound, "err.provider.unknown")
	} else if err != nil {
		return "", Principal{}, err
	}
	u, err := s.open(ctx, userID)
	if err != nil {
		return "", Principal{}, err
	}
	// Where the provider knows people for long, it asked them nothing just now.
	if secret, err = s.openSessionProved(ctx, u, "provider", from, 0); err != nil {
		return "", Principal{}, err
	}
	_, err = s.db.Exec(ctx, `UPDATE identities SET used_at = $3 WHERE issuer = $1 AND subject = $2`, who.Issuer, who.Subject, db.Micros(s.now()))
	return secret, u.principal(), err
}

// linkByLogin links whom the provider named with the account it names.
func (s *Service) linkByLogin(ctx context.Context, who oidc.Identity) (userID string, err error) {
	u, err := s.UserByLogin(ctx, who.Login)
	if err != nil {
		return "", err
	}
	err = s.link(ctx, System, u.ID, who)
	if errs.Is(err, errs.Conflict) { // the account is somebody else's at this provider
		return "", errs.New(errs.NotFound, "err.provider.unknown")
	}
	return u.ID, err
}

// LinkIdentity links whom a provider named with the account of who is signed in;
// errs.Conflict when either is linked at that provider already.
func (s *Service) LinkIdentity(ctx context.Context, p Principal, who oidc.Identity) error {
	return s.link(ctx, p, p.ID, who)
}

func (s *Service) link(ctx context.Context, by Principal, userID string, who oidc.Identity) error {
	id := uuid.Must(uuid.NewV7()).String()
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO identities (id, user_id, issuer, subject, label, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, NULL)`,
			id, userID, who.Issuer, who.Subject, who.Label, db.Micros(s.now())); err != nil {
			return err
		}
		return s.note(With(ctx, by), tx, "account.identity_link", userID, "identity", id, "issuer", who.Issuer)
	})
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.Conflict, "err.provider.taken")
	}
	return err
}

// UnlinkIdentity ends a link; errs.NotFound when the account has no such one.
func (s *Service) UnlinkIdentity(ctx context.Context, p Principal, id string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `DELETE FROM identities WHERE user_id = $1 AND id = $2`, p.ID, id)); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.identity_unlink", p.ID, "identity", id)
	})
}

// kept is what Keep holds.
type kept struct {
	Until time.Time
	Value json.RawMessage
}

// Keep encrypts what a browser holds for this process between two requests, for
// five minutes and for one purpose, so that holding it takes no memory here.
func (s *Service) Keep(purpose string, value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(kept{s.now().Add(stepLife), raw})
	if err != nil {
		return "", err
	}
	return s.ceremonies.sealer.Seal(string(text), "kept: "+purpose), nil
}

// Kept reads what Keep made; it reports false for anything else, and for what is
// too old.
func (s *Service) Kept(purpose, text string, value any) bool {
	opened, err := s.ceremonies.sealer.Open(text, "kept: "+purpose)
	if err != nil {
		return false
	}
	var k kept
	return json.Unmarshal([]byte(opened), &k) == nil && s.now().Before(k.Until) && json.Unmarshal(k.Value, value) == nil
}
