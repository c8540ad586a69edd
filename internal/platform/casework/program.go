package casework

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// News is the action of an event by which the program says in a case what became of
// what it is about; no type can have one of this name.
const News = "news"

// OpenIn is Open inside a transaction of the caller, for what must be there together
// with the case.
func (s *Service) OpenIn(ctx context.Context, tx *db.Tx, o Opening, in Input, by auth.Principal) (*Case, error) {
	c, _, err := s.openIn(ctx, tx, o, in, by, Request{})
	return c, err
}

// In returns a case as a transaction sees it, whoever asks; errs.NotFound.
func (s *Service) In(ctx context.Context, tx *db.Tx, id string) (*Case, error) {
	return s.load(ctx, tx, `id = $1`, id)
}

// EventsIn are the events of a case as a transaction sees them, in their order.
func (s *Service) EventsIn(ctx context.Context, tx *db.Tx, id string) ([]Event, error) {
	return s.events(ctx, tx, id)
}

// Say adds to a case what the program has to say of what it is about, in the words of
// form, and whom to tell of it. The case stays as it is, also one that is over.
func (s *Service) Say(ctx context.Context, tx *db.Tx, id string, form map[string]string, tell ...string) error {
	if _, err := tx.Exec(ctx, `UPDATE cases SET events = events WHERE id = $1`, id); err != nil {
		return err
	}
	c, err := s.load(ctx, tx, `id = $1`, id)
	if err != nil {
		return err
	}
	t := s.TypeOf(c)
	if t == nil {
		return fmt.Errorf("case %s is of %s version %d, which this program does not have", c.ID, c.Kind, c.Version)
	}
	e := Event{Case: c.ID, Seq: c.Events + 1, Action: News, From: c.State, To: c.State, Visibility: Staff, Body: Body{Salt: salt(), Form: form, Tell: tell}}
	return s.follow(ctx, tx, t, c, &e, auth.System, Request{}, s.Now())
}

// CanOpen reports whether somebody may open a case of a kind in an area, now, by an
// action, "" = by any.
func (s *Service) CanOpen(ctx context.Context, kind, action, area string, by auth.Principal) (bool, error) {
	t, ok := s.Types.InForce(kind, s.Now().In(zone).Format(time.DateOnly))
	if !ok || !by.Known() {
		return false, nil
	}
	a, err := s.Actor(ctx, by, &Case{System: t.System, Location: Location{Area: area}})
	if err != nil {
		return false, err
	}
	_, err = t.opens(action, a)
	return err == nil, nil
}
