package write

import (
	"bytes"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// span reads an instant or a period out of a JSON string. The usual form in UTC
// is read by hand, because every observation has one.
func span(b []byte) (s sensorthings.Span, period, ok bool) {
	if !isText(b) {
		return s, false, false
	}
	if at, ok := utc(b[1 : len(b)-1]); ok {
		return sensorthings.Span{Start: at, End: at}, false, true
	}
	s, err := query.ParseSpan(unquote(b))
	return s, bytes.IndexByte(b, '/') >= 0, err == nil
}

// utc reads 2016-01-01T04:00:00Z, with up to six digits of a fraction, as Unix
// microseconds; everything else is left to others.
func utc(b []byte) (int64, bool) {
	if len(b) < 20 || len(b) > 27 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		return 0, false
	}
	y, m, d := digits(b[:4]), digits(b[5:7]), digits(b[8:10])
	h, mi, s := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	if y < 1 || m < 1 || m > 12 || d < 1 || d > days(y, m) || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 59 {
		return 0, false
	}
	micros := int64(0)
	if len(b) > 20 {
		frac := b[20 : len(b)-1]
		if b[19] != '.' || len(frac) == 0 {
			return 0, false
		}
		n := digits(frac)
		if n < 0 {
			return 0, false
		}
		micros = int64(n)
		for range 6 - len(frac) {
			micros *= 10
		}
	}
	return ((sinceEpoch(y, m, d)*24+int64(h))*60+int64(mi))*60*1e6 + int64(s)*1e6 + micros, true
}

// digits reads a whole number, -1 when b is none.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func days(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// sinceEpoch counts the days from 1970-01-01 in the Gregorian calendar. The year
// begins in March there, so that the leap day is its last.
func sinceEpoch(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	return int64(365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 719469)
}

// instantText writes an instant as it is stored among properties.
func instantText(s sensorthings.Span) []byte { return quoted(query.FormatSpan(s)) }

func quoted(s string) []byte { return append(append([]byte{'"'}, s...), '"') }

// nowSpan is the present instant in milliseconds, which every client reads.
func nowSpan(now time.Time) sensorthings.Span {
	at := now.Truncate(time.Millisecond).UnixMicro()
	return sensorthings.Span{Start: at, End: at}
}
