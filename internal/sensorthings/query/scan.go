package query

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Members of stored JSON are found by walking its bytes: a filter asks every row
// for one member, and decoding the rest would be most of the work. The bytes
// were valid JSON when they were stored; anything else is found to be missing.

// step is one step into JSON: a member's name, which may also be the place in a list.
type step struct {
	name  string
	index int // -1 = not a number
}

func makeSteps(names []string) []step {
	out := make([]step, len(names))
	for i, n := range names {
		out[i] = step{name: n, index: -1}
		if k, err := strconv.Atoi(n); err == nil && k >= 0 && (n[0] != '0' || n == "0") {
			out[i].index = k
		}
	}
	return out
}

// dig follows steps into JSON and returns the text found there, "" for none.
func dig(raw string, steps []step) string {
	for _, s := range steps {
		i := blanks(raw, 0)
		if i == len(raw) {
			return ""
		}
		switch raw[i] {
		case '{':
			raw = member(raw, i, s.name)
		case '[':
			if s.index < 0 {
				return ""
			}
			raw = element(raw, i, s.index)
		default:
			return ""
		}
		if raw == "" {
			return ""
		}
	}
	return raw
}

// member finds a member of the object that begins at i; of two the last, as
// programs that read JSON into a map do.
func member(raw string, i int, name string) string {
	found := ""
	i = blanks(raw, i+1)
	for i < len(raw) && raw[i] == '"' {
		end := skip(raw, i)
		if end < 0 {
			return ""
		}
		key := raw[i+1 : end-1]
		same := key == name
		if !same && strings.IndexByte(key, '\\') >= 0 {
			var s string
			same = json.Unmarshal([]byte(raw[i:end]), &s) == nil && s == name
		}
		i = blanks(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return ""
		}
		i = blanks(raw, i+1)
		if end = skip(raw, i); end < 0 {
			return ""
		}
		if same {
			found = raw[i:end]
		}
		i = blanks(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			break
		}
		i = blanks(raw, i+1)
	}
	return found
}

// element finds the n-th element of the list that begins at i.
func element(raw string, i, n int) (found string) {
	each(raw, i, func(part string) bool {
		if n == 0 {
			found = part
		}
		n--
		return n >= 0
	})
	return found
}

// each calls fn with the elements of the list that begins at i until it returns false.
func each(raw string, i int, fn func(part string) bool) {
	i = blanks(raw, i+1)
	for i < len(raw) && raw[i] != ']' {
		end := skip(raw, i)
		if end < 0 || !fn(raw[i:end]) {
			return
		}
		i = blanks(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			return
		}
		i = blanks(raw, i+1)
	}
}

// skip returns the end of the value that begins at i, -1 when there is none.
func skip(raw string, i int) int {
	if i >= len(raw) {
		return -1
	}
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			for i++; ; i++ {
				if i >= len(raw) {
					return -1
				}
				if raw[i] == '\\' {
					i++
				} else if raw[i] == '"' {
					break
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return -1
			}
			i++
			continue
		default:
			start := i
			for i < len(raw) && strings.IndexByte(",:{}[]\" \t\r\n", raw[i]) < 0 {
				i++
			}
			if i == start {
				return -1
			}
		}
		if depth <= 0 {
			if depth < 0 {
				return -1
			}
			return i
		}
	}
	return -1
}

func blanks(raw string, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// jsonOf is the value of a piece of JSON, null of none.
func jsonOf(s string) Value {
	if s == "" {
		return Value{}
	}
	return JSON(bytesOf(s))
}
