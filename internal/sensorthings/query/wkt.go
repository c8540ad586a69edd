package query

import (
	"errors"
	"regexp"
	"strings"

	"github.com/peterstace/simplefeatures/geom"
)

var (
	wktZ           = regexp.MustCompile(`(?i)(POINT|LINESTRING|POLYGON|COLLECTION)(ZM|Z|M)\b`)
	wktUntyped     = regexp.MustCompile(`(?i)(POINT|LINESTRING|POLYGON)\s*(\(\s*)+([^\s(),]+)\s+([^\s(),]+)\s+([^\s(),]+)(\s+[^\s(),]+)?`)
	wktHeads       = regexp.MustCompile(`(?i)(POINT|LINESTRING|POLYGON)\s*\(`)
	wktCollections = regexp.MustCompile(`(?i)COLLECTION\s*\(`)
)

// parseWKT reads well-known text as clients write it: any blanks, "POINTZ",
// heights without a Z, "SRID=4326;" in front.
func parseWKT(s string) (geom.Geometry, error) {
	s = strings.TrimSpace(s)
	if len(s) > 5 && strings.EqualFold(s[:5], "SRID=") {
		_, s, _ = strings.Cut(s, ";")
	}
	s = wktZ.ReplaceAllString(s, "$1 $2")
	if m := wktUntyped.FindStringSubmatch(s); m != nil {
		mark := " Z("
		if m[6] != "" {
			mark = " ZM("
		}
		s = wktHeads.ReplaceAllString(s, "$1"+mark)
		s = wktCollections.ReplaceAllString(s, "COLLECTION"+mark)
	}
	g, err := geom.UnmarshalWKT(s, geom.NoValidate{})
	if err != nil {
		return geom.Geometry{}, errors.New(strings.TrimPrefix(err.Error(), "invalid WKT syntax: "))
	}
	return g, nil
}
