package calendar

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const good = "# years 2025, 2026?\n# a comment, with a comma\ndate,kind,note\n2026-02-14,work,moved weekend\n\n2026-02-16,off,\"spring, first day\"\n2026-02-21,off,a Saturday anyway\n2025-01-01,off\n"

func TestParse(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"as written":         good,
		"CRLF":               strings.ReplaceAll(good, "\n", "\r\n"),
		"BOM":                "\ufeff" + good,
		"no newline at end":  strings.TrimSuffix(good, "\n"),
		"of a spreadsheet":   strings.NewReplacer("# years 2025, 2026?", `"# years 2025, 2026?",,`, "# a comment, with a comma", `"# a comment, with a comma",,`, "note\n", "note,,\n", "\n\n", "\n,,\n", "weekend\n", "weekend,,\n").Replace(good),
		"years in one word":  strings.Replace(good, "# years 2025, 2026?", "#years 2025,2026?,", 1),
		"spaces round cells": strings.Replace(good, "2026-02-14,work,", " 2026-02-14 , work ,", 1),
	} {
		c, err := Parse("x.csv", strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		complete, partial := c.Years()
		off, work := c.Counts()
		if !slices.Equal(complete, []int{2025}) || !slices.Equal(partial, []int{2026}) || off != 3 || work != 1 || !c.Hours().Default {
			t.Errorf("%s: years %v and %v, %d off, %d work", name, complete, partial, off, work)
		}
		for d, want := range map[string]bool{"2026-02-14": true, "2026-02-15": false, "2026-02-16": false, "2026-02-17": true, "2026-02-21": false, "2025-01-01": false} {
			if got, _ := c.Works(day(t, d)); got != want {
				t.Errorf("%s: %s is worked on: %v", name, d, got)
			}
		}
	}
}

// TestParseFaults: each fault names its line and the remedy, and all come at once.
func TestParseFaults(t *testing.T) {
	t.Parallel()
	const top = "# years 2026\ndate,kind,note\n"
	for _, v := range []struct {
		name, text string
		want       []string // of the lines, in order; each fault must be there
	}{
		{"many", "# years 2026\ndate,kind,note\n2026-02-30,off,x\n2026-02-16,holiday,x\n2026-02-16,off,x\n2027-01-01,off,x\n20260217,off,x\n", []string{
			`x.csv:3: "2026-02-30" is no day; write it as YYYY-MM-DD`,
			`x.csv:4: kind "holiday" is unknown; write work or off`,
			`x.csv:5: 2026-02-16 is in line 4 already; leave one of them`,
			`x.csv:6: 2027-01-01 lies in a year that the first line does not name; add 2027 there, or 2027? while days of it are still to come`,
			`x.csv:7: "20260217" is no day; write it as YYYY-MM-DD`,
		}},
		{"empty", "", []string{"x.csv:1: the first line must name the years", "x.csv:1: the header is missing"}},
		{"no first line", "date,kind,note\n2026-02-16,off,x\n", []string{`x.csv:1: the first line must name the years the file is complete for, such as "# years 2025,2026"`}},
		{"another comment first", "# calendar of Lhasa\ndate,kind,note\n", []string{"x.csv:1: the first line must name the years"}},
		{"no header", "# years 2026\n2026-02-16,off,x\n2026-02-31,off,x\n", []string{"x.csv:2: the header is missing; write date,kind,note above the first day", "x.csv:3: \"2026-02-31\" is no day"}},
		{"another header", "# years 2026\nday,kind,note\n2026-02-16,off,x\n", []string{"x.csv:2: the header is missing"}},
		{"comments only", "# years 2026\n# nothing\n", []string{"x.csv:3: the header is missing"}},
		{"years", "# years 26,2026,2026?,,２０２５\ndate,kind,note\n", []string{`x.csv:1: "26" is no year`, "x.csv:1: year 2026 is named twice", `x.csv:1: "" is no year`, `x.csv:1: "２０２５" is no year`}},
		{"no years", "# years\ndate,kind,note\n", []string{`x.csv:1: "" is no year; name years with commas between them, such as 2025,2026`}},
		{"years again", top + "# years 2027\n", []string{"x.csv:3: years are named once, in the first line"}},
		{"columns", top + "2026-02-16\n2026-02-17,off,a,b\n", []string{"x.csv:3: has one column", "x.csv:4: has 4 columns; put a note with commas between quotes"}},
		{"quotes", top + "2026-02-16,off,\"open\n2026-02-17,of,x\n", []string{"x.csv:3: cannot be read as CSV", `x.csv:4: kind "of" is unknown`}},
		{"GBK", top + "2026-02-16,off,\xb4\xba\xbd\xda\n2026-02-17,offf,\xb4\xba\xbd\xda\n", []string{"x.csv:3: is not UTF-8, maybe GBK; save the file as UTF-8", `x.csv:4: kind "offf"`}},
		{"UTF-16", "\xff\xfe#\x00 \x00", []string{"x.csv:1: is UTF-16 or no text; save the file as UTF-8"}},
		{"no text", top + "\x00", []string{"x.csv:1: is UTF-16 or no text"}},
		{"large", strings.Repeat("#", maxBytes+1), []string{"x.csv:1: is larger than 1048576 bytes"}},
		{"hours", top + "# hours 9-13\n# hours 0501 09:00-13:00\n# hours\n# hours 09:00-12:00 11:00-13:00\n", []string{
			`x.csv:3: "9-13" is no first day of a season`, `x.csv:4: "0501" is no first day of a season; write it as MM-DD, such as 05-01`,
			"x.csv:5: office hours are one to 3 spans", "x.csv:6: office hours 11:00-13:00 must begin after the end of 09:00-12:00",
		}},
		{"hours twice", top + "# hours 09:00-13:00\n# hours 05-01 09:00-13:00\n", []string{"x.csv:4: office hours are set for the whole year and again"}},
		{"seasons twice", top + "# hours 05-01 09:00-13:00\n# hours 05-01 09:00-14:00\n# hours 09:00-24:00\n", []string{"x.csv:4: two seasons begin on 05-01", `x.csv:5: "09:00-24:00" are no office hours; write them as 09:30-13:00`}},
	} {
		c, err := Parse("x.csv", strings.NewReader(v.text))
		faults, ok := errors.AsType[*FaultsError](err)
		if !ok || c != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		lines := strings.Split(faults.Error(), "\n")
		if len(lines) != len(v.want) {
			t.Errorf("%s: %d faults, want %d:\n%s", v.name, len(lines), len(v.want), err)
			continue
		}
		for i, want := range v.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s: %s\nwant %s", v.name, lines[i], want)
			}
		}
	}
}

func TestParseManyFaults(t *testing.T) {
	t.Parallel()
	_, err := Parse("x.csv", strings.NewReader("# years 2026\ndate,kind,note\n"+strings.Repeat("2026-02-16,offf\n", 100)))
	faults, ok := errors.AsType[*FaultsError](err)
	// Each line has an unknown kind; all but the first are twice, too.
	if !ok || len(faults.Faults) != maxFaults || faults.More != 199-maxFaults || !strings.HasSuffix(err.Error(), "\nx.csv: and 149 more") {
		t.Errorf("%v", err)
	}
}

func TestParseReadFails(t *testing.T) {
	t.Parallel()
	if _, err := Parse("x.csv", iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// FuzzParse: whatever a file holds, it is refused with faults that name a line,
// or makes a calendar that can be counted with.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		good, "", "\ufeff# years 2026\r\ndate,kind,note\r\n", "# years 1000\n# hours 02-29 00:00-23:59\ndate,kind,note\n1000-01-01,work,\n",
		"\xff\xfe#\x00", "# years 9999\ndate,kind,note\n9999-12-31,work,\"a\"\"b\"\n", "\"# years 2026\",,\n\"date\",kind,note\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("f", strings.NewReader(string(text)))
		if err != nil {
			faults, ok := errors.AsType[*FaultsError](err)
			if !ok || c != nil || len(faults.Faults) == 0 {
				t.Fatalf("%v", err)
			}
			for _, x := range faults.Faults {
				if x.Line < 1 || x.Text == "" {
					t.Fatalf("%+v", x)
				}
			}
			return
		}
		start := time.Date(2026, 2, 13, 1, 0, 0, 0, time.UTC)
		complete, partial := c.Years()
		for _, y := range append(complete, partial...) {
			start = time.Date(y, 2, 13, 1, 0, 0, 0, time.UTC)
			break
		}
		due, _ := c.AddWorkingDays(start, 40)
		if work, _ := c.Works(due); !work || c.WorkingDays(start, due) != 40 {
			t.Fatalf("40 working days after %s are %s", start, due)
		}
		if at, _ := c.AddWorkingHours(start, 40); at.After(c.End(at)) {
			t.Fatalf("%s is after the end of office hours", at)
		}
	})
}
