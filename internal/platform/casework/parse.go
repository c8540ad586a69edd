package casework

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"plateau/internal/platform/access"
	"plateau/internal/platform/near"
)

// Fault is something wrong in a file of a case type, with what to do about it.
type Fault struct {
	File string
	Line int // from 1
	Text string
}

func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// Faults are all that is wrong with a file, in the order of its lines.
type Faults []Fault

func (f Faults) String() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// Bounds of a file: a type is read by people.
const (
	maxBytes    = 256 << 10
	maxSpan     = 10_000 // of a span, in its unit
	maxSeverity = 9
	maxChars    = 100_000 // of a field
)

// Parse reads a case type as docs/case-types.md describes it. name is the file's,
// for messages. With faults there is no type.
func Parse(name string, text []byte) (*Type, Faults) {
	r := &reader{file: name, end: 1 + bytes.Count(text, []byte("\n")), t: &Type{}, states: map[string]*State{}, clocks: map[string]*Clock{}, forms: map[string]*Form{}, levels: map[int]bool{}, lines: map[any]int{}, clockUsed: map[string]bool{}}
	if root := r.document(text); root != nil {
		r.read(root)
		r.graph()
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return a.Line - b.Line })
		return nil, r.faults
	}
	return r.t, nil
}

// reader reads one file.
type reader struct {
	file   string
	end    int // last line
	t      *Type
	faults Faults

	system    string // whose roles are known; "" = the one named is none
	states    map[string]*State
	clocks    map[string]*Clock
	forms     map[string]*Form
	anyForm   bool // the file has no forms: those named ask for a note
	levels    map[int]bool
	lines     map[any]int // of states, actions, clocks
	startLine int
	clockUsed map[string]bool // started by a state or an effect
}

func (r *reader) add(line int, format string, args ...any) {
	text := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) { // of a quoted text, for the terminal
			return ' '
		}
		return c
	}, fmt.Sprintf(format, args...))
	r.faults = append(r.faults, Fault{r.file, min(line, r.end), text})
}

// unreadable are what is no text, and what YAML takes for a new line and editors
// do not.
func unreadable(c rune) bool {
	return c == utf8.RuneError || unicode.IsControl(c) && c != '\t' || c == '\u2028' || c == '\u2029'
}

// document reads the text as YAML; nil when it is none.
func (r *reader) document(text []byte) *yaml.Node {
	if len(text) > maxBytes {
		r.add(1, "the file has %d bytes; a case type has %d at most: split what is in it into several types", len(text), maxBytes)
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		if at := strings.IndexFunc(strings.TrimSuffix(line, "\r"), unreadable); at >= 0 {
			r.add(i+1, "byte %d of the line is no text in UTF-8; save the file as UTF-8, with line feeds, and take out control characters", at+1)
		}
	}
	if len(r.faults) > 0 {
		return nil
	}
	var doc, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null"):
		r.add(1, "the file is empty; write kind, version, start, states and actions")
		return nil
	case err == nil:
		if err = dec.Decode(&next); err == nil {
			line := next.Line
			if len(next.Content) > 0 {
				line = next.Content[0].Line
			}
			r.add(line, "a second document begins here; one file holds one version of one type: move it to a file of its own")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		r.add(badLine(text, err), "is no YAML: %s", strings.TrimSpace(yamlWhere.ReplaceAllString(err.Error(), "")))
		return nil
	}
	return doc.Content[0]
}

var yamlWhere = regexp.MustCompile(`^yaml:( line (\d+):)?`)

// badLine is the first line that makes the text no YAML. The parser's own line is
// where the broken mapping begins, or one off; so the text is read up to each line,
// and the last that can be read stands before the broken one.
func badLine(text []byte, err error) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	left := 8 << 20 // bytes to read for it
	for n := len(lines) - 1; n > 0 && left > 0; n-- {
		head := bytes.Join(lines[:n], nil)
		left -= len(head)
		if readable(head) {
			for ; n < len(lines)-1 && len(bytes.TrimSpace(lines[n])) == 0; n++ { // not an empty line
			}
			return n + 1
		}
	}
	if m := yamlWhere.FindStringSubmatch(err.Error()); left <= 0 && m != nil {
		n, _ := strconv.Atoi(m[2]) // "" is line 0
		return min(max(n, 1), len(lines))
	}
	return 1
}

func readable(text []byte) bool {
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// entry is a key of a mapping with what stands behind it; the zero value is a key
// that is not there.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// entries are those of a mapping, without what stands there again; form says how
// one is written.
func (r *reader) entries(n *yaml.Node, what, form string) []entry {
	if n == nil || !r.is(n, yaml.MappingNode, what, form) {
		return nil
	}
	seen := map[string]int{}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			r.add(k.Line, "%s: a key is no word; write a name", what)
		case seen[k.Value] > 0:
			r.add(k.Line, "%s: %s stands here twice, first on line %d; keep one of them", what, k.Value, seen[k.Value])
		default:
			seen[k.Value] = k.Line
			out = append(out, entry{k.Value, k.Line, v})
		}
	}
	return out
}

// is reports whether a node is of a kind.
func (r *reader) is(n *yaml.Node, kind yaml.Kind, what, form string) bool {
	switch {
	case n.Kind == kind:
		return true
	case n.Kind == yaml.AliasNode:
		r.add(n.Line, "%s is *%s; write it out: a case type has no aliases", what, n.Value)
	case n.Tag == "!!null":
		r.add(n.Line, "%s is empty; write %s, or take the key out", what, form)
	default:
		r.add(n.Line, "%s is %s; write %s", what, shape(n), form)
	}
	return false
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// keyed are the entries of a mapping by their keys, all of them known. A misspelt
// key counts as the one it most likely is: what follows from the slip is not told.
func (r *reader) keyed(n *yaml.Node, what string, known ...string) map[string]entry {
	out, slips := map[string]entry{}, map[string]entry{}
	for _, e := range r.entries(n, what, "a mapping with "+strings.Join(known, ", ")) {
		if !slices.Contains(known, e.key) {
			r.add(e.line, "%s: %s is no key here; %s", what, e.key, instead(e.key, known))
			slips[near.Of(e.key, known)] = e
			continue
		}
		out[e.key] = e
	}
	for key, e := range slips {
		if _, has := out[key]; !has {
			out[key] = e
		}
	}
	return out
}

// instead says what to write for a word that is not known.
func instead(word string, known []string) string {
	if n := near.Of(word, known); n != "" {
		return "write " + n
	}
	if len(known) == 0 {
		return "take it out: there are none"
	}
	return "write one of " + strings.Join(known, ", ")
}

// text reads a word or a sentence; "" when it is not there or none.
func (r *reader) text(e entry, what string) string {
	if e.value == nil || !r.is(e.value, yaml.ScalarNode, what, "a text") {
		return ""
	}
	v := strings.TrimSpace(e.value.Value)
	if v == "" || e.value.Tag == "!!null" {
		r.add(e.line, "%s is empty; write a text, or take the key out", what)
		return ""
	}
	return v
}

// oneOf reads a word of a list; "" when it is not there or not known.
func (r *reader) oneOf(e entry, what string, known []string) string {
	v := r.text(e, what)
	if v != "" && !slices.Contains(known, v) {
		r.add(e.value.Line, "%s: %s is not known; %s", what, v, instead(v, known))
		return ""
	}
	return v
}

func (r *reader) number(e entry, what string, least, most int) int {
	v := r.text(e, what)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.add(e.value.Line, "%s is %q; write a whole number from %d to %d", what, v, least, most)
		return 0
	}
	return n
}

func (r *reader) flag(e entry, what string) bool {
	v := r.text(e, what)
	if v != "" && v != "true" && v != "false" {
		r.add(e.value.Line, "%s is %q; write true or false", what, v)
	}
	return v == "true"
}

// words reads a list of words, each with its line.
func (r *reader) words(e entry, what string) (out []entry) {
	if e.value == nil || !r.is(e.value, yaml.SequenceNode, what, "a list such as [name]") {
		return nil
	}
	seen := map[string]bool{}
	for _, n := range e.value.Content {
		v := r.text(entry{line: n.Line, value: n}, what)
		switch {
		case v == "":
		case seen[v]:
			r.add(n.Line, "%s: %s stands there twice; keep one of them", what, v)
		default:
			seen[v] = true
			out = append(out, entry{v, n.Line, n})
		}
	}
	return out
}

// name reports whether a word can name something of the type.
func (r *reader) name(e entry, what string) bool {
	if nameForm.MatchString(e.key) && e.key != AnyOpen {
		return true
	}
	if e.key == AnyOpen {
		r.add(e.line, "%s: %s stands for every open state; write another name", what, AnyOpen)
	} else {
		r.add(e.line, "%s: %q is no name; write up to 40 of a to z, 0 to 9 and _, a letter first", what, e.key)
	}
	return false
}

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	valueForm = regexp.MustCompile(`^[a-z0-9_]{1,40}$`) // of an option
)

// label reads a text in three languages; instead stands in where there is none.
func (r *reader) label(e entry, what, instead string) Text {
	if e.value == nil {
		return Text{Zh: instead}
	}
	keys := r.keyed(e.value, what, "zh", "bo", "en")
	if _, has := keys["zh"]; !has && e.value.Kind == yaml.MappingNode {
		r.add(e.line, "%s has no zh; add the Chinese text", what)
	}
	return Text{Zh: r.text(keys["zh"], what+".zh"), Bo: r.text(keys["bo"], what+".bo"), En: r.text(keys["en"], what+".en")}
}

var spanForm = regexp.MustCompile(`^([0-9]{1,5})(h|wh|wd|d)$`)

// span reads a length of time.
func (r *reader) span(e entry, what string, least int) (Span, bool) {
	v := r.text(e, what)
	if v == "" {
		return Span{}, false
	}
	m := spanForm.FindStringSubmatch(v)
	n := -1
	if m != nil {
		n, _ = strconv.Atoi(m[1]) // five digits
	}
	if n < least || n > maxSpan {
		r.add(e.value.Line, "%s is %q; write a number from %d to %d and h (hours), wh (working hours), wd (working days) or d (days), such as 15wd", what, v, least, maxSpan)
		return Span{}, false
	}
	return Span{n, Unit(m[2])}, true
}

// day reads a day as YYYY-MM-DD.
func (r *reader) day(e entry, what string) string {
	v := r.text(e, what)
	if v == "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		r.add(e.value.Line, "%s is %q; write a day as YYYY-MM-DD", what, v)
		return ""
	}
	return v
}

// system finds whose roles take the actions.
func (r *reader) systemOf(e entry) {
	r.t.System = "rivers"
	if e.value != nil {
		r.t.System = r.oneOf(e, "system", access.Default().Systems())
	}
	r.system = r.t.System
}

// roles are the names that actions may use.
func (r *reader) roles() []string {
	known := []string{RoleReporter, RoleUnit, RoleTimer}
	if r.system != "" {
		for _, role := range access.Default().Roles(r.system) {
			known = append(known, strings.TrimPrefix(role, r.system+"."))
		}
	}
	return known
}
