package people

import (
	"context"
	"database/sql"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

const (
	organisationColumns = `id, kind, code, name_zh, name_bo, name_en, area, from_date, to_date`
	postColumns         = `id, organisation, kind, area, enterprise, title_zh, title_bo, title_en, phone, several, from_date, to_date`
)

// rows calls scan for each row of a query.
func rows[T any](ctx context.Context, q db.Querier, query string, scan func(r *sql.Rows, x *T) error, args ...any) (out []T, err error) {
	r, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var x T
		if err := scan(r, &x); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, r.Err()
}

func organisations(ctx context.Context, q db.Querier, where string, args ...any) ([]Organisation, error) {
	return rows(ctx, q, `SELECT o.id, o.kind, o.code, o.name_zh, o.name_bo, o.name_en, o.area, o.from_date, o.to_date FROM organisations o `+where, func(r *sql.Rows, o *Organisation) error {
		return r.Scan(&o.ID, &o.Kind, &o.Code, &o.Name.Zh, &o.Name.Bo, &o.Name.En, &o.Area, &o.From, &o.To)
	}, args...)
}

func (p *Post) targets() []any {
	return []any{&p.ID, &p.Organisation, &p.Kind, &p.Area, &p.Enterprise, &p.Title.Zh, &p.Title.Bo, &p.Title.En, &p.Phone, &p.Several, &p.From, &p.To}
}

const postFrom = `p.id, p.organisation, p.kind, p.area, p.enterprise, p.title_zh, p.title_bo, p.title_en, p.phone, p.several, p.from_date, p.to_date`

func posts(ctx context.Context, q db.Querier, where string, args ...any) ([]Post, error) {
	return rows(ctx, q, `SELECT `+postFrom+` FROM posts p `+where, func(r *sql.Rows, p *Post) error { return r.Scan(p.targets()...) }, args...)
}

// period is a from and a to in their stored form.
type period struct {
	from, made int64
	to         sql.NullInt64
}

func (a *Appointment) targets(x *period) []any {
	return []any{&a.ID, &a.Post, &a.Account, &x.from, &x.to, &a.ByID, &a.ByPost, &x.made}
}

func (a *Appointment) take(x *period) {
	a.From, a.To, a.Made = db.Time(x.from), db.TimeOrZero(x.to), db.Time(x.made)
}

const appointmentFrom = `a.id, a.post, a.account, a.from_at, a.to_at, a.by_id, a.by_post, a.made_at`

func appointments(ctx context.Context, q db.Querier, where string, args ...any) ([]Appointment, error) {
	return rows(ctx, q, `SELECT `+appointmentFrom+` FROM appointments a `+where, func(r *sql.Rows, a *Appointment) error {
		var x period
		err := r.Scan(a.targets(&x)...)
		a.take(&x)
		return err
	}, args...)
}

// Organisations lists all by name.
func (s *Service) Organisations(ctx context.Context) ([]Organisation, error) {
	return organisations(ctx, s.db, `ORDER BY o.name_zh, o.id`)
}

// Organisation returns one; errs.NotFound when there is none.
func (s *Service) Organisation(ctx context.Context, id string) (Organisation, error) {
	list, err := organisations(ctx, s.db, `WHERE o.id = $1`, id)
	if err != nil || len(list) == 0 {
		return Organisation{}, cmpNotFound(err)
	}
	return list[0], nil
}

// Posts lists all, those of an organisation together.
func (s *Service) Posts(ctx context.Context) ([]Post, error) {
	return posts(ctx, s.db, `JOIN organisations o ON o.id = p.organisation ORDER BY o.name_zh, o.id, p.created_at, p.id`)
}

// Post returns one; errs.NotFound when there is none.
func (s *Service) Post(ctx context.Context, id string) (Post, error) {
	list, err := posts(ctx, s.db, `WHERE p.id = $1`, id)
	if err != nil || len(list) == 0 {
		return Post{}, cmpNotFound(err)
	}
	return list[0], nil
}

// Reaches reports whether a post is for an area, or for one that it lies in today;
// "" is any area.
func (s *Service) Reaches(p Post, area string) bool {
	return area == "" || p.Area == "" || s.places.Within(area, p.Area)
}

// Holding is an appointment with the post and who holds it.
type Holding struct {
	Appointment
	Of       Post
	Login    string
	Deputies []Delegated // who could act for the holder in the time asked about
}

// Question asks who answered for something in a time; empty fields choose nothing.
type Question struct {
	Post    string
	Account string
	Area    string    // posts for this area, and for those it lies in today
	From    time.Time // inclusive
	To      time.Time // exclusive; zero = for ever
}

// OnDay completes a question about a day; errs.Invalid when it is none.
func (q Question) OnDay(day string) (Question, error) {
	from, ok := Day(day)
	if !ok {
		return q, errs.InvalidField("day", "err.field.date")
	}
	q.From, q.To = from, from.AddDate(0, 0, 1)
	return q, nil
}

// On tells who held which post in a time, were it for an hour of it, by the
// beginning of their appointments.
func (s *Service) On(ctx context.Context, q Question) ([]Holding, error) {
	list, err := rows(ctx, s.db, `SELECT `+appointmentFrom+`, `+postFrom+`, u.login FROM appointments a JOIN posts p ON p.id = a.post JOIN users u ON u.id = a.account
		WHERE ($1 = '' OR a.post = $1) AND ($2 = '' OR a.account = $2) AND (CAST($3 AS BIGINT) = 0 OR a.from_at < CAST($3 AS BIGINT))
		AND (a.to_at IS NULL OR a.to_at > $4 AND a.to_at > a.from_at) ORDER BY a.from_at, a.id`, func(r *sql.Rows, h *Holding) error {
		var x period
		err := r.Scan(append(append(h.targets(&x), h.Of.targets()...), &h.Login)...)
		h.take(&x)
		return err
	}, q.Post, q.Account, db.Micros(q.To), db.Micros(q.From))
	if err != nil {
		return nil, err
	}
	deputies, err := s.deputies(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range list {
		for j := range deputies {
			if deputies[j].Appointment == list[i].ID {
				list[i].Deputies = append(list[i].Deputies, deputies[j])
			}
		}
	}
	if q.Area == "" {
		return list, nil
	}
	out := list[:0]
	for _, h := range list {
		if s.Reaches(h.Of, q.Area) {
			out = append(out, h)
		}
	}
	return out, nil
}
