package casework

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// maxTerm bounds a term, in characters; longer words are cut.
const maxTerm = 40

// script is how a character is cut.
type script int

const (
	between script = iota // separates
	han                   // Chinese, which has no spaces between words
	tibetan               // syllables
	spelt                 // letters and digits of all other scripts
)

func scriptOf(r rune) script {
	switch {
	case unicode.Is(unicode.Han, r):
		return han
	case r >= 0x0F20 && r <= 0x0F29: // digits, which were turned into others
		return spelt
	case unicode.Is(unicode.Tibetan, r):
		if unicode.IsLetter(r) || unicode.IsMark(r) {
			return tibetan
		}
		return between // tsheg, shad and their kin
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return spelt
	case unicode.IsMark(r):
		return spelt
	}
	return between
}

// folded is a text as it is cut: one form of each character, lower case, without
// marks on Latin letters, digits as 0 to 9.
func folded(s string) string {
	s = norm.NFD.String(width.Fold.String(s))
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 0x0F20 && r <= 0x0F29:
			b.WriteRune('0' + r - 0x0F20)
		case unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Tibetan, r):
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return norm.NFC.String(b.String())
}

// runs cuts a text where its script changes, and at what separates.
func runs(s string, fn func(kind script, text string)) {
	text := folded(s)
	start, kind := 0, between
	for i, r := range text {
		if k := scriptOf(r); k != kind {
			if kind != between {
				fn(kind, text[start:i])
			}
			start, kind = i, k
		}
	}
	if kind != between {
		fn(kind, text[start:])
	}
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxTerm {
		return string(r[:maxTerm])
	}
	return s
}

// terms are what texts are found by, each once: Chinese by single characters and
// pairs, Tibetan by syllables, everything else by words.
func terms(texts ...string) (out []string) {
	seen := map[string]bool{}
	add := func(t string) {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	for _, text := range texts {
		runs(text, func(kind script, s string) {
			if kind != han {
				add(cut(s))
				return
			}
			r := []rune(s)
			for i := range r {
				add(string(r[i]))
				if i > 0 {
					add(string(r[i-1 : i+1]))
				}
			}
		})
	}
	return out
}

// mostSought bounds the terms of one query; what is behind them is left out.
const mostSought = 16

// sought are the terms that a case must all have to be found. A tracking number is
// one, however it is written; of Chinese longer than a character only pairs are
// looked for, which say more.
func sought(query string) (out []string) {
	if n, err := ParseTracking(query); err == nil {
		return []string{n}
	}
	runs(query, func(kind script, s string) {
		r := []rune(s)
		if kind != han || len(r) == 1 {
			out = append(out, cut(s))
			return
		}
		for i := 1; i < len(r); i++ {
			out = append(out, string(r[i-1:i+1]))
		}
	})
	seen := map[string]bool{}
	out = slices.DeleteFunc(out, func(t string) bool {
		was := seen[t]
		seen[t] = true
		return was
	})
	return out[:min(len(out), mostSought)]
}
