package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry/events"
)

// turn bounds how long a subscription keeps a worker before the others get one.
const turn = 30 * time.Second

// Run delivers until ctx ends; it returns nil then, when the deliveries under
// way are over. Faults are logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, s.o.Workers)
	said := ""
	for {
		due, err := s.due(ctx)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "webhooks are not looked for", slog.Any("error", err))
		}
		for i := range due {
			h := due[i]
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				for k := i; k < len(due); k++ { // taken, and not begun
					s.release(due[k].ID)
				}
				return nil
			}
			wg.Go(func() {
				defer func() { s.release(h.ID); <-slots }()
				if err := s.serve(ctx, &h); err != nil && ctx.Err() == nil {
					s.o.Logger.ErrorContext(ctx, "webhook not served", slog.String("webhook", h.ID), slog.Any("error", err))
				}
			})
		}
		if s.o.Log.Wait(ctx) != nil {
			return nil
		}
	}
}

// due lists and takes the subscriptions that have something to be told.
func (s *Service) due(ctx context.Context) ([]Hook, error) {
	_, last, err := s.o.Log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	list, err := list(ctx, s.o.DB, `WHERE paused = 0 AND next_seq < $1 AND (next_try IS NULL OR next_try <= $2) ORDER BY next_seq, id`, last, db.Micros(s.o.Now()))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Hook
	for i := range list {
		if !s.busy[list[i].ID] {
			s.busy[list[i].ID] = true
			out = append(out, list[i])
		}
	}
	return out, nil
}

func (s *Service) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

// serve tells one subscription of what happened, in order, until nothing is
// left, a delivery fails, or its turn is over.
func (s *Service) serve(ctx context.Context, h *Hook) error {
	end := s.o.Now().Add(turn)
	fresh, err := s.Get(ctx, h.ID) // it may have been served since it was listed
	if err != nil || fresh.Paused {
		return ignore(err)
	}
	*h = fresh
	for s.o.Now().Before(end) {
		batch, next, err := s.o.Log.Since(ctx, h.Next, 50)
		if errs.Is(err, errs.Conflict) { // too slow: events were dropped meanwhile
			if err = s.skip(ctx, h); err == nil {
				continue
			}
		}
		if err != nil || next == h.Next {
			return err
		}
		snap := s.o.Registry.Snapshot()
		for i := range batch {
			e := &batch[i]
			if !h.wants(e, snap) {
				h.Next = e.Seq
				continue
			}
			if now, err := s.Get(ctx, h.ID); err != nil || now.Paused || now.Version != h.Version {
				return ignore(err) // changed by somebody: begin anew with that
			}
			ok, err := s.tell(ctx, h, e)
			if err != nil || !ok {
				return err
			}
		}
		h.Next = next
		if err := s.o.DB.Tx(ctx, func(tx *db.Tx) error { return advance(ctx, tx, h) }); err != nil {
			return err
		}
	}
	return nil
}

// ignore takes a subscription that is gone for nothing to do.
func ignore(err error) error {
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}

// skip goes on behind events that are no longer kept.
func (s *Service) skip(ctx context.Context, h *Hook) error {
	first, _, err := s.o.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	s.count.dropped.Add(first - h.Next)
	h.GivenUp += int(first - h.Next)
	h.Next, h.Tries, h.FirstTry, h.NextTry = first, 0, time.Time{}, time.Time{}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error { return advance(ctx, tx, h) })
}

// tell delivers one event and writes down how it went; ok = go on with the next
// one.
func (s *Service) tell(ctx context.Context, h *Hook, e *events.Event) (ok bool, err error) {
	a := s.post(ctx, h, e.ID, e.JSON(s.o.BaseURL))
	if a.Err != nil && ctx.Err() != nil {
		return false, nil // the program ends: this was no fault of the receiver
	}
	now := s.o.Now().UTC()
	h.Tries++
	d := s.delivery(e.ID, string(e.Kind), h.Tries, &a)
	if h.FirstTry.IsZero() {
		h.FirstTry = now
	}
	pause := false
	switch {
	case a.Err == nil:
		h.Next, h.GivenUp, ok = e.Seq, 0, true
	case a.Gone():
		pause = true
	case now.Sub(h.FirstTry) >= s.o.GiveUp:
		d.Outcome = GaveUp
		h.Next, ok = e.Seq, true
		h.GivenUp++
	default:
		h.NextTry = now.Add(max(a.Wait, outbound.Backoff(s.o.First, h.Tries)))
	}
	if ok {
		h.Tries, h.FirstTry, h.NextTry = 0, time.Time{}, time.Time{}
	}
	s.count.took(d.Outcome)
	return ok, s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := note(ctx, tx, h.ID, &d); err != nil {
			return err
		}
		if pause {
			if _, err := tx.Exec(ctx, `UPDATE webhooks SET paused = 1, version = version + 1 WHERE id = $1`, h.ID); err != nil {
				return err
			}
		}
		return advance(ctx, tx, h)
	})
}
