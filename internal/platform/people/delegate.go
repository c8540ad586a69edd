package people

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// Delegation lets an account act in the post of an appointment for its holder. It is
// never in force beyond the appointment, whatever its own end says.
type Delegation struct {
	ID          string
	Appointment string
	Account     string    // id of who acts
	From        time.Time // inclusive
	To          time.Time // exclusive
	Made        time.Time
}

// Delegated is a delegation with its post and both people.
type Delegated struct {
	Delegation
	Of            Post
	Holder        string // account id
	HolderLogin   string
	Login         string // of who acts
	appointmentTo time.Time
}

// Ends is when it is over: its own end, or that of the appointment.
func (d *Delegated) Ends() time.Time {
	if !d.appointmentTo.IsZero() && d.appointmentTo.Before(d.To) {
		return d.appointmentTo
	}
	return d.To
}

const delegationFrom = `SELECT d.id, d.appointment, d.account, d.from_at, d.to_at, d.made_at, a.to_at, a.account, h.login, u.login, ` + postFrom + `
	FROM delegations d JOIN appointments a ON a.id = d.appointment JOIN posts p ON p.id = a.post JOIN users h ON h.id = a.account JOIN users u ON u.id = d.account `

func delegations(ctx context.Context, q db.Querier, where string, args ...any) ([]Delegated, error) {
	return rows(ctx, q, delegationFrom+where, func(r *sql.Rows, d *Delegated) error {
		var from, to, made int64
		var ends sql.NullInt64
		err := r.Scan(append([]any{&d.ID, &d.Appointment, &d.Account, &from, &to, &made, &ends, &d.Holder, &d.HolderLogin, &d.Login}, d.Of.targets()...)...)
		d.From, d.To, d.Made, d.appointmentTo = db.Time(from), db.Time(to), db.Time(made), db.TimeOrZero(ends)
		return err
	}, args...)
}

// DelegationsOf lists those of an account that are not over, given and received, by
// their beginning.
func (s *Service) DelegationsOf(ctx context.Context, account string) ([]Delegated, error) {
	now := db.Micros(s.now())
	return delegations(ctx, s.db, `WHERE (d.account = $1 OR a.account = $1) AND d.to_at > $2 AND d.to_at > d.from_at AND (a.to_at IS NULL OR a.to_at > $2) ORDER BY d.from_at, d.id`, account, now)
}

// deputies lists who could act in posts at some instant of a time.
func (s *Service) deputies(ctx context.Context, q Question) ([]Delegated, error) {
	return delegations(ctx, s.db, `WHERE ($1 = '' OR a.post = $1) AND (CAST($2 AS BIGINT) = 0 OR d.from_at < CAST($2 AS BIGINT)) AND d.to_at > $3 AND d.to_at > d.from_at
		AND (a.to_at IS NULL OR a.to_at > $3 AND a.to_at > d.from_at) ORDER BY d.from_at, d.id`, q.Post, db.Micros(q.To), db.Micros(q.From))
}

// Delegate lets an account act in the post of an appointment until an instant; a zero
// From is now. Only the holder does that, of an appointment in force, and only
// until its end: who acts for somebody passes nothing on.
func (s *Service) Delegate(ctx context.Context, d Delegation, by auth.Principal) (Delegation, error) {
	at := s.now()
	if d.From.IsZero() {
		d.From = at
	}
	d.ID, d.Made, d.From, d.To = uuid.Must(uuid.NewV7()).String(), instant(at), instant(d.From), instant(d.To)
	switch {
	case d.To.IsZero():
		return d, errs.InvalidField("to", "err.people.until")
	case !d.To.After(d.From):
		return d, errs.InvalidField("to", "err.field.after")
	case d.From.Before(instant(at)):
		return d, errs.InvalidField("from", "err.people.past")
	}
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE appointments SET made_at = made_at WHERE id = $1`, d.Appointment); err != nil { // nobody ends it meanwhile
			return err
		}
		list, err := appointments(ctx, tx, `WHERE a.id = $1`, d.Appointment)
		if err != nil || len(list) == 0 {
			return cmpNotFound(err)
		}
		a := &list[0]
		switch {
		case by.ID != a.Account && by.ID != auth.System.ID:
			return errs.New(errs.NotFound, "err.not_found") // whether there is one is nobody else's business
		case a.From.After(at) || !a.To.IsZero() && !a.To.After(at):
			return errs.InvalidField("to", "err.people.not_held")
		case !a.To.IsZero() && d.To.After(a.To):
			return errs.InvalidField("to", "err.people.beyond", "day", lastDay(a.To))
		case d.Account == a.Account:
			return errs.InvalidField("account", "err.people.to_self")
		}
		if err := openAccount(ctx, tx, d.Account); err != nil {
			return err
		}
		there, err := delegations(ctx, tx, `WHERE d.appointment = $1 AND d.account = $2 AND d.to_at > $3 AND d.from_at < $4`, d.Appointment, d.Account, db.Micros(d.From), db.Micros(d.To))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return errs.InvalidField("account", "err.people.delegated")
		}
		if err := tx.Insert(ctx, "delegations", []string{"id", "appointment", "account", "from_at", "to_at", "made_at"},
			[][]any{{d.ID, d.Appointment, d.Account, db.Micros(d.From), db.Micros(d.To), db.Micros(d.Made)}}); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, "delegation.make", "post", a.Post, change{New: d}, a.Account, d.Account)
	})
	return d, err
}

// Withdraw ends a delegation now: who holds the post, who acts in it, and who may
// appoint to it do that. It returns errs.Conflict when it is over.
func (s *Service) Withdraw(ctx context.Context, id string, by auth.Principal) error {
	at := s.now()
	defer s.ended()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE delegations SET made_at = made_at WHERE id = $1`, id); err != nil {
			return err
		}
		list, err := delegations(ctx, tx, `WHERE d.id = $1`, id)
		if err != nil || len(list) == 0 {
			return cmpNotFound(err)
		}
		d := &list[0]
		if by.ID != d.Holder && by.ID != d.Account && s.mayAppoint(by, &d.Of) != nil {
			return errs.New(errs.NotFound, "err.not_found")
		}
		old := d.Delegation
		if d.To = instant(at); d.To.Before(d.From) {
			d.To = d.From
		}
		if !d.To.Before(old.To) {
			return errs.New(errs.Conflict, "err.people.ended")
		}
		if _, err := tx.Exec(ctx, `UPDATE delegations SET to_at = $2 WHERE id = $1`, id, db.Micros(d.To)); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, "delegation.withdraw", "post", d.Of.ID, change{Old: old, New: d.Delegation}, d.Holder, d.Account)
	})
}

// lastDay is the last whole day before an instant, or the day it falls on.
func lastDay(t time.Time) string { return i18n.Short(t.Add(-time.Microsecond)) }

// openAccount returns errs.Invalid about "account" when there is none that is open.
func openAccount(ctx context.Context, tx *db.Tx, id string) error {
	var disabled bool
	var u auth.User
	err := db.NotFound(tx.QueryRow(ctx, `SELECT disabled, role FROM users WHERE id = $1`, id).Scan(&disabled, (*string)(&u.Role)))
	if errs.Is(err, errs.NotFound) || err == nil && (disabled || !u.ForPerson()) {
		return errs.InvalidField("account", "err.people.account")
	}
	if err != nil {
		return fmt.Errorf("find account: %w", err)
	}
	return nil
}
