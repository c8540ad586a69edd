package query

import (
	"math"

	"github.com/peterstace/simplefeatures/geom"
)

// shape is a geometry with its bounding box. One that comes from stored GeoJSON
// is read as a whole only when its box does not decide.
type shape struct {
	box      box
	raw      string // GeoJSON not read yet
	geometry geom.Geometry
	boundary *geom.Geometry // of an area, kept once it was needed: literals only
}

// box encloses a geometry in the plane; empty when x0 > x1.
type box struct{ x0, y0, x1, y1 float64 }

var emptyBox = box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}

func (b box) empty() bool { return !(b.x0 <= b.x1) }

func (b *box) add(x, y float64) {
	b.x0, b.x1 = min(b.x0, x), max(b.x1, x)
	b.y0, b.y1 = min(b.y0, y), max(b.y1, y)
}

// apart reports that no point is in both.
func (b box) apart(o box) bool {
	return b.empty() || o.empty() || b.x1 < o.x0 || o.x1 < b.x0 || b.y1 < o.y0 || o.y1 < b.y0
}

// within reports that b lies in o, edges included.
func (b box) within(o box) bool {
	return b.x0 >= o.x0 && b.x1 <= o.x1 && b.y0 >= o.y0 && b.y1 <= o.y1
}

// read parses what was put off; false when it is no geometry after all. The
// geometry is not validated: what clients stored must not fail a request.
func (s *shape) read() bool {
	if s.raw == "" {
		return true
	}
	g, err := geom.UnmarshalGeoJSON(bytesOf(s.raw), geom.NoValidate{})
	if err != nil {
		return false
	}
	s.raw, s.geometry = "", g.Force2D()
	return true
}

// text is what geometries are sorted by.
func (s *shape) text() string {
	if s.raw != "" {
		return s.raw
	}
	return s.geometry.AsText()
}

// geoJSON makes a geometry of stored JSON; null when it is none.
func geoJSON(raw string) Value {
	for range 2 {
		kindOf := JSON(bytesOf(member(raw, blanks(raw, 0), "type"))).s
		switch kindOf {
		case "Feature":
			raw = member(raw, blanks(raw, 0), "geometry")
			if raw == "" || raw[0] != '{' {
				return Value{}
			}
			continue
		case "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection":
			s := &shape{box: emptyBox, raw: raw}
			if !enclose(&s.box, raw, 0) {
				return Value{}
			}
			if kindOf == "Point" && !s.box.empty() {
				s.raw, s.geometry = "", geom.XY{X: s.box.x0, Y: s.box.y0}.AsPoint().AsGeometry()
			}
			return Value{kind: kindGeo, g: s}
		}
		return Value{}
	}
	return Value{}
}

// enclose widens a box by the positions of a GeoJSON geometry.
func enclose(b *box, raw string, depth int) bool {
	if depth > 16 {
		return false
	}
	i := blanks(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return false
	}
	if list := member(raw, i, "geometries"); list != "" {
		if list[0] != '[' {
			return false
		}
		ok := true
		each(list, 0, func(part string) bool {
			ok = enclose(b, part, depth+1)
			return ok
		})
		return ok
	}
	positions := member(raw, i, "coordinates")
	if positions == "" || positions[0] != '[' {
		return false
	}
	return enclosePositions(b, positions)
}

// enclosePositions reads the first two numbers of each innermost list.
func enclosePositions(b *box, s string) bool {
	var xy [2]float64
	n := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '[':
			n = 0
			i++
		case c == ']':
			if n == 1 {
				return false
			}
			if n >= 2 {
				b.add(xy[0], xy[1])
			}
			n = 0
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := skip(s, i)
			if end < 0 {
				return false
			}
			v := number(bytesOf(s[i:end]))
			if v.kind != kindNumber {
				return false
			}
			if n < 2 {
				xy[n] = v.float()
			}
			n++
			i = end
		case c == ',' || isBlank(c):
			i++
		default:
			return false
		}
	}
	return true
}

// geoLiteral reads a literal of well-known text, once per request.
func geoLiteral(wkt string) (Value, error) {
	g, err := parseWKT(wkt)
	if err != nil {
		return Value{}, err
	}
	g = g.Force2D()
	s := &shape{box: emptyBox, geometry: g}
	if lo, hi, ok := g.Envelope().MinMaxXYs(); ok {
		s.box = box{lo.X, lo.Y, hi.X, hi.Y}
	}
	if g.IsPolygon() || g.IsMultiPolygon() {
		edge := g.Boundary()
		s.boundary = &edge
	}
	return Value{kind: kindGeo, g: s}, nil
}

func geoDistance(a []Value) Value {
	x, y := a[0].g, a[1].g
	if x.box.empty() || y.box.empty() || !x.read() || !y.read() {
		return Value{}
	}
	if x.geometry.IsPoint() && y.geometry.IsPoint() {
		return Number(math.Hypot(x.box.x0-y.box.x0, x.box.y0-y.box.y0))
	}
	var out Value
	guard(func() {
		if d, ok := geom.Distance(x.geometry, y.geometry); ok {
			out = Number(d)
		}
	})
	return out
}

// geoLength is the length of lines; points and areas have none.
func geoLength(a []Value) Value {
	if !a[0].g.read() {
		return Value{}
	}
	return Number(a[0].g.geometry.Length())
}

// guard runs geometry code that may panic on geometries that are not valid.
// What fn was to set then stays as it was.
func guard(fn func()) {
	defer func() { _ = recover() }()
	fn()
}
