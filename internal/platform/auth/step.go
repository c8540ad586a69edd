package auth

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// stepLife is how long a code may be entered after the password.
const stepLife = 5 * time.Minute

// maxSteps bounds the memory.
const maxSteps = 10_000

// StepCookie holds the secret of a sign-in that waits for a code.
const StepCookie = "plateau_step"

// StepNeeded says that the password was right and a code is to follow. It is an
// error, so that whoever does not know of codes lets nobody in.
type StepNeeded struct{ Secret string } //nolint:errname // it is what comes next, not a fault

func (*StepNeeded) Error() string { return "a code of the second factor is needed" }

// step is a sign-in that waits for a code, in the browser that gave the password.
type step struct {
	userID string
	until  time.Time
}

// steps are kept in memory: after a restart one enters the password again.
type steps struct {
	mu sync.Mutex
	by map[string]step // by the hash of the secret
}

func (s *steps) open(userID string, now time.Time) (cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, x := range s.by {
		if !now.Before(x.until) || len(s.by) >= maxSteps {
			delete(s.by, k)
		}
	}
	if s.by == nil {
		s.by = map[string]step{}
	}
	cookie = secret()
	s.by[hashSecret(cookie)] = step{userID, now.Add(stepLife)}
	return cookie
}

func (s *steps) get(cookie string, now time.Time) (userID string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.by[hashSecret(cookie)]
	return x.userID, ok && now.Before(x.until)
}

// end ends one step; it reports whether it was still there, which is so once.
func (s *steps) end(cookie string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.by[hashSecret(cookie)]
	delete(s.by, hashSecret(cookie))
	return ok
}

// endAll ends those of an account whose password, state or factor has changed.
func (s *steps) endAll(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, x := range s.by {
		if x.userID == userID {
			delete(s.by, k)
		}
	}
}

// StepOpen reports whether a sign-in waits for a code under this secret.
func (s *Service) StepOpen(secret string) bool {
	_, ok := s.steps.get(secret, s.now())
	return ok
}

// StepFactor returns the second factor that a sign-in waits for;
// errs.Unauthenticated when nothing waits under the secret.
func (s *Service) StepFactor(ctx context.Context, secret string) (Factor, error) {
	userID, ok := s.steps.get(secret, s.now())
	if !ok {
		return Factor{}, errs.New(errs.Unauthenticated, "err.auth.step_over")
	}
	return s.Factor(ctx, userID)
}

// SignInCode opens the session of a sign-in that waited for a code. A wrong code
// is errs.Invalid about "code"; errs.Unauthenticated when nothing waits under the
// secret any more.
func (s *Service) SignInCode(ctx context.Context, waiting, code string, from Client) (secret string, p Principal, err error) {
	over := errs.New(errs.Unauthenticated, "err.auth.step_over")
	userID, ok := s.steps.get(waiting, s.now())
	if !ok {
		return "", Principal{}, over
	}
	var u User
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1 AND u.disabled = 0`, userID).Scan(u.targets()...))
	if errs.Is(err, errs.NotFound) {
		return "", Principal{}, over
	} else if err != nil {
		return "", Principal{}, fmt.Errorf("find user: %w", err)
	}
	if err := s.takeCode(ctx, u.principal(), code, true, from); err != nil {
		return "", Principal{}, err
	}
	if !s.steps.end(waiting) {
		return "", Principal{}, over
	}
	secret, err = s.openSession(ctx, u, "password and code", from)
	return secret, u.principal(), err
}

// SetStepCookie gives the browser the secret of a sign-in that waits for a code;
// without one it takes it back.
func SetStepCookie(w http.ResponseWriter, r *http.Request, secret string) {
	age := int(stepLife.Seconds())
	if secret == "" {
		age = -1
	}
	c := cookie(r, StepCookie, secret, age) //nolint:gosec // made there with all three
	c.SameSite = http.SameSiteStrictMode    // it is needed by forms of this host only
	http.SetCookie(w, c)
}

// StepSecret returns the secret of a request's step cookie, "" without one.
func StepSecret(r *http.Request) string { return valueOf(r, StepCookie) }
