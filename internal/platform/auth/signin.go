package auth

import (
	"context"
	"fmt"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// SignIn checks login and password and opens a session. The secret goes into
// the cookie. A wrong login and a wrong password cannot be told apart: both are
// errs.Unauthenticated and take as long. Too many tries are errs.Busy. Where the
// account has a second factor, no session is opened and the error is *StepNeeded.
func (s *Service) SignIn(ctx context.Context, login, password string, from Client) (secret string, p Principal, err error) {
	u, err := s.checkLogin(ctx, login, password, from)
	if err != nil {
		return "", Principal{}, err
	}
	factor, err := s.Factor(ctx, u.ID)
	if err != nil {
		return "", Principal{}, err
	}
	if factor.Needed() {
		return "", Principal{}, &StepNeeded{s.steps.open(u.ID, s.now())}
	}
	secret, err = s.openSession(ctx, u, "password", from)
	return secret, u.principal(), err
}

// checkLogin returns whose login and password these are.
func (s *Service) checkLogin(ctx context.Context, login, password string, from Client) (User, error) {
	login = fold(login)
	keys := passwordKeys(login, from.Address)
	if wait, ok := s.limit.take(keys); !ok {
		return User{}, errs.New(errs.Busy, "err.auth.too_many", "n", int(wait.Minutes())+1)
	}
	var u User
	var hash string
	err := s.db.QueryRow(ctx, `SELECT `+userColumns+`, u.password FROM users u WHERE u.login = $1`, login).Scan(append(u.targets(), &hash)...)
	if err = db.NotFound(err); err != nil && !errs.Is(err, errs.NotFound) {
		return User{}, fmt.Errorf("find user: %w", err)
	}
	right, err := s.hasher.check(ctx, hash, password)
	if err != nil {
		return User{}, err
	}
	if !right || u.ID == "" || u.Disabled {
		s.failures.add(u.ID, from.Address, false, s.now())
		return User{}, errs.New(errs.Unauthenticated, "err.auth.wrong")
	}
	s.limit.right(keys)
	return u, nil
}

// Prove takes the credential of who is signed in once more, with a code where
// there is a second factor, and returns the secret that takes the place of the
// session's old one. What is wrong is errs.Invalid about "password" or "code",
// too many tries are errs.Busy.
func (s *Service) Prove(ctx context.Context, p Principal, session Session, password, code string, from Client) (secret string, err error) {
	if err := s.checkOwn(ctx, p, "password", password, from); err != nil {
		return "", err
	}
	factor, err := s.Factor(ctx, p.ID)
	if err != nil {
		return "", err
	}
	if factor.Needed() {
		if err := s.takeCode(ctx, p, code, true, from); err != nil {
			return "", err
		}
	}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if secret, err = s.renew(ctx, tx, session); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.prove", p.ID, "session", session.ID)
	})
	return secret, err
}

// checkOwn checks the password of who is signed in; a wrong one is errs.Invalid
// about field.
func (s *Service) checkOwn(ctx context.Context, p Principal, field, password string, from Client) error {
	_, err := s.checkLogin(ctx, p.Login, password, from)
	if errs.Is(err, errs.Unauthenticated) {
		return errs.InvalidField(field, "err.auth.own_password")
	}
	return err
}

// ChangePassword changes one's own password, with the present one, ends all
// other sessions of the account, and returns the secret that takes the place of
// the session's old one. What is wrong with current and fresh is errs.Invalid
// about the fields "current" and "fresh".
func (s *Service) ChangePassword(ctx context.Context, p Principal, session Session, current, fresh string, from Client) (secret string, err error) {
	if err := s.checkOwn(ctx, p, "current", current, from); err != nil {
		return "", err
	}
	if err := checkNew("fresh", fresh, p.Login); err != nil {
		return "", err
	}
	hash, err := s.hasher.hash(ctx, fresh)
	if err != nil {
		return "", err
	}
	defer s.steps.endAll(p.ID)
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE users SET password = $2 WHERE id = $1`, p.ID, hash)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, p.ID, session.ID); err != nil {
			return err
		}
		if secret, err = s.renew(ctx, tx, session); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.password", p.ID, "how", "own")
	})
	return secret, err
}

// SetPassword changes the password of an account and ends all of its sessions.
func (s *Service) SetPassword(ctx context.Context, userID, password string) error {
	var login string
	err := db.NotFound(s.db.QueryRow(ctx, `SELECT u.login FROM users u WHERE u.id = $1`, userID).Scan(&login))
	if err != nil {
		return err
	}
	if err := checkNew("password", password, login); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	defer s.steps.endAll(userID)
	return s.db.Tx(ctx, func(tx *db.Tx) error { return s.setPassword(ctx, tx, userID, hash, "set") })
}
