package i18n

import (
	"fmt"
	"strings"
	"time"
)

// Localizer writes texts, numbers and times in one language. It is immutable
// and safe for concurrent use.
type Localizer struct {
	c    *Catalogue
	lang Lang
}

// Lang returns the language of l.
func (l *Localizer) Lang() Lang { return l.lang }

// Catalogue returns the catalogue l reads.
func (l *Localizer) Catalogue() *Catalogue { return l.c }

// Has reports whether key is in the catalogue, in this language or in Chinese.
func (l *Localizer) Has(key string) bool { return l.c.Has(l.lang, key) || l.c.Has(Zh, key) }

// T returns the message of key with its holes filled from name, value pairs:
// T("overview.answered", "n", 3, "all", 5). A value that is an integer is
// written with grouping; time and other types with fmt.
func (l *Localizer) T(key string, args ...any) string {
	text, _ := l.Text(key, args...)
	return text
}

// Text is T and also tells the language of the words: Chinese when l's own
// language lacks the key. An unknown key is returned as it stands.
func (l *Localizer) Text(key string, args ...any) (text string, used Lang) {
	for _, lang := range []Lang{l.lang, Zh} {
		if m, ok := l.find(lang, key, args); ok {
			return m.fill(args), lang
		}
	}
	return key, l.lang
}

func (l *Localizer) find(lang Lang, key string, args []any) (message, bool) {
	messages := l.c.messages[lang]
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" && fmt.Sprint(args[i+1]) == "1" {
			if m, ok := messages[key+oneSuffix]; ok {
				return m, true
			}
		}
	}
	m, ok := messages[key]
	return m, ok
}

func (m message) fill(args []any) string {
	if len(m.holes) == 0 {
		return m.lits[0]
	}
	var b strings.Builder
	for i, lit := range m.lits {
		b.WriteString(lit)
		if i < len(m.holes) {
			b.WriteString(value(m.holes[i], args))
		}
	}
	return b.String()
}

// value returns the text for a hole; a hole without a value shows its name, so
// that the fault is seen and nothing else breaks.
func value(hole string, args []any) string {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != hole {
			continue
		}
		switch v := args[i+1].(type) {
		case string:
			return v
		case int, int64, uint64, uint32, int32, uint, uint16:
			return Group(fmt.Sprint(v))
		default:
			return fmt.Sprint(v)
		}
	}
	return "{" + hole + "}"
}

// Zone is the clock of every page: UTC+8 the whole year (Asia/Shanghai has had
// no other since 1992), fixed here so that no zone file is needed.
var Zone = time.FixedZone("Asia/Shanghai", 8*3600)

// Date returns the long date with the weekday.
func (l *Localizer) Date(t time.Time) string {
	t = t.In(Zone)
	return l.T("date.long", "y", t.Format("2006"), "m", t.Format("1"), "d", t.Format("2"),
		"month", l.T("date.month."+t.Format("1")), "weekday", l.T("date.weekday."+t.Format("Mon")))
}

// DateTime returns the long date and the clock time.
func (l *Localizer) DateTime(t time.Time) string { return l.Date(t) + " " + Clock(t) }

// DayMonth returns the date without year and weekday, for chart axes.
func (l *Localizer) DayMonth(t time.Time) string {
	t = t.In(Zone)
	return l.T("date.day_month", "m", t.Format("1"), "d", t.Format("2"), "month", l.T("date.month."+t.Format("1")))
}

// Short returns the date of tables, 2026-11-23, in every language.
func Short(t time.Time) string { return t.In(Zone).Format("2006-01-02") }

// Clock returns 08:30.
func Clock(t time.Time) string { return t.In(Zone).Format("15:04") }

// Seconds returns 08:30:07.
func Seconds(t time.Time) string { return t.In(Zone).Format("15:04:05") }

// Stamp returns 2026-11-23 08:30.
func Stamp(t time.Time) string { return t.In(Zone).Format("2006-01-02 15:04") }

// LastDay is an end in words: its last day where it falls on midnight, else the
// instant; "" for the zero time, which is no end.
func LastDay(t time.Time) string {
	switch at := t.In(Zone); {
	case t.IsZero():
		return ""
	case at.Equal(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, Zone)):
		return Short(t.Add(-time.Microsecond))
	}
	return Stamp(t)
}

// stampMarks are what else stands between the parts of a time.
var stampMarks = strings.NewReplacer("/", "-", "／", "-", "年", "-", "月", "-", "日", " ", "T", " ", "：", ":")

// ParseStamp reads a time in Zone as people and spreadsheets write it, with
// digits of any kind: 2026-11-23 08:30, 2026/11/23 8:30:00, 2026年11月23日; a date
// alone is its first instant.
func ParseStamp(s string) (time.Time, bool) {
	s = strings.Join(strings.Fields(stampMarks.Replace(Digits(s))), " ")
	for _, form := range []string{"2006-1-2 15:04", "2006-1-2 15:04:05", "2006-1-2"} {
		if t, err := time.ParseInLocation(form, s, Zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// Hours writes a stretch of the clock as a range: 07:00–08:00; an end at
// midnight is 24:00.
func Hours(from, to time.Time) string {
	end := Clock(to)
	if end == "00:00" && to.After(from) {
		end = "24:00"
	}
	return Clock(from) + "–" + end
}

// Duration writes d with its two largest units: 1 h 30 min. Under a minute it
// is seconds; parts of the smallest unit are cut, not rounded up, so "2 h" is
// never said before two hours are over.
func (l *Localizer) Duration(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	days, hours := int(d/(24*time.Hour)), int(d/time.Hour)%24
	minutes, seconds := int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case days > 0 && hours > 0:
		return l.T("duration.day_hour", "d", days, "h", hours)
	case days > 0:
		return l.T("duration.day", "d", days)
	case hours > 0 && minutes > 0:
		return l.T("duration.hour_minute", "h", hours, "m", minutes)
	case hours > 0:
		return l.T("duration.hour", "h", hours)
	case minutes > 0:
		return l.T("duration.minute", "m", minutes)
	}
	return l.T("duration.second", "s", seconds)
}

// Ago writes how long before now t was. A time after now is not "ago": the
// stamp is given instead.
func (l *Localizer) Ago(t, now time.Time) string {
	if t.After(now) {
		return Stamp(t)
	}
	return l.T("duration.ago", "span", l.Duration(now.Sub(t)))
}
