package backfill

import (
	"time"

	"plateau/internal/telemetry"
)

// Records begin at whole hours and at midnight of Beijing time.
const (
	hour = 3600
	day  = 86400
	zone = 8 * hour
)

// slot is the period of one record that is due, Unix seconds, half-open.
type slot struct{ from, to int64 }

func floor(t, step int64) int64 { return t - ((t%step)+step)%step }

// dayStart is the midnight of Beijing time at or before t.
func dayStart(t int64) int64 { return floor(t+zone, day) - zone }

// slotAt is the period of kind k that holds t; ok is false where no such record
// is due. How long minute records are is told by the hour: loggers change that
// at full hours only.
func slotAt(o *telemetry.Outlet, k telemetry.Kind, t int64) (s slot, ok bool) {
	switch k {
	case telemetry.KindDay:
		from := dayStart(t)
		return slot{from, from + day}, true
	case telemetry.KindHour:
		from := floor(t, hour)
		return slot{from, from + hour}, true
	default:
		from := floor(t, hour)
		every := int64(o.IntervalAt(time.Unix(from, 0)).Minute) * 60
		if every <= 0 || hour%every != 0 {
			return slot{from, from + hour}, false
		}
		from = floor(t, every)
		return slot{from, from + every}, true
	}
}

// eachDue calls fn with the periods of kind k in [from, to) whose records are
// due: a logger served then and the source was not stopped.
func eachDue(snap *telemetry.Snapshot, o *telemetry.Outlet, k telemetry.Kind, from, to int64, fn func(s slot, mn string)) {
	periods := snap.DevicesOf(o.ID)
	since := int64(0)
	if !o.Since.IsZero() {
		since = o.Since.Unix()
	}
	for t := from; t < to; {
		s, ok := slotAt(o, k, t)
		t = s.to
		if !ok || s.from < from || s.to > to || s.from < since || stopped(o, s) {
			continue
		}
		if mn := serving(periods, s); mn != "" {
			fn(s, mn)
		}
	}
}

// stopped reports that the source was declared or marked as stopped for the whole period.
func stopped(o *telemetry.Outlet, s slot) bool {
	halts := o.Halts()
	for i := range halts {
		st := &halts[i]
		if st.From.Unix() <= s.from && (st.To.IsZero() || st.To.Unix() >= s.to) {
			return true
		}
	}
	return false
}

// serving is the logger that served through the whole period, "" for none.
func serving(periods []telemetry.Device, s slot) string {
	for i := range periods {
		d := &periods[i]
		if (d.From.IsZero() || d.From.Unix() <= s.from) && (d.To.IsZero() || d.To.Unix() >= s.to) {
			return d.MN
		}
	}
	return ""
}
