package events

import (
	"context"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
)

// Alarms notes what became of alarms; it is alarm.Options.Changed. Alarms that
// people are not shown (kept quiet, parts of another one) make no events.
func (l *Log) Alarms(ctx context.Context, tx *db.Tx, changes []alarm.Change) error {
	snap := l.o.Registry.Snapshot()
	var list []Event
	for _, c := range changes {
		for _, k := range kindsOf(c) {
			e := c.After
			if e == nil || k == AlarmWithdrawn {
				e = c.Before
			}
			ev := Event{Kind: k, Path: "/alarms/" + e.ID, Alarm: alarmOf(e)}
			ev.of(snap, e.Outlet)
			switch k {
			case AlarmChanged:
				ev.Alarm.Before = string(c.Before.Severity)
			case AlarmAcknowledged:
				ev.Alarm.By, ev.Alarm.Note = nameOf(e.Ack.Post), e.Ack.Text
			case AlarmCalledFalse:
				ev.Alarm.By, ev.Alarm.Note = nameOf(e.False.Post), e.False.Text
			case AlarmWithdrawn:
				ev.Path = "/alarms"
			default:
			}
			list = append(list, ev)
		}
	}
	return l.Append(ctx, tx, list)
}

// of says which outlet an event is about.
func (e *Event) of(snap *telemetry.Snapshot, id telemetry.OutletID) {
	e.Outlet = id
	if o := snap.Outlets[id]; o != nil {
		e.OutletName, e.Enterprise, e.Area = nameOf(o.Name), o.Enterprise, o.Area
	}
}

// kindsOf finds what happened between two versions of an alarm, in the order it
// is told.
func kindsOf(c alarm.Change) (out []Kind) {
	was, is := c.Before.Shown(), c.After.Shown()
	switch {
	case !was && !is:
		return nil
	case was && !is:
		return []Kind{AlarmWithdrawn}
	}
	b, a := c.Before, c.After
	if !was {
		b = &alarm.Episode{Severity: a.Severity}
		out = append(out, AlarmRaised)
	}
	add := func(when bool, k Kind) {
		if when {
			out = append(out, k)
		}
	}
	add(was && !b.Open() && a.Open(), AlarmReopened)
	add(b.Severity != a.Severity, AlarmChanged)
	add(!b.Ack.Done() && a.Ack.Done(), AlarmAcknowledged)
	add(b.Ack.Done() && !a.Ack.Done(), AlarmUnacknowledged)
	add(!b.False.Done() && a.False.Done(), AlarmCalledFalse)
	add(b.False.Done() && !a.False.Done(), AlarmCalledTrue)
	add(b.Open() && !a.Open(), AlarmEnded)
	return out
}

func alarmOf(e *alarm.Episode) *Alarm {
	return &Alarm{
		ID: e.ID, Kind: string(e.Kind), Factor: e.Factor, Factors: e.Factors, Statistic: e.Statistic, Severity: string(e.Severity),
		Start: e.Start.UTC(), Opened: e.Opened.UTC(), End: when(e.End), EndedBy: e.EndedBy, Worst: number(e.Max), TimesOver: number(e.Times),
		Limit: limitOf(e.Limit), Rule: e.Rule, Version: e.Version,
	}
}
