package access

import (
	"fmt"
	"slices"
	"strings"
)

// Narrow checks words and makes an Only of them; none narrow nothing. The error
// names the first word that is none.
func (p *Policy) Narrow(words []string) (Only, error) {
	words = slices.Compact(slices.Sorted(slices.Values(words)))
	for _, w := range words {
		if w != Reading && p.systems[w] == nil && (w == string(Open) || !p.Known(Permission(w))) {
			return "", fmt.Errorf("%q is no permission; write %s, a system (%s) or a permission such as telemetry.view", w, Reading, strings.Join(p.Systems(), ", "))
		}
	}
	return Only(strings.Join(words, " ")), nil
}

// allows reports whether what is held for a permission is left by o.
func (p *Policy) allows(o Only, perm Permission) bool {
	if o == "" {
		return true
	}
	sys, name, _ := strings.Cut(string(perm), ".")
	for w := range strings.FieldsSeq(string(o)) {
		if w == string(perm) || w == sys || w == Reading && p.systems[sys] != nil && p.systems[sys].reading[name] {
			return true
		}
	}
	return false
}

// Narrowed are the grants with what is left of them by o.
func (g Grants) Narrowed(o Only) Grants {
	out := slices.Clone(g)
	for i := range out {
		out[i].Only = o
	}
	return out
}
