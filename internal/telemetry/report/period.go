package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/quality"
)

// Period is the stretch of Beijing time a report covers, half-open.
type Period struct {
	Level    string // day, month, quarter, year
	From, To time.Time
}

// Levels lists the levels of reports, shortest first.
var Levels = []string{quality.LevelDay, quality.LevelMonth, quality.LevelQuarter, quality.LevelYear}

// PeriodAt is the period of a level that holds t; an unknown level gives the day.
func PeriodAt(level string, t time.Time) Period {
	t = t.In(i18n.Zone)
	y, m, d := t.Date()
	p := Period{Level: level}
	switch level {
	case quality.LevelYear:
		p.From = date(y, 1, 1)
		p.To = date(y+1, 1, 1)
	case quality.LevelQuarter:
		m = (m-1)/3*3 + 1
		p.From, p.To = date(y, m, 1), date(y, m+3, 1)
	case quality.LevelMonth:
		p.From, p.To = date(y, m, 1), date(y, m+1, 1)
	default:
		p.Level, p.From, p.To = quality.LevelDay, date(y, m, d), date(y, m, d+1)
	}
	return p
}

func date(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, 0, 0, 0, 0, i18n.Zone)
}

// ParsePeriod reads what Date writes: 2026-11-23, 2026-11, 2026-Q4, 2026.
func ParsePeriod(level, s string) (Period, bool) {
	var t time.Time
	var err error
	switch level {
	case quality.LevelDay:
		t, err = time.ParseInLocation("2006-01-02", s, i18n.Zone)
	case quality.LevelMonth:
		t, err = time.ParseInLocation("2006-01", s, i18n.Zone)
	case quality.LevelYear:
		t, err = time.ParseInLocation("2006", s, i18n.Zone)
	case quality.LevelQuarter:
		year, q, _ := strings.Cut(s, "-Q")
		n, e := strconv.Atoi(q)
		if e != nil || n < 1 || n > 4 || len(q) != 1 {
			return Period{}, false
		}
		if t, err = time.ParseInLocation("2006", year, i18n.Zone); err == nil {
			t = t.AddDate(0, 3*(n-1), 0)
		}
	default:
		return Period{}, false
	}
	return PeriodAt(level, t), err == nil && t.Year() > 1
}

// Date names the period in addresses.
func (p Period) Date() string {
	from := p.From.In(i18n.Zone)
	switch p.Level {
	case quality.LevelYear:
		return from.Format("2006")
	case quality.LevelQuarter:
		return fmt.Sprintf("%s-Q%d", from.Format("2006"), (from.Month()+2)/3)
	case quality.LevelMonth:
		return from.Format("2006-01")
	}
	return from.Format("2006-01-02")
}

// Previous is the period before p.
func (p Period) Previous() Period { return PeriodAt(p.Level, p.From.Add(-time.Hour)) }

// Next is the period after p.
func (p Period) Next() Period { return PeriodAt(p.Level, p.To) }

// Days is how many days p covers.
func (p Period) Days() int { return int(p.To.Sub(p.From) / (24 * time.Hour)) }

// Months are the months of a quarter or year.
func (p Period) Months() []Period {
	var out []Period
	for m := PeriodAt(quality.LevelMonth, p.From); m.From.Before(p.To); m = m.Next() {
		out = append(out, m)
	}
	return out
}

// Until is the end of what of p has gone by at now.
func (p Period) Until(now time.Time) time.Time {
	if now.Before(p.From) {
		return p.From
	}
	if now.Before(p.To) {
		return now
	}
	return p.To
}
