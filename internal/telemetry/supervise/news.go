package supervise

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry/alarm"
)

// What a case is told of its alarm: the field "what" of a casework.News.
const (
	Joined      = "joined"       // it belongs to another one now, the field "alarm"
	Withdrawn   = "withdrawn"    // later data show that it never was
	CalledFalse = "called_false" // an officer called it a false one
	CalledTrue  = "called_true"  // and took that back
	Ended       = "ended"        // the field "at"
	Resumed     = "resumed"      // it goes on, or was after all
)

// News lists them.
func News() []string {
	return []string{Joined, Withdrawn, CalledFalse, CalledTrue, Ended, Resumed}
}

// going is what is said of an alarm that is open; nothing, as it was so at the opening.
const going = ""

// follow tells the case of an alarm what became of it. Nothing is closed: whether there
// is still something to answer for is for people to say.
func (s *Service) follow(ctx context.Context, tx *db.Tx, alarms Alarms, r *row, e *alarm.Episode) error {
	is, other, err := s.standing(ctx, tx, alarms, r, e)
	if err != nil || is == r.Said {
		return err
	}
	was, _, _ := strings.Cut(r.Said, " ")
	what, rest, _ := strings.Cut(is, " ")
	switch {
	case was == CalledFalse && (what == going || what == Ended):
		what = CalledTrue
	case what == going:
		what = Resumed
	}
	form := map[string]string{"what": what}
	switch what {
	case Joined:
		form["alarm"] = other
	case Ended:
		form["at"] = rest
	}
	var tell []string
	if what == Withdrawn || what == CalledFalse || what == CalledTrue {
		tell = []string{"unit", "office"}
	}
	if err := s.o.Cases.Say(ctx, tx, r.Case, form, tell...); err != nil {
		return fmt.Errorf("tell the case of an alarm: %w", err)
	}
	r.Said = is
	return nil
}

// standing is how an alarm stands, as it is said in its case.
func (s *Service) standing(ctx context.Context, tx *db.Tx, alarms Alarms, r *row, e *alarm.Episode) (is, other string, err error) {
	switch {
	case e == nil || !e.Withdrawn.IsZero():
		heir, err := s.heir(ctx, tx, alarms, r)
		if err != nil || heir != "" {
			return Joined + " " + heir, heir, err
		}
		return Withdrawn, "", nil
	case e.Parent != "":
		return Joined + " " + e.Parent, e.Parent, s.hand(ctx, tx, alarms, r, e.Parent)
	case e.Quiet != "":
		return Withdrawn, "", nil
	case e.False.Done():
		return CalledFalse, "", nil
	case !e.Open():
		return Ended + " " + e.End.UTC().Format(time.RFC3339), "", nil
	}
	return going, "", nil
}

// heir is the alarm that took the place of one that is no more: one of the same outlet
// and matter that touches it, and has the same case or none yet. "" when there is none.
func (s *Service) heir(ctx context.Context, tx *db.Tx, alarms Alarms, r *row) (string, error) {
	list, err := read(ctx, tx, `outlet = $1 AND about = $2 AND alarm <> $3 AND (case_ref = $4 OR case_ref = '') AND from_at <= $5 AND to_at >= $6`,
		int64(r.Outlet), r.About, r.Alarm, r.Case, r.To, r.From)
	if err != nil {
		return "", err
	}
	for i := range list {
		e, err := get(ctx, alarms, list[i].Alarm)
		if err != nil {
			return "", err
		}
		if e != nil && e.Withdrawn.IsZero() {
			return e.ID, s.hand(ctx, tx, alarms, r, e.ID)
		}
	}
	return "", nil
}

// hand gives the case of an alarm to another one too, unless that has one of its own.
func (s *Service) hand(ctx context.Context, tx *db.Tx, alarms Alarms, r *row, to string) error {
	e, err := get(ctx, alarms, to)
	if err != nil || e == nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO supervised (alarm, outlet, about, from_at, to_at, case_ref, inquiry_ref, said, look) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 1)
		ON CONFLICT (alarm) DO UPDATE SET case_ref = CASE WHEN supervised.case_ref = '' THEN excluded.case_ref ELSE supervised.case_ref END, look = 1`,
		e.ID, int64(e.Outlet), about(e), db.Micros(e.Start), db.Micros(e.Last), r.Case, r.Inquiry)
	return err
}
