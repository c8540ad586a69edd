package query

import (
	"strings"

	"plateau/internal/platform/near"
	"plateau/internal/sensorthings"
)

// hint proposes the name that was probably meant, or lists what there is.
func hint(name string, known []string) string {
	best, far := "", 3
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return "; did you mean " + k + "?"
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < far && d < len(k) {
			best, far = k, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	if len(known) == 0 {
		return ""
	}
	return "; there are " + strings.Join(known, ", ")
}

// namesOf lists the properties and relations of a set.
func namesOf(s sensorthings.Set) []string {
	out := []string{"@iot.id"}
	for _, p := range s.Properties() {
		out = append(out, p.Name)
	}
	return append(out, relationsOf(s)...)
}

func relationsOf(s sensorthings.Set) []string {
	var out []string
	for _, r := range s.Relations() {
		out = append(out, r.Name)
	}
	return out
}

// distance is the number of letters to change, add or take away. Long names are
// not compared: nobody misspells that much.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 99
	}
	return near.Distance(a, b)
}
