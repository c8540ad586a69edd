package app

import (
	"context"
	"log/slog"
	"time"
)

// failuresEvery is how often failed sign-ins are written into the record: one
// entry for an account each time, however many there were.
const failuresEvery = 15 * time.Minute

// noteFailures writes them until ctx ends, and then the last ones.
func (a *App) noteFailures(ctx context.Context) error {
	tick := time.NewTicker(failuresEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return a.auth.NoteFailures(end)
		case <-tick.C:
			err = a.auth.NoteFailures(ctx)
		}
		if err != nil { // they are kept for the next time
			a.log.WarnContext(ctx, "failed sign-ins are not in the record yet", slog.Any("error", err))
		}
	}
}
