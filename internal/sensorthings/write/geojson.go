package write

import "strings"

// depths is how many arrays stand around a position in the coordinates of each
// GeoJSON geometry (RFC 7946 section 3.1).
var depths = map[string]int{"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}

// isGeoJSON reports whether an encoding says that the value is GeoJSON; the
// second name is that of version 1.0 of the standard.
func isGeoJSON(encoding string) bool {
	encoding, _, _ = strings.Cut(strings.ToLower(encoding), ";")
	switch strings.TrimSpace(encoding) {
	case "application/geo+json", "application/vnd.geo+json":
		return true
	}
	return false
}

// sameEncoding reports whether two encodings name the same form.
func sameEncoding(a, b string) bool { return a == b || isGeoJSON(a) && isGeoJSON(b) }

// maxNesting bounds collections inside collections.
const maxNesting = 8

// checkGeoJSON refuses what is neither a geometry nor a Feature.
func checkGeoJSON(b []byte, p *place, nesting int) error {
	if !isObject(b) {
		return bad(p, "is %s, with encodingType application/geo+json it has to be a GeoJSON geometry or Feature", kindOf(b))
	}
	if nesting > maxNesting {
		return bad(p, "is nested more than %d times", maxNesting)
	}
	kind := ""
	if t := member(b, "type"); isText(t) {
		kind = unquote(t)
	}
	switch kind {
	case "Feature":
		if g := member(b, "geometry"); g != nil && !isNull(g) {
			return checkGeoJSON(g, p.member("geometry"), nesting+1)
		}
		return nil
	case "FeatureCollection", "GeometryCollection":
		name := "features"
		if kind == "GeometryCollection" {
			name = "geometries"
		}
		all := member(b, name)
		if !isArray(all) {
			return bad(p, "a GeoJSON %s needs the array %s", kind, name)
		}
		return elements(all, func(i int, v []byte) error { return checkGeoJSON(v, p.item(name, i), nesting+1) })
	}
	depth, ok := depths[kind]
	if !ok {
		return bad(p, "its type is none of GeoJSON; write Point, LineString, Polygon, MultiPoint, MultiLineString, MultiPolygon, GeometryCollection or Feature")
	}
	c := member(b, "coordinates")
	if !positions(c, depth) {
		return bad(p.member("coordinates"), "are not those of a %s; a position is [longitude, latitude], in degrees", kind)
	}
	return nil
}

// positions reports whether b holds positions inside of depth arrays.
func positions(b []byte, depth int) bool {
	if !isArray(b) {
		return false
	}
	n, ok := 0, true
	_ = elements(b, func(_ int, v []byte) error {
		n++
		if depth > 0 {
			ok = ok && positions(v, depth-1)
		} else {
			ok = ok && kindOf(v) == "a number"
		}
		return nil
	})
	if depth == 0 {
		return ok && n >= 2
	}
	return ok
}
