package auth

import (
	"context"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Account is an account as those see it who look after accounts.
type Account struct {
	User
	Created  time.Time
	SignedIn time.Time // last sign-in; zero = never
	Password bool      // one is set
	Sessions int       // open ones; told by Account only
	Tokens   int       // valid ones; told by Account only
}

// accountColumns follow userColumns. The last sign-in stands in the record, whose
// index audit_sign_ins is for this.
const accountColumns = `, u.created_at, u.password <> '', (SELECT f.confirmed_at IS NOT NULL FROM second_factors f WHERE f.user_id = u.id),
	(SELECT max(e.at) FROM audit_entries e WHERE e.act = 'account.sign_in' AND e.ref = u.id)`

type scanner interface{ Scan(targets ...any) error }

func scanAccount(row scanner) (a Account, err error) {
	var created int64
	var factor *bool
	var signedIn *int64
	if err := row.Scan(append(a.targets(), &created, &a.Password, &factor, &signedIn)...); err != nil {
		return a, err
	}
	a.Created, a.Factor = db.Time(created), factor != nil && *factor
	if signedIn != nil {
		a.SignedIn = db.Time(*signedIn)
	}
	return a, nil
}

// Accounts returns all accounts by login. Whoever shows them records the look.
func (s *Service) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := s.db.Query(ctx, `SELECT `+userColumns+accountColumns+` FROM users u ORDER BY u.login`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// Account returns one account; errs.NotFound when there is none.
func (s *Service) Account(ctx context.Context, id string) (Account, error) {
	a, err := scanAccount(s.db.QueryRow(ctx, `SELECT `+userColumns+accountColumns+` FROM users u WHERE u.id = $1`, id))
	if err != nil {
		return a, db.NotFound(err)
	}
	sessions, err := s.Sessions(ctx, id)
	if err != nil {
		return a, err
	}
	tokens, err := s.Tokens(ctx, id)
	a.Sessions, a.Tokens = len(sessions), len(tokens)
	return a, err
}

// CloseOther closes or opens an account that is not one's own: who closes their
// own could leave nobody who opens it again. It is errs.Conflict then.
func (s *Service) CloseOther(ctx context.Context, by Principal, id string, disabled bool) error {
	if id == by.ID {
		return errs.New(errs.Conflict, "err.accounts.own")
	}
	return s.SetDisabled(ctx, id, disabled)
}

// ShellDetail is the detail of an entry that says only which user of the operating
// system gave the command; "" without one.
func ShellDetail(ctx context.Context) string {
	if shell := audit.Shell(ctx); shell != "" {
		return jsonText(map[string]any{"shell": shell})
	}
	return ""
}

// Look records that who asks (With, or the shell) looks at personal data of
// accounts; see audit.Look. detail is JSON; its "why" and
// "reference" are shown to those looked at.
func (s *Service) Look(ctx context.Context, act, kind, ref string, subjects []string, detail string) error {
	p := From(ctx)
	if !p.Known() {
		p = System
	}
	e := p.Entry(s.now(), "platform", act, kind, ref)
	e.Subjects, e.Detail = subjects, detail
	if detail == "" {
		e.Detail = ShellDetail(ctx)
	}
	return audit.Look(ctx, s.db, e)
}
