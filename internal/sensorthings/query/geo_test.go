package query_test

import (
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

const square = "geography'POLYGON((0 0,9 0,9 9,0 9,0 0))'"

func TestFilterGeometry(t *testing.T) {
	t.Parallel()
	t.Run("request-data/built-in-query-functions/stored-geometry", func(t *testing.T) {
		t.Parallel()
		yes, no := true, false
		for _, c := range []struct {
			location, filter string
			want             *bool // nil = unknown: neither the filter nor its opposite
		}{
			{`{"type":"Point","coordinates":[1,2]}`, "st_within(location," + square + ")", &yes},
			{`{"type":"Point","coordinates":[1,2,300]}`, "st_within(location," + square + ")", &yes},
			{` { "coordinates" : [ 1 , 2 ] , "type" : "Point" } `, "geo.intersects(location, " + square + ")", &yes},
			{`{"type":"Feature","properties":{"type":"x"},"geometry":{"type":"Point","coordinates":[1,2]}}`, "st_within(location," + square + ")", &yes},
			{`{"type":"Point","coordinates":[-1,2]}`, "st_within(location," + square + ")", &no},
			{`{"type":"Point","coordinates":[9,2]}`, "st_touches(location," + square + ")", &yes},
			{`{"type":"Polygon","coordinates":[[[1,1],[2,1],[2,2],[1,1]]]}`, "st_within(location," + square + ")", &yes},
			{`{"type":"Polygon","coordinates":[[[1,1],[20,1],[2,2],[1,1]]]}`, "st_within(location," + square + ")", &no},
			{`{"type":"Polygon","coordinates":[[[1,1],[20,1],[2,2],[1,1]]]}`, "st_overlaps(location," + square + ")", &yes},
			{`{"type":"Polygon","coordinates":[[[-1,-1],[20,-1],[20,20],[-1,20],[-1,-1]]]}`, "st_contains(location," + square + ")", &yes},
			{`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[50,50]},{"type":"LineString","coordinates":[[1,1],[2,2]]}]}`, "geo.intersects(location," + square + ")", &yes},
			{`{"type":"MultiPoint","coordinates":[[50,50],[51,51]]}`, "st_disjoint(location," + square + ")", &yes},
			{`{"type":"LineString","coordinates":[[0,0],[3,4]]}`, "geo.length(location) eq 5", &yes},
			{`{"type":"Point","coordinates":[12,5]}`, "geo.distance(location," + square + ") eq 3", &yes},
			// A ring that crosses itself is no valid polygon; the request does not fail for it.
			{`{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}`, "geo.intersects(location," + square + ")", &yes},
			{`{"type":"Point","coordinates":[]}`, "geo.intersects(location," + square + ")", &no},
			{`{"type":"Point","coordinates":[]}`, "geo.distance(location," + square + ") lt 1", nil},
			{`"room 7"`, "st_within(location," + square + ")", nil},
			{`null`, "st_within(location," + square + ")", nil},
			{`{"type":"Feature","geometry":null}`, "st_within(location," + square + ")", nil},
			{`{"type":"Pont","coordinates":[1,2]}`, "st_within(location," + square + ")", nil},
			{`{"type":"Point","coordinates":["a","b"]}`, "st_within(location," + square + ")", nil},
			{`{"type":"Point","coordinates":[1]}`, "st_within(location," + square + ")", nil},
			{`{"x":1}`, "geo.distance(location," + square + ") lt 1", nil},
			{`{"type":"Point","coordinates":[1,2]}`, "st_relate(location," + square + ",'T*F**F***')", &yes},
		} {
			row := &entity{id: 1, props: map[string]string{"location": c.location}}
			holds := matchOf(t, sensorthings.Locations, row, c.filter)
			opposite := matchOf(t, sensorthings.Locations, row, "not "+c.filter)
			if c.want == nil && (holds || opposite) || c.want != nil && (holds != *c.want || opposite == *c.want) {
				t.Errorf("%s of %s: %v, not: %v", c.filter, c.location, holds, opposite)
			}
		}
	})
	t.Run("request-data/filter/literals", func(t *testing.T) {
		t.Parallel()
		row := &entity{id: 1, props: map[string]string{"location": `{"type":"Point","coordinates":[8,51]}`}}
		for _, wkt := range []string{
			"POINT(8 51)", "POINT (8 51)", "point( 8   51 )", "POINT Z(8 51 3)", "POINTZ(8 51 3)", "POINT Z (8 51 3)", "POINT(8 51 3)", "POINT M(8 51 3)", "POINT ZM(8 51 3 4)", "POINT(8 51 3 4)",
			"SRID=4326;POINT(8 51)", "MULTIPOINT(8 51,9 52)", "MULTIPOINT((8 51),(9 52))", "LINESTRING(8 51,9 52)", "LINESTRING(8 51 1,9 52 2)", "MULTILINESTRING((8 51,9 52))",
			"POLYGON ((7 50, 9 50, 9 52, 7 52, 7 50))", "POLYGON Z((7 50 1,9 50 1,9 52 1,7 52 1,7 50 1))", "POLYGON((7 50 1,9 50 1,9 52 1,7 52 1,7 50 1))", "MULTIPOLYGON(((7 50,9 50,9 52,7 52,7 50)))",
			"GEOMETRYCOLLECTION(POINT(8 51),POINT(1 1))", "GEOMETRYCOLLECTION(POINT(8 51 2),POINT(1 1 2))", "POINT(8e0 5.1E1)",
		} {
			for _, typ := range []string{"geography", "geometry"} {
				if !matchOf(t, sensorthings.Locations, row, "geo.intersects(location,"+typ+"'"+wkt+"')") {
					t.Errorf("%s'%s'", typ, wkt)
				}
			}
		}
		for _, wkt := range []string{"", "POINT", "POINT(8)", "POINT(8 51", "POINT(8,51)", "POINT(a b)", "CIRCLE(1 1)", "POLYGON(1 1)", "POINT(8 51) x"} {
			if _, err := query.ParseFilter(sensorthings.Locations, "geo.intersects(location,geography'"+wkt+"')", now); err == nil {
				t.Errorf("%q is taken", wkt)
			}
		}
	})
}

func matchOf(t *testing.T, s sensorthings.Set, row query.Row, filter string) bool {
	t.Helper()
	f, err := query.ParseFilter(s, filter, now)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	ok, err := f.Match(row)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}
