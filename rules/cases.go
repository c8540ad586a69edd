package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Case is a worked case of a rule: what goes in and what must come out.
type Case struct {
	ID       string          `json:"id"`
	Rule     string          `json:"rule"`
	Date     string          `json:"date"` // whose versions are applied; "" = those in force now
	Input    json.RawMessage `json:"input"`
	Expected any             `json:"expected"`
	Tol      float64         `json:"tol"` // absolute, of numbers
	Source   string          `json:"source"`
	Note     string          `json:"note"`
}

// Cases are the worked cases that stand beside the rule files. They are part of
// the program, so a fault in them is a programmer error and panics.
var Cases = sync.OnceValue(func() []Case {
	text, err := files.ReadFile(caseFile)
	if err != nil {
		panic("rules: embedded: " + err.Error())
	}
	c, err := ParseCases(text)
	if err != nil {
		panic("rules: embedded: " + err.Error())
	}
	return c
})

// CasesOf gives the worked cases of one rule.
func CasesOf(id string) []Case {
	return slices.DeleteFunc(slices.Clone(Cases()), func(c Case) bool { return c.Rule != id })
}

// ParseCases reads worked cases, one JSON object a line; faults wrap ErrInvalid
// and name the line.
func ParseCases(text []byte) ([]Case, error) {
	var out []Case
	seen := map[string]bool{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var c Case
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("cases, line %d: %w: %w", i+1, ErrInvalid, err)
		}
		if c.ID == "" || c.Rule == "" || c.Source == "" || seen[c.ID] {
			return nil, fmt.Errorf("cases, line %d: %q needs an id of its own, a rule and a source: %w", i+1, c.ID, ErrInvalid)
		}
		seen[c.ID] = true
		out = append(out, c)
	}
	return out, nil
}
