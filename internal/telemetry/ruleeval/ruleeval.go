package ruleeval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Evaluator applies the rules in force on one day. It holds no state and may
// be used from several goroutines.
type Evaluator struct {
	rules   *quality.Rules
	class   *indices.ClassRule
	trophic *indices.TrophicRule
	air     map[string]*indices.AirRule // by edition
	airNow  string                      // edition in force
	aqi     map[string]*indices.AQIRule // by edition
	airRule *indices.AirValidRule
	section *indices.SectionRule
}

// New reads the rules in force on date (YYYY-MM-DD, Beijing time); faults wrap
// rules.ErrInvalid.
func New(set *rules.Set, date string) (*Evaluator, error) {
	e := &Evaluator{air: map[string]*indices.AirRule{}}
	var err error
	if e.rules, err = quality.ReadRules(set, date); err != nil {
		return nil, err
	}
	if e.class, err = indices.ReadClass(set, date); err != nil {
		return nil, err
	}
	if e.section, err = indices.ReadSection(set, date); err != nil {
		return nil, err
	}
	if e.airRule, err = indices.ReadAirValid(set, date); err != nil {
		return nil, err
	}
	if e.aqi, err = indices.AllAQI(set); err != nil {
		return nil, err
	}
	if e.trophic, err = indices.ReadTrophic(set, date); err != nil {
		return nil, err
	}
	now, ok := set.At("air.iaqi", date)
	if !ok {
		return nil, fmt.Errorf("rule air.iaqi is missing: %w", rules.ErrInvalid)
	}
	for _, version := range set.Versions("air.iaqi") {
		a, err := indices.ReadAir(version)
		if err != nil {
			return nil, err
		}
		e.air[a.Edition] = a
		if version == now {
			e.airNow = a.Edition
		}
	}
	return e, nil
}

// Answer is what a line gives: a result or an error, under the line's id.
type Answer struct {
	ID     json.RawMessage `json:"id"` // as it was given; null where there was none
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// Line answers one line {"id":…,"rule":…,"input":{…}}; further fields, such as
// those of a case with its expected result, are passed over. ok is false where
// the answer is an error.
func (e *Evaluator) Line(line []byte) (a Answer, ok bool) {
	line = bytes.ToValidUTF8(bytes.TrimPrefix(line, []byte("\uFEFF")), []byte("\uFFFD"))
	var in map[string]json.RawMessage
	if err := json.Unmarshal(line, &in); err != nil || in == nil {
		return Answer{Error: "the line is not a JSON object" + place(err)}, false
	}
	a.ID = in["id"]
	name := ""
	if raw := in["rule"]; json.Unmarshal(raw, &name) != nil || name == "" {
		a.Error = "rule: expected the name of a rule: " + strings.Join(Rules(), ", ")
		return a, false
	}
	result, _, err := e.Eval(name, in["input"])
	if err != nil {
		a.Error = err.Error()
		return a, false
	}
	a.Result = result
	return a, true
}

// place says where a line stops being JSON.
func place(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(": %s, at byte %d", syntax.Error(), syntax.Offset)
	}
	return `; expected {"id":…,"rule":…,"input":{…}}`
}

// Eval applies a rule to an input and gives the result in the form of the
// cases, with the steps it came about by where the rule has a formula. The
// error says what does not fit.
func (e *Evaluator) Eval(rule string, input json.RawMessage) (json.RawMessage, quality.Trace, error) {
	apply := evaluators[rule]
	if apply == nil {
		return nil, nil, fmt.Errorf("no rule %q; there are %s", rule, strings.Join(Rules(), ", "))
	}
	f := newFields(input)
	result, trace := apply(e, f)
	if *f.fault != nil {
		return nil, nil, *f.fault
	}
	out, err := json.Marshal(result)
	if err != nil { // infinite, or not a number
		return nil, nil, errors.New("input: the result is no finite number; expected values of an ordinary size")
	}
	return out, trace, nil
}

// Rules lists the rules that can be applied, by name.
func Rules() []string { return slices.Sorted(maps.Keys(evaluators)) }
