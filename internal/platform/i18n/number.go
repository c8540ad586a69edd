package i18n

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Missing stands where there is no value.
const Missing = "—"

// Number writes v with the given number of decimals, rounded half to even on
// its decimal digits, and grouped by thousands. Accepted are float64, *float64
// (nil is Missing), the integer types and decimal strings. NaN and infinities
// are Missing. Negative decimals keep the digits as they come.
func Number(v any, decimals int) string {
	text, ok := decimalText(v)
	if !ok {
		return Missing
	}
	if decimals >= 0 {
		text = HalfEven(text, decimals)
	}
	return Group(text)
}

func decimalText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", false
		}
		// The shortest digits that mean v: 62.45 stays 62.45 and is rounded as written.
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case *float64:
		if v == nil {
			return "", false
		}
		return decimalText(*v)
	case string:
		return v, isDecimal(v)
	default:
		s := fmt.Sprint(v)
		return s, isDecimal(s)
	}
}

func isDecimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, frac, dot := strings.Cut(s, ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	return whole != "" && digits(whole) && digits(frac) && (!dot || frac != "")
}

// HalfEven rounds a plain decimal number (no exponent) to the given number of
// decimals; a tie goes to the even digit (GB/T 8170). Too few decimals are
// filled with zeros. Anything that is no decimal number is returned unchanged.
func HalfEven(s string, decimals int) string {
	if !isDecimal(s) || decimals < 0 {
		return s
	}
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) <= decimals {
		return finish(sign, whole+frac+strings.Repeat("0", decimals-len(frac)), decimals)
	}
	kept, rest := []byte(whole+frac[:decimals]), frac[decimals:]
	tail := strings.TrimRight(rest[1:], "0")
	last := kept[len(kept)-1]
	if rest[0] > '5' || rest[0] == '5' && (tail != "" || (last-'0')%2 == 1) {
		i := len(kept) - 1
		for ; i >= 0 && kept[i] == '9'; i-- {
			kept[i] = '0'
		}
		if i < 0 {
			kept = append([]byte{'1'}, kept...)
		} else {
			kept[i]++
		}
	}
	return finish(sign, string(kept), decimals)
}

func finish(sign, digits string, decimals int) string {
	if strings.Trim(digits, "0") == "" {
		sign = "" // no minus zero
	}
	if decimals == 0 {
		return sign + digits
	}
	cut := len(digits) - decimals
	return sign + digits[:cut] + "." + digits[cut:]
}

// Group sets commas between thousands: 22940.00 is 22,940.00.
func Group(s string) string {
	start := 0
	if strings.HasPrefix(s, "-") {
		start = 1
	}
	end := strings.IndexByte(s, '.')
	if end < 0 {
		end = len(s)
	}
	if end-start <= 3 || !isDecimal(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:start])
	for i := start; i < end; i++ {
		if i > start && (end-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	b.WriteString(s[end:])
	return b.String()
}

// Digits turns Tibetan (U+0F20–0F29) and full-width digits and marks into the
// plain ones, so that a form takes a number however it was typed.
func Digits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x0F20 && r <= 0x0F29:
			return r - 0x0F20 + '0'
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '．' || r == '。':
			return '.'
		case r == '，':
			return ','
		case r == '－' || r == '−':
			return '-'
		case r == '　':
			return ' '
		}
		return r
	}, s)
}

// ParseNumber reads what a person typed: digits of any kind accepted by
// Digits, spaces and thousands commas allowed. The result is the plain decimal
// text, exact, and whether it is one.
func ParseNumber(s string) (string, bool) {
	s = strings.NewReplacer(",", "", " ", "", "\u00a0", "", "\u202f", "").Replace(Digits(s))
	s = strings.TrimPrefix(s, "+")
	return s, isDecimal(s)
}
