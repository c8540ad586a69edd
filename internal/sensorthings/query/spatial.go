package query

import (
	"strings"

	"github.com/peterstace/simplefeatures/geom"
)

// The relations of Simple Features. Boxes decide first, then a point and an
// area by a walk around it; only what is left is worked out as a whole.

// spatial makes a function of a relation; unknown becomes null.
func spatial(rel func(a, b *shape) tri) func([]Value) Value {
	return func(args []Value) Value { return rel(args[0].g, args[1].g).value() }
}

func intersects(a, b *shape) tri {
	if a.box.apart(b.box) {
		return no
	}
	if !a.read() || !b.read() {
		return unknown
	}
	out := unknown
	guard(func() { out = triOf(geom.Intersects(a.geometry, b.geometry)) })
	return out
}

func disjoint(a, b *shape) tri {
	switch intersects(a, b) {
	case yes:
		return no
	case no:
		return yes
	default:
		return unknown
	}
}

func equals(a, b *shape) tri {
	if a.box != b.box {
		return no
	}
	return exact(a, b, geom.Equals)
}

func touches(a, b *shape) tri {
	if a.box.apart(b.box) {
		return no
	}
	if p, ok := placeOf(a, b); ok {
		return triOf(p == atEdge)
	}
	if p, ok := placeOf(b, a); ok {
		return triOf(p == atEdge)
	}
	return exact(a, b, geom.Touches)
}

// inside is st_within: a lies in b and not on its edge alone.
func inside(a, b *shape) tri {
	if a.box.empty() || b.box.empty() || !a.box.within(b.box) {
		return no
	}
	if p, ok := placeOf(a, b); ok {
		return triOf(p == atInside)
	}
	return exact(a, b, geom.Within)
}

func overlapping(a, b *shape) tri {
	if a.box.apart(b.box) {
		return no
	}
	return exact(a, b, geom.Overlaps)
}

func crosses(a, b *shape) tri {
	if a.box.apart(b.box) {
		return no
	}
	return exact(a, b, geom.Crosses)
}

func relate(args []Value) Value {
	pattern := args[2].s
	if badPattern(pattern) {
		return Value{}
	}
	return exact(args[0].g, args[1].g, func(a, b geom.Geometry) (bool, error) {
		m, err := geom.Relate(a, b)
		if err != nil {
			return false, err
		}
		return geom.RelateMatches(m, pattern)
	}).value()
}

// badPattern reports what is no DE-9IM pattern.
func badPattern(p string) bool { return len(p) != 9 || strings.Trim(p, "TF*012") != "" }

func exact(a, b *shape, rel func(a, b geom.Geometry) (bool, error)) tri {
	if !a.read() || !b.read() {
		return unknown
	}
	out := unknown
	guard(func() {
		if holds, err := rel(a.geometry, b.geometry); err == nil {
			out = triOf(holds)
		}
	})
	return out
}

// where a point is, seen from an area.
type where uint8

const (
	atOutside where = iota
	atEdge
	atInside
)

// placeOf tells where the point p is; false when p is no point or b no area.
func placeOf(p, b *shape) (where, bool) {
	if !p.read() || !b.read() || !p.geometry.IsPoint() || p.box.empty() ||
		!b.geometry.IsPolygon() && !b.geometry.IsMultiPolygon() {
		return atOutside, false
	}
	out, ok := atOutside, false
	guard(func() {
		if !geom.Intersects(p.geometry, b.geometry) {
			ok = true
			return
		}
		edge := b.boundary
		if edge == nil {
			g := b.geometry.Boundary()
			edge = &g
		}
		out, ok = atInside, true
		if geom.Intersects(p.geometry, *edge) {
			out = atEdge
		}
	})
	return out, ok
}
