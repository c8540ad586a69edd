package simulator

import (
	"time"

	"plateau/internal/telemetry"
)

// walker goes through the minutes of one plant and hands out its statistics
// records at the end of their periods. History, live uploads and answers to
// the host's requests all come from it, so they agree to the last digit.
type walker struct {
	c        *cursor
	next     int64                  // minute to take next
	interval func(minute int64) int // length of a minute record; 0 = none
	every    int                    // in force in the hour under way
	win      window
	hour     window
	day      window
	s        sample
}

// newWalker starts at the beginning of the local day that holds minute from,
// so that its first day and hour are whole.
func newWalker(p *Plant, s *schedule, from int64) *walker {
	day := floorDiv(from+zone*60, 1440)
	return &walker{c: newCursor(p, s), next: day*1440 - zone*60, interval: p.minuteInterval}
}

// minuteInterval is the length of the outlet's minute records at a minute.
func (p *Plant) minuteInterval(minute int64) int {
	return p.Outlet.IntervalAt(time.Unix(minute*60, 0)).Minute
}

// emitRecord takes a record: its period's start in Unix seconds, and the
// second after its end.
type emitRecord func(k telemetry.Kind, start, end int64, w *window)

// advance takes all minutes before to and emits the records that end there.
// An interval changes at the start of an hour only.
func (w *walker) advance(to int64, emit emitRecord) {
	p := w.c.p
	for ; w.next < to; w.next++ {
		m := w.next
		if m%60 == 0 || w.every == 0 {
			w.every = w.interval(m)
		}
		w.c.at(m, &w.s)
		w.win.add(p, &w.s)
		end := m + 1
		if w.every > 0 && end%int64(w.every) == 0 {
			w.close(telemetry.KindMinute, &w.win, end-int64(w.every), end, emit)
			w.hour.merge(p, &w.win)
			w.win.reset()
		}
		if end%60 != 0 {
			continue
		}
		w.hour.merge(p, &w.win)
		w.win.reset()
		w.close(telemetry.KindHour, &w.hour, end-60, end, emit)
		w.day.merge(p, &w.hour)
		w.hour.reset()
		if (end+zone*60)%1440 == 0 {
			w.close(telemetry.KindDay, &w.day, end-1440, end, emit)
			w.day.reset()
		}
	}
}

func (w *walker) close(k telemetry.Kind, win *window, start, end int64, emit emitRecord) {
	if win.minutes > 0 {
		emit(k, start*60, end*60, win)
	}
}

// due is when the logger uploads a record that ends at end (Unix seconds), in
// ms: some seconds later, each outlet at its own.
func (p *Plant) due(k telemetry.Kind, end int64) int64 {
	own := int64(p.seed % 1000)
	switch k {
	case telemetry.KindHour:
		return end*1000 + 31000 + own*15
	case telemetry.KindDay:
		return end*1000 + 61000 + own*15
	default:
		return end*1000 + 2000 + own*18
	}
}

// delivery finds when records reach the host: at their due time, or, when the
// logger has no link or no power then, one after another once it is back.
type delivery struct {
	p     *Plant
	sched *schedule
	back  int64 // end of the outage that records wait for, ms
	n     int64 // records that waited for it
}

// backlogStart and backlogGap (ms) are the logger's pace after an outage:
// dial, greet, then some frames a second.
const (
	backlogStart = 20_000
	backlogGap   = 150
)

// at returns the delivery time of a record due at ms, and whether it is late.
func (d *delivery) at(due int64) (ms int64, late bool) {
	ms = due
	for {
		e, _ := d.sched.at(d.p.index, floorDiv(ms, 60_000))
		if e.role != linkDown && e.role != powerOff {
			return ms, late
		}
		if back := e.to * 60_000; back != d.back {
			d.back, d.n = back, 0
		}
		d.n++
		ms, late = d.back+backlogStart+d.n*backlogGap, true
	}
}
