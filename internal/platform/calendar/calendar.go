package calendar

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Zone is the zone of all days: that of Asia/Shanghai, which has no summer time.
var Zone = time.FixedZone("UTC+8", zoneSeconds)

const (
	zoneSeconds = 8 * 3600
	daySeconds  = 24 * 3600
)

// MaxCount is the most working days or working hours that one call adds; it keeps
// a mistyped number from being walked for long.
const MaxCount = 10_000

// Calendar says which days are worked on and during which hours. It does not
// change and may be used by several goroutines. Parse makes one.
type Calendar struct {
	days  map[int]bool // exceptions by day number: true = work, false = off
	years map[int]bool // those the file names: true = completely, false = in part
	hours Hours
}

// dayNumber counts days in Zone, from 1970-01-01 as 0.
func dayNumber(t time.Time) int {
	s := t.Unix() + zoneSeconds
	n := s / daySeconds
	if s%daySeconds < 0 {
		n--
	}
	return int(n)
}

// dayStart is midnight in Zone at the beginning of a day.
func dayStart(n int) time.Time {
	return time.Unix(int64(n)*daySeconds-zoneSeconds, 0).In(Zone)
}

// weekday counts from Monday as 0.
func weekday(n int) int { return ((n+3)%7 + 7) % 7 } // 1970-01-01 was a Thursday

// works reports whether a day is worked on.
func (c *Calendar) works(n int) bool {
	if work, ok := c.days[n]; ok {
		return work
	}
	return weekday(n) < 5
}

// loaded reports whether all days of the day's year are known.
func (c *Calendar) loaded(n int) bool { return c.years[dayStart(n).Year()] }

// Works reports whether the day of t in Zone is worked on; provisional is true
// when its year is not loaded completely.
func (c *Calendar) Works(t time.Time) (work, provisional bool) {
	n := dayNumber(t)
	return c.works(n), !c.loaded(n)
}

// AddWorkingDays walks n working days on from start. The day of start in Zone is
// day 0, whether it is worked on or not; each working day after it counts one.
// day is 0:00 in Zone of the day reached (End gives the end of its office hours);
// with n = 0 it is that of start. provisional is true when a day that was walked
// over, or the one reached, lies in a year that is not loaded completely: days of
// such years not in the file count by the week. It panics when n is negative or
// more than MaxCount; who takes n from outside checks it before.
func (c *Calendar) AddWorkingDays(start time.Time, n int) (day time.Time, provisional bool) {
	mustCount(n)
	d := dayNumber(start)
	if n == 0 {
		return dayStart(d), !c.loaded(d)
	}
	for n > 0 {
		d++
		provisional = provisional || !c.loaded(d)
		if c.works(d) {
			n--
		}
	}
	return dayStart(d), provisional
}

// AddWorkingHours walks n hours of office time on from start. An instant outside
// office hours or on a day off counts as the next beginning of office hours. at
// is in Zone; what ends together with a span of office hours is its end and not
// the beginning of the next. provisional and panics are those of AddWorkingDays,
// but the day of start counts as walked over.
func (c *Calendar) AddWorkingHours(start time.Time, n int) (at time.Time, provisional bool) {
	mustCount(n)
	left := time.Duration(n) * time.Hour
	start = start.Round(0).In(Zone) // a monotonic reading says nothing about days to come
	for d := dayNumber(start); ; d++ {
		provisional = provisional || !c.loaded(d)
		if !c.works(d) {
			continue
		}
		midnight := dayStart(d)
		for _, s := range c.hours.on(midnight) {
			from, to := midnight.Add(s.From), midnight.Add(s.To)
			if start.After(from) {
				from = start
			}
			room := to.Sub(from)
			if room <= 0 {
				continue
			}
			if left <= room {
				return from.Add(left), provisional
			}
			left -= room
		}
	}
}

func mustCount(n int) {
	if n < 0 || n > MaxCount {
		panic(fmt.Sprintf("calendar: %d is not a count from 0 to %d", n, MaxCount))
	}
}

// WorkingDays counts the working days after the day of from up to and with the
// day of to, both in Zone; 0 when to is not on a later day. By as many days a
// pause from the one instant to the other moves a due date.
func (c *Calendar) WorkingDays(from, to time.Time) int {
	a, b := dayNumber(from)+1, dayNumber(to)+1 // days a <= d < b
	if b <= a {
		return 0
	}
	n := mondayToFriday(b) - mondayToFriday(a)
	for d, work := range c.days {
		if d < a || d >= b {
			continue
		}
		switch week := weekday(d) < 5; {
		case work && !week:
			n++
		case !work && week:
			n--
		}
	}
	return n
}

// mondayToFriday is, up to a constant, the number of Mondays to Fridays before a
// day, also of days before 1970.
func mondayToFriday(n int) int {
	monday := n - weekday(n)
	return (monday+3)/7*5 + min(weekday(n), 5) // monday+3 is a multiple of 7
}

// Remaining is how many working days are left at now until the day of due: those
// after the day of now up to and with that of due, 0 on that day and later.
func (c *Calendar) Remaining(now, due time.Time) int { return c.WorkingDays(now, due) }

// Overdue is how many working days have begun after the day of due up to now: 0
// to the end of that day. Whether something is late already on its day is told by
// comparing the instants.
func (c *Calendar) Overdue(now, due time.Time) int { return c.WorkingDays(due, now) }

// End is the end of office hours on the day of t in Zone, also on a day off.
func (c *Calendar) End(t time.Time) time.Time {
	midnight := dayStart(dayNumber(t))
	spans := c.hours.on(midnight)
	return midnight.Add(spans[len(spans)-1].To)
}

// Hours are the office hours that the calendar counts by.
func (c *Calendar) Hours() Hours { return c.hours }

// WithHours is the calendar with other office hours, such as those of one unit;
// c stays as it is. It fails when the hours are not well formed.
func (c *Calendar) WithHours(h Hours) (*Calendar, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	other := *c
	other.hours = h
	return &other, nil
}

// Years lists the years that the file is complete for, and those of which it has
// some days only, both in order.
func (c *Calendar) Years() (complete, partial []int) {
	for _, y := range slices.Sorted(maps.Keys(c.years)) {
		if c.years[y] {
			complete = append(complete, y)
		} else {
			partial = append(partial, y)
		}
	}
	return complete, partial
}

// Counts is how many days the file says are off and how many are worked on.
func (c *Calendar) Counts() (off, work int) {
	for _, w := range c.days {
		if w {
			work++
		} else {
			off++
		}
	}
	return off, work
}
