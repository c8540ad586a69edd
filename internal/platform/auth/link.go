package auth

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// LinkLife is how long a link that sets a password is good for.
const LinkLife = 24 * time.Hour

// LinkPath is the address of such a link, without a language; its key follows.
// It stands in the query, which no log holds.
const LinkPath = "/set-password?key="

// MakeLink makes the key of a link by which whoever has it sets the password of
// an account, once. Former links of the account end.
func (s *Service) MakeLink(ctx context.Context, userID string) (key string, err error) {
	u, err := s.userByID(ctx, userID)
	if err != nil {
		return "", err
	}
	if !u.ForPerson() {
		return "", errs.New(errs.Conflict, "err.auth.link_service")
	}
	key = secret()
	now := s.now()
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM password_links WHERE user_id = $1 OR expires_at <= $2`, userID, db.Micros(now)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO password_links (hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
			hashSecret(key), userID, db.Micros(now), db.Micros(now.Add(LinkLife))); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.link", userID, "until", now.Add(LinkLife).UTC().Format(time.RFC3339))
	})
	if err != nil {
		return "", fmt.Errorf("make link: %w", err)
	}
	return key, nil
}

// LinkUser returns whose password a link sets, and does not spend it;
// errs.NotFound when it is unknown, spent or over, or the account is closed.
func (s *Service) LinkUser(ctx context.Context, key string) (User, error) {
	var u User
	err := db.NotFound(s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM password_links l JOIN users u ON u.id = l.user_id
		WHERE l.hash = $1 AND l.expires_at > $2 AND u.disabled = 0`, hashSecret(key), db.Micros(s.now())).Scan(u.targets()...))
	if errs.Is(err, errs.NotFound) {
		return User{}, errs.New(errs.NotFound, "err.auth.link")
	}
	return u, err
}

// SpendLink sets the password of a link's account and ends its sessions. A
// password that is not taken is errs.Invalid about "fresh" and spends nothing;
// errs.NotFound as LinkUser says. A second factor stays in force.
func (s *Service) SpendLink(ctx context.Context, key, password string) error {
	u, err := s.LinkUser(ctx, key)
	if err != nil {
		return err
	}
	if err := checkNew("fresh", password, u.Login); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	defer s.steps.endAll(u.ID)
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `DELETE FROM password_links WHERE hash = $1 AND expires_at > $2`, hashSecret(key), db.Micros(s.now()))); err != nil {
			return err
		}
		return s.setPassword(With(ctx, u.principal()), tx, u.ID, hash, "link") // whoever has the link is taken for its owner
	})
	if errs.Is(err, errs.NotFound) { // somebody else was faster
		return errs.New(errs.NotFound, "err.auth.link")
	}
	return err
}

// setPassword stores a password's hash and ends the sessions of the account; how
// is for the entry.
func (s *Service) setPassword(ctx context.Context, tx *db.Tx, userID, hash, how string) error {
	if err := one(tx.Exec(ctx, `UPDATE users SET password = $2 WHERE id = $1`, userID, hash)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return s.note(ctx, tx, "account.password", userID, "how", how)
}
