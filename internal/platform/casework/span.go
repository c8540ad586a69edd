package casework

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the span as case types write it: 4wh, 15wd.
func (s Span) String() string { return strconv.Itoa(s.N) + string(s.Unit) }

// ParseSpan reads a span such as 2h, 4wh, 15wd or 30d.
func ParseSpan(s string) (Span, error) {
	m := spanForm.FindStringSubmatch(s)
	n := 0
	if m != nil {
		n, _ = strconv.Atoi(m[1]) // five digits
	}
	if n < 1 || n > maxSpan {
		return Span{}, fmt.Errorf("%q is no span; write a number from 1 to %d and h (hours), wh (working hours), wd (working days) or d (days), such as 15wd", s, maxSpan)
	}
	return Span{N: n, Unit: Unit(m[2])}, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && !strings.ContainsAny(s, "nNiIxX_")
}
