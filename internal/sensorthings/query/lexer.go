package query

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"plateau/internal/sensorthings"
)

// token is a word, a sign or a literal of an expression.
type token struct {
	kind  tokenKind
	text  string
	value Value // of a literal
	at    int
}

type tokenKind uint8

const (
	tokEnd   tokenKind = iota
	tokName            // a name or a word such as "and"
	tokSign            // one of ( ) , / -
	tokValue           // number, text, time, period, date, clock
)

// lexer cuts a text into tokens, one at a time: the parser sometimes looks at
// the text itself (any(d:...)).
type lexer struct {
	text string
	pos  int
}

// next returns the next token. An error names the place.
func (l *lexer) next() (token, error) {
	for l.pos < len(l.text) && isBlank(l.text[l.pos]) {
		l.pos++
	}
	at := l.pos
	if at == len(l.text) {
		return token{at: at}, nil
	}
	rest := l.text[at:]
	switch c := rest[0]; {
	case c == '(' || c == ')' || c == ',' || c == '/':
		l.pos++
		return token{kind: tokSign, text: rest[:1], at: at}, nil
	case c == '\'':
		return l.quoted(at)
	case c >= '0' && c <= '9':
		return l.number(at)
	case c == '-':
		l.pos++
		return token{kind: tokSign, text: "-", at: at}, nil
	case strings.HasPrefix(rest, "@iot.id") && !isNamePart(rest[len("@iot.id"):]):
		l.pos += len("@iot.id")
		return token{kind: tokName, text: "@iot.id", at: at}, nil
	}
	r, n := utf8.DecodeRuneInString(rest)
	if r != '_' && !unicode.IsLetter(r) {
		return token{}, fault(at, "unexpected %q: expected a name, a number, a text in single quotes, a time or \"(\"", string(r))
	}
	for n < len(rest) {
		k := namePart(rest[n:])
		if k == 0 {
			break
		}
		n += k
	}
	l.pos += n
	return token{kind: tokName, text: rest[:n], at: at}, nil
}

// quoted reads '...' with ” for a quote.
func (l *lexer) quoted(at int) (token, error) {
	for i := at + 1; i < len(l.text); i++ {
		if l.text[i] != '\'' {
			continue
		}
		if i+1 < len(l.text) && l.text[i+1] == '\'' {
			i++
			continue
		}
		l.pos = i + 1
		s := strings.ReplaceAll(l.text[at+1:i], "''", "'")
		return token{kind: tokValue, text: l.text[at:l.pos], value: Text(s), at: at}, nil
	}
	return token{}, fault(at, "text in single quotes does not end: write a quote within it twice")
}

// number reads what begins with a digit: a number, a time, a period, a date or
// a time of day.
func (l *lexer) number(at int) (token, error) {
	rest := l.text[at:]
	done := func(n int, v Value) (token, error) {
		l.pos = at + n
		if isNamePart(l.text[l.pos:]) {
			return token{}, fault(at, "%q is no number, time or duration", rest[:n+1])
		}
		return token{kind: tokValue, text: rest[:n], value: v, at: at}, nil
	}
	if len(rest) >= 5 && rest[4] == '-' && isDigits(rest[:4]) {
		if len(rest) < 11 || rest[10] != 'T' && rest[10] != 't' {
			days, ok := scanDate(rest)
			if !ok {
				return token{}, fault(at, "%q is not a date such as 2016-01-31", word(rest))
			}
			return done(10, Value{kind: kindDate, a: days})
		}
		start, n, err := scanInstant(rest)
		if err != nil {
			return token{}, fault(at, "time %q %s", word(rest), err)
		}
		span := sensorthings.Span{Start: start, End: start}
		if n+1 < len(rest) && rest[n] == '/' && rest[n+1] >= '0' && rest[n+1] <= '9' {
			end, m, err := scanInstant(rest[n+1:])
			if err != nil {
				return token{}, fault(at+n+1, "time %q %s", word(rest[n+1:]), err)
			}
			if end < start {
				return token{}, fault(at, "period %q ends before it begins", rest[:n+1+m])
			}
			span.End = end
			n += 1 + m
		}
		return done(n, Time(span))
	}
	if us, n, ok := scanClock(rest); ok {
		return done(n, Value{kind: kindClock, a: us})
	}
	n := numberLength(rest)
	v := JSON([]byte(rest[:n]))
	if v.IsNull() {
		return token{}, fault(at, "number %q is too large", rest[:n])
	}
	return done(n, v)
}

// numberLength measures 12, 12.5, 1e-7 at the beginning of s.
func numberLength(s string) int {
	run := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	n := run(0)
	if n+1 < len(s) && s[n] == '.' && run(n+1) > n+1 {
		n = run(n + 1)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if e := run(i); e > i {
			n = e
		}
	}
	return n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isDigits(s string) bool {
	_, ok := digits(s)
	return ok
}

// namePart is the length of the character at the beginning of s if it may
// continue a name: letters, digits, "_", "-", ".", ":".
func namePart(s string) int {
	if s == "" {
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return 0
	}
	if r == '_' || r == '-' || r == '.' || r == ':' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
		return n
	}
	return 0
}

func isNamePart(s string) bool { return namePart(s) > 0 }

// word is s up to the next blank, cut for a message.
func word(s string) string {
	if i := strings.IndexAny(s, " \t\r\n(),"); i >= 0 {
		s = s[:i]
	}
	return shorten(s)
}

// shorten cuts what a message repeats of a request.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	i := most
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + "..."
}

// fault is an error of the text at a place; the option is filled in by whoever
// knows it.
func fault(at int, format string, args ...any) *Error {
	return &Error{Status: 400, At: at, Message: fmt.Sprintf(format, args...)}
}

// within completes an error: the option it is in, and the place in the message.
func within(option string, shift int, err error) error {
	e, ok := err.(*Error) //nolint:errorlint // faults are never wrapped in this package
	if !ok || e == nil {
		return err
	}
	out := *e
	if out.At >= 0 {
		out.At += shift
	}
	out.Option = option
	return &out
}

// Error implements error: the option and the place stand before the message.
func (e *Error) Error() string {
	where := ""
	if e.Option != "" {
		where = e.Option
		if e.At >= 0 {
			where += " at " + strconv.Itoa(e.At)
		}
		where += ": "
	}
	return where + e.Message
}
