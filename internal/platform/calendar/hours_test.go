package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestWorkingHours(t *testing.T) {
	t.Parallel()
	c := lhasa(t) // 9:30 to 13:00, 15:30 to 18:00
	for _, v := range []struct {
		start string
		n     int
		want  string
	}{
		{"2026-02-12 09:30", 1, "2026-02-12 10:30"},
		{"2026-02-12 12:30", 1, "2026-02-12 16:00"}, // over the break
		{"2026-02-12 12:00", 1, "2026-02-12 13:00"}, // to the end of a span, not the next beginning
		{"2026-02-12 06:00", 4, "2026-02-12 16:00"}, // before the office opens
		{"2026-02-12 13:00", 0, "2026-02-12 15:30"},
		{"2026-02-12 14:00", 2, "2026-02-12 17:30"},
		{"2026-02-12 10:15", 0, "2026-02-12 10:15"},
		{"2026-02-12 17:00", 4, "2026-02-13 12:30"},
		{"2026-02-13 20:00", 6, "2026-02-14 18:00"}, // a Saturday that is worked
		{"2026-02-13 20:00", 7, "2026-02-27 10:30"}, // and twelve days off
		{"2026-02-15 12:00", 0, "2026-02-27 09:30"}, // an event on a day off
		{"2026-02-14 18:00", 1, "2026-02-27 10:30"},
	} {
		got, provisional := c.AddWorkingHours(day(t, v.start).UTC(), v.n)
		if !got.Equal(day(t, v.want)) || got.Location() != Zone || provisional {
			t.Errorf("%s and %d h: %s, provisional %v; want %s", v.start, v.n, got, provisional, v.want)
		}
	}
	if got, provisional := c.AddWorkingHours(day(t, "2026-12-31 17:30"), 1); !got.Equal(day(t, "2027-01-01 10:00")) || !provisional {
		t.Errorf("into a year that is not loaded: %s, %v", got, provisional)
	}
	if _, provisional := c.AddWorkingHours(day(t, "2024-12-31 17:00"), 1); !provisional {
		t.Error("whether the day of start is worked on is not known")
	}
}

// TestSeasons: hours set in the file, by the first days of seasons; before the
// first of them the last one goes on from the year before.
func TestSeasons(t *testing.T) {
	t.Parallel()
	c, err := Parse("x", strings.NewReader("# years 2026\n# hours 10-08 10:00-13:00 15:00-17:00\n# hours 05-01 09:00-12:00 13:00-15:00 16:00-18:30\n"+header+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[string]string{
		"2026-01-05": "17:00", "2026-04-30": "17:00", "2026-05-01": "18:30", "2026-10-07": "18:30", "2026-10-08": "17:00", "2026-12-31": "17:00",
	} {
		if got := c.End(day(t, d+" 23:00")); !got.Equal(day(t, d+" "+want)) {
			t.Errorf("%s ends at %s", d, got)
		}
	}
	// From one season into the next: 2.5 h on 30 April, the rest on 1 May, which this file has as worked.
	if got, _ := c.AddWorkingHours(day(t, "2026-04-30 12:30"), 4); !got.Equal(day(t, "2026-05-01 10:30")) {
		t.Errorf("over the turn of seasons: %s", got)
	}
	h := c.Hours()
	if got, want := h.String(), "from 05-01 09:00-12:00 13:00-15:00 16:00-18:30, from 10-08 10:00-13:00 15:00-17:00"; got != want || h.Default {
		t.Errorf("%s, default %v", got, h.Default)
	}
}

func TestWithHours(t *testing.T) {
	t.Parallel()
	c := file(t, "2026", nil)
	if h := c.Hours(); !h.Default || h.String() != "09:30-13:00 15:30-18:00 (default)" {
		t.Errorf("%+v", h)
	}
	span := func(from, to float64) Span {
		return Span{time.Duration(from * float64(time.Hour)), time.Duration(to * float64(time.Hour))}
	}
	unit, err := c.WithHours(Hours{Seasons: []Season{{time.January, 1, []Span{span(8, 12)}}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := day(t, "2026-06-05"); !unit.End(d).Equal(d.Add(12*time.Hour)) || !c.End(d).Equal(d.Add(18*time.Hour)) {
		t.Error("the hours of a unit do not stay its own")
	}
	for want, h := range map[string]Hours{
		"at least one season":                     {},
		"no day 02-30":                            {Seasons: []Season{{time.February, 30, []Span{span(8, 12)}}}},
		"no day 13-01":                            {Seasons: []Season{{13, 1, []Span{span(8, 12)}}}},
		"must come after that from 05-01":         {Seasons: []Season{{time.May, 1, []Span{span(8, 12)}}, {time.May, 1, []Span{span(8, 12)}}}},
		"one to 3 spans a day, not 0":             {Seasons: []Season{{time.May, 1, nil}}},
		"one to 3 spans a day, not 4":             {Seasons: []Season{{time.May, 1, []Span{span(8, 9), span(10, 11), span(12, 13), span(14, 15)}}}},
		"12:00-08:00 end before they begin":       {Seasons: []Season{{time.May, 1, []Span{span(12, 8)}}}},
		"20:00-24:00 do not lie within one day":   {Seasons: []Season{{time.May, 1, []Span{span(20, 24)}}}},
		"begin after the end of 08:00-12:00":      {Seasons: []Season{{time.May, 1, []Span{span(8, 12), span(12, 14)}}}},
		"office hours 08:00-08:00 end before the": {Seasons: []Season{{time.May, 1, []Span{span(8, 8)}}}},
	} {
		if other, err := c.WithHours(h); err == nil || other != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", h, err, want)
		}
	}
}
