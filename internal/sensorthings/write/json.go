package write

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// The functions below walk over JSON that valid has looked at once, without
// making values of it: most of a body is stored as it came.

// valid reports whether b is one JSON value in UTF-8, and gives it back without
// a byte order mark and the blanks around it.
func valid(b []byte) ([]byte, bool) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	return b, len(b) > 0 && utf8.Valid(b) && json.Valid(b)
}

// blank passes over white space.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// text passes over the string that begins at i.
func text(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skip passes over the value that begins at i.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return text(b, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = text(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// members calls fn with the members of an object, in order. A name with escapes
// is given without them.
func members(b []byte, fn func(name, value []byte) error) error {
	for i := blank(b, 1); b[i] == '"'; {
		end := text(b, i)
		name := b[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(b[i:end]))
		}
		i = blank(b, blank(b, end)+1)
		end = skip(b, i)
		if err := fn(name, b[i:end]); err != nil {
			return err
		}
		if i = blank(b, end); b[i] == ',' {
			i = blank(b, i+1)
		}
	}
	return nil
}

// elements calls fn with the elements of an array, in order.
func elements(b []byte, fn func(i int, value []byte) error) error {
	n := 0
	for i := blank(b, 1); b[i] != ']'; n++ {
		end := skip(b, i)
		if err := fn(n, b[i:end]); err != nil {
			return err
		}
		if i = blank(b, end); b[i] == ',' {
			i = blank(b, i+1)
		}
	}
	return nil
}

func isObject(b []byte) bool { return len(b) > 0 && b[0] == '{' }
func isArray(b []byte) bool  { return len(b) > 0 && b[0] == '[' }
func isText(b []byte) bool   { return len(b) > 0 && b[0] == '"' }
func isNull(b []byte) bool   { return len(b) > 0 && b[0] == 'n' }

// kindOf names the type of a value for a message.
func kindOf(b []byte) string {
	switch b[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// unquote returns the text of a JSON string.
func unquote(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1])
	}
	var s string
	_ = json.Unmarshal(b, &s) // was looked at by valid
	return s
}

// member returns a member of an object, nil when it has none of the name.
func member(b []byte, name string) (v []byte) {
	if !isObject(b) {
		return nil
	}
	_ = members(b, func(n, value []byte) error {
		if string(n) == name {
			v = value
		}
		return nil
	})
	return v
}

// compact returns a value without white space; what has none is not copied.
func compact(b []byte) json.RawMessage {
	if !isObject(b) && !isArray(b) || !bytes.ContainsAny(b, " \n\t\r") {
		return b
	}
	var out bytes.Buffer
	_ = json.Compact(&out, b) // was looked at by valid
	return out.Bytes()
}
