package report

import (
	"plateau/internal/telemetry"
)

// Scopes of reports, as they stand in addresses.
const (
	ScopeOutlet     = "outlet"
	ScopeEnterprise = "enterprise"
	ScopeCounty     = "county"
	ScopeRegion     = "region" // a prefecture or the province
)

// Scopes lists them, the narrowest first.
var Scopes = []string{ScopeOutlet, ScopeEnterprise, ScopeCounty, ScopeRegion}

// Outlets lists the outlets of an enterprise, a county or a region in the
// registry's order; ok is false when there is no such subject.
func Outlets(s *telemetry.Snapshot, scope, ref string) (list []*telemetry.Outlet, ok bool) {
	var in func(o *telemetry.Outlet) bool
	switch scope {
	case ScopeEnterprise:
		ok = s.Enterprises[ref] != nil
		in = func(o *telemetry.Outlet) bool { return o.Enterprise == ref }
	case ScopeCounty:
		ok = s.Areas[ref] != nil && s.Areas[ref].Level == "county"
		in = func(o *telemetry.Outlet) bool { return s.Within(o.Area, ref) }
	case ScopeRegion:
		ok = s.Areas[ref] != nil && s.Areas[ref].Number() < 3
		in = func(o *telemetry.Outlet) bool { return s.Within(o.Area, ref) }
	}
	if !ok {
		return nil, false
	}
	for _, id := range s.Order {
		if o := s.Outlets[id]; o != nil && in(o) {
			list = append(list, o)
		}
	}
	return list, true
}
