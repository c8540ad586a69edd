package hj212

import (
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Zone is the zone of every time in the protocol: UTC+8, never written.
var Zone = time.FixedZone("UTC+8", 8*3600)

// AppendTime appends t as YYYYMMDDhhmmss in UTC+8.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.In(Zone)
	y, m, d := t.Date()
	h, mi, s := t.Clock()
	dst = append(dst, byte('0'+y/1000%10), byte('0'+y/100%10))
	for _, n := range [...]int{y % 100, int(m), d, h, mi, s} {
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	return dst
}

// AppendQN appends t as a request number: YYYYMMDDhhmmsszzz in UTC+8.
func AppendQN(dst []byte, t time.Time) []byte {
	ms := t.Nanosecond() / 1e6
	return append(AppendTime(dst, t), byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// ParseTime reads YYYYMMDDhhmmss, UTC+8, and returns UTC. A time that does
// not exist (month 13, hour 24) is an error.
func ParseTime(b []byte) (time.Time, error) {
	sec, ok := unixTime(b)
	if !ok {
		return time.Time{}, &Error{Name: BadTime, Detail: quote(b)}
	}
	return time.Unix(sec, 0).UTC(), nil
}

// ParseQN reads a request number, YYYYMMDDhhmmsszzz, as the instant it names;
// loggers that number their requests otherwise are an error.
func ParseQN(b []byte) (time.Time, error) {
	if len(b) == 17 {
		ms := b[14:]
		if sec, ok := unixTime(b[:14]); ok && digits(ms) {
			return time.UnixMilli(sec*1000 + int64(ms[0]-'0')*100 + int64(two(ms[1:]))).UTC(), nil
		}
	}
	return time.Time{}, &Error{Name: BadTime, Detail: quote(b)}
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func two(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }

// unixTime reads 14 digits as Unix seconds without allocating.
func unixTime(b []byte) (int64, bool) {
	if len(b) != 14 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	y, mo, d := two(b)*100+two(b[2:]), two(b[4:]), two(b[6:])
	h, mi, s := two(b[8:]), two(b[10:]), two(b[12:])
	if y < 1 || mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) || h > 23 || mi > 59 || s > 59 {
		return 0, false
	}
	return daysFrom(y, mo, d)*86400 + int64(h*3600+mi*60+s) - 8*3600, true
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFrom counts days since 1970-01-01 in the Gregorian calendar (civil-from-days, shifted to March).
func daysFrom(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// ParseDecimal reads a number as coef × 10^-scale. ok is false when the text
// is no number or when printing coef and scale would not give the very same
// text back (leading '+' or zeros, a bare point, more than 18 digits): keep
// the text then.
func ParseDecimal(b []byte) (coef int64, scale uint8, ok bool) {
	i, neg := 0, false
	if len(b) > 0 && b[0] == '-' {
		neg, i = true, 1
	}
	digits, point := 0, -1
	first := i
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' {
			if point >= 0 || i == first {
				return 0, 0, false
			}
			point = i
			continue
		}
		if c -= '0'; c > 9 {
			return 0, 0, false
		}
		coef = coef*10 + int64(c)
		if digits++; digits > 18 {
			return 0, 0, false
		}
	}
	if digits == 0 || point == len(b)-1 {
		return 0, 0, false
	}
	if b[first] == '0' && len(b) > first+1 && b[first+1] != '.' {
		return 0, 0, false // leading zero
	}
	if point >= 0 {
		scale = uint8(len(b) - 1 - point)
	}
	if neg {
		if coef == 0 {
			return 0, 0, false // "-0.0" would lose its sign
		}
		coef = -coef
	}
	return coef, scale, true
}

// AppendDecimal prints what ParseDecimal read.
func AppendDecimal(dst []byte, coef int64, scale uint8) []byte {
	if coef < 0 {
		dst = append(dst, '-')
		coef = -coef
	}
	if scale == 0 {
		return strconv.AppendInt(dst, coef, 10)
	}
	var buf [40]byte
	i := len(buf)
	for n := uint8(0); coef > 0 || n <= scale; n++ {
		if n == scale && scale > 0 {
			i--
			buf[i] = '.'
		}
		i--
		buf[i] = byte('0' + coef%10)
		coef /= 10
	}
	return append(dst, buf[i:]...)
}

// Text returns b as UTF-8: as it is when valid, else decoded as GB 18030
// (which contains GBK), with replacement characters where it is neither.
func Text(b []byte) string {
	s, _ := decodeText(b)
	return s
}

// TextOK is Text that reports false when b is neither UTF-8 nor GB 18030, or
// holds control characters that no text has.
func TextOK(b []byte) (string, bool) {
	s, ok := decodeText(b)
	return s, ok && !hasControl(b)
}

// decodeText reads UTF-8, else GB 18030. A code that GB 18030 leaves to its
// users or to single control bytes is taken as a sign that b is no text.
func decodeText(b []byte) (s string, ok bool) {
	if utf8.Valid(b) {
		return string(b), true
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	s, ok = string(out), err == nil && !holdsBare80(b)
	for _, r := range s {
		if r == utf8.RuneError || r >= 0xE000 && r <= 0xF8FF || r >= 0x80 && r < 0xA0 {
			return s, false
		}
	}
	return s, ok
}

// holdsBare80 reports a byte 0x80 where GB 18030 has a character's first byte;
// it stands for none there, though the decoder reads a euro sign, as browsers do.
func holdsBare80(b []byte) bool {
	for i := 0; i < len(b); {
		switch {
		case b[i] < 0x80:
			i++
		case b[i] == 0x80:
			return true
		case i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9':
			i += 4
		default:
			i += 2
		}
	}
	return false
}

// hasControl reports control characters that no text of the protocol holds.
func hasControl(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7F {
			return true
		}
	}
	return false
}

// quote shows at most 40 bytes of b in an error.
func quote(b []byte) string {
	if len(b) > 40 {
		return strconv.Quote(string(b[:40])) + "…"
	}
	return strconv.Quote(string(b))
}
