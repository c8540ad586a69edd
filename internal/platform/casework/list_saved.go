package casework

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Saved is a filter of lists that somebody keeps under a name, for themselves.
type Saved struct {
	ID, Name string
	Query    string // as the address of the list has it
}

// Bounds of saved filters.
const (
	maxSaved      = 20 // of one account
	maxSavedName  = 40
	maxSavedQuery = 1000
)

// Saved lists the filters of who asks, by name.
func (s *Service) Saved(ctx context.Context, by auth.Principal) (out []Saved, err error) {
	rows, err := s.DB.Query(ctx, `SELECT id, name, query FROM case_filters WHERE account_id = $1 ORDER BY name, id`, by.ID)
	if err != nil {
		return nil, fmt.Errorf("saved filters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var x Saved
		if err := rows.Scan(&x.ID, &x.Name, &x.Query); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Save keeps a filter under a name. A filter of that name takes the new query.
// errs.Invalid about "name" or "query".
func (s *Service) Save(ctx context.Context, name, query string, by auth.Principal) error {
	name = strings.TrimSpace(name)
	if err := checkSaved(name); err != nil {
		return err
	}
	if len(query) > maxSavedQuery {
		return errs.InvalidField("query", "err.field.long", "max", maxSavedQuery)
	}
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM case_filters WHERE account_id = $1 AND name <> $2`, by.ID, name).Scan(&n); err != nil {
			return err
		}
		if n >= maxSaved {
			return errs.InvalidField("name", "err.case.saved_many", "max", maxSaved)
		}
		_, err := tx.Exec(ctx, `INSERT INTO case_filters (id, account_id, name, query, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, name) DO UPDATE SET query = excluded.query`,
			uuid.Must(uuid.NewV7()).String(), by.ID, name, query, db.Micros(s.Now()))
		return err
	})
}

func checkSaved(name string) error {
	var c errs.Checks
	c.Require(name != "", "name", "err.field.required")
	c.Require(len([]rune(name)) <= maxSavedName, "name", "err.field.long", "max", maxSavedName)
	return c.Err()
}

// Rename gives a filter of who asks another name. errs.NotFound for one that is not
// theirs, errs.Invalid about "name", also for a name that another one has.
func (s *Service) Rename(ctx context.Context, id, name string, by auth.Principal) error {
	name = strings.TrimSpace(name)
	if err := checkSaved(name); err != nil {
		return err
	}
	res, err := s.DB.Exec(ctx, `UPDATE case_filters SET name = $3 WHERE id = $1 AND account_id = $2`, id, by.ID, name)
	if errs.Is(err, errs.Conflict) {
		return errs.InvalidField("name", "err.case.saved_taken")
	}
	if err != nil {
		return err
	}
	return one(res)
}

// Forget drops a filter of who asks; errs.NotFound for one that is not theirs.
func (s *Service) Forget(ctx context.Context, id string, by auth.Principal) error {
	res, err := s.DB.Exec(ctx, `DELETE FROM case_filters WHERE id = $1 AND account_id = $2`, id, by.ID)
	if err != nil {
		return err
	}
	return one(res)
}

func one(res interface{ RowsAffected() (int64, error) }) error {
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return errs.New(errs.NotFound, "err.not_found")
	}
	return nil
}
