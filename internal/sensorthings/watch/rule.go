package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plateau/internal/sensorthings/query"
)

// Rule says when somebody wants to be told. The zero value watches nothing.
type Rule struct {
	Above, Below *float64      // in the unit of the Datastream; nil = no such bound
	SilentAfter  time.Duration // 0 = silence is fine
}

// Any reports whether the rule watches anything.
func (r Rule) Any() bool { return r.Above != nil || r.Below != nil || r.SilentAfter > 0 }

// ErrMalformed is wrapped by the errors of ParseRule.
var ErrMalformed = errors.New("properties.alarm is malformed")

// ParseRule reads the rule out of a Datastream's properties (a JSON object, nil
// when there are none). What is right of it holds also when something else is
// wrong; the error then names what is.
func ParseRule(properties json.RawMessage) (Rule, error) {
	var all struct {
		Alarm json.RawMessage `json:"alarm"`
	}
	if len(properties) == 0 || json.Unmarshal(properties, &all) != nil || len(all.Alarm) == 0 || string(all.Alarm) == "null" {
		return Rule{}, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(all.Alarm, &members) != nil {
		return Rule{}, fmt.Errorf(`%w: not an object such as {"above": 35, "below": 5, "silentAfter": "PT2H"}`, ErrMalformed)
	}
	var r Rule
	var problems []error
	for _, bound := range []struct {
		name string
		to   **float64
	}{{"above", &r.Above}, {"below", &r.Below}} {
		raw := bytes.TrimSpace(members[bound.name])
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		var f float64
		if json.Unmarshal(raw, &f) != nil {
			problems = append(problems, fmt.Errorf("%w: %s is not a number", ErrMalformed, bound.name))
			continue
		}
		*bound.to = &f
	}
	if raw := members["silentAfter"]; len(raw) > 0 && string(raw) != "null" {
		var text string
		d, err := time.Duration(0), json.Unmarshal(raw, &text)
		if err == nil {
			d, err = query.ParseDuration(text)
		}
		if err != nil || d <= 0 {
			problems = append(problems, fmt.Errorf(`%w: silentAfter is not an ISO 8601 duration such as "PT2H"`, ErrMalformed))
		} else {
			r.SilentAfter = d
		}
	}
	if r.Above != nil && r.Below != nil && *r.Below >= *r.Above {
		problems = append(problems, fmt.Errorf("%w: below is not under above", ErrMalformed))
		r.Above, r.Below = nil, nil
	}
	return r, errors.Join(problems...)
}
