package calendar

import (
	"strings"
	"testing"
	"time"
)

// file makes a calendar of a first line's years and lines; off names a stretch of
// days off, "2026-02-15 2026-02-26", work single days.
func file(t *testing.T, years string, off []string, work ...string) *Calendar {
	t.Helper()
	text := "# years " + years + "\n" + header + "\n"
	for _, stretch := range off {
		a, b, _ := strings.Cut(stretch, " ")
		for d := dayNumber(day(t, a)); d <= dayNumber(day(t, b)); d++ {
			text += dayStart(d).Format(time.DateOnly) + ",off,\n"
		}
	}
	for _, d := range work {
		text += d + ",work,\n"
	}
	c, err := Parse("test.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// day is 0:00 of a day in Zone, or the instant of "2026-02-13 17:00".
func day(t *testing.T, text string) time.Time {
	t.Helper()
	if len(text) == len(time.DateOnly) {
		text += " 00:00"
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, Zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// lhasa and national have the days of the reference, taken as complete years.
func lhasa(t *testing.T) *Calendar {
	t.Helper()
	return file(t, "2023,2025,2026", []string{"2023-02-20 2023-02-26", "2025-02-27 2025-03-04", "2026-02-15 2026-02-26"},
		"2023-02-18", "2023-02-19", "2026-02-14", "2026-02-28")
}

func national(t *testing.T) *Calendar {
	t.Helper()
	return file(t, "2026", []string{"2026-02-15 2026-02-23"}, "2026-02-14", "2026-02-28")
}

// TestVectors are the worked dates of the reference: a case in two regions has
// two dates.
func TestVectors(t *testing.T) {
	t.Parallel()
	plain, lhasa, national := file(t, "2026", nil), lhasa(t), national(t)
	for _, v := range []struct {
		name  string
		c     *Calendar
		start string
		n     int
		due   string
	}{
		{"plain", plain, "2026-06-05", 1, "2026-06-08"},
		{"Lhasa 2023, weekend moved", lhasa, "2023-02-17", 3, "2023-02-27"},
		{"Lhasa 2025, no weekend moved", lhasa, "2025-02-26", 3, "2025-03-07"},
		{"Lhasa 2026", lhasa, "2026-02-13", 5, "2026-03-03"},
		{"Lhasa 2026", lhasa, "2026-02-13", 20, "2026-03-24"},
		{"national 2026", national, "2026-02-13", 5, "2026-02-27"},
		{"national 2026", national, "2026-02-13", 20, "2026-03-19"},
	} {
		for _, at := range []string{" 00:00", " 12:00", " 23:59"} { // the hour of the event does not matter
			got, provisional := v.c.AddWorkingDays(day(t, v.start+at).UTC(), v.n)
			if !got.Equal(day(t, v.due)) || provisional {
				t.Errorf("%s: %s%s and %d: %s, provisional %v; want %s", v.name, v.start, at, v.n, got, provisional, v.due)
			}
			if n := v.c.WorkingDays(day(t, v.start+at), got); n != v.n {
				t.Errorf("%s: %d working days counted back, want %d", v.name, n, v.n)
			}
		}
		// The office closes at 18:00 in Asia/Shanghai.
		due, _ := v.c.AddWorkingDays(day(t, v.start), v.n)
		if end := v.c.End(due); !end.Equal(day(t, v.due+" 18:00")) {
			t.Errorf("%s ends at %s", v.due, end)
		}
	}
}

// TestDayOfStart: the day is that of Asia/Shanghai, whatever zone the instant is in.
func TestDayOfStart(t *testing.T) {
	t.Parallel()
	c := file(t, "2026", nil)
	late := time.Date(2026, 6, 4, 16, 0, 0, 0, time.UTC) // Friday 0:00 in Lhasa
	for at, want := range map[time.Time]string{late: "2026-06-08", late.Add(-time.Second): "2026-06-05"} {
		if got, _ := c.AddWorkingDays(at, 1); got.Format(time.DateOnly) != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	if got, _ := c.AddWorkingDays(late.Add(-time.Second), 0); !got.Equal(day(t, "2026-06-04")) {
		t.Errorf("0 days on: %s", got)
	}
	// Saturday is day 0 as any other day.
	if got, _ := c.AddWorkingDays(day(t, "2026-06-06 12:00"), 1); !got.Equal(day(t, "2026-06-08")) {
		t.Errorf("from a Saturday: %s", got)
	}
}

func TestProvisional(t *testing.T) {
	t.Parallel()
	c := file(t, "2025,2026,2028?", nil)
	for _, v := range []struct {
		start string
		n     int
		due   string
		want  bool
	}{
		{"2026-12-30", 1, "2026-12-31", false},
		{"2026-12-31", 1, "2027-01-01", true}, // New Year's Day counts: nobody has said it is off
		{"2026-12-31", 0, "2026-12-31", false},
		{"2027-01-01", 0, "2027-01-01", true},
		{"2024-12-31", 1, "2025-01-01", false}, // day 0 is not walked over
		{"2024-12-30", 2, "2025-01-01", true},
		{"2025-12-31", 1, "2026-01-01", false},
		{"2028-03-01", 1, "2028-03-02", true}, // known in part only
	} {
		if got, provisional := c.AddWorkingDays(day(t, v.start), v.n); !got.Equal(day(t, v.due)) || provisional != v.want {
			t.Errorf("%s and %d: %s, provisional %v; want %s, %v", v.start, v.n, got, provisional, v.due, v.want)
		}
	}
	if work, provisional := c.Works(day(t, "2027-01-02")); work || !provisional {
		t.Errorf("a Saturday of a year that is not loaded: %v %v", work, provisional)
	}
	if work, provisional := c.Works(day(t, "2026-01-02")); !work || provisional {
		t.Errorf("a Friday: %v %v", work, provisional)
	}
}

func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	c := file(t, "2026", nil)
	if got, _ := c.AddWorkingDays(day(t, "2026-01-05"), MaxCount); got.Year() != 2064 {
		t.Errorf("the most days end on %s", got)
	}
	for _, n := range []int{-1, MaxCount + 1} {
		for name, add := range map[string]func(time.Time, int) (time.Time, bool){"days": c.AddWorkingDays, "hours": c.AddWorkingHours} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d %s were added", n, name)
					}
				}()
				add(day(t, "2026-01-05"), n)
			}()
		}
	}
}

// TestPause: a due date is moved by the working days inside a pause, not by the
// hours it took.
func TestPause(t *testing.T) {
	t.Parallel()
	c := lhasa(t)
	start := day(t, "2026-02-10 10:00")
	paused, resumed := day(t, "2026-02-13 16:00"), day(t, "2026-03-02 09:00")
	n := c.WorkingDays(paused, resumed)
	if n != 4 { // 14, 27 and 28 February, 2 March
		t.Fatalf("%d working days in the pause", n)
	}
	due, _ := c.AddWorkingDays(start, 5)
	moved, _ := c.AddWorkingDays(due, n)
	atOnce, _ := c.AddWorkingDays(start, 5+n)
	if !due.Equal(day(t, "2026-02-27")) || !moved.Equal(day(t, "2026-03-04")) || !moved.Equal(atOnce) {
		t.Errorf("due %s, moved to %s, %s", due, moved, atOnce)
	}
	for _, to := range []string{"2026-02-13 16:00", "2026-02-13 23:59", "2026-02-12 09:00"} {
		if n := c.WorkingDays(paused, day(t, to)); n != 0 {
			t.Errorf("%d working days up to %s", n, to)
		}
	}
}

func TestRemainingAndOverdue(t *testing.T) {
	t.Parallel()
	c := lhasa(t)
	due := c.End(day(t, "2026-02-27"))
	for _, v := range []struct {
		now                string
		remaining, overdue int
	}{
		{"2026-02-12 09:00", 3, 0}, // 13, 14 and 27 February
		{"2026-02-14 23:00", 1, 0},
		{"2026-02-20 09:00", 1, 0},
		{"2026-02-27 17:59", 0, 0},
		{"2026-02-27 18:01", 0, 0}, // late, and no working day has begun since
		{"2026-02-28 00:00", 0, 1},
		{"2026-03-01 12:00", 0, 1},
		{"2026-03-03 12:00", 0, 3},
	} {
		now := day(t, v.now)
		if r, o := c.Remaining(now, due), c.Overdue(now, due); r != v.remaining || o != v.overdue {
			t.Errorf("%s: %d remain, %d overdue; want %d, %d", v.now, r, o, v.remaining, v.overdue)
		}
	}
}
