package report

import (
	"errors"
	"fmt"
	"slices"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Quantities of columns.
const (
	Measured = "measured" // mean of what was measured
	Folded   = "folded"   // mean folded to reference oxygen
	Amount   = "amount"   // emitted
	Flow     = "flow"     // gas or water that flowed
	Value    = "value"    // of a condition such as temperature
	Load     = "load"     // asked for by the form, sent by no logger
	Note     = "note"     // remarks
)

// Rows that sum up a report.
const (
	SumMean        = "mean"
	SumMax         = "max"
	SumMin         = "min"
	SumN           = "n"
	SumMeasured    = "measured"
	SumSubstituted = "substituted"
	SumTotal       = "total"
)

// Ref cites the version of a rule.
type Ref struct {
	ID        string
	Version   int
	Hash      string
	Certainty string
}

func refOf(r *rules.Rule) Ref { return Ref{r.ID, r.Version, r.Hash, r.Certainty} }

// Layout is the order of columns and the units of one medium: report.layout.
type Layout struct {
	Ref        Ref
	Columns    []string // factor codes; "*" the outlet's other pollutants, "load", "note"
	Pollutants []string
	Pollutant  []string // quantities of a pollutant's columns
	Summary    []string
	Amount     map[string]string // unit by level, and "total"
	Flow       map[string]string
}

// ReadLayout reads the layout of a medium in force on the day of a period's
// beginning; a fault of the rule wraps rules.ErrInvalid.
func ReadLayout(set *rules.Set, medium telemetry.Medium, p Period) (*Layout, error) {
	rule, ok := set.At("report.layout", i18n.Short(p.From))
	if !ok {
		return nil, fmt.Errorf("rule report.layout is missing: %w", rules.ErrInvalid)
	}
	t := rule.Table(string(medium))
	l := &Layout{Ref: refOf(rule), Amount: map[string]string{}, Flow: map[string]string{}}
	var errs []error
	for name, to := range map[string]*[]string{"columns": &l.Columns, "pollutants": &l.Pollutants, "pollutant": &l.Pollutant, "summary": &l.Summary} {
		list, err := rule.TableTexts(t, name)
		*to = list
		errs = append(errs, err)
	}
	for name, to := range map[string]map[string]string{"amount": l.Amount, "flow": l.Flow} {
		units, _ := t[name].(map[string]any)
		for _, level := range append(slices.Clone(Levels), SumTotal) {
			u, err := rule.TableText(units, level)
			if _, known := unitOf[u]; err == nil && !known {
				err = fmt.Errorf("rule report.layout: unit %q is not known: %w", u, rules.ErrInvalid)
			}
			to[level] = u
			errs = append(errs, err)
		}
	}
	if len(l.Columns) == 0 {
		errs = append(errs, fmt.Errorf("rule report.layout has no columns for %s: %w", medium, rules.ErrInvalid))
	}
	return l, errors.Join(errs...)
}

// unitOf tells how many kg or m3 a unit of amounts is.
var unitOf = map[string]float64{"kg": 1, "t": 1000, "m3": 1, "1e4m3": 1e4}

// In converts kg or m3 to a unit of amounts.
func In(v quality.Opt, unit string) quality.Opt {
	if k := unitOf[unit]; v.OK && k > 1 {
		v.V /= k
	}
	return v
}

// flowFactors are what flows, by medium.
var flowFactors = map[telemetry.Medium]string{telemetry.Gas: "a00000", telemetry.Water: "w00000"}

// FlowFactor is the code of an outlet's flow; "" where nothing flows.
func FlowFactor(m telemetry.Medium) string { return flowFactors[m] }

// Column is a column of a report.
type Column struct {
	ID       string // head in exports, such as a34013_measured
	Factor   string // "" = of no factor
	Quantity string
	Unit     string // as the factor table writes it
}

// columns lays out the columns of an outlet. A factor of the form that the
// outlet does not report keeps no column.
func (l *Layout) columns(o *telemetry.Outlet, level string, folded func(code string) bool) []Column {
	has := func(code string) bool {
		return slices.ContainsFunc(o.Factors, func(f telemetry.OutletFactor) bool { return f.Code == code })
	}
	var out []Column
	add := func(code string) {
		switch {
		case code == FlowFactor(o.Medium):
			out = append(out, Column{code + "_flow", code, Flow, l.Flow[level]})
		case slices.Contains(l.Pollutants, code):
			for _, q := range l.Pollutant {
				switch {
				case q == Folded && !folded(code):
				case q == Amount:
					out = append(out, Column{code + "_amount", code, Amount, l.Amount[level]})
				default:
					out = append(out, Column{code + "_" + q, code, q, Unit(o, code)})
				}
			}
		default:
			out = append(out, Column{code + "_value", code, Value, Unit(o, code)})
		}
	}
	for _, code := range l.Columns {
		switch {
		case code == "*":
			for i := range o.Factors {
				if c := o.Factors[i].Code; slices.Contains(l.Pollutants, c) && !slices.Contains(l.Columns, c) {
					add(c)
				}
			}
		case code == Load:
			out = append(out, Column{ID: Load, Quantity: Load, Unit: "%"})
		case code == Note:
			out = append(out, Column{ID: Note, Quantity: Note})
		case has(code):
			add(code)
		}
	}
	return out
}

// Unit is the unit of an outlet's factor.
func Unit(o *telemetry.Outlet, code string) string {
	for i := range o.Factors {
		if f := &o.Factors[i]; f.Code == code && f.Unit != "" {
			return f.Unit
		}
	}
	return telemetry.FactorUnit(code)
}
