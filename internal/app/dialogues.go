package app

import (
	"context"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/dialogue"
	"plateau/rules"
)

// settlePasswords is how often it is looked which of two passwords a logger uses.
const settlePasswords = 5 * time.Second

// openDialogues makes what talks to the loggers: commands and back-fill.
func (a *App) openDialogues(ctx context.Context) (err error) {
	if a.asks, err = dialogue.New(ctx, dialogue.Options{DB: a.db, Gateway: a.gateway, Registry: a.registry, Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	if a.c.HJ212.AdoptUnknown {
		return nil // a trial replays old series, and asks nothing of a logger
	}
	o := backfill.Options{
		DB: a.db, Store: a.store, Registry: a.registry, Gateway: a.gateway, Dialogues: a.asks, Rules: rules.Default(), Now: a.now, Logger: a.log,
	}
	if a.o.Demo {
		o.Every, o.LookBack, o.Adjust = 3*time.Second, time.Hour, demoBackfill
	}
	a.gaps, err = backfill.New(ctx, o)
	return err
}

// askLogger carries out what the gateway wants of a logger.
func (a *App) askLogger(ctx context.Context, mn, reason string, cmd hj212.Command) error {
	_, err := a.asks.Do(ctx, dialogue.Order{MN: mn, Act: dialogue.ActOf(cmd.CN), Command: cmd, Origin: reason, By: auth.System})
	return err
}

// demoSettle is how long the loggers of a demonstration take to dial in.
const demoSettle = 15 * time.Second

// demoBackfill lets a demonstration show a gap within the minute, and leaves it
// open long enough to be looked at.
func demoBackfill(p *backfill.Params) {
	p.Grace[telemetry.KindMinute] = 25 * time.Second
	p.Grace[telemetry.KindHour] = 2 * time.Minute
	p.Wait, p.Pause = 6*time.Minute, 2*time.Minute
}

// backfill looks for gaps; in a demonstration once its history is there.
func (a *App) backfill(ctx context.Context) error {
	if a.filled != nil {
		select {
		case <-a.filled:
		case <-ctx.Done():
			return nil
		}
		select { // what ended while the history came is sent by the loggers now
		case <-time.After(demoSettle):
		case <-ctx.Done():
			return nil
		}
	}
	return a.gaps.Run(ctx)
}
