package query

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"plateau/internal/sensorthings"
)

// Times are microseconds since 1970 in UTC, as everywhere in the program.
const (
	second = int64(1_000_000)
	day    = 86_400 * second
)

// The years that have a four-digit form.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

var errNoZone = errors.New("has no zone: end it with Z or an offset such as %2B02:00 (a bare + in an address is a blank)")

// ParseSpan reads an ISO 8601 instant or period with zone as clients write them
// (Z, +02:00, -0700, any fraction).
func ParseSpan(text string) (sensorthings.Span, error) {
	from, to, period := strings.Cut(text, "/")
	start, err := parseInstant(from)
	if err != nil {
		return sensorthings.Span{}, err
	}
	if !period {
		return sensorthings.Span{Start: start, End: start}, nil
	}
	end, err := parseInstant(to)
	if err != nil {
		return sensorthings.Span{}, err
	}
	if end < start {
		return sensorthings.Span{}, fmt.Errorf("period %q ends before it begins", text)
	}
	return sensorthings.Span{Start: start, End: end}, nil
}

// parseInstant reads one instant, in Unix microseconds. Digits beyond
// microseconds are cut; leap seconds and 24:00 are refused.
func parseInstant(text string) (int64, error) {
	at, n, err := scanInstant(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("time %q %w", text, err)
	case n != len(text):
		return 0, fmt.Errorf("time %q is not an ISO 8601 instant such as 2016-01-01T04:00:00Z", text)
	}
	return at, nil
}

var errNotTime = errors.New("is not an ISO 8601 instant such as 2016-01-01T04:00:00Z")

// scanInstant reads an instant at the beginning of s and tells its length.
func scanInstant(s string) (at int64, n int, err error) {
	days, ok := scanDate(s)
	if !ok || len(s) < 16 || s[10] != 'T' && s[10] != 't' {
		return 0, 0, errNotTime
	}
	clock, used, ok := scanClock(s[11:])
	if !ok {
		return 0, 0, errNotTime
	}
	n = 11 + used
	offset, used, ok := scanZone(s[n:])
	if !ok {
		return 0, 0, errNoZone
	}
	at = days*day + clock - offset*second
	if at < minTime || at > maxTime {
		return 0, 0, errNotTime
	}
	return at, n + used, nil
}

// scanDate reads 2016-01-31 as days since 1970.
func scanDate(s string) (int64, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digits(s[0:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 {
		return 0, false
	}
	t := time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC)
	if t.Day() != int(d) {
		return 0, false
	}
	return t.Unix() / 86_400, true
}

// scanClock reads 04:00, 04:00:00 or 04:00:00.5 as microseconds of the day.
func scanClock(s string) (us int64, n int, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, 0, false
	}
	h, ok1 := digits(s[0:2])
	m, ok2 := digits(s[3:5])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, 0, false
	}
	us, n = (h*3600+m*60)*second, 5
	if len(s) < 8 || s[5] != ':' {
		return us, n, true
	}
	sec, ok3 := digits(s[6:8])
	if !ok3 || sec > 59 {
		return 0, 0, false
	}
	us, n = us+sec*second, 8
	if len(s) < 10 || s[8] != '.' || s[9] < '0' || s[9] > '9' {
		return us, n, true
	}
	n = 9
	for unit := second / 10; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
		us += int64(s[n]-'0') * unit
		unit /= 10
	}
	return us, n, true
}

// scanZone reads Z, +02:00, +0200 or +02 as seconds east.
func scanZone(s string) (east int64, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if s[0] == 'Z' || s[0] == 'z' {
		return 0, 1, true
	}
	if s[0] != '+' && s[0] != '-' || len(s) < 3 {
		return 0, 0, false
	}
	h, ok := digits(s[1:3])
	if !ok || h > 23 {
		return 0, 0, false
	}
	n = 3
	rest := s[3:]
	if strings.HasPrefix(rest, ":") && len(rest) >= 3 {
		rest = rest[1:]
		n++
	}
	var m int64
	if len(rest) >= 2 {
		if v, two := digits(rest[:2]); two && v < 60 {
			m = v
			n += 2
		}
	}
	east = h*3600 + m*60
	if s[0] == '-' {
		east = -east
	}
	return east, n, true
}

func digits(s string) (int64, bool) {
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// FormatSpan writes an instant or period in UTC with Z, without needless zeros
// in the fraction.
func FormatSpan(s sensorthings.Span) string {
	return string(AppendSpan(nil, s))
}

// AppendSpan appends what FormatSpan writes.
func AppendSpan(dst []byte, s sensorthings.Span) []byte {
	if s.Instant() {
		return appendInstant(dst, s.Start)
	}
	return AppendPeriod(dst, s)
}

// AppendPeriod appends a period in full, also one whose ends are equal.
func AppendPeriod(dst []byte, s sensorthings.Span) []byte {
	return appendInstant(append(appendInstant(dst, s.Start), '/'), s.End)
}

func appendInstant(dst []byte, us int64) []byte {
	return time.UnixMicro(us).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999Z")
}

// compareTimes is a comparison of instants and half-open periods [s,e). A period
// that contains an instant is neither before nor after it.
func compareTimes(op operator, x, y Value) bool {
	xi, yi := x.a == x.b, y.a == y.b
	switch op {
	case opEq:
		return x.a == y.a && x.b == y.b
	case opNe:
		return x.a != y.a || x.b != y.b
	case opLt:
		return x.b <= y.a && x.a < y.a
	case opGt:
		return x.a >= y.b && x.a > y.a
	case opLe:
		switch {
		case yi:
			return x.b <= y.a
		case xi:
			return x.a <= y.a
		}
		return x.a <= y.a && x.b <= y.b
	case opGe:
		switch {
		case yi:
			return x.a >= y.a
		case xi:
			return x.a >= y.b
		}
		return x.a >= y.a && x.b >= y.b
	default:
		return false
	}
}
