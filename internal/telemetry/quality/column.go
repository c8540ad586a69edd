package quality

import (
	"fmt"
	"slices"

	"plateau/internal/telemetry"
)

// RuleRef cites a rule in force.
type RuleRef struct {
	ID      string
	Version int
	Hash    string // of the rule file, 12 hex digits
}

// ValidityRule is the rule that says when an outlet's figure of a level (see
// LevelHour) was valid on the day of an instant: of hours and what they are made
// of the rule of the hour, of days that of the day.
func (e *Engine) ValidityRule(o *telemetry.Outlet, level string, at int64) (RuleRef, error) {
	date := dateOf(dayStart(at))
	p, err := e.paramsAt(date)
	if err != nil {
		return RuleRef{}, err
	}
	r := p.hourRuleOf(o, o.SetupAt(date)).ref
	if level == LevelDay {
		if r = p.waterDay.ref; o.Medium == telemetry.Gas {
			r = p.gasDay.ref
		}
	}
	return RuleRef{r.id, r.version, r.hash}, nil
}

// hourRuleOf is the rule that an outlet's hours are judged by.
func (p *params) hourRuleOf(o *telemetry.Outlet, s *telemetry.Setup) *HourRule {
	switch {
	case o.Medium != telemetry.Gas:
		return &p.waterHour
	case s.Profile == telemetry.ProfilePart75:
		return &p.part75Hour
	case s.Profile == telemetry.ProfileIED:
		return &p.iedHour
	}
	return &p.gasHour
}

// DayStart is the start, in Unix seconds, of the Beijing day that at falls in.
func DayStart(at int64) int64 { return dayStart(at) }

// Column says which judged rows to read: those of one factor (by its code of
// 2017) that start in [From, To), Unix seconds.
type Column struct {
	Outlet   telemetry.OutletID
	Code     string
	From, To int64
	Newest   bool // the latest first
}

// FactorHours calls fn with one factor of the judged hours until it returns
// false; a row without the factor gives nil. What is handed over is reused.
// It is what Hours reads, faster where one factor of many is wanted. A row that
// cannot be read is judged again and left out.
func (e *Engine) FactorHours(c Column, fn func(at int64, row *HourRow, f *FactorHour) bool) error {
	row := HourRow{Outlet: c.Outlet}
	var f FactorHour
	names := namesOf(c.Code)
	return e.derived(TableHour, c, func(at int64, v []byte) bool {
		there, err := readHourOf(&row, &f, names, v)
		if err != nil {
			e.unreadable(c.Outlet, at, at, err)
			return true
		}
		row.At = at
		if !there {
			return fn(at, &row, nil)
		}
		return fn(at, &row, &f)
	})
}

// FactorDays is FactorHours for days.
func (e *Engine) FactorDays(c Column, fn func(at int64, row *DayRow, f *FactorDay) bool) error {
	row := DayRow{Outlet: c.Outlet}
	var f FactorDay
	names := namesOf(c.Code)
	return e.derived(TableDay, c, func(at int64, v []byte) bool {
		there, err := readDayOf(&row, &f, names, v)
		if err != nil {
			e.unreadable(c.Outlet, at, at+dayOnly, err)
			return true
		}
		row.At = at
		if !there {
			return fn(at, &row, nil)
		}
		return fn(at, &row, &f)
	})
}

func (e *Engine) derived(table byte, c Column, fn func(at int64, v []byte) bool) error {
	if c.Newest {
		return e.o.Store.DerivedNewest(table, c.Outlet, c.From, c.To, fn)
	}
	return e.o.Store.Derived(table, c.Outlet, c.From, c.To, fn)
}

func readHourOf(r *HourRow, f *FactorHour, names []string, b []byte) (there bool, err error) {
	c := &cutter{b: b}
	if v := c.byte(); v != codecVersion {
		return false, fmt.Errorf("version %d: %w", v, ErrRow)
	}
	c.hourHead(r)
	for range c.count() {
		if !there && c.peek(names) {
			c.hourFactor(f)
			there = true
			continue
		}
		c.skipHourFactor()
	}
	return there, c.done()
}

// findHourOf reads one factor out of a row that this program has just written:
// unlike readHourOf it stops there.
func findHourOf(f *FactorHour, names []string, b []byte) bool {
	c := &cutter{b: b}
	if c.byte() != codecVersion {
		return false
	}
	c.skipHourHead()
	for range c.count() {
		if c.peek(names) {
			c.hourFactor(f)
			return !c.bad
		}
		c.skipHourFactor()
	}
	return false
}

// coverage is how much of an hour a factor has.
type coverage struct {
	code           []byte // points into the row
	seen, expected int    // minutes
}

// coverageOf appends the coverage of the factors of an hour's row to list;
// nothing for a row that cannot be read.
func coverageOf(row []byte, list []coverage) []coverage {
	c := &cutter{b: row}
	if c.byte() != codecVersion {
		return list
	}
	c.skipHourHead()
	for range c.count() {
		n := c.count()
		x := coverage{code: c.b[:min(n, len(c.b))]}
		c.skip(n)
		c.skipTexts(1)
		x.seen = int(c.byte())
		c.skip(1)
		x.expected = int(c.byte())
		c.skip(1)
		c.skipHourFigures()
		if c.bad {
			return list[:0]
		}
		list = append(list, x)
	}
	return list
}

// skipHourHead passes over what stands before an hour's factors.
func (c *cutter) skipHourHead() {
	c.skip(2)
	c.skipTexts(1)
	c.skip(1)
	c.skipOpts(1)
}

func (c *cutter) skipHourFactor() {
	c.skipTexts(2)
	c.skip(4)
	c.skipHourFigures()
}

// skipHourFigures passes over what follows the counts of an hour's factor.
func (c *cutter) skipHourFigures() {
	c.skipOpts(10)
	c.skipTexts(2)
	c.skipTail()
}

func readDayOf(r *DayRow, f *FactorDay, names []string, b []byte) (there bool, err error) {
	c := &cutter{b: b}
	if v := c.byte(); v != codecVersion {
		return false, fmt.Errorf("version %d: %w", v, ErrRow)
	}
	c.dayHead(r)
	for range c.count() {
		if !there && c.peek(names) {
			c.dayFactor(f)
			there = true
			continue
		}
		c.skipTexts(1)
		c.skip(4)
		c.skipOpts(9)
		c.skipTexts(1)
		c.skipTail()
	}
	return there, c.done()
}

// namesOf are the codes that a factor may be registered by: that of 2017 and
// those it had before.
func namesOf(code string) []string {
	names := []string{code}
	for old, successor := range successors() {
		if successor == code {
			names = append(names, old)
		}
	}
	return names
}

// peek reports whether the text that comes next is one of names.
func (c *cutter) peek(names []string) bool {
	ahead := *c
	n := ahead.count()
	return !ahead.bad && n <= len(ahead.b) && slices.Contains(names, string(ahead.b[:n]))
}

func (c *cutter) skip(n int) {
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return
	}
	c.b = c.b[n:]
}

func (c *cutter) skipTexts(n int) {
	for range n {
		c.skip(c.count())
	}
}

func (c *cutter) skipOpts(n int) {
	for range n {
		switch c.byte() {
		case 1:
			i := slices.IndexFunc(c.b, func(x byte) bool { return x < 0x80 }) // the last byte of a varint
			c.skip(i + 1)
			c.bad = c.bad || i < 0
		case 2:
			c.skip(8)
		}
	}
}

// skipTail passes over what was reported, the limit and the reasons.
func (c *cutter) skipTail() {
	if c.byte() != 0 {
		c.skipTexts(1)
		c.skipOpts(5)
	}
	if c.byte() != 0 {
		c.skipTexts(3)
		c.skipOpts(2)
	}
	c.skipTexts(c.count())
}
