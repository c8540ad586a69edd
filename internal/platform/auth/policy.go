package auth

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"plateau/internal/platform/errs"
)

// MinPassword and maxPassword bound the characters of a password: NIST SP 800-63B section 3.1.1.2 and ASVS
// 5.0 V6.2 ask for at least 8, and for 64 to be taken. There are no rules of
// composition; every character counts, spaces and those of any script included.
const (
	MinPassword = 10
	maxPassword = 256
)

// common lists known passwords in lower case, one a line, sorted.
//
//go:embed common_passwords.txt
var common string

// prepare gives a password the one form in which it is hashed and compared: what
// looks equal is typed in other code points on another keyboard (RFC 8265
// section 4.2 takes NFC, too). Nothing else is changed, and nothing is cut.
func prepare(password string) string { return norm.NFC.String(password) }

// checkNew returns errs.Invalid about field when a password is not to be taken
// for an account: too short, too long, or one of those that are tried first.
func checkNew(field, password, login string) error {
	password = prepare(password)
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return errs.InvalidField(field, "err.field.password", "min", MinPassword)
	case n > maxPassword || !utf8.ValidString(password):
		return errs.InvalidField(field, "err.field.password_long", "max", maxPassword)
	case guessable(password, login):
		return errs.InvalidField(field, "err.field.password_common")
	}
	return nil
}

// guessable reports whether a password is a known one, also with digits and
// marks put before or behind it, is made of very few different characters, or is
// little more than the login or the program's name.
func guessable(password, login string) bool {
	p := strings.ToLower(password)
	letters := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	if known(p) || known(letters) {
		return true
	}
	different := map[rune]bool{}
	for _, r := range p {
		different[r] = true
	}
	if len(different) < 4 {
		return true
	}
	for _, word := range []string{login, "plateau", "password", "高原"} {
		if utf8.RuneCountInString(word) < 2 || !strings.Contains(p, word) {
			continue
		}
		if utf8.RuneCountInString(strings.ReplaceAll(p, word, "")) < MinPassword-2 {
			return true
		}
	}
	return false
}

// known reports whether a word stands in the list. Looking through it takes some
// ten microseconds, a thousandth of hashing; a map would hold megabytes for that.
func known(word string) bool {
	return word != "" && !strings.ContainsAny(word, "\n ") && strings.Contains(common, "\n"+word+"\n")
}
