package auth

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Acting is what an account may act in: a post it holds, or one that was delegated
// to it. The zero value is the account by its kind.
type Acting struct {
	ID         string // of the appointment or the delegation
	Post       Post
	Role       Role
	Area       string
	Enterprise string
	OnBehalfOf string    // account id of the holder who delegated it
	Until      time.Time // zero = open
}

// Posts tells in what an account may act at a time.
type Posts interface {
	// Acting returns the choice, or where it is "" the first post that the account
	// holds, else the zero Acting for an account that was never appointed. ok is
	// false when the choice is not in force, and when no appointment is in force of
	// an account that had some.
	Acting(ctx context.Context, account, choice string, at time.Time) (a Acting, ok bool, err error)
}

// bare is the kind of an account whose appointments are over: it opens its own
// pages only.
const bare = Role("person")

func (p Principal) as(a Acting) Principal {
	if a.ID == "" {
		return p
	}
	p.Acting, p.Post, p.Role, p.Area, p.Enterprise, p.OnBehalfOf, p.until = a.ID, a.Post, a.Role, a.Area, a.Enterprise, a.OnBehalfOf, a.Until
	return p
}

func (p Principal) bare() Principal {
	p.Role, p.Area, p.Enterprise = bare, "", ""
	return p
}

// sessionActs is p in the post a session has chosen; when that is over, in the
// default one.
func (s *Service) sessionActs(ctx context.Context, p Principal, choice string) (Principal, error) {
	if s.posts == nil {
		return p, nil
	}
	for _, c := range []string{choice, ""} {
		a, ok, err := s.posts.Acting(ctx, p.ID, c, s.now())
		if err != nil {
			return Principal{}, fmt.Errorf("find the post: %w", err)
		}
		if ok {
			return p.as(a), nil
		}
	}
	return p.bare(), nil
}

// tokenActs is p in the post a token was made for; errs.Unauthenticated when that is
// over.
func (s *Service) tokenActs(ctx context.Context, p Principal, choice string) (Principal, error) {
	if s.posts == nil {
		return p, nil
	}
	a, ok, err := s.posts.Acting(ctx, p.ID, choice, s.now())
	switch {
	case err != nil:
		return Principal{}, fmt.Errorf("find the post: %w", err)
	case ok:
		return p.as(a), nil
	case choice != "":
		return Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
	}
	return p.bare(), nil
}

// actingOf is what a token that an account makes for itself acts in.
func actingOf(ctx context.Context, userID string) string {
	if p := From(ctx); p.ID == userID {
		return p.Acting
	}
	return ""
}

// SetActing lets a session of an account act in one of its posts, or "" in the
// default; errs.NotFound when that is not in force.
func (s *Service) SetActing(ctx context.Context, userID string, session Session, choice string) error {
	if s.posts == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	if _, ok, err := s.posts.Acting(ctx, userID, choice, s.now()); err != nil {
		return err
	} else if !ok {
		return errs.New(errs.NotFound, "err.not_found")
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		return one(tx.Exec(ctx, `UPDATE sessions SET acting = $3 WHERE user_id = $1 AND id = $2`, userID, session.ID, choice))
	})
}

// Forget lets the next request of every token ask the database anew: rights were
// taken away.
func (s *Service) Forget() { s.tokens.forget() }
