package calendar

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naive is the model: it keeps dates as text, walks one day at a time, and knows
// nothing of day numbers.
type naive struct {
	days  map[string]string // date → work or off
	years map[string]bool   // named in the first line
	full  map[string]bool   // and complete
}

func (m *naive) works(date time.Time) bool {
	if kind, ok := m.days[date.Format(time.DateOnly)]; ok {
		return kind == "work"
	}
	return date.Weekday() != time.Saturday && date.Weekday() != time.Sunday
}

func (m *naive) add(date time.Time, n int) (time.Time, bool) {
	provisional := n == 0 && !m.full[date.Format("2006")]
	for n > 0 {
		date = date.AddDate(0, 0, 1)
		provisional = provisional || !m.full[date.Format("2006")]
		if m.works(date) {
			n--
		}
	}
	return date, provisional
}

func (m *naive) count(from, to time.Time) (n int) {
	for date := from.AddDate(0, 0, 1); !date.After(to); date = date.AddDate(0, 0, 1) {
		if m.works(date) {
			n++
		}
	}
	return n
}

// beijingDate is the date of an instant in the model, as midnight UTC.
func beijingDate(at time.Time) time.Time {
	y, mo, d := at.UTC().Add(8 * time.Hour).Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)
}

// drawn draws a calendar file over a few years round a year, and the model of it.
func drawn(t *rapid.T) (*Calendar, *naive, int) {
	base := rapid.SampledFrom([]int{1969, 1970, 1999, 2024, 2026, 2100}).Draw(t, "base")
	m := &naive{days: map[string]string{}, years: map[string]bool{}, full: map[string]bool{}}
	var years []string
	for y := base - 1; y <= base+1; y++ {
		text := strconv.Itoa(y)
		switch rapid.IntRange(0, 3).Draw(t, "year") {
		case 0: // not named
		case 1:
			years, m.years[text] = append(years, text+"?"), true
		default:
			years, m.years[text], m.full[text] = append(years, text), true, true
		}
	}
	if len(years) == 0 {
		years, m.years[strconv.Itoa(base)], m.full[strconv.Itoa(base)] = []string{strconv.Itoa(base)}, true, true
	}
	var b strings.Builder
	b.WriteString("# years " + strings.Join(years, ",") + "\ndate,kind,note\n")
	for range rapid.IntRange(0, 12).Draw(t, "stretches") {
		date := time.Date(base, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(-365, 730).Draw(t, "first"))
		kind := rapid.SampledFrom([]string{"work", "off"}).Draw(t, "kind")
		for range rapid.IntRange(1, 15).Draw(t, "long") {
			text := date.Format(time.DateOnly)
			if m.years[date.Format("2006")] && m.days[text] == "" {
				m.days[text] = kind
				b.WriteString(text + "," + kind + ",\n")
			}
			date = date.AddDate(0, 0, 1)
		}
	}
	c, err := Parse("drawn", strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return c, m, base
}

func instant(t *rapid.T, base int, name string) time.Time {
	return time.Date(base, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(-500*daySeconds, 900*daySeconds).Draw(t, name)) * time.Second)
}

// TestEqualsNaive: day numbers and the count without walking agree with dates
// walked one by one.
func TestEqualsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, m, base := drawn(t)
		start, n := instant(t, base, "start"), rapid.IntRange(0, 300).Draw(t, "n")
		due, provisional := c.AddWorkingDays(start, n)
		want, wantProvisional := m.add(beijingDate(start), n)
		if due.Format(time.DateOnly) != want.Format(time.DateOnly) || provisional != wantProvisional {
			t.Fatalf("%s and %d: %s %v, want %s %v", start, n, due, provisional, want, wantProvisional)
		}
		if got := c.WorkingDays(start, due); got != n {
			t.Fatalf("%d working days up to %s, want %d", got, due, n)
		}
		other := instant(t, base, "other")
		if got, want := c.WorkingDays(start, other), m.count(beijingDate(start), beijingDate(other)); got != want {
			t.Fatalf("%d working days from %s to %s, want %d", got, start, other, want)
		}
		if work, _ := c.Works(other); work != m.works(beijingDate(other)) {
			t.Fatalf("%s is worked on: %v", other, work)
		}
		if r, o := c.Remaining(start, other), c.Overdue(start, other); r > 0 && o > 0 {
			t.Fatalf("%d remain and %d are overdue", r, o)
		}
		// In two steps one gets as far as in one.
		k := rapid.IntRange(0, n).Draw(t, "k")
		half, _ := c.AddWorkingDays(start, k)
		if whole, _ := c.AddWorkingDays(half, n-k); !whole.Equal(due) {
			t.Fatalf("%d and %d days end on %s, %d on %s", k, n-k, whole, n, due)
		}
	})
}

// TestHoursEqualNaive: working hours agree with office time counted minute by
// minute.
func TestHoursEqualNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, m, base := drawn(t)
		var spans []Span
		for at, i := 0, rapid.IntRange(1, maxSpans).Draw(t, "spans"); i > 0; i-- {
			from := rapid.IntRange(at+1, at+240).Draw(t, "from")
			at = rapid.IntRange(from+1, from+239).Draw(t, "to")
			spans = append(spans, Span{time.Duration(from) * time.Minute, time.Duration(at) * time.Minute})
		}
		c, err := c.WithHours(Hours{Seasons: []Season{{time.January, 1, spans}}})
		if err != nil {
			t.Fatal(err)
		}
		start, n := instant(t, base, "start").Truncate(time.Minute), rapid.IntRange(0, 12).Draw(t, "n")
		open := func(at time.Time) bool {
			since := at.Sub(beijingDate(at).Add(-8 * time.Hour))
			for _, s := range spans {
				if s.From <= since && since < s.To {
					return m.works(beijingDate(at))
				}
			}
			return false
		}
		want, left := start, n*60
		for !open(want) {
			want = want.Add(time.Minute)
		}
		for left > 0 {
			if open(want) {
				left--
			}
			want = want.Add(time.Minute)
		}
		if got, _ := c.AddWorkingHours(start, n); !got.Equal(want) {
			t.Fatalf("%s and %d h: %s, want %s", start, n, got, want.In(Zone))
		}
	})
}
