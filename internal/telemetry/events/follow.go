package events

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// States is what gives the states of all outlets; *quality.Engine is one.
type States interface {
	States(asOf time.Time) ([]quality.StateResult, error)
	Ready() bool
	Backlog() quality.Backlog
}

// told is the state of an outlet that the last event told.
type told struct{ state, factor string }

// dropEvery is how often old events are dropped.
const dropEvery = time.Hour

// Follow compares the states of outlets with the last ones told, every so often,
// and notes what changed; an outlet seen for the first time is only remembered.
// It also drops old events. It returns nil when ctx ends; faults are logged and
// tried again.
func (l *Log) Follow(ctx context.Context, s States, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var dropped time.Time
	var known map[telemetry.OutletID]told
	said := ""
	for {
		err := l.look(ctx, s, &known)
		if now := l.o.Now(); err == nil && now.Sub(dropped) >= dropEvery {
			dropped = now
			err = l.Drop(ctx)
		}
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			l.o.Logger.ErrorContext(ctx, "noting states failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// behind reports whether the judgement has so much to do that the states would
// only tell of that.
func behind(s States) bool {
	b := s.Backlog()
	return !s.Ready() || b.Dirty > 500 || b.Tail > b.Cursor+200
}

func (l *Log) look(ctx context.Context, s States, known *map[telemetry.OutletID]told) (err error) {
	if behind(s) {
		return nil
	}
	if *known == nil {
		if *known, err = l.loadStates(ctx); err != nil {
			return err
		}
	}
	list, err := s.States(l.o.Now())
	if err != nil {
		return err
	}
	snap := l.o.Registry.Snapshot()
	var changed []quality.StateResult
	var events []Event
	for i := range list {
		r := &list[i]
		is := told{r.State.String(), r.Factor}
		was, seen := (*known)[r.Outlet]
		if seen && was.state == is.state {
			continue
		}
		changed = append(changed, *r)
		if !seen {
			continue
		}
		events = append(events, StateEvent(snap, r, was.state))
	}
	if len(changed) == 0 {
		return nil
	}
	err = l.o.DB.Tx(ctx, func(tx *db.Tx) error {
		for i := range changed {
			r := &changed[i]
			if _, err := tx.Exec(ctx, `INSERT INTO event_states (outlet, state, factor, since) VALUES ($1, $2, $3, $4)
				ON CONFLICT (outlet) DO UPDATE SET state = excluded.state, factor = excluded.factor, since = excluded.since`,
				int64(r.Outlet), r.State.String(), r.Factor, db.Micros(r.Since)); err != nil {
				return fmt.Errorf("remember the state of outlet %d: %w", r.Outlet, err)
			}
		}
		return l.Append(ctx, tx, events)
	})
	if err != nil {
		return err
	}
	for i := range changed {
		(*known)[changed[i].Outlet] = told{changed[i].State.String(), changed[i].Factor}
	}
	l.wake()
	return nil
}

func (l *Log) loadStates(ctx context.Context) (map[telemetry.OutletID]told, error) {
	rows, err := l.o.DB.Query(ctx, `SELECT outlet, state, factor FROM event_states`)
	if err != nil {
		return nil, fmt.Errorf("read the states last told: %w", err)
	}
	defer rows.Close()
	out := map[telemetry.OutletID]told{}
	for rows.Next() {
		var id int64
		var t told
		if err := rows.Scan(&id, &t.state, &t.factor); err != nil {
			return nil, fmt.Errorf("read the states last told: %w", err)
		}
		out[telemetry.OutletID(id)] = t
	}
	return out, rows.Err()
}
