package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// schemaFile holds the shapes of all rules; it judges nothing and has no hash.
const schemaFile = "schema.toml"

// Subjects of rules, in the order of the pages.
var Subjects = []string{
	"validity", "means", "conversion", "totals", "substitution", "transmission", "marks", "judging", "indices", "states", "alarms", "leads", "reports",
}

// Kinds of parameters.
const (
	KindNumber  = "number"
	KindWhole   = "whole"
	KindText    = "text"
	KindFlag    = "flag" // true or false
	KindNumbers = "numbers"
	KindTexts   = "texts"
	KindTable   = "table"
)

// Shape is what every version of a rule has in common.
type Shape struct {
	Subject string           `toml:"subject"`
	Media   []string         `toml:"media"`   // of the outlets it applies to; none = no outlet
	Sources []string         `toml:"sources"` // source types it applies to; none = all of the media
	Judges  bool             `toml:"judges"`  // hours and days are judged by it
	Bo      string           `toml:"bo"`      // title in Tibetan
	Params  map[string]Param `toml:"params"`
}

// Param is the kind and the words of a parameter.
type Param struct {
	Kind     string   `toml:"kind"`
	Of       string   `toml:"of"`   // kind of what a table holds; "" = any
	Unit     string   `toml:"unit"` // "" = a pure number, or none
	Min      *float64 `toml:"min"`
	Max      *float64 `toml:"max"`
	Optional bool     `toml:"optional"`
	// Certainty is how sure this figure is where it is less than the rule; "" =
	// as the rule.
	Certainty string `toml:"certainty"`
	Zh        string `toml:"zh"`
	En        string `toml:"en"`
}

// Applies reports whether the rule is applied to outlets of a medium and
// source type.
func (s Shape) Applies(medium, sourceType string) bool {
	return slices.Contains(s.Media, medium) && (len(s.Sources) == 0 || slices.Contains(s.Sources, sourceType))
}

// ParseSchema reads the shapes of rules by their ids; faults wrap ErrInvalid.
func ParseSchema(text []byte) (map[string]Shape, error) {
	out := map[string]Shape{}
	md, err := toml.Decode(string(text), &out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", schemaFile, ErrInvalid, err)
	}
	if u := md.Undecoded(); len(u) > 0 {
		return nil, fmt.Errorf("%s: unknown key %s: %w", schemaFile, u[0], ErrInvalid)
	}
	kinds := []string{KindNumber, KindWhole, KindText, KindFlag, KindNumbers, KindTexts, KindTable}
	for _, id := range slices.Sorted(maps.Keys(out)) {
		s := out[id]
		if !slices.Contains(Subjects, s.Subject) {
			return nil, fmt.Errorf("%s: %s needs a subject: %s: %w", schemaFile, id, strings.Join(Subjects, ", "), ErrInvalid)
		}
		for name, p := range s.Params {
			if !slices.Contains(kinds, p.Kind) || p.Of != "" && (p.Kind != KindTable || !slices.Contains(kinds, p.Of)) || p.Zh == "" || p.En == "" {
				return nil, fmt.Errorf("%s: %s.%s needs zh, en and a kind: %s: %w", schemaFile, id, name, strings.Join(kinds, ", "), ErrInvalid)
			}
		}
	}
	return out, nil
}

// Shape gives what the versions of a rule have in common; the zero Shape where
// none is written down.
func (s *Set) Shape(id string) Shape {
	shape, _ := shapeOf(s.shapes, id)
	return shape
}

// shapeOf puts together what is said of a rule and of all rules named like it.
func shapeOf(shapes map[string]Shape, id string) (Shape, bool) {
	first, _, _ := strings.Cut(id, ".")
	own, known := shapes[id]
	family, related := shapes[first+".*"]
	if !related || !known {
		return map[bool]Shape{true: family, false: own}[related], known || related
	}
	params := maps.Clone(family.Params)
	maps.Copy(params, own.Params)
	own.Params = params
	return own, true
}

// misfit says what of a rule does not fit its shape: the parameter and what to
// do. An empty list: all fits.
func (s Shape) misfit(r *Rule) (out []misfit) {
	for _, name := range slices.Sorted(maps.Keys(s.Params)) {
		p := s.Params[name]
		v, there := r.Params[name]
		switch {
		case !there && !p.Optional:
			out = append(out, misfit{name, "is missing; write " + name + " = " + p.example()})
		case there:
			out = append(out, p.misfit(p.Kind, name, v)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if _, known := s.Params[name]; !known {
			out = append(out, misfit{name, "is no parameter of " + r.ID + "; it has " + strings.Join(slices.Sorted(maps.Keys(s.Params)), ", ")})
		}
	}
	return out
}

type misfit struct{ param, text string }

func (p Param) misfit(kind, path string, v any) []misfit {
	wrong := func() []misfit {
		return []misfit{{path, fmt.Sprintf("is %s; write %s", valueText(v), Param{Kind: kind, Min: p.Min, Max: p.Max}.example())}}
	}
	each := func(kind string) (out []misfit) {
		list, ok := v.([]any)
		if !ok {
			return wrong()
		}
		for i, x := range list {
			out = append(out, p.misfit(kind, fmt.Sprintf("%s[%d]", path, i), x)...)
		}
		return out
	}
	switch kind {
	case KindNumber, KindWhole:
		n, ok := number(v)
		if !ok || math.IsNaN(n) || math.IsInf(n, 0) || kind == KindWhole && n != math.Trunc(n) || p.Min != nil && n < *p.Min || p.Max != nil && n > *p.Max {
			return wrong()
		}
	case KindText:
		if _, ok := v.(string); !ok {
			return wrong()
		}
	case KindFlag:
		if _, ok := v.(bool); !ok {
			return wrong()
		}
	case KindNumbers:
		return each(KindNumber)
	case KindTexts:
		return each(KindText)
	case KindTable:
		t, ok := v.(map[string]any)
		if !ok {
			return wrong()
		}
		if p.Of == "" {
			return nil
		}
		var out []misfit
		for _, name := range slices.Sorted(maps.Keys(t)) {
			out = append(out, p.misfit(p.Of, path+"."+name, t[name])...)
		}
		return out
	}
	return nil
}

// example is how a fitting value is written.
func (p Param) example() string {
	bounds := ""
	switch {
	case p.Min != nil && p.Max != nil:
		bounds = " from " + Number(*p.Min) + " to " + Number(*p.Max)
	case p.Min != nil:
		bounds = " of " + Number(*p.Min) + " or more"
	case p.Max != nil:
		bounds = " of at most " + Number(*p.Max)
	}
	switch p.Kind {
	case KindNumber:
		return "a number" + bounds
	case KindWhole:
		return "a whole number" + bounds
	case KindText:
		return `a text in "quotes"`
	case KindFlag:
		return "true or false"
	case KindNumbers:
		return "a list of numbers" + bounds + ": [1, 2]"
	case KindTexts:
		return `a list of texts: ["a", "b"]`
	}
	return "a table: {name = …}"
}
