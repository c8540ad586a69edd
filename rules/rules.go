package rules

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
)

//go:embed *.toml limits.csv
var files embed.FS

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
	names, err := fs.Glob(fsys, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list rule files: %w", err)
	}
	s := &Set{rules: map[string][]*Rule{}, digest: map[string]string{}}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read rule file: %w", err)
		}
		r, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if base, _, _ := strings.Cut(strings.TrimSuffix(name, ".toml"), "@"); base != r.ID {
			return nil, fmt.Errorf("%s: holds rule %s: %w", name, r.ID, ErrInvalid)
		}
		s.rules[r.ID] = append(s.rules[r.ID], r)
		s.edges = append(s.edges, r.EffectiveFrom)
		if r.EffectiveTo != "" {
			s.edges = append(s.edges, nextDay(r.EffectiveTo))
		}
	}
	for id, list := range s.rules {
		slices.SortFunc(list, func(a, b *Rule) int { return strings.Compare(a.EffectiveFrom, b.EffectiveFrom) })
		for i := 1; i < len(list); i++ {
			before, next := list[i-1], list[i]
			switch {
			case before.EffectiveTo == "" || before.EffectiveTo >= next.EffectiveFrom:
				return nil, fmt.Errorf("rule %s: versions %d and %d are in force together: %w", id, before.Version, next.Version, ErrInvalid)
			case nextDay(before.EffectiveTo) != next.EffectiveFrom:
				return nil, fmt.Errorf("rule %s: no version is in force between %s and %s: %w", id, before.EffectiveTo, next.EffectiveFrom, ErrInvalid)
			}
		}
	}
	sort.Strings(s.edges)
	s.edges = slices.Compact(s.edges)
	text, err := fs.ReadFile(fsys, "limits.csv")
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	if s.limits, err = ParseLimits(text); err != nil {
		return nil, err
	}
	return s, nil
}

// Parse reads and checks one rule file; every fault wraps ErrInvalid.
func Parse(text []byte) (*Rule, error) {
	r := &Rule{}
	md, err := toml.Decode(string(text), r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for _, key := range md.Undecoded() {
		if key[0] != "params" { // tables inside params count as undecoded, though they are read
			return nil, fmt.Errorf("unknown key %s: %w", key, ErrInvalid)
		}
	}
	switch {
	case r.ID == "" || r.ID != strings.ToLower(r.ID):
		return nil, fmt.Errorf("id %q must be lower case: %w", r.ID, ErrInvalid)
	case r.Version < 1:
		return nil, fmt.Errorf("version must be 1 or more: %w", ErrInvalid)
	case r.Title["zh"] == "" || r.Title["en"] == "":
		return nil, fmt.Errorf("title needs zh and en: %w", ErrInvalid)
	case r.Source == "" || r.SourceZh == "":
		return nil, fmt.Errorf("source and source_zh must both be given: %w", ErrInvalid)
	case !slices.Contains([]string{"verified", "certain", "unverified"}, r.Certainty):
		return nil, fmt.Errorf("certainty %q is not verified, certain or unverified: %w", r.Certainty, ErrInvalid)
	case len(r.Params) == 0:
		return nil, fmt.Errorf("params are missing: %w", ErrInvalid)
	}
	if err := checkDates(r.EffectiveFrom, r.EffectiveTo); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	r.Hash = hex.EncodeToString(sum[:6])
	return r, nil
}

func checkDates(from, to string) error {
	if _, err := time.Parse(dateForm, from); err != nil {
		return fmt.Errorf("effective_from %q is not YYYY-MM-DD: %w", from, ErrInvalid)
	}
	if to == "" {
		return nil
	}
	if _, err := time.Parse(dateForm, to); err != nil {
		return fmt.Errorf("effective_to %q is not YYYY-MM-DD: %w", to, ErrInvalid)
	}
	if to < from {
		return fmt.Errorf("effective_to %s is before effective_from %s: %w", to, from, ErrInvalid)
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

// Digest identifies all rules in force on date: 16 hex digits.
func (s *Set) Digest(date string) string {
	p := s.Period(date)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.digest[p]; ok {
		return d
	}
	h := sha256.New()
	for _, id := range s.IDs() {
		if r, ok := s.At(id, date); ok {
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
