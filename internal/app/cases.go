package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"plateau/internal/caseweb"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/calendar"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
	"plateau/rules"
)

// casePlaces are the areas and the organisations that cases are handed to:
// authorities and others among the posts, enterprises of the registry.
type casePlaces struct {
	registryPlaces
	people *people.Service
}

// HasArea implements casework.Places.
func (p casePlaces) HasArea(code string) bool { return p.registry.Snapshot().Areas[code] != nil }

// Codes implements casework.Places.
func (p casePlaces) Codes() []string {
	return slices.Collect(maps.Keys(p.registry.Snapshot().Areas))
}

// Unit implements casework.Places.
func (p casePlaces) Unit(id string) (area string, exists bool) {
	if e := p.registry.Snapshot().Enterprises[id]; e != nil {
		return e.Area, true
	}
	o, err := p.people.Organisation(context.Background(), id)
	return o.Area, err == nil && id != ""
}

// newCases makes the service of cases over a database.
func newCases(ctx context.Context, d *db.DB, types *casework.Types, workdays *calendar.Set, r *telemetry.Registry, posts *people.Service, now func() time.Time) (*casework.Service, error) {
	return casework.New(ctx, casework.Options{
		DB: d, Types: types, Places: casePlaces{registryPlaces{r}, posts}, Now: now,
		Units: func(ctx context.Context, p auth.Principal) ([]string, error) { return unitsOf(ctx, posts, p) },
		Posts: func(ctx context.Context, p auth.Principal) ([]string, error) { return postsOf(ctx, posts, p) },
		Calendars: func(area string) casework.Calendar {
			c, _ := workdays.For(area, func(code string) (string, bool) {
				x := r.Snapshot().Areas[code]
				if x == nil {
					return "", false
				}
				return x.Parent, x.Parent != ""
			})
			return countIn{c}
		},
	})
}

// openEvidence makes the service of the files that come with cases.
func (a *App) openEvidence() (err error) {
	a.evidence, err = evidence.New(evidence.Options{
		DB: a.db, Data: a.c.Data, Unused: time.Duration(a.c.Evidence.Unused), Unfinished: time.Duration(a.c.Evidence.Unfinished), Now: a.now, Logger: a.log,
		Limits: func() (evidence.Limits, error) { return fileLimits(a.now()) },
	})
	return err
}

// fileLimits are those of rule evidence.files in force at a time.
func fileLimits(at time.Time) (evidence.Limits, error) {
	r, ok := rules.Default().At("evidence.files", at.In(i18n.Zone).Format(time.DateOnly))
	if !ok {
		return evidence.Limits{}, fmt.Errorf("rule evidence.files is missing: %w", rules.ErrInvalid)
	}
	return evidence.ReadLimits(r)
}

// unitsOf are the organisations that somebody acts for: that of the post, and the
// enterprise the post is for.
func unitsOf(ctx context.Context, posts *people.Service, p auth.Principal) (out []string, err error) {
	if p.Enterprise != "" {
		out = append(out, p.Enterprise)
	}
	o, err := posts.OrganisationOf(ctx, p.Acting)
	if err == nil && o != "" {
		out = append(out, o)
	}
	return out, err
}

// postsOf is the post in which somebody acts.
func postsOf(ctx context.Context, posts *people.Service, p auth.Principal) ([]string, error) {
	id, err := posts.PostOf(ctx, p.Acting)
	if err != nil || id == "" {
		return nil, err
	}
	return []string{id}, nil
}

// countIn counts the spans of case types in a calendar.
type countIn struct{ *calendar.Calendar }

// Due implements casework.Calendar.
func (c countIn) Due(start time.Time, span casework.Span) (due time.Time, provisional bool) {
	switch span.Unit {
	case casework.WorkingDays:
		day, provisional := c.AddWorkingDays(start, span.N)
		return c.End(day), provisional
	case casework.WorkingHours:
		return c.AddWorkingHours(start, span.N)
	case casework.Days:
		return start.AddDate(0, 0, span.N), false
	case casework.Hours:
	}
	return start.Add(time.Duration(span.N) * time.Hour), false
}

// sweepEvery is how often deadlines are looked at.
const sweepEvery = time.Minute

// sweepCases lets cases do what their time asks for, until ctx ends.
func (a *App) sweepCases(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if n, err := a.cases.Sweep(ctx); err != nil && ctx.Err() == nil && !errs.Is(err, errs.Busy) {
			a.log.ErrorContext(ctx, "deadlines of cases", slog.Any("error", err))
		} else if n > 0 {
			a.log.InfoContext(ctx, "deadlines of cases", slog.Int("events", n))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// unitsIn are the organisations that a case of an area can be handed to: those that
// act there today, authorities before enterprises.
func (a *App) unitsIn(ctx context.Context, area string) (out []caseweb.Choice, err error) {
	list, err := a.people.Organisations(ctx)
	if err != nil {
		return nil, err
	}
	snap, today := a.registry.Snapshot(), i18n.Short(a.now())
	for _, o := range list {
		if (o.From == "" || o.From <= today) && (o.To == "" || today <= o.To) && (area == "" || o.Area == "" || snap.Within(area, o.Area) || snap.Within(o.Area, area)) {
			out = append(out, caseweb.Choice{ID: o.ID, Name: casework.Text(o.Name)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(snap.Enterprises)) {
		if e := snap.Enterprises[id]; area == "" || snap.Within(e.Area, area) {
			out = append(out, caseweb.Choice{ID: id, Name: casework.Text(e.Name)})
		}
	}
	return out, nil
}

// mostPosts bounds the posts that a comment can name.
const mostPosts = 60

// postsOn are the posts in force that see a case, to be named in a comment: those of the
// organisations that act on it, then by how near their area is.
func (a *App) postsOn(ctx context.Context, c *casework.Case) ([]caseweb.Choice, error) {
	list, err := a.people.Posts(ctx)
	if err != nil {
		return nil, err
	}
	snap, today := a.registry.Snapshot(), i18n.Short(a.now())
	far := func(p *people.Post) int {
		n := 1
		for code := c.Location.Area; code != p.Area; n++ {
			x := snap.Areas[code]
			if x == nil {
				break
			}
			code = x.Parent
		}
		if p.Organisation == c.OwnerUnit || slices.Contains(c.CoUnits, p.Organisation) {
			return 0
		}
		return n
	}
	list = slices.DeleteFunc(list, func(p people.Post) bool {
		return p.From != "" && today < p.From || p.To != "" && p.To < today || !a.cases.SeenFrom(c, p.Kind, p.Area, p.Enterprise, p.Organisation)
	})
	slices.SortStableFunc(list, func(x, y people.Post) int { return far(&x) - far(&y) })
	var out []caseweb.Choice
	for i := range list[:min(len(list), mostPosts)] {
		name, _ := a.postName(ctx, list[i].ID)
		out = append(out, caseweb.Choice{ID: list[i].ID, Name: name})
	}
	return out, nil
}

// postSees reports whether whoever holds a post sees a case.
func (a *App) postSees(ctx context.Context, c *casework.Case, id string) bool {
	p, err := a.people.Post(ctx, id)
	return err == nil && a.cases.SeenFrom(c, p.Kind, p.Area, p.Enterprise, p.Organisation)
}

// postName is a post in words, with its organisation.
func (a *App) postName(ctx context.Context, id string) (casework.Text, bool) {
	p, err := a.people.Post(ctx, id)
	if err != nil {
		return casework.Text{}, false
	}
	o, err := a.people.Organisation(ctx, p.Organisation)
	if err != nil {
		return casework.Text(p.Title), true
	}
	at := func(lang string) string { return o.Name.In(lang) + " " + p.Title.In(lang) }
	return casework.Text{Zh: at("zh"), Bo: at("bo"), En: at("en")}, true
}

// areaName is an area where cases are, in words.
func (a *App) areaName(code string) (casework.Text, bool) {
	n, ok := registryPlaces{a.registry}.AreaName(code)
	return casework.Text(n), ok
}

// caseChoices are the areas and the organisations that lists of cases are narrowed by.
func (a *App) caseChoices(ctx context.Context) (out caseweb.Choices, err error) {
	for _, code := range (registryPlaces{a.registry}).Areas() {
		name, _ := a.areaName(code)
		out.Areas = append(out.Areas, caseweb.Choice{ID: code, Name: name})
	}
	list, err := a.people.Organisations(ctx)
	if err != nil {
		return out, err
	}
	for _, o := range list {
		out.Units = append(out.Units, caseweb.Choice{ID: o.ID, Name: casework.Text(o.Name)})
	}
	snap := a.registry.Snapshot()
	for _, id := range slices.Sorted(maps.Keys(snap.Enterprises)) {
		out.Units = append(out.Units, caseweb.Choice{ID: id, Name: casework.Text(snap.Enterprises[id].Name)})
	}
	return out, nil
}

// unitName is an organisation that acts on cases, in words.
func (a *App) unitName(id string) (casework.Text, bool) {
	if e := a.registry.Snapshot().Enterprises[id]; e != nil {
		return casework.Text(e.Name), true
	}
	o, err := a.people.Organisation(context.Background(), id)
	return casework.Text(o.Name), err == nil
}
