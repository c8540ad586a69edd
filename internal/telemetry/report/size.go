package report

import (
	"errors"
	"fmt"

	"plateau/rules"
)

// Size bounds the making and the keeping of reports: report.size.
type Size struct {
	Ref             Ref
	DirectOutletDay int     // outlets times days computed while the reader waits
	RestPercent     float64 // share of the time the background work rests
	KeepDays        int
	KeepFiles       int
	CompareOutlets  int
	ShownBelow      float64 // percent
}

// ReadSize reads report.size in force on date (YYYY-MM-DD); a fault of the rule
// wraps rules.ErrInvalid.
func ReadSize(set *rules.Set, date string) (Size, error) {
	rule, ok := set.At("report.size", date)
	if !ok {
		return Size{}, fmt.Errorf("rule report.size is missing: %w", rules.ErrInvalid)
	}
	var errs []error
	num := func(name string) float64 {
		v, err := rule.Float(name)
		errs = append(errs, err)
		return v
	}
	s := Size{
		Ref: refOf(rule), DirectOutletDay: int(num("direct_outlet_days")), RestPercent: num("rest_percent"), KeepDays: int(num("keep_days")),
		KeepFiles: int(num("keep_files")), CompareOutlets: int(num("compare_outlets")), ShownBelow: num("shown_below_percent"),
	}
	if s.RestPercent < 0 || s.RestPercent > 95 || s.KeepDays < 1 || s.KeepFiles < 1 {
		errs = append(errs, fmt.Errorf("rule report.size: a parameter is out of bounds: %w", rules.ErrInvalid))
	}
	return s, errors.Join(errs...)
}

// Large reports whether a report of so many outlets is made in the background.
func (s *Size) Large(outlets int, p Period) bool { return outlets*p.Days() > s.DirectOutletDay }
