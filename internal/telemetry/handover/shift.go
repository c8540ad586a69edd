package handover

import (
	"fmt"
	"slices"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/rules"
)

// Shift is the stretch of one duty, half-open.
type Shift struct{ From, To time.Time }

// At returns the shift that t falls in, by the hours in force on that day; a
// fault of the rule wraps rules.ErrInvalid.
func At(set *rules.Set, t time.Time) (Shift, error) {
	t = t.In(i18n.Zone)
	var starts []time.Time
	for day := -1; day <= 1; day++ {
		y, m, d := t.AddDate(0, 0, day).Date()
		midnight := time.Date(y, m, d, 0, 0, 0, 0, i18n.Zone)
		hours, err := startsOn(set, midnight)
		if err != nil {
			return Shift{}, err
		}
		starts = append(starts, hours...)
	}
	i, found := slices.BinarySearchFunc(starts, t, func(a, b time.Time) int { return a.Compare(b) })
	if !found {
		i--
	}
	if i < 0 || i+1 >= len(starts) {
		return Shift{}, fmt.Errorf("rule report.shift: no shift at %s: %w", i18n.Stamp(t), rules.ErrInvalid)
	}
	return Shift{starts[i], starts[i+1]}, nil
}

// startsOn lists the beginnings of shifts on a day.
func startsOn(set *rules.Set, midnight time.Time) ([]time.Time, error) {
	rule, ok := set.At("report.shift", i18n.Short(midnight))
	if !ok {
		return nil, fmt.Errorf("rule report.shift is missing: %w", rules.ErrInvalid)
	}
	list, err := rule.Texts("starts")
	if err != nil {
		return nil, err
	}
	var out []time.Time
	for _, s := range list {
		c, err := time.Parse("15:04", s)
		if err != nil {
			return nil, fmt.Errorf("rule report.shift: %q is no time such as 08:30: %w", s, rules.ErrInvalid)
		}
		out = append(out, midnight.Add(time.Duration(c.Hour())*time.Hour+time.Duration(c.Minute())*time.Minute))
	}
	if len(out) == 0 || !slices.IsSortedFunc(out, func(a, b time.Time) int { return a.Compare(b) }) {
		return nil, fmt.Errorf("rule report.shift: starts must be given in order: %w", rules.ErrInvalid)
	}
	return out, nil
}

// Previous is the shift before s.
func (s Shift) Previous(set *rules.Set) (Shift, error) { return At(set, s.From.Add(-time.Minute)) }

// Next is the shift after s.
func (s Shift) Next(set *rules.Set) (Shift, error) { return At(set, s.To) }

// ID names the shift in addresses: 2026-11-23T0830.
func (s Shift) ID() string { return s.From.In(i18n.Zone).Format("2006-01-02T1504") }

// Parse reads what ID writes: the shift that begins then.
func Parse(set *rules.Set, id string) (Shift, bool) {
	t, err := time.ParseInLocation("2006-01-02T1504", id, i18n.Zone)
	if err != nil {
		return Shift{}, false
	}
	s, err := At(set, t)
	return s, err == nil && s.From.Equal(t)
}
