package query

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// A duration has months beside its microseconds, for a month has no fixed length.

// The longest durations: what lies between the years 1 and 9999.
const (
	mostMicros = 400_000_000_000_000_000
	mostMonths = 120_000
)

func duration(us, months int64) Value { return Value{kind: kindDuration, a: us, b: months} }

// length is what durations are compared by: a month counts as 30 days.
func (v Value) length() int64 { return v.a + v.b*30*day }

// parseDuration reads ISO 8601: P1D, PT1H30M, P1Y2M, P2W, -PT0.5S.
func parseDuration(s string) (Value, bool) {
	sign := int64(1)
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if len(s) < 3 || s[0] != 'P' {
		return Value{}, false
	}
	s = s[1:]
	var us float64
	var months int64
	clock := false
	for s != "" {
		if s[0] == 'T' {
			if clock || len(s) == 1 {
				return Value{}, false
			}
			clock = true
			s = s[1:]
			continue
		}
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
			n++
		}
		if n == 0 || n == len(s) {
			return Value{}, false
		}
		f, err := strconv.ParseFloat(s[:n], 64)
		if err != nil || f > 1e9 {
			return Value{}, false
		}
		switch unit := s[n]; {
		case !clock && unit == 'Y':
			months += int64(f * 12)
		case !clock && unit == 'M':
			months += int64(f)
		case !clock && unit == 'W':
			us += f * 7 * float64(day)
		case !clock && unit == 'D':
			us += f * float64(day)
		case clock && unit == 'H':
			us += f * 3600 * float64(second)
		case clock && unit == 'M':
			us += f * 60 * float64(second)
		case clock && unit == 'S':
			us += f * float64(second)
		default:
			return Value{}, false
		}
		s = s[n+1:]
	}
	if us > mostMicros || months > mostMonths {
		return Value{}, false
	}
	return duration(sign*int64(math.Round(us)), sign*months), true
}

// shift moves a time by a duration; null when it leaves the years 1 to 9999.
func shift(t, d Value, sign int64) Value {
	start, ok1 := shiftInstant(t.a, d, sign)
	end, ok2 := shiftInstant(t.b, d, sign)
	if !ok1 || !ok2 || end < start {
		return Value{}
	}
	return Value{kind: kindTime, a: start, b: end}
}

func shiftInstant(at int64, d Value, sign int64) (int64, bool) {
	if d.b != 0 {
		at = time.UnixMicro(at).UTC().AddDate(0, int(sign*d.b), 0).UnixMicro()
	}
	at += sign * d.a
	return at, at >= minTime && at <= maxTime
}

// ParseDuration reads an ISO 8601 duration such as PT2H or P1D; a month counts
// as 30 days.
func ParseDuration(text string) (time.Duration, error) {
	v, ok := parseDuration(text)
	if !ok || v.length() > math.MaxInt64/1000 || v.length() < math.MinInt64/1000 {
		return 0, fmt.Errorf("%q is not an ISO 8601 duration such as PT2H", shorten(text))
	}
	return time.Duration(v.length()) * time.Microsecond, nil
}
