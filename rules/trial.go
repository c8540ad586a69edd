package rules

import (
	"maps"
	"slices"
	"sort"
)

// With returns a set in which r is in force on every day, whatever its dates
// say, in place of all versions of its rule: the set to ask what a version
// would have changed. s itself stays as it is.
func (s *Set) With(r *Rule) *Set {
	always := *r
	always.EffectiveTo = ""
	out := &Set{rules: maps.Clone(s.rules), limits: s.limits, shapes: s.shapes, digest: map[string]string{}}
	out.rules[r.ID] = []*Rule{&always}
	for _, list := range out.rules {
		for _, x := range list {
			out.edges = append(out.edges, x.EffectiveFrom)
			if x.EffectiveTo != "" {
				out.edges = append(out.edges, nextDay(x.EffectiveTo))
			}
		}
	}
	sort.Strings(out.edges)
	out.edges = slices.Compact(out.edges)
	return out
}
