package supervise

import (
	"context"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/alarm"
)

// Of are the cases of an alarm: its supervision and the investigation that followed;
// nil where there is none.
type Of struct {
	Class          Class
	Supervision    *casework.Case
	Investigation  *casework.Case
	States         map[string]casework.Text // words of the states they are in, by kind
	CanOpen        bool                     // who asks may open a supervision, there is none
	CanInvestigate bool                     // who asks may open an investigation, there is none
}

// Of returns the cases of an episode, and what who asks may open. That there is a case
// is told to everybody who may see the alarm; what is in it, the case decides.
func (s *Service) Of(ctx context.Context, e *alarm.Episode, by auth.Principal) (of Of, err error) {
	if of.Class, _, err = s.class(e); err != nil {
		return of, err
	}
	list, err := read(ctx, s.o.DB, `alarm = $1`, e.ID)
	if err != nil {
		return of, err
	}
	of.States = map[string]casework.Text{}
	area := ""
	snap := s.o.Registry.Snapshot()
	if o := snap.Outlets[e.Outlet]; o != nil {
		area = snap.Present(o.Area)
	}
	err = s.o.DB.View(ctx, func(tx *db.Tx) error {
		for i := range list {
			for _, x := range []struct {
				id   string
				into **casework.Case
			}{{list[i].Case, &of.Supervision}, {list[i].Inquiry, &of.Investigation}} {
				if x.id == "" {
					continue
				}
				c, err := s.o.Cases.In(ctx, tx, x.id)
				if err != nil {
					return err
				}
				*x.into = c
				of.States[c.Kind] = casework.Text{Zh: c.State}
				if t := s.o.Cases.TypeOf(c); t != nil && t.State(c.State) != nil {
					of.States[c.Kind] = t.State(c.State).Label
				}
			}
		}
		return nil
	})
	if err != nil {
		return of, err
	}
	if of.Supervision == nil && (e.Kind == alarm.Over || e.Kind == alarm.Range) && e.Shown() {
		of.CanOpen, err = s.o.Cases.CanOpen(ctx, Supervision, "dispatch", area, by)
	} else if of.Supervision != nil && of.Investigation == nil {
		of.CanInvestigate, err = s.o.Cases.CanOpen(ctx, Investigation, "open", area, by)
	}
	return of, err
}

// Open opens the supervision of an episode by the hand of somebody, where the rule did
// not. Errors: errs.Conflict "err.supervise.open" when it has one, errs.Invalid
// "err.supervise.kind" for an alarm that is over no limit, and those of
// casework.Service.Open.
func (s *Service) Open(ctx context.Context, alarms Alarms, id, note string, by auth.Principal) (c *casework.Case, err error) {
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		e, err := alarms.Get(ctx, id)
		if err != nil {
			return err
		}
		if e.Kind != alarm.Over && e.Kind != alarm.Range || !e.Shown() {
			return errs.InvalidField("note", "err.supervise.kind")
		}
		if err := noted(ctx, tx, &e); err != nil {
			return err
		}
		list, err := read(ctx, tx, `alarm = $1`, id)
		if err != nil {
			return err
		}
		r := &list[0]
		if r.Case != "" {
			return errs.New(errs.Conflict, "err.supervise.open")
		}
		if c, err = s.open(ctx, tx, alarms, &e, note, nil, by); err != nil {
			return err
		}
		r.Case = c.ID
		return r.store(ctx, tx, &e)
	})
	return c, err
}

// Investigate opens the investigation that follows the supervision of an episode by the
// hand of somebody. Errors: errs.Conflict "err.supervise.inquiry" when there is one,
// errs.Invalid without a reason, errs.NotFound without a supervision, and those of
// casework.Service.Open.
func (s *Service) Investigate(ctx context.Context, id, reason string, by auth.Principal) (c *casework.Case, err error) {
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		// Two who do so at once wait for each other here.
		if _, err := tx.Exec(ctx, `UPDATE supervised SET look = look WHERE case_ref <> '' AND case_ref = (SELECT x.case_ref FROM supervised x WHERE x.alarm = $1)`, id); err != nil {
			return err
		}
		list, err := read(ctx, tx, `alarm = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].Case == "" {
			return errs.New(errs.NotFound, "err.not_found")
		}
		r := &list[0]
		parent, err := s.o.Cases.In(ctx, tx, r.Case)
		if err != nil {
			return err
		}
		c, err = s.investigate(ctx, tx, r, parent, reason, by)
		return err
	})
	return c, err
}
