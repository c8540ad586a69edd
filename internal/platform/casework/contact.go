package casework

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// maxContact bounds how somebody can be reached, in characters.
const maxContact = 200

// Report opens a case for who reports it on the public page, with how they can be reached;
// "" for not at all. The contact is kept beside the case, for those who work on it for the
// authority, and erased by ExpireContacts. Errors are those of Open, and errs.Invalid about
// "contact".
func (s *Service) Report(ctx context.Context, o Opening, contact string, by auth.Principal, r Request) (c *Case, again bool, err error) {
	contact = strings.TrimSpace(contact)
	if len([]rune(contact)) > maxContact {
		return nil, false, errs.InvalidField("contact", "err.field.long", "max", maxContact)
	}
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		if c, again, err = s.openIn(ctx, tx, o, Input{}, by, r); err != nil || again || contact == "" {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO case_contacts (case_id, contact, given_at) VALUES ($1, $2, $3)`, c.ID, contact, db.Micros(s.Now())); err != nil {
			return fmt.Errorf("store contact of a case: %w", err)
		}
		return nil
	})
	return c, again, err
}

// Contact is how who reported a case can be reached, to who works on it for the authority;
// "" when they left none, or its time is over. Each look at one is an entry in the record of
// acts, in the same transaction. errs.NotFound for others.
func (s *Service) Contact(ctx context.Context, c *Case, by auth.Principal) (contact string, err error) {
	a, err := s.Actor(ctx, by, c)
	if err != nil {
		return "", err
	}
	if !a.Works(c) {
		return "", errs.New(errs.NotFound, "err.not_found")
	}
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		err := db.NotFound(tx.QueryRow(ctx, `SELECT contact FROM case_contacts WHERE case_id = $1`, c.ID).Scan(&contact))
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Entry(s.Now(), "cases", "case.contact", "case", c.ID))
	})
	return contact, err
}

// ExpireContacts erases the contacts of cases that ended before a time, and returns how many.
func (s *Service) ExpireContacts(ctx context.Context, ended time.Time) (n int64, err error) {
	res, err := s.DB.Exec(ctx, `DELETE FROM case_contacts WHERE case_id IN (SELECT id FROM cases WHERE open = 0 AND updated_at < $1)`, db.Micros(ended))
	if err != nil {
		return 0, fmt.Errorf("erase contacts of cases: %w", err)
	}
	return res.RowsAffected()
}

// Openable are the types in force, with the actions by which somebody may open a case of them
// somewhere; whether they may where it is, is asked when it is opened.
func (s *Service) Openable(by auth.Principal) (out []*Type, actions [][]*Action) {
	day := s.Now().In(zone).Format(time.DateOnly)
	for _, kind := range s.Types.Kinds() {
		t, ok := s.Types.InForce(kind, day)
		if !ok {
			continue
		}
		var list []*Action
		for _, x := range t.Actions {
			if len(x.From) == 0 && x.openedBy(t, by) {
				list = append(list, x)
			}
		}
		if len(list) > 0 {
			out, actions = append(out, t), append(actions, list)
		}
	}
	return out, actions
}

// openedBy reports whether somebody holds a role that opens a case by an action, wherever.
func (x *Action) openedBy(t *Type, by auth.Principal) bool {
	for _, role := range x.Roles {
		if role == RoleReporter {
			return true
		}
		for _, g := range by.Grants() {
			if g.Role == t.System+"."+role {
				return true
			}
		}
	}
	return false
}

// NeedsUnit reports whether nothing of a type hands a case out: who opens one names the
// organisation that must act.
func (t *Type) NeedsUnit() bool {
	unit := false
	for _, x := range t.Actions {
		for _, role := range x.Roles {
			unit = unit || role == RoleUnit
		}
		for _, e := range x.Effects {
			if e.Name == "owner" && e.Arg == "unit" {
				return false
			}
		}
	}
	return unit
}
