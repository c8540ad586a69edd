package mqtt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/telemetry"
)

// Prefixes of the topics.
const (
	staPrefix   = "v1.1/"
	alarmsTopic = "plateau/v1/alarms"
	statesTopic = "plateau/v1/states/"
)

// topic is a parsed topic filter.
type topic struct {
	name   string
	path   *query.Path    // of SensorThings
	chosen *query.Options // of SensorThings; nil = everything
	alarms bool
	states bool               // of every outlet, or
	outlet telemetry.OutletID // of one
}

var errTopic = errors.New(`topics are v1.1/ with a path, such as "v1.1/Datastreams(1)/Observations", plateau/v1/alarms and plateau/v1/states/ with an outlet's number or +`)

// parseTopic reads a topic filter. Wildcards stand for nothing under v1.1/: its
// paths have their own way to say what they mean.
func parseTopic(name string) (*topic, error) {
	t := &topic{name: name}
	switch rest, isSTA := strings.CutPrefix(name, staPrefix); {
	case name == alarmsTopic:
		t.alarms = true
		return t, nil
	case name == statesTopic+"+":
		t.states = true
		return t, nil
	case strings.HasPrefix(name, statesTopic):
		n, err := strconv.ParseUint(name[len(statesTopic):], 10, 32)
		if err != nil || n == 0 {
			return nil, errTopic
		}
		t.states, t.outlet = true, telemetry.OutletID(n)
		return t, nil
	case !isSTA:
		return nil, errTopic
	default:
		return t, t.parse(rest)
	}
}

func (t *topic) parse(rest string) (err error) {
	path, options, hasOptions := strings.Cut(rest, "?")
	if strings.ContainsAny(path, "+#") {
		return errTopic
	}
	if t.path, err = query.ParsePath("/" + path); err != nil {
		return err
	}
	if len(t.path.Steps) == 0 || t.path.Ref || t.path.Value {
		return errTopic
	}
	if !hasOptions {
		return nil
	}
	if t.chosen, err = query.ParseOptions(t.last().Set, options, time.Time{}); err != nil {
		return err
	}
	for _, o := range t.chosen.Raw {
		if o.Name != "$select" {
			return fmt.Errorf("of the options only $select is known in topics, not %s", o.Name)
		}
	}
	return nil
}

func (t *topic) last() *query.Step { return &t.path.Steps[len(t.path.Steps)-1] }

// creates reports whether a path takes observations that are published: the
// three forms of clause 14.2.
func creates(p *query.Path) bool {
	n := len(p.Steps)
	if n == 0 || p.Property != nil || p.Ref || p.Value || !p.Steps[n-1].Many || p.Steps[n-1].Set != sensorthings.Observations {
		return false
	}
	return n == 1 || n == 2 && p.Steps[0].Keyed && (p.Steps[0].Set == sensorthings.Datastreams || p.Steps[0].Set == sensorthings.FeaturesOfInterest)
}

// indexKey finds the topics that a change may be of.
type indexKey struct {
	set      sensorthings.Set
	relation string // of the changed entity, that leads to id; see the constants
	id       sensorthings.ID
}

const (
	atRoot   = ""  // every entity of the set
	itself   = "@" // the entity id
	resolved = "*" // where the path leads is to be looked up
)

// key is where the topic stands in the index.
func (t *topic) key() indexKey {
	last, n := t.last(), len(t.path.Steps)
	switch {
	case last.Keyed:
		return indexKey{last.Set, itself, last.Key}
	case n == 1:
		return indexKey{last.Set, atRoot, 0}
	case last.Many && t.path.Steps[n-2].Keyed:
		return indexKey{last.Set, last.Relation.Inverse, t.path.Steps[n-2].Key}
	}
	return indexKey{last.Set, resolved, 0}
}
