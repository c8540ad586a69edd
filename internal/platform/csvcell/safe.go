package csvcell

import "strings"

// starts are the first characters that make a spreadsheet run a text, or drop a
// character and look at the next; the apostrophe is one so that Plain is the way
// back of Safe.
const starts = "=+-@\t\r'"

// Safe puts an apostrophe before a text that a spreadsheet would run. Numbers
// are no texts: they must not come here.
func Safe(text string) string {
	if text != "" && strings.IndexByte(starts, text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// Plain takes the apostrophe of Safe off again.
func Plain(text string) string {
	if len(text) > 1 && text[0] == '\'' && strings.IndexByte(starts, text[1]) >= 0 {
		return text[1:]
	}
	return text
}
