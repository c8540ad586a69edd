package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/alarm"
	"plateau/rules"
)

// Class is what follows from an alarm.
type Class string

// The classes.
const (
	Before Class = "before" // the enterprise is told
	During Class = "during" // the enterprise has to answer: a case of its own
	None   Class = ""       // the rule does not name it
)

// classes are the rule supervise.class on a day.
type classes struct {
	of    map[string]Class // by kind, or kind and severity
	after []string         // findings
	late  time.Duration
}

// readClasses reads the rule in force on the date of a record; faults wrap
// rules.ErrInvalid.
func readClasses(set *rules.Set, at time.Time) (*classes, error) {
	rule, ok := set.At("supervise.class", i18n.Short(at))
	if !ok {
		return nil, fmt.Errorf("rule supervise.class is missing: %w", rules.ErrInvalid)
	}
	c := &classes{of: map[string]Class{}}
	var faults []error
	for _, class := range []Class{Before, During} {
		words, err := rule.Texts(string(class))
		faults = append(faults, err)
		for _, w := range words {
			kind, severity, some := strings.Cut(w, ":")
			switch {
			case !slices.Contains(alarm.Kinds(), alarm.Kind(kind)) || some && severity != string(alarm.Act) && severity != string(alarm.Warn):
				faults = append(faults, fmt.Errorf("rule supervise.class: %s: %q is no kind of alarm: %w", class, w, rules.ErrInvalid))
			case c.of[w] != None:
				faults = append(faults, fmt.Errorf("rule supervise.class: %q stands in two classes: %w", w, rules.ErrInvalid))
			}
			c.of[w] = class
		}
	}
	after, err := rule.Texts("after")
	faults = append(faults, err)
	c.after = after
	hours, err := rule.Float("late_hours")
	faults = append(faults, err)
	c.late = time.Duration(hours * float64(time.Hour))
	return c, errors.Join(faults...)
}

// class is that of an episode: its kind with its severity wins over its kind.
func (c *classes) class(e *alarm.Episode) Class {
	if x := c.of[string(e.Kind)+":"+string(e.Severity)]; x != None {
		return x
	}
	return c.of[string(e.Kind)]
}
