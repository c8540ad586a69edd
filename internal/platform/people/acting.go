package people

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Acting implements auth.Posts. Who was appointed to something once works by posts
// from then on: when none is in force, the kind of the account counts no more.
func (s *Service) Acting(ctx context.Context, account, choice string, at time.Time) (auth.Acting, bool, error) {
	list, err := s.options(ctx, account, at)
	if err != nil {
		return auth.Acting{}, false, err
	}
	for _, a := range list {
		if a.ID == choice || choice == "" && a.OnBehalfOf == "" {
			return a, true, nil
		}
	}
	if choice != "" {
		return auth.Acting{}, false, nil
	}
	var n int
	err = s.db.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 AS x FROM appointments WHERE account = $1 AND from_at <= $2 AND (to_at IS NULL OR to_at > from_at) LIMIT 1) q`, account, db.Micros(at)).Scan(&n)
	return auth.Acting{}, n == 0, err
}

// Options lists in what an account may act now: its own posts by the beginning of
// the appointment, then those that were delegated to it.
func (s *Service) Options(ctx context.Context, account string) ([]auth.Acting, error) {
	return s.options(ctx, account, s.now())
}

func (s *Service) options(ctx context.Context, account string, at time.Time) ([]auth.Acting, error) {
	type option struct {
		auth.Acting
		from int64
	}
	const post = `p.title_zh, p.title_bo, p.title_en, p.kind, p.area, p.enterprise`
	const inForce = `a.from_at <= $2 AND (a.to_at IS NULL OR a.to_at > $2)`
	list, err := rows(ctx, s.db, `SELECT a.id, a.from_at, a.to_at, '' AS holder, `+post+` FROM appointments a JOIN posts p ON p.id = a.post WHERE a.account = $1 AND `+inForce+`
		UNION ALL SELECT d.id, d.from_at, CASE WHEN a.to_at < d.to_at THEN a.to_at ELSE d.to_at END, a.account, `+post+`
		FROM delegations d JOIN appointments a ON a.id = d.appointment JOIN posts p ON p.id = a.post JOIN users u ON u.id = a.account
		WHERE d.account = $1 AND d.from_at <= $2 AND d.to_at > $2 AND u.disabled = 0 AND `+inForce, func(r *sql.Rows, o *option) error {
		var to sql.NullInt64
		err := r.Scan(&o.ID, &o.from, &to, &o.OnBehalfOf, &o.Post.Zh, &o.Post.Bo, &o.Post.En, (*string)(&o.Role), &o.Area, &o.Enterprise)
		o.Until = db.TimeOrZero(to)
		return err
	}, account, db.Micros(at))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b option) int {
		switch {
		case (a.OnBehalfOf == "") != (b.OnBehalfOf == ""):
			if a.OnBehalfOf == "" {
				return -1
			}
			return 1
		case a.from != b.from:
			return int(min(max(a.from-b.from, -1), 1))
		case a.ID < b.ID:
			return -1
		}
		return 1
	})
	out := make([]auth.Acting, len(list))
	for i := range list {
		out[i] = list[i].Acting
	}
	return out, nil
}

// OrganisationOf returns the organisation of the post that an appointment or a
// delegation is for; "" when there is no such one.
func (s *Service) OrganisationOf(ctx context.Context, acting string) (id string, err error) {
	if acting == "" {
		return "", nil
	}
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT p.organisation FROM posts p JOIN appointments a ON a.post = p.id
		WHERE a.id = $1 OR a.id = (SELECT d.appointment FROM delegations d WHERE d.id = $1)`, acting).Scan(&id))
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	return id, err
}

// PostOf returns the post that an appointment or a delegation is for; "" when there
// is no such one.
func (s *Service) PostOf(ctx context.Context, acting string) (id string, err error) {
	if acting == "" {
		return "", nil
	}
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT a.post FROM appointments a WHERE a.id = $1 OR a.id = (SELECT d.appointment FROM delegations d WHERE d.id = $1)`, acting).Scan(&id))
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	return id, err
}

// Held is a post that an account acts in: its own, or one that was delegated to it.
type Held struct {
	Account      string
	Post         string
	Organisation string
	Kind         string
	Area         string
	Enterprise   string
}

// AllHeld lists who acts in which post at a time, and which accounts were appointed to
// anything by then: for those the kind of the account counts no more.
func AllHeld(ctx context.Context, q db.Querier, at time.Time) (held []Held, appointed map[string]bool, err error) {
	const post = `p.id, p.organisation, p.kind, p.area, p.enterprise`
	const inForce = `a.from_at <= $1 AND (a.to_at IS NULL OR a.to_at > $1)`
	held, err = rows(ctx, q, `SELECT a.account, `+post+` FROM appointments a JOIN posts p ON p.id = a.post WHERE `+inForce+`
		UNION SELECT d.account, `+post+` FROM delegations d JOIN appointments a ON a.id = d.appointment JOIN posts p ON p.id = a.post JOIN users u ON u.id = a.account
		WHERE d.from_at <= $1 AND d.to_at > $1 AND u.disabled = 0 AND `+inForce, func(r *sql.Rows, h *Held) error {
		return r.Scan(&h.Account, &h.Post, &h.Organisation, &h.Kind, &h.Area, &h.Enterprise)
	}, db.Micros(at))
	if err != nil {
		return nil, nil, err
	}
	list, err := rows(ctx, q, `SELECT DISTINCT account FROM appointments WHERE from_at <= $1 AND (to_at IS NULL OR to_at > from_at)`, func(r *sql.Rows, id *string) error { return r.Scan(id) }, db.Micros(at))
	appointed = map[string]bool{}
	for _, id := range list {
		appointed[id] = true
	}
	return held, appointed, err
}
