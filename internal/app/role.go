package app

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
)

// RoleOrder is what a command asks about posts. Which fields count depends on Act:
//
//	list     Area: posts for an area and those it lies in, or all
//	who      Post, Area, Day: who held which post on a day
//	appoint  Post, Login, From, To
//	end      ID, To: an appointment, at the end of the day To or now
//	delegate ID, Login, To: the post of an appointment, to an account until the end of a day
//	withdraw ID: a delegation
type RoleOrder struct {
	Act, Post, Area, Login, ID string
	Day, From, To              string // YYYY-MM-DD
}

// RoleAnswer is what came of it.
type RoleAnswer struct {
	Posts         []people.Post
	Organisations map[string]string // names by id
	Holdings      []people.Holding  // those of the question; of list, those of now
	ID            string            // of the appointment or delegation that was made
}

func (o *RoleOrder) query() url.Values {
	return url.Values{"act": {o.Act}, "post": {o.Post}, "area": {o.Area}, "login": {o.Login}, "id": {o.ID}, "day": {o.Day}, "from": {o.From}, "to": {o.To}}
}

func (a *App) orderRole(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	o := RoleOrder{
		Act: q.Get("act"), Post: q.Get("post"), Area: q.Get("area"), Login: q.Get("login"), ID: q.Get("id"), Day: q.Get("day"), From: q.Get("from"), To: q.Get("to"),
	}
	return o.do(ctx, a.people, a.auth, a.registry, a.now())
}

// Roles lists posts, tells who held them, appoints and ends: the running server
// does it, or, when there is none, this process. Of o it takes the configuration.
func Roles(ctx context.Context, o Options, order RoleOrder) (out RoleAnswer, err error) {
	err = ordered(ctx, &o, "role", "posts", order.query(), &out, func(ctx context.Context, _ *config.Config, d *db.DB, now func() time.Time) error {
		r, err := telemetry.Open(ctx, d, now)
		if err != nil {
			return err
		}
		defer r.Close()
		out, err = order.do(ctx, people.New(d, now, registryPlaces{r}, nil), auth.New(d, now, auth.Options{}), r, now())
		return err
	})
	return out, err
}

// do carries an order out in the name of the program itself: who may use the shell
// owns the installation. Errors are worded in English.
func (o *RoleOrder) do(ctx context.Context, s *people.Service, accounts *auth.Service, r *telemetry.Registry, now time.Time) (out RoleAnswer, err error) {
	defer func() { err = worded(err) }()
	if o.Area != "" && r.Snapshot().Areas[o.Area] == nil {
		return out, fmt.Errorf("there is no area %q; \"plateau area list\" shows them", o.Area)
	}
	if o.Post != "" {
		if _, err := s.Post(ctx, o.Post); errs.Is(err, errs.NotFound) {
			return out, fmt.Errorf("there is no post %q; \"plateau role list\" shows them", o.Post)
		} else if err != nil {
			return out, err
		}
	}
	switch o.Act {
	case "list":
		return out, o.list(ctx, s, now, &out)
	case "who":
		q, err := people.Question{Post: o.Post, Area: o.Area}.OnDay(o.Day)
		if err != nil {
			return out, err
		}
		out.Holdings, err = s.On(ctx, q)
		return out, err
	case "appoint":
		u, err := accounts.UserByLogin(ctx, o.Login)
		if errs.Is(err, errs.NotFound) {
			return out, fmt.Errorf("there is no account %q; \"plateau user list\" shows them", o.Login)
		}
		if err != nil {
			return out, err
		}
		a := people.Appointment{Post: o.Post, Account: u.ID}
		if a.From, err = dayIn(o.From); err != nil {
			return out, err
		}
		if a.To, err = dayIn(o.To); err != nil {
			return out, err
		}
		if !a.To.IsZero() {
			a.To = a.To.AddDate(0, 0, 1)
		}
		made, err := s.Appoint(ctx, a, auth.System)
		out.ID = made.ID
		return out, err
	case "delegate":
		u, err := accounts.UserByLogin(ctx, o.Login)
		if errs.Is(err, errs.NotFound) {
			return out, fmt.Errorf("there is no account %q; \"plateau user list\" shows them", o.Login)
		}
		if err != nil {
			return out, err
		}
		d := people.Delegation{Appointment: o.ID, Account: u.ID}
		if d.To, err = dayIn(o.To); err != nil {
			return out, err
		}
		if !d.To.IsZero() {
			d.To = d.To.AddDate(0, 0, 1)
		}
		made, err := s.Delegate(ctx, d, auth.System)
		out.ID = made.ID
		return out, o.found(err, "appointment")
	case "withdraw":
		return out, o.found(s.Withdraw(ctx, o.ID, auth.System), "delegation")
	case "end":
		end, err := dayIn(o.To)
		if err != nil {
			return out, err
		}
		if !end.IsZero() {
			end = end.AddDate(0, 0, 1)
		}
		return out, o.found(s.End(ctx, o.ID, end, auth.System), "appointment")
	}
	return out, fmt.Errorf("unknown order %q", o.Act)
}

// found words the error of an id that there is not.
func (o *RoleOrder) found(err error, what string) error {
	if errs.Is(err, errs.NotFound) {
		return fmt.Errorf("there is no %s %q; \"plateau role who\" shows their ids", what, o.ID)
	}
	return err
}

func (o *RoleOrder) list(ctx context.Context, s *people.Service, now time.Time, out *RoleAnswer) error {
	all, err := s.Posts(ctx)
	if err != nil {
		return err
	}
	today := i18n.Short(now)
	for i := range all {
		if p := all[i]; (p.To == "" || p.To >= today) && s.Reaches(p, o.Area) {
			out.Posts = append(out.Posts, p)
		}
	}
	list, err := s.Organisations(ctx)
	if err != nil {
		return err
	}
	out.Organisations = map[string]string{}
	for i := range list {
		out.Organisations[list[i].ID] = list[i].Name.Zh
	}
	out.Holdings, err = s.On(ctx, people.Question{Area: o.Area, From: now, To: now.Add(time.Microsecond)})
	return err
}

// dayIn is the beginning of a day; zero of none.
func dayIn(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, ok := people.Day(s)
	if !ok {
		return t, fmt.Errorf("%q is no day; write it as 2026-11-23", s)
	}
	return t, nil
}
