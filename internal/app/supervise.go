package app

import (
	"context"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/supervise"
)

// openSupervision makes what opens cases of alarms, and lets it hear of cases.
func (a *App) openSupervision() (err error) {
	a.overseer, err = supervise.New(supervise.Options{DB: a.db, Cases: a.cases, Registry: a.registry, Now: a.now, Logger: a.log, BaseURL: a.c.HTTP.URL})
	a.cases.Added = a.caseEvent
	return err
}

// caseEvent lets the rest of the program know of an event of a case.
func (a *App) caseEvent(ctx context.Context, tx *db.Tx, t *casework.Type, c *casework.Case, e *casework.Event) error {
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
