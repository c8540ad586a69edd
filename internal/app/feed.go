package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"plateau/internal/telemetry/simulator"
)

// feedConns is how many connections carry the history; loggers are spread over
// them, so each logger's frames stay in order.
const feedConns = 8

// feed sends the history of sample loggers to the gateway over TCP, the path
// that every logger takes.
type feed struct {
	addr     string
	world    *simulator.World
	since    map[string]time.Time // by MN: what is there already; others get none
	to       time.Time
	progress *progress
	now      func() time.Time
	log      *slog.Logger
}

// progressEvery is the time between two lines about progress in the log.
const progressEvery = 2 * time.Second

// run returns when all of the history is acknowledged.
func (f *feed) run(ctx context.Context) error {
	from := f.to
	for _, t := range f.since {
		if t.Before(from) {
			from = t
		}
	}
	if !from.Before(f.to) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	lanes := make([]chan []byte, feedConns)
	for i := range lanes {
		lanes[i] = make(chan []byte, 4096)
		wg.Go(func() {
			l := lane{addr: f.addr, frames: lanes[i], wait: laneWait, pause: lanePause, log: f.log}
			if err := l.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	f.progress.set(0, f.world.Expected(from, f.to))
	said := f.now()
	laneOf := map[string]int{}
	err := f.world.History(ctx, from, f.to, func(frame []byte, mn string, sentAt time.Time) error {
		f.progress.add(1)
		if now := f.now(); now.Sub(said) >= progressEvery {
			said = now
			_, percent := f.progress.percent()
			f.log.InfoContext(ctx, "history is being filled in", slog.Int("percent", percent))
		}
		if since, ok := f.since[mn]; !ok || !sentAt.After(since) {
			return nil
		}
		i, ok := laneOf[mn]
		if !ok {
			i = len(laneOf) % feedConns
			laneOf[mn] = i
		}
		select {
		case lanes[i] <- frame:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	for _, l := range lanes {
		close(l)
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("fill in history: %w", err)
	}
	return nil
}
