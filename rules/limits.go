package rules

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/telemetry"
)

// Limits is the table of limit values, indexed for lookup.
type Limits struct {
	all   []telemetry.Limit
	index map[limitKey][]int
}

type limitKey struct{ sourceType, factor, statistic string }

var limitColumns = []string{
	"id", "standard", "effective_from", "effective_to", "source_type", "condition", "level", "factor",
	"statistic", "op", "lo", "hi", "unit", "ref_o2", "note", "certainty",
}

// ParseLimits reads a limit table (the columns of limits.csv, comments with #)
// and checks every line; faults wrap ErrInvalid and name the id.
func ParseLimits(text []byte) (*Limits, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("limits: %w: %w", ErrInvalid, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], limitColumns) {
		return nil, fmt.Errorf("limits: first row must name the columns %v: %w", limitColumns, ErrInvalid)
	}
	seen := map[string]bool{}
	all := make([]telemetry.Limit, 0, len(rows)-1)
	for _, c := range rows[1:] {
		l := telemetry.Limit{
			ID: c[0], Standard: c[1], EffectiveFrom: c[2], EffectiveTo: c[3], SourceType: c[4], Condition: c[5], Level: c[6],
			Factor: c[7], Statistic: c[8], Op: c[9], Unit: c[12], Note: c[14], Certainty: c[15],
		}
		if seen[l.ID] || l.ID == "" {
			return nil, fmt.Errorf("limit %q: id missing or given twice: %w", l.ID, ErrInvalid)
		}
		seen[l.ID] = true
		if err := checkDates(l.EffectiveFrom, l.EffectiveTo); err != nil {
			return nil, fmt.Errorf("limit %s: %w", l.ID, err)
		}
		for i, p := range []**float64{&l.Lo, &l.Hi, &l.RefO2} {
			if s := c[[]int{10, 11, 13}[i]]; s != "" {
				v, err := strconv.ParseFloat(s, 64)
				if err != nil {
					return nil, fmt.Errorf("limit %s: %q is no number: %w", l.ID, s, ErrInvalid)
				}
				*p = &v
			}
		}
		if err := checkOp(l); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return NewLimits(all), nil
}

// checkOp holds the bounds against the operator.
func checkOp(l telemetry.Limit) error {
	ok := false
	switch l.Op {
	case "<=":
		ok = l.Hi != nil && l.Lo == nil
	case ">=":
		ok = l.Lo != nil && l.Hi == nil
	case "range":
		ok = l.Lo != nil && l.Hi != nil && *l.Lo < *l.Hi
	case "text":
		ok = l.Lo == nil && l.Hi == nil
	}
	if !ok {
		return fmt.Errorf("limit %s: bounds do not fit %q: %w", l.ID, l.Op, ErrInvalid)
	}
	return nil
}

// NewLimits indexes a list of limits, such as the registry's.
func NewLimits(all []telemetry.Limit) *Limits {
	t := &Limits{all: all, index: map[limitKey][]int{}}
	for i := range all {
		l := &all[i]
		k := limitKey{l.SourceType, l.Factor, l.Statistic}
		t.index[k] = append(t.index[k], i)
	}
	return t
}

// All returns every limit in the table's order; the slice is the caller's.
func (t *Limits) All() []telemetry.Limit { return slices.Clone(t.all) }

// Of returns the limits of a source type in the table's order.
func (t *Limits) Of(sourceType string) []telemetry.Limit {
	var out []telemetry.Limit
	for i := range t.all {
		if t.all[i].SourceType == sourceType {
			out = append(out, t.all[i])
		}
	}
	return out
}

// ByID finds a limit.
func (t *Limits) ByID(id string) (telemetry.Limit, bool) {
	for i := range t.all {
		if t.all[i].ID == id {
			return t.all[i], true
		}
	}
	return telemetry.Limit{}, false
}

// Query asks for the limit that binds an outlet.
type Query struct {
	SourceType string
	Level      string   // "" = any level
	Conditions []string // that hold of the outlet; a limit without condition, or "all", needs none
	Factor     string
	Statistic  string
	Date       string // YYYY-MM-DD, Beijing time, of the data
	// Rank orders standards by name: of several limits those of the smallest
	// rank bind. nil = all alike.
	Rank func(standard string) int
}

// Find returns the limit in force; of several those of the first rank, and of
// these the strictest. Limits in words (op "text") and figures two sources
// disagree about are not used.
func (t *Limits) Find(q Query) (telemetry.Limit, bool) {
	best := -1
	for _, i := range t.index[limitKey{q.SourceType, q.Factor, q.Statistic}] {
		l := &t.all[i]
		if l.Op == "text" || l.Certainty == "conflicting" || !InForce(l, q.Date) {
			continue
		}
		if q.Level != "" && l.Level != "" && l.Level != q.Level {
			continue
		}
		if l.Condition != "" && l.Condition != "all" && !slices.Contains(q.Conditions, l.Condition) {
			continue
		}
		if best < 0 || Before(l, &t.all[best], q.Rank) {
			best = i
		}
	}
	if best < 0 {
		return telemetry.Limit{}, false
	}
	return t.all[best], true
}

// InForce reports whether l binds data of date.
func InForce(l *telemetry.Limit, date string) bool {
	return l.EffectiveFrom <= date && (l.EffectiveTo == "" || date <= l.EffectiveTo)
}

// Before reports whether a binds rather than b: it has the smaller rank, or the
// same and allows less. A nil rank holds all standards alike.
func Before(a, b *telemetry.Limit, rank func(standard string) int) bool {
	if rank != nil {
		if x, y := rank(a.Standard), rank(b.Standard); x != y {
			return x < y
		}
	}
	switch {
	case a.Hi != nil && b.Hi != nil && *a.Hi != *b.Hi:
		return *a.Hi < *b.Hi
	case a.Lo != nil && b.Lo != nil:
		return *a.Lo > *b.Lo
	}
	return false
}

// LimitChange is a limit that ends, begins or is followed by another figure on
// a day; Old or New is nil.
type LimitChange struct {
	Date     string // the first day on which it is so
	Old, New *telemetry.Limit
}

// Changes lists what changes in the table, by date. A limit that ends the day
// before another one begins for the same source, condition, level, factor and
// statistic is followed by it; what has the first day of its standard alone
// just begins.
func (t *Limits) Changes() []LimitChange {
	type place struct{ date, sourceType, condition, level, factor, statistic string }
	ends := map[place][]*telemetry.Limit{}
	at := func(date string, l *telemetry.Limit) place {
		return place{date, l.SourceType, l.Condition, l.Level, l.Factor, l.Statistic}
	}
	for i := range t.all {
		if l := &t.all[i]; l.EffectiveTo != "" {
			p := at(nextDay(l.EffectiveTo), l)
			ends[p] = append(ends[p], l)
		}
	}
	var out []LimitChange
	for i := range t.all {
		l := &t.all[i]
		c := LimitChange{Date: l.EffectiveFrom, New: l}
		if p := at(l.EffectiveFrom, l); len(ends[p]) > 0 {
			c.Old, ends[p] = ends[p][0], ends[p][1:]
		}
		out = append(out, c)
	}
	for i := range t.all { // in the table's order
		l := &t.all[i]
		if l.EffectiveTo == "" {
			continue
		}
		p := at(nextDay(l.EffectiveTo), l)
		if slices.Contains(ends[p], l) {
			out = append(out, LimitChange{Date: p.date, Old: l})
		}
	}
	slices.SortStableFunc(out, func(a, b LimitChange) int { return strings.Compare(a.Date, b.Date) })
	return out
}
