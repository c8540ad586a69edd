package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are office hours by season. The zero value is not valid.
type Hours struct {
	Seasons []Season // by their first days, within one year
	Default bool     // nobody has set them
}

// Season is a part of the year with the same office hours: from its first day up
// to that of the next season, past the end of the year.
type Season struct {
	Month time.Month // of the first day
	Day   int
	Spans []Span // one to maxSpans, in order, with breaks between them
}

// Span is a stretch of a day's office hours, both ends as times since midnight
// in Zone.
type Span struct{ From, To time.Duration }

const maxSpans = 3

// DefaultHours are those that count where nobody has set any: 9:30 to 13:00 and
// 15:30 to 18:00 all year. They are an example of winter hours in the region, so
// they are marked as a default.
func DefaultHours() Hours {
	return Hours{Default: true, Seasons: []Season{{time.January, 1, []Span{
		{9*time.Hour + 30*time.Minute, 13 * time.Hour}, {15*time.Hour + 30*time.Minute, 18 * time.Hour},
	}}}}
}

// on are the spans of a day, which is given by its midnight in Zone.
func (h *Hours) on(midnight time.Time) []Span {
	_, month, day := midnight.Date()
	last := h.Seasons[len(h.Seasons)-1] // of last year's end
	for _, s := range h.Seasons {
		if month < s.Month || month == s.Month && day < s.Day {
			break
		}
		last = s
	}
	return last.Spans
}

// check reports what is wrong with hours.
func (h *Hours) check() error {
	if len(h.Seasons) == 0 {
		return errors.New("office hours need at least one season")
	}
	for i, s := range h.Seasons {
		// 2024 has a 29 February.
		if d := time.Date(2024, s.Month, s.Day, 0, 0, 0, 0, time.UTC); d.Month() != s.Month || d.Day() != s.Day {
			return fmt.Errorf("there is no day %02d-%02d in a year", int(s.Month), s.Day)
		}
		if i > 0 {
			if p := h.Seasons[i-1]; s.Month < p.Month || s.Month == p.Month && s.Day <= p.Day {
				return fmt.Errorf("the season from %02d-%02d must come after that from %02d-%02d", int(s.Month), s.Day, int(p.Month), p.Day)
			}
		}
		if err := checkSpans(s.Spans); err != nil {
			return err
		}
	}
	return nil
}

func checkSpans(spans []Span) error {
	if len(spans) == 0 || len(spans) > maxSpans {
		return fmt.Errorf("office hours are one to %d spans a day, not %d", maxSpans, len(spans))
	}
	for i, s := range spans {
		switch {
		case s.From < 0 || s.To >= daySeconds*time.Second:
			return fmt.Errorf("office hours %s do not lie within one day", s)
		case s.To <= s.From:
			return fmt.Errorf("office hours %s end before they begin", s)
		case i > 0 && s.From <= spans[i-1].To:
			return fmt.Errorf("office hours %s must begin after the end of %s", s, spans[i-1])
		}
	}
	return nil
}

// String is the span as in calendar files, such as 09:30-13:00.
func (s Span) String() string { return clock(s.From) + "-" + clock(s.To) }

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

// String is the hours in one line, each season after its first day.
func (h Hours) String() string {
	var seasons []string
	for _, s := range h.Seasons {
		var words []string
		if len(h.Seasons) > 1 {
			words = append(words, fmt.Sprintf("from %02d-%02d", int(s.Month), s.Day))
		}
		for _, span := range s.Spans {
			words = append(words, span.String())
		}
		seasons = append(seasons, strings.Join(words, " "))
	}
	text := strings.Join(seasons, ", ")
	if h.Default {
		text += " (default)"
	}
	return text
}

// parseSeason reads the words after "# hours": spans for the whole year, or the
// first day of a season and its spans.
func parseSeason(words []string) (s Season, whole bool, err error) {
	s = Season{Month: time.January, Day: 1}
	whole = true
	if len(words) > 0 && !strings.Contains(words[0], ":") {
		day, err := time.Parse("2006-01-02", "2024-"+words[0])
		if err != nil {
			return s, false, fmt.Errorf("%q is no first day of a season; write it as MM-DD, such as 05-01", words[0])
		}
		s.Month, s.Day, whole = day.Month(), day.Day(), false
		words = words[1:]
	}
	for _, w := range words {
		from, to, _ := strings.Cut(w, "-")
		a, errA := time.Parse("15:04", from)
		b, errB := time.Parse("15:04", to)
		if errA != nil || errB != nil {
			return s, whole, fmt.Errorf("%q are no office hours; write them as 09:30-13:00", w)
		}
		midnight := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
		s.Spans = append(s.Spans, Span{a.Sub(midnight), b.Sub(midnight)})
	}
	return s, whole, checkSpans(s.Spans)
}

// sortSeasons puts seasons in the order of their first days.
func sortSeasons(list []Season) {
	slices.SortFunc(list, func(a, b Season) int { return (int(a.Month)-int(b.Month))*100 + a.Day - b.Day })
}
