package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"plateau/internal/accountweb"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/personal"
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

// retainEvery is how often personal data whose time is over is erased; the
// register (package personal) tells people that it is gone within that.
const retainEvery = 6 * time.Hour

// retain erases it at the start and from then on until ctx ends.
func (a *App) retain(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		if err := a.expire(ctx); err != nil && ctx.Err() == nil { // what is over stays over: the next time takes it
			a.log.WarnContext(ctx, "personal data whose time is over was not erased", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// expire erases what is over by now.
func (a *App) expire(ctx context.Context) error {
	now, r := a.now(), personal.Default()
	rows, err := a.auth.Expire(ctx, now.Add(-r.Life("token")))
	if err != nil {
		return err
	}
	addresses, err := audit.Expire(ctx, a.db, now.Add(-r.Life("address")), auth.System.Entry(now, "platform", "", "", ""))
	if err != nil {
		return err
	}
	contacts, err := a.cases.ExpireContacts(ctx, now.Add(-r.Life("case_contact")))
	if err != nil {
		return err
	}
	if rows+addresses+contacts > 0 {
		a.log.InfoContext(ctx, "personal data whose time is over was erased", slog.Int64("rows", rows), slog.Int64("addresses", addresses), slog.Int64("contacts", contacts))
	}
	return nil
}

// registryChanges reads what an act on the registry did, from the rows of the
// registry's log that its entry names; nil when it names none.
func (a *App) registryChanges(ctx context.Context, detail string) ([]accountweb.Change, error) {
	var d struct {
		Log struct{ First, Last string }
	}
	if err := json.Unmarshal([]byte(detail), &d); err != nil || d.Log.First == "" {
		return nil, nil //nolint:nilerr // an entry whose detail was erased, or of an older form
	}
	rows, err := a.registry.LogBetween(ctx, d.Log.First, d.Log.Last, mostChanges)
	if err != nil {
		return nil, err
	}
	var out []accountweb.Change
	for _, r := range rows {
		out = append(out, accountweb.Change{Kind: r.Kind, Ref: r.Ref, Before: r.Old, After: r.New})
	}
	return out, nil
}

// mostChanges bounds what the page of an entry shows of an import.
const mostChanges = 100

// Did says an act of the record in English, for the shell.
func Did(act string) string { return accountweb.Did(i18n.Default().For(i18n.En), act) }
