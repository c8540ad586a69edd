package alarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/rules"
)

// rule is alarm.KIND in force.
type rule struct {
	ref         *rules.Rule
	open, close int
	severity    Severity
	warning     Severity // of a statistic that is no evidence
	escalated   Severity
	escalate    time.Duration // 0 = never
	grace       time.Duration
	join        time.Duration
	group       time.Duration // 0 = each factor for itself
	settle      time.Duration
	quiet       []string
	marks       []string
	days        int
	percent     float64
	minPercent  float64
	percents    []float64
	most        float64 // seconds a clock may be off
	spare, left int     // hours, minutes
}

func (r *rule) quietBy(reason string) bool { return slices.Contains(r.quiet, reason) }

// ruleset are the rules of all kinds in force in one period.
type ruleset map[Kind]*rule

// readRules reads the alarm rules in force on date; a fault wraps rules.ErrInvalid.
func readRules(set *rules.Set, date string) (ruleset, error) {
	out := ruleset{}
	var faults []error
	for _, k := range Kinds() {
		r, ok := set.At(k.Rule(), date)
		if !ok {
			faults = append(faults, fmt.Errorf("rule %s is missing: %w", k.Rule(), rules.ErrInvalid))
			continue
		}
		x, err := readRule(r)
		if err != nil {
			faults = append(faults, err)
		}
		out[k] = x
	}
	return out, errors.Join(faults...)
}

func readRule(r *rules.Rule) (*rule, error) {
	x := &rule{ref: r}
	var faults []error
	num := func(name string) float64 {
		if _, there := r.Params[name]; !there {
			return 0
		}
		v, err := r.Float(name)
		faults = append(faults, err)
		return v
	}
	severity := func(name string, def Severity) Severity {
		s, _ := r.Params[name].(string)
		if s == "" {
			return def
		}
		if s != string(Act) && s != string(Warn) {
			faults = append(faults, fmt.Errorf("rule %s: %s is %q: %w", r.ID, name, s, rules.ErrInvalid))
		}
		return Severity(s)
	}
	texts := func(name string) []string {
		v, err := r.Texts(name)
		faults = append(faults, err)
		return v
	}
	span := func(name string, unit time.Duration) time.Duration { return time.Duration(num(name) * float64(unit)) }
	x.open, x.close = max(1, int(num("open"))), max(1, int(num("close")))
	x.severity = severity("severity", Warn)
	x.warning, x.escalated = severity("warning", x.severity), severity("escalated", x.severity)
	x.escalate, x.join, x.group = span("escalate_hours", time.Hour), span("join_hours", time.Hour), span("group_hours", time.Hour)
	x.grace, x.settle = span("grace_minutes", time.Minute), span("settle_minutes", time.Minute)
	x.quiet, x.marks = texts("quiet"), texts("marks")
	x.days, x.percent, x.minPercent = int(num("days")), num("percent"), num("min_valid_percent")
	x.most, x.spare, x.left = num("max_seconds"), int(num("spare_hours")), int(num("min_left"))
	x.days = max(x.days, int(num("forecast_min_days")))
	if _, there := r.Params["percents"]; there {
		list, err := r.TableFloats(r.Params, "percents")
		faults = append(faults, err)
		x.percents = list
	}
	for _, q := range x.quiet {
		if !slices.Contains([]string{QuietStop, QuietMaintenance, QuietPlatform}, q) {
			faults = append(faults, fmt.Errorf("rule %s: quiet by %q: %w", r.ID, q, rules.ErrInvalid))
		}
	}
	return x, errors.Join(faults...)
}

// Rulebook holds the alarm rules of all periods.
type Rulebook struct {
	set      *rules.Set
	byPeriod map[string]ruleset
}

// NewRulebook reads and checks the alarm rules of every period; nil stands for
// the embedded rules. A fault wraps rules.ErrInvalid.
func NewRulebook(set *rules.Set) (*Rulebook, error) {
	if set == nil {
		set = rules.Default()
	}
	b := &Rulebook{set: set, byPeriod: map[string]ruleset{}}
	for _, date := range set.Periods() {
		rs, err := readRules(set, date)
		if err != nil {
			return nil, fmt.Errorf("alarm rules in force on %s: %w", date, err)
		}
		b.byPeriod[set.Period(date)] = rs
	}
	return b, nil
}

// at returns the rules in force at an instant.
func (b *Rulebook) at(t int64) ruleset { return b.byPeriod[b.set.Period(dateOf(t))] }

// Digest identifies the alarm rules of all periods.
func (b *Rulebook) Digest() string {
	var parts []string
	for _, k := range Kinds() {
		for _, r := range b.set.Versions(k.Rule()) {
			parts = append(parts, r.Hash)
		}
	}
	return strings.Join(slices.Compact(parts), "")
}
