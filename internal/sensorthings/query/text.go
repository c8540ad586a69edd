package query

import (
	"strings"
	"unicode/utf8"
)

// Texts are counted in characters, not in bytes.

func contains(hay, needle Value) Value { return Bool(strings.Contains(hay.s, needle.s)) }

func startsWith(a []Value) Value { return Bool(strings.HasPrefix(a[0].s, a[1].s)) }

func endsWith(a []Value) Value { return Bool(strings.HasSuffix(a[0].s, a[1].s)) }

func length(a []Value) Value { return Integer(int64(utf8.RuneCountInString(a[0].s))) }

func indexOf(a []Value) Value {
	i := strings.Index(a[0].s, a[1].s)
	if i < 0 {
		return Integer(-1)
	}
	return Integer(int64(utf8.RuneCountInString(a[0].s[:i])))
}

// substring counts from 0; what lies outside of the text is left out.
func substring(a []Value) Value {
	from := clamp(a[1].float())
	s := a[0].s
	s = s[offset(s, from):]
	if len(a) == 3 {
		s = s[:offset(s, clamp(a[2].float()))]
	}
	return Text(s)
}

func clamp(f float64) int { return int(min(max(f, 0), 1<<30)) }

// offset is where the n-th character begins.
func offset(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, k := utf8.DecodeRuneInString(s[i:])
		i += k
	}
	return i
}

func toLower(a []Value) Value { return Text(strings.ToLower(a[0].s)) }

func toUpper(a []Value) Value { return Text(strings.ToUpper(a[0].s)) }

func trim(a []Value) Value { return Text(strings.TrimSpace(a[0].s)) }
