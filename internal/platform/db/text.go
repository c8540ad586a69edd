package db

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"plateau/internal/platform/errs"
)

// Texts with a zero byte or that are not UTF-8 are refused on both databases:
// PostgreSQL cannot hold them, and what one holds the other must hold too.

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// textOf returns the text in an argument of a statement.
func textOf(arg any) (string, bool) {
	switch v := arg.(type) {
	case string:
		return v, true
	case nil, int, int64, bool, []byte, float64:
		return "", false
	}
	switch v := reflect.ValueOf(arg); {
	case v.Kind() == reflect.String:
		return v.String(), true
	case v.Kind() == reflect.Struct && v.NumField() == 2 && v.Field(0).Kind() == reflect.String: // sql.NullString
		return v.Field(0).String(), true
	}
	return "", false
}

// storable refuses arguments that cannot be stored, with errs.Invalid.
func storable(args []any) error {
	for i, a := range args {
		if s, is := textOf(a); is && !isText(s) {
			return errs.Wrap(fmt.Errorf("argument %d is no text: %.40q", i+1, s), errs.Invalid, "err.not_text")
		}
	}
	return nil
}

// sought returns arguments that a reading statement may have: a text that cannot
// be stored is found nowhere, which one with a sign in place of the fault says
// as well.
func sought(args []any) []any {
	changed := false
	for i, a := range args {
		s, is := textOf(a)
		if !is || isText(s) {
			continue
		}
		if !changed {
			args, changed = slices.Clone(args), true
		}
		args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	return args
}
