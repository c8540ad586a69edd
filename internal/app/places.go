package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
)

// registryPlaces lets the platform's posts be held for what the registry has.
type registryPlaces struct{ registry *telemetry.Registry }

// Within implements access.Areas.
func (p registryPlaces) Within(code, above string) bool {
	return p.registry.Snapshot().Within(code, above)
}

// AreaLevel implements people.Places.
func (p registryPlaces) AreaLevel(code string) string {
	if a := p.registry.Snapshot().Areas[code]; a != nil {
		return a.Level
	}
	return ""
}

// HasEnterprise implements people.Places.
func (p registryPlaces) HasEnterprise(id string) bool {
	return p.registry.Snapshot().Enterprises[id] != nil
}

// AreaName implements peopleweb.Names.
func (p registryPlaces) AreaName(code string) (auth.Post, bool) {
	if a := p.registry.Snapshot().Areas[code]; a != nil {
		return auth.Post(a.Name), true
	}
	return auth.Post{}, false
}

// EnterpriseName implements peopleweb.Names.
func (p registryPlaces) EnterpriseName(id string) (auth.Post, bool) {
	if e := p.registry.Snapshot().Enterprises[id]; e != nil {
		return auth.Post(e.Name), true
	}
	return auth.Post{}, false
}

// Areas implements peopleweb.Names.
func (p registryPlaces) Areas() []string {
	s := p.registry.Snapshot()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Areas)), func(code string) bool {
		a := s.Areas[code]
		return a.Number() > 3 || !s.Current(a)
	})
}

// samplePosts makes an organisation of the demonstration with two posts that its
// officer holds; what is there is left as it is.
func (a *App) samplePosts(ctx context.Context) error {
	if list, err := a.people.Organisations(ctx); err != nil || len(list) > 0 {
		return err
	}
	u, err := a.auth.UserByLogin(ctx, "officer")
	if errs.Is(err, errs.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	office, err := a.people.PutOrganisation(ctx, people.Organisation{Kind: "authority", Name: auth.Post{Zh: "生态环境局（示例）", En: "Environment bureau (sample)"}, Area: "540000"}, auth.System)
	if err != nil {
		return fmt.Errorf("sample organisation: %w", err)
	}
	for i, p := range []people.Post{
		{Kind: "officer", Title: auth.Post{Zh: "值班员（示例）", En: "Duty officer (sample)"}, Several: true},
		{Kind: "supervisor_city", Area: "540100", Title: auth.Post{Zh: "拉萨市监管岗（示例）", En: "Supervisor of Lhasa (sample)"}},
	} {
		p.Organisation = office.ID
		if p, err = a.people.AddPost(ctx, p, auth.System); err != nil {
			return fmt.Errorf("sample post: %w", err)
		}
		if _, err := a.people.Appoint(ctx, people.Appointment{Post: p.ID, Account: u.ID, From: a.now().AddDate(0, 0, i-30)}, auth.System); err != nil {
			return fmt.Errorf("sample appointment: %w", err)
		}
	}
	return nil
}
