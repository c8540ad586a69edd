package telemetryweb

import (
	"context"
	"strconv"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/events"
)

// Events is the log of what happened; *events.Log is one.
type Events interface {
	Since(ctx context.Context, cursor int64, limit int) ([]events.Event, int64, error)
	Bounds(ctx context.Context) (first, last int64, err error)
	Wait(ctx context.Context) error
}

// scanned bounds how many events one answer looks at.
const scanned = 20_000

// apiEvents gives what happened behind a cursor, the oldest first; without one
// it begins with the oldest that is kept, with cursor=last behind the last one.
// wait lets an answer without events wait for the first.
func (h *Handler) apiEvents(c *call) error {
	if h.Events == nil {
		return notFound()
	}
	n, err := c.limit(100, defaultPage)
	if err != nil {
		return err
	}
	cursor, ok := events.ParseCursor(c.query("cursor"))
	if c.query("cursor") == "last" {
		_, cursor, err = h.Events.Bounds(c.ctx())
		ok = true
	}
	if !ok {
		return errs.New(errs.Malformed, "api.cursor")
	}
	if err != nil {
		return err
	}
	wait, err := strconv.Atoi("0" + c.query("wait"))
	if err != nil || wait > maxWait {
		return errs.New(errs.Malformed, "api.bad_wait", "most", maxWait)
	}
	keep, err := c.eventFilter()
	if err != nil {
		return err
	}
	out := apiEvents{Events: []apiEvent{}}
	ctx, stop := context.WithTimeout(c.ctx(), time.Duration(wait)*time.Second)
	defer stop()
	for looked := 0; ; {
		list, next, err := h.Events.Since(c.ctx(), cursor, min(n, 500))
		if err != nil {
			return err
		}
		for i := range list {
			if keep(&list[i]) {
				out.Events = append(out.Events, apiEvent(list[i].JSON(h.BaseURL)))
				if len(out.Events) == n {
					next, out.More = list[i].Seq, true
					break
				}
			}
		}
		looked += len(list)
		cursor = next
		if len(out.Events) == n || looked >= scanned {
			out.More = true
			break
		}
		if len(list) > 0 {
			continue
		}
		if len(out.Events) > 0 || wait == 0 || h.Events.Wait(ctx) != nil {
			break
		}
	}
	out.Cursor = events.Cursor(cursor)
	c.link(out.Cursor)
	return c.answer(out)
}

// eventFilter chooses by kinds, outlet and area what the actor may see.
func (c *call) eventFilter() (func(e *events.Event) bool, error) {
	kinds := map[events.Kind]bool{}
	for _, k := range listed(c.query("kinds")) {
		if !events.Kind(k).Valid() {
			return nil, errs.New(errs.Malformed, "webhook.err.kind", "value", k)
		}
		kinds[events.Kind(k)] = true
	}
	only, one := parseOutletID(c.query("outlet"))
	if c.query("outlet") != "" && !one {
		return nil, errs.New(errs.Malformed, "webhook.err.outlet", "value", c.query("outlet"))
	}
	area := c.query("area")
	return func(e *events.Event) bool {
		o := c.snap.Outlets[e.Outlet]
		return (len(kinds) == 0 || kinds[e.Kind]) && (!one || e.Outlet == only) && (area == "" || c.snap.Within(e.Area, area)) &&
			(o == nil && c.seen.Contains(access.Object{Area: e.Area}) || o != nil && c.sees(o))
	}, nil
}
