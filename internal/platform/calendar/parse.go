package calendar

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxBytes  = 1 << 20 // a year has some 40 days to name
	maxFaults = 50
	header    = "date,kind,note"
)

// FaultsError is what is wrong with a calendar file, all of it up to maxFaults.
type FaultsError struct {
	Name   string // of the file
	Faults []Fault
	More   int // faults beside those
}

// Fault is one fault of a file: its line, counted from 1, what is wrong there,
// and what to do.
type Fault struct {
	Line int
	Text string
}

// Error has a line NAME:LINE: TEXT for each fault.
func (e *FaultsError) Error() string {
	var lines []string
	for _, f := range e.Faults {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", e.Name, f.Line, f.Text))
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more", e.Name, e.More))
	}
	return strings.Join(lines, "\n")
}

// Parse reads a calendar file: UTF-8 text whose first line names years, such as
// "# years 2025,2026?" (? = only some days of that year are known), then the
// header date,kind,note and a line for each day that is not as the week says,
// with the date as YYYY-MM-DD and the kind work or off. Further lines that begin
// with # are comments, but "# hours" sets office hours. name is what faults call
// the file. It returns a *FaultsError, or what reading failed with.
func Parse(name string, r io.Reader) (*Calendar, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := parser{
		c:     &Calendar{days: map[int]bool{}, years: map[int]bool{}, hours: DefaultHours()},
		first: map[int]int{},
		e:     FaultsError{Name: name},
	}
	p.file(text)
	if len(p.e.Faults) > 0 {
		slices.SortStableFunc(p.e.Faults, func(a, b Fault) int { return a.Line - b.Line })
		return nil, &p.e
	}
	return p.c, nil
}

type parser struct {
	c       *Calendar
	e       FaultsError
	line    int
	named   bool        // the first line was there
	headed  bool        // the header, or a fault about it
	first   map[int]int // line of each day
	seasons []Season
	whole   bool // hours of the whole year are among the seasons
}

func (p *parser) fault(format string, args ...any) {
	if len(p.e.Faults) == maxFaults {
		p.e.More++
		return
	}
	p.e.Faults = append(p.e.Faults, Fault{p.line, fmt.Sprintf(format, args...)})
}

func (p *parser) file(text []byte) {
	p.line = 1
	switch {
	case len(text) > maxBytes:
		p.fault("is larger than %d bytes; is this a calendar?", maxBytes)
		return
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) || bytes.IndexByte(text, 0) >= 0:
		p.fault("is UTF-16 or no text; save the file as UTF-8 (spreadsheets: CSV UTF-8)")
		return
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	p.encoding(text)
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		p.line = i + 1
		p.one(strings.TrimSuffix(line, "\r"))
	}
	if !p.headed {
		p.fault("the header is missing; write %s below the comments", header)
	}
}

// encoding refuses another encoding than UTF-8 once, at its first line.
func (p *parser) encoding(text []byte) {
	if utf8.Valid(text) {
		return
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) {
			p.line = i + 1
			p.fault("is not UTF-8, maybe GBK; save the file as UTF-8 (spreadsheets: CSV UTF-8)")
			return
		}
	}
}

func (p *parser) one(line string) {
	if words, ok := comment(line); ok {
		p.comment(words)
		return
	}
	if p.line == 1 {
		p.unnamed()
	}
	if strings.Trim(line, ", \t") == "" {
		return
	}
	r := csv.NewReader(strings.NewReader(line))
	r.FieldsPerRecord = -1
	cells, err := r.Read()
	if err != nil {
		p.fault(`cannot be read as CSV; put a note with commas or quotes between quotes, and write a quote within as ""`)
		return
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	for len(cells) > 3 && cells[len(cells)-1] == "" { // columns that a spreadsheet made
		cells = cells[:len(cells)-1]
	}
	if !p.headed {
		p.headed = true
		if strings.Join(cells, ",") == header {
			return
		}
		p.fault("the header is missing; write %s above the first day", header)
		if len(cells[0]) > 0 && (cells[0][0] < '0' || cells[0][0] > '9') {
			return // another header
		}
	}
	p.day(cells)
}

// comment gives the words of a line that begins with #, also as spreadsheets write
// it: between quotes, with empty columns at the end.
func comment(line string) ([]string, bool) {
	line = strings.Trim(strings.TrimRight(line, ", \t"), `"`)
	rest, ok := strings.CutPrefix(line, "#")
	return strings.Fields(rest), ok
}

func (p *parser) unnamed() {
	p.fault(`the first line must name the years the file is complete for, such as "# years 2025,2026"`)
}

func (p *parser) comment(words []string) {
	is := func(word string) bool { return len(words) > 0 && words[0] == word }
	switch {
	case p.line == 1 && is("years"):
		p.years(strings.Join(words[1:], ""))
	case p.line == 1:
		p.unnamed()
	case is("years"):
		p.fault("years are named once, in the first line; move these there")
	case is("hours"):
		p.office(words[1:])
	}
}

func (p *parser) years(list string) {
	p.named = true
	for word := range strings.SplitSeq(list, ",") {
		digits, partial := strings.CutSuffix(word, "?")
		y, err := strconv.Atoi(digits)
		switch {
		case err != nil || len(digits) != 4 || y < 1000:
			p.fault("%q is no year; name years with commas between them, such as 2025,2026", word)
			continue
		case slices.Contains(p.yearsNamed(), y):
			p.fault("year %d is named twice; name it once", y)
			continue
		}
		p.c.years[y] = !partial
	}
}

func (p *parser) yearsNamed() []int {
	complete, partial := p.c.Years()
	return append(complete, partial...)
}

func (p *parser) office(words []string) {
	s, whole, err := parseSeason(words)
	if err != nil {
		p.fault("%v", err)
		return
	}
	if p.whole || whole && len(p.seasons) > 0 {
		p.fault("office hours are set for the whole year and again; give each season its first day, such as # hours 05-01 09:00-13:00")
		return
	}
	for _, o := range p.seasons {
		if o.Month == s.Month && o.Day == s.Day {
			p.fault("two seasons begin on %02d-%02d; leave one", int(s.Month), s.Day)
			return
		}
	}
	p.whole, p.seasons = whole, append(p.seasons, s)
	sortSeasons(p.seasons)
	p.c.hours = Hours{Seasons: p.seasons}
}

func (p *parser) day(cells []string) {
	if len(cells) > 3 {
		p.fault("has %d columns; put a note with commas between quotes", len(cells))
	}
	if len(cells) < 2 {
		p.fault("has one column; write date, kind and note, such as 2026-02-28,work,moved weekend")
		cells = append(cells, "")
	} else if kind := cells[1]; kind != "work" && kind != "off" {
		p.fault("kind %q is unknown; write work or off", kind)
	}
	date, err := time.Parse(time.DateOnly, cells[0])
	if err != nil {
		p.fault("%q is no day; write it as YYYY-MM-DD", cells[0])
		return
	}
	n := dayNumber(date.Add(-zoneSeconds * time.Second))
	if line, twice := p.first[n]; twice {
		p.fault("%s is in line %d already; leave one of them", cells[0], line)
		return
	}
	p.first[n] = p.line
	if _, ok := p.c.years[date.Year()]; !ok && p.named {
		p.fault("%s lies in a year that the first line does not name; add %d there, or %d? while days of it are still to come", cells[0], date.Year(), date.Year())
	}
	p.c.days[n] = cells[1] == "work"
}
