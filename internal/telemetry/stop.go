package telemetry

import (
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

const stopForm = "2006-01-02T15:04"

// Ref names a stop among those of its outlet, by when it begins in Beijing time:
// 2026-11-20T08:00.
func (s *Stop) Ref() string { return s.From.In(beijing).Format(stopForm) }

// minute is what stops are told to.
func minute(t time.Time) time.Time { return instant(t).Truncate(time.Minute) }

// stopFrom finds the stop that begins at from, -1 without one.
func (o *Outlet) stopFrom(from time.Time) int {
	return slices.IndexFunc(o.Stops, func(s Stop) bool { return s.From.Equal(minute(from)) })
}

// PutStop declares a stop or, with was, changes the one that begins then. Where
// it overlaps another, the error says which of its ends to move where.
func (o *Outlet) PutStop(was time.Time, s Stop) error {
	s.From, s.To = minute(s.From), minute(s.To)
	at := len(o.Stops)
	if !was.IsZero() {
		if at = o.stopFrom(was); at < 0 {
			return notFound()
		}
	}
	var c errs.Checks
	c.Require(!s.From.IsZero(), "from", "err.field.time")
	c.Require(s.To.IsZero() || s.To.After(s.From), "to", "err.field.after")
	c.Require(strings.TrimSpace(s.Reason) != "", "reason", "err.field.required")
	if err := c.Err(); err != nil {
		return err
	}
	for i, x := range o.Stops {
		switch {
		case i == at, !x.To.IsZero() && !x.To.After(s.From), !s.To.IsZero() && !s.To.After(x.From):
		case x.From.After(s.From):
			return errs.InvalidField("to", "err.field.stop_next", "from", i18n.Stamp(x.From))
		case x.To.IsZero():
			return errs.InvalidField("from", "err.field.stop_open", "from", i18n.Stamp(x.From))
		default:
			return errs.InvalidField("from", "err.field.stop_there", "from", i18n.Stamp(x.From), "to", i18n.Stamp(x.To))
		}
	}
	if at == len(o.Stops) {
		o.Stops = append(o.Stops, s)
	} else {
		o.Stops[at] = s
	}
	return nil
}

// DropStop takes back the stop that begins at from.
func (o *Outlet) DropStop(from time.Time) error {
	i := o.stopFrom(from)
	if i < 0 {
		return notFound()
	}
	o.Stops = slices.Delete(o.Stops, i, i+1)
	return nil
}
