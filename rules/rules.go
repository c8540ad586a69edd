package rules

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
)

//go:embed *.toml limits.csv testdata/cases.jsonl
var files embed.FS

const (
	limitFile = "limits.csv"
	caseFile  = "testdata/cases.jsonl" // worked cases
)

// ErrInvalid is what every fault of a rule file or limit table wraps.
var ErrInvalid = errors.New("invalid rule file")

// dateForm is the form of effective dates; they mean days of Beijing time.
const dateForm = "2006-01-02"

// Rule is one version of a rule.
type Rule struct {
	ID            string            `toml:"id"`
	Version       int               `toml:"version"`
	Title         map[string]string `toml:"title"`          // by language; zh and en are always there
	EffectiveFrom string            `toml:"effective_from"` // YYYY-MM-DD, inclusive
	EffectiveTo   string            `toml:"effective_to"`   // inclusive; "" = open
	Source        string            `toml:"source"`         // standard and clause
	SourceZh      string            `toml:"source_zh"`      // the same in Chinese
	Certainty     string            `toml:"certainty"`      // verified, certain, unverified
	Params        map[string]any    `toml:"params"`
	Hash          string            `toml:"-"` // first 12 hex digits of the file's SHA-256
}

// Set is an immutable set of rules and limits.
type Set struct {
	rules  map[string][]*Rule // by id, by effective_from
	limits *Limits
	shapes map[string]Shape
	mu     sync.Mutex
	digest map[string]string // by date
	edges  []string          // dates on which the set changes
}

// Default returns the embedded rules. They are part of the program, so a
// fault in them is a programmer error and panics.
var Default = sync.OnceValue(func() *Set {
	s, err := Load(files)
	if err != nil {
		panic("rules: embedded: " + err.Error())
	}
	return s
})

// Load reads every *.toml of fsys and its limits.csv.
func Load(fsys fs.FS) (*Set, error) {
	texts, err := readFolder(fsys)
	if err != nil {
		return nil, err
	}
	return load(texts)
}

// LoadOver reads the files of a folder laid over the embedded ones, with the
// worked cases that go with them.
func LoadOver(folder fs.FS) (*Set, []Case, error) {
	all, err := readFolder(files)
	if err != nil {
		return nil, nil, err
	}
	texts, err := readFolder(folder)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(all, texts)
	s, err := load(all)
	if err != nil {
		return nil, nil, err
	}
	cases, err := ParseCases(all[caseFile])
	return s, cases, err
}

func load(texts map[string][]byte) (*Set, error) {
	s := &Set{rules: map[string][]*Rule{}, digest: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		if name == schemaFile {
			var err error
			if s.shapes, err = ParseSchema(text); err != nil {
				return nil, err
			}
			continue
		}
		if path.Ext(name) != ".toml" {
			continue
		}
		r, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if idOf(name) != r.ID {
			return nil, fmt.Errorf("%s: holds rule %s: %w", name, r.ID, ErrInvalid)
		}
		s.rules[r.ID] = append(s.rules[r.ID], r)
		if judgesNothing(r.ID) {
			continue
		}
		s.edges = append(s.edges, r.EffectiveFrom)
		if r.EffectiveTo != "" {
			s.edges = append(s.edges, nextDay(r.EffectiveTo))
		}
	}
	for id, list := range s.rules {
		if strings.HasPrefix(id, markFamily) {
			for _, r := range list {
				if _, err := r.Marks(); err != nil {
					return nil, err
				}
			}
		}
		slices.SortFunc(list, func(a, b *Rule) int { return strings.Compare(a.EffectiveFrom, b.EffectiveFrom) })
		for i := 1; i < len(list); i++ {
			if text := succession(list[i-1], list[i]); text != "" {
				return nil, fmt.Errorf("%s: %w", text, ErrInvalid)
			}
		}
	}
	sort.Strings(s.edges)
	s.edges = slices.Compact(s.edges)
	text, ok := texts[limitFile]
	if !ok {
		return nil, fmt.Errorf("%s is missing: %w", limitFile, ErrInvalid)
	}
	var err error
	if s.limits, err = ParseLimits(text); err != nil {
		return nil, err
	}
	return s, nil
}

// succession tells why one version cannot follow another; "" = it can.
func succession(before, next *Rule) string {
	switch {
	case before.EffectiveTo == "" || before.EffectiveTo >= next.EffectiveFrom:
		return fmt.Sprintf("rule %s: versions %d and %d are in force together", next.ID, before.Version, next.Version)
	case nextDay(before.EffectiveTo) != next.EffectiveFrom:
		return fmt.Sprintf("rule %s: no version is in force between %s and %s", next.ID, before.EffectiveTo, next.EffectiveFrom)
	case before.Version >= next.Version:
		return fmt.Sprintf("rule %s: version %d follows version %d", next.ID, next.Version, before.Version)
	}
	return ""
}

// Parse reads and checks one rule file; every fault wraps ErrInvalid.
func Parse(text []byte) (*Rule, error) {
	r, faults := read(text)
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s %s: %w", faults[0].key, faults[0].text, ErrInvalid)
	}
	return r, nil
}

// fileFault is what is wrong with a key of a rule file, and what to write.
type fileFault struct {
	line      int
	key, text string
}

// read reads one rule file and lists all that is wrong with what every rule
// has; its parameters are held against its Shape by Check.
func read(text []byte) (*Rule, []fileFault) {
	r := &Rule{}
	md, err := toml.Decode(string(text), r)
	if at, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, []fileFault{{at.Position.Line, "is no TOML:", at.Message}}
	}
	if err != nil { // a value of another type; the text names the line
		line := 0
		if m := regexp.MustCompile(`line (\d+)`).FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return nil, []fileFault{{line, "does not fit:", err.Error()}}
	}
	var out []fileFault
	must := func(ok bool, key, format string, args ...any) {
		if !ok {
			out = append(out, fileFault{lineOf(text, key), key, fmt.Sprintf(format, args...)})
		}
	}
	for _, key := range md.Undecoded() {
		// Tables inside params count as undecoded, though they are read.
		must(key[0] == "params", key.String(), "is no key of a rule; it has id, version, title, effective_from, effective_to, source, source_zh, certainty and params")
	}
	must(ruleID.MatchString(r.ID), "id", "is %q; write words of lower-case letters, digits and _ joined by dots", r.ID)
	must(r.Version >= 1, "version", "is %d; write 1 or more", r.Version)
	must(r.Title["zh"] != "" && r.Title["en"] != "", "title", `needs both languages; write {zh = "…", en = "…"}`)
	must(r.Source != "", "source", "is missing; write standard and clause")
	must(r.SourceZh != "", "source_zh", "is missing; write standard and clause in Chinese")
	must(slices.Contains([]string{"verified", "certain", "unverified"}, r.Certainty), "certainty", "is %q; write verified, certain or unverified", r.Certainty)
	must(len(r.Params) > 0, "params", "are missing; write [params] and what the rule needs")
	if key, fault := dateFault(r.EffectiveFrom, r.EffectiveTo); key != "" {
		must(false, key, "%s", fault)
	}
	sum := sha256.Sum256(text)
	r.Hash = hex.EncodeToString(sum[:6])
	return r, out
}

var ruleID = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)+$`)

// dateFault tells which of two dates is wrong and why; an empty key: none.
func dateFault(from, to string) (key, fault string) {
	if _, err := time.Parse(dateForm, from); err != nil {
		return "effective_from", fmt.Sprintf("is %q; write a day as YYYY-MM-DD", from)
	}
	if to == "" {
		return "", ""
	}
	if _, err := time.Parse(dateForm, to); err != nil {
		return "effective_to", fmt.Sprintf("is %q; write a day as YYYY-MM-DD, or leave it out", to)
	}
	if to < from {
		return "effective_to", fmt.Sprintf("is %s, before effective_from %s", to, from)
	}
	return "", ""
}

func checkDates(from, to string) error {
	if key, fault := dateFault(from, to); key != "" {
		return fmt.Errorf("%s %s: %w", key, fault, ErrInvalid)
	}
	return nil
}

func nextDay(date string) string {
	t, _ := time.Parse(dateForm, date) // checked by checkDates
	return t.AddDate(0, 0, 1).Format(dateForm)
}

// At returns the version of a rule in force on date (YYYY-MM-DD, Beijing
// time). Before the first version the first one stands in: data older than a
// rule are still judged, by the oldest words we have. A rule that has ended
// without a successor is not found.
func (s *Set) At(id, date string) (*Rule, bool) {
	list := s.rules[id]
	if len(list) == 0 {
		return nil, false
	}
	best := list[0]
	for _, r := range list[1:] {
		if r.EffectiveFrom <= date {
			best = r
		}
	}
	if best.EffectiveTo != "" && date > best.EffectiveTo {
		return nil, false
	}
	return best, true
}

// IDs lists the rules by id.
func (s *Set) IDs() []string {
	ids := make([]string, 0, len(s.rules))
	for id := range s.rules {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// InForce returns the version of a rule in force on date, strictly: none
// before the first one.
func (s *Set) InForce(id, date string) (*Rule, bool) {
	r, ok := s.At(id, date)
	return r, ok && r.EffectiveFrom <= date
}

// NextChange is the first day after date on which another version of a rule, or
// none, is in force; "" when none is foreseen.
func (s *Set) NextChange(id, date string) string {
	for _, r := range s.rules[id] {
		if r.EffectiveFrom > date {
			return r.EffectiveFrom
		}
		if end := r.EffectiveTo; end != "" && nextDay(end) > date {
			return nextDay(end)
		}
	}
	return ""
}

// Versions lists the versions of a rule, oldest first.
func (s *Set) Versions(id string) []*Rule { return slices.Clone(s.rules[id]) }

// Limits is the table of limit values.
func (s *Set) Limits() *Limits { return s.limits }

// Period names the stretch of days around date in which no rule changes; rows
// judged within one period share a Digest.
func (s *Set) Period(date string) string {
	p := ""
	for _, e := range s.edges {
		if e > date {
			break
		}
		p = e
	}
	return p
}

// Periods names every stretch of days in which no rule changes, oldest first,
// by a date in it.
func (s *Set) Periods() []string { return append([]string{beforeAll}, s.edges...) }

// beforeAll is a date older than any rule.
const beforeAll = "0001-01-01"

// judgesNothing tells rules that look at what was judged: a new threshold of a lead
// must not have the whole history judged anew.
func judgesNothing(id string) bool { return strings.HasPrefix(id, "lead.") }

// Digest identifies all rules in force on date but those of leads, which judge
// nothing: 16 hex digits.
func (s *Set) Digest(date string) string {
	p := s.Period(date)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.digest[p]; ok {
		return d
	}
	h := sha256.New()
	for _, id := range s.IDs() {
		if r, ok := s.At(id, date); ok && !judgesNothing(id) {
			fmt.Fprintf(h, "%s@%d:%s\n", id, r.Version, r.Hash)
		}
	}
	d := hex.EncodeToString(h.Sum(nil)[:8])
	s.digest[p] = d
	return d
}

// Float returns a numeric parameter. A missing or mistyped parameter is a
// fault of the file: it wraps ErrInvalid.
func (r *Rule) Float(name string) (float64, error) {
	return r.TableFloat(r.Params, name)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// Text returns a text parameter.
func (r *Rule) Text(name string) (string, error) { return r.TableText(r.Params, name) }

// Texts returns a list of texts; a missing list is empty.
func (r *Rule) Texts(name string) ([]string, error) { return texts(r.ID, name, r.Params[name]) }

func texts(id, name string, v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("rule %s: parameter %s is no list: %w", id, name, ErrInvalid)
	}
	out := make([]string, len(list))
	for i, x := range list {
		if out[i], ok = x.(string); !ok {
			return nil, fmt.Errorf("rule %s: parameter %s holds something that is no text: %w", id, name, ErrInvalid)
		}
	}
	return out, nil
}

// Table returns a table parameter; nil when missing.
func (r *Rule) Table(name string) map[string]any {
	t, _ := r.Params[name].(map[string]any)
	return t
}

// TableTexts returns a list of texts inside a table.
func (r *Rule) TableTexts(table map[string]any, name string) ([]string, error) {
	return texts(r.ID, name, table[name])
}

// TableFloats returns a list of numbers inside a table.
func (r *Rule) TableFloats(table map[string]any, name string) ([]float64, error) {
	list, ok := table[name].([]any)
	if !ok {
		return nil, fmt.Errorf("rule %s: parameter %s is no list: %w", r.ID, name, ErrInvalid)
	}
	out := make([]float64, len(list))
	for i, x := range list {
		v, ok := number(x)
		if !ok {
			return nil, fmt.Errorf("rule %s: parameter %s holds something that is no number: %w", r.ID, name, ErrInvalid)
		}
		out[i] = v
	}
	return out, nil
}

// TableFloat returns a number inside a table.
func (r *Rule) TableFloat(table map[string]any, name string) (float64, error) {
	if v, ok := number(table[name]); ok {
		return v, nil
	}
	return 0, fmt.Errorf("rule %s: parameter %s is no number: %w", r.ID, name, ErrInvalid)
}

// TableText returns a text inside a table.
func (r *Rule) TableText(table map[string]any, name string) (string, error) {
	if v, ok := table[name].(string); ok {
		return v, nil
	}
	return "", fmt.Errorf("rule %s: parameter %s is no text: %w", r.ID, name, ErrInvalid)
}
