package app

import (
	"bytes"
	"context"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casenotice"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/people"
	"plateau/internal/publicweb"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/supervise"
)

// openSupervision makes what opens cases of alarms, and lets it hear of cases.
func (a *App) openSupervision() (err error) {
	a.overseer, err = supervise.New(supervise.Options{DB: a.db, Cases: a.cases, Registry: a.registry, Now: a.now, Logger: a.log, BaseURL: a.c.HTTP.URL, Evidence: a.alarmEvidence})
	if err != nil {
		return err
	}
	a.told, err = casenotice.New(casenotice.Options{Notify: a.notify, Holders: a.holders, Now: a.now, Parent: func(area string) string {
		if x := a.registry.Snapshot().Areas[area]; x != nil {
			return x.Parent
		}
		return ""
	}})
	a.cases.Added = a.caseEvent
	return err
}

// alarmEvidence keeps what an alarm stands on as a file of the program's.
func (a *App) alarmEvidence(ctx context.Context, e *alarm.Episode) (string, error) {
	text, err := supervise.Describe(e, a.engine, a.store, a.now())
	if err != nil {
		return "", err
	}
	f, err := a.evidence.Put(ctx, auth.System, "alarm-"+e.ID+".json", bytes.NewReader(text))
	return f.SHA256, err
}

// holders lists who acts in which posts, and by the kind of their account.
func (a *App) holders(ctx context.Context, q db.Querier) (out []casenotice.Holder, err error) {
	accounts, err := auth.OpenAccounts(ctx, q)
	if err != nil {
		return nil, err
	}
	held, appointed, err := people.AllHeld(ctx, q, a.now())
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	for i := range accounts {
		p := &accounts[i]
		open[p.ID] = true
		if !appointed[p.ID] {
			out = append(out, casenotice.Holder{Account: p.ID, Grants: p.Grants(), Enterprise: p.Enterprise})
		}
	}
	for _, h := range held {
		if open[h.Account] {
			out = append(out, casenotice.Holder{Account: h.Account, Post: h.Post, Organisation: h.Organisation, Grants: access.Default().Account(h.Kind, h.Area, h.Enterprise), Enterprise: h.Enterprise})
		}
	}
	return out, nil
}

// caseEvent lets the rest of the program know of an event of a case.
func (a *App) caseEvent(ctx context.Context, tx *db.Tx, t *casework.Type, c *casework.Case, e *casework.Event) error {
	if err := a.told.Added(ctx, tx, t, c, e); err != nil {
		return err
	}
	return a.overseer.Added(ctx, tx, t, c, e)
}

// superviseAlarms makes cases of alarms until ctx ends; of a demonstration when its
// history is there.
func (a *App) superviseAlarms(ctx context.Context) error {
	if a.filled != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-a.filled:
		}
	}
	return a.overseer.Run(ctx, a.alarms)
}

// alarmCases lets the pages open cases of alarms in the name of who asks.
type alarmCases struct {
	*supervise.Service
	alarms *alarm.Service
}

// Of implements telemetryweb.Supervision.
func (s *alarmCases) Of(ctx context.Context, e *alarm.Episode) (supervise.Of, error) {
	return s.Service.Of(ctx, e, auth.From(ctx))
}

// Open implements telemetryweb.Supervision.
func (s *alarmCases) Open(ctx context.Context, id, note string) error {
	_, err := s.Service.Open(ctx, s.alarms, id, note, auth.From(ctx))
	return err
}

// Investigate implements telemetryweb.Supervision.
func (s *alarmCases) Investigate(ctx context.Context, id, reason string) error {
	_, err := s.Service.Investigate(ctx, id, reason, auth.From(ctx))
	return err
}

// publicCases tells residents of the cases of exceedances.
type publicCases struct{ a *App }

// OfOutlet implements publicweb.Cases.
func (p publicCases) OfOutlet(ctx context.Context, outlet telemetry.OutletID, since time.Time) (out []publicweb.Case, err error) {
	list, err := p.a.overseer.OfOutlet(ctx, p.a.alarms, outlet, since)
	for i := range list {
		c, e := list[i].Case, &list[i].Episode
		out = append(out, publicweb.Case{
			Number: casework.Written(c.TrackingNo), Href: "/track?number=" + c.TrackingNo, State: list[i].State, Summary: c.Summary, Opened: c.Created, Since: c.StateSince, Open: list[i].Open,
			Kind: e.Kind, Factor: e.Factor, Level: e.Statistic, From: e.Start, To: e.End,
		})
	}
	return out, err
}
