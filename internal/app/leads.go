package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/lead"
)

// openLeads makes the service of leads.
func (a *App) openLeads() (err error) {
	a.leads, err = lead.New(lead.Options{DB: a.db, Engine: a.engine, Registry: a.registry, Clock: a.clocksOf, Now: a.now, Logger: a.log})
	return err
}

// clocksOf are the measurements of the clocks of an outlet's loggers in a span.
func (a *App) clocksOf(ctx context.Context, outlet telemetry.OutletID, from, to time.Time) (out []lead.Offset, err error) {
	for _, d := range a.registry.Snapshot().DevicesOf(outlet) {
		list, err := a.asks.Offsets(ctx, d.MN, from)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if x.At.Before(from) || !x.At.Before(to) {
				continue
			}
			out = append(out, lead.Offset{At: x.At.Unix(), Seconds: x.Offset.Seconds()})
		}
	}
	slices.SortFunc(out, func(x, y lead.Offset) int { return int(x.At - y.At) })
	return out, nil
}

// lookForLeads runs the service; of a demonstration once its history is there.
func (a *App) lookForLeads(ctx context.Context) error {
	if a.filled != nil {
		select {
		case <-a.filled:
		case <-ctx.Done():
			return nil
		}
	}
	return a.leads.Run(ctx)
}

// leadCases lets people open cases from leads.
type leadCases struct{ app *App }

// MayOpen implements leadweb.Cases: who may take the action that opens one.
func (x leadCases) MayOpen(who auth.Principal, o *telemetry.Outlet) bool {
	t, ok := x.app.cases.Types.InForce(lead.CaseKind, x.app.now().In(i18n.Zone).Format(time.DateOnly))
	if !ok {
		return false
	}
	open := t.Opens("open")
	return open != nil && slices.ContainsFunc(who.Grants(), func(g access.Grant) bool {
		role, mine := strings.CutPrefix(g.Role, t.System+".")
		return mine && slices.Contains(open.Roles, role) && (g.Area == "" || x.app.registry.Snapshot().Within(o.Area, g.Area))
	})
}

// Open implements leadweb.Cases.
func (x leadCases) Open(ctx context.Context, l *lead.Lead, o *telemetry.Outlet, title, text, lang string, by auth.Principal) (id, number string, err error) {
	c, _, err := x.app.cases.Open(ctx, casework.Opening{
		Kind: lead.CaseKind, Action: "open", Title: title, Text: text, Lang: lang, Source: "inspection",
		Location: casework.Location{Area: o.Area, Lat: o.Lat, Lon: o.Lon}, Subject: casework.Subject{Kind: "lead", ID: l.ID},
	}, casework.Input{}, by, casework.Request{})
	if err != nil {
		return "", "", err
	}
	return c.ID, c.TrackingNo, nil
}
