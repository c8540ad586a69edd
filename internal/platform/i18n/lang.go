package i18n

import (
	"slices"
	"strconv"
	"strings"
)

// Lang is one of the three page languages.
type Lang string

// The page languages.
const (
	Zh Lang = "zh"
	Bo Lang = "bo"
	En Lang = "en"
)

// Langs lists the page languages in the order of the language switch.
func Langs() []Lang { return []Lang{Zh, Bo, En} }

// ParseLang returns the language of a path segment or cookie; ok is false for
// anything that is not exactly zh, bo or en.
func ParseLang(s string) (l Lang, ok bool) {
	l = Lang(s)
	return l, slices.Contains(Langs(), l)
}

// Tag returns the language tag for the lang attribute.
func (l Lang) Tag() string {
	if l == Zh {
		return "zh-Hans"
	}
	return string(l)
}

// Negotiate chooses a language for a request whose path names none: the cookie
// first, then Accept-Language by weight (RFC 9110 section 12.5.4), then Chinese.
func Negotiate(cookie, accept string) Lang {
	if l, ok := ParseLang(cookie); ok {
		return l
	}
	best, weight := Zh, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		l, ok := ParseLang(primary)
		if !ok {
			continue
		}
		q := 1.0
		if v, found := strings.CutPrefix(strings.TrimSpace(params), "q="); found {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || f < 0 || f > 1 {
				continue
			}
			q = f
		}
		if q > weight {
			best, weight = l, q
		}
	}
	return best
}
