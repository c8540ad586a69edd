package query_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

var sets = sensorthings.Sets()

// asked makes sure that a refusal is one of the caller's making.
func asked(t *testing.T, err error) {
	t.Helper()
	var e *query.Error
	if !errors.As(err, &e) || e.Status != 400 && e.Status != 404 && e.Status != 501 || e.Message == "" {
		t.Fatalf("%#v", err)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "/Things(1)/Datastreams(2)/Observations/$ref", "/Things('a''b')", "/Things(1)/properties/a%2Fb/$value", "//", "/Things(9223372036854775808)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := query.ParsePath(s)
		if err != nil {
			asked(t, err)
			return
		}
		if strings.ContainsAny(p.String(), "%") {
			return // would be decoded again
		}
		again, err := query.ParsePath(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q: %q, %v", s, p, err)
		}
	})
}

func FuzzOptions(f *testing.F) {
	for _, s := range []string{
		"$filter=name eq 'a;b'&$top=1&$skip=2&$count=true&$orderby=name desc,id",
		"$expand=Things($top=100;$expand=Datastreams($top=10;$expand=Observations($orderby=phenomenonTime desc;$top=1)))",
		"%24select=id,name&$resultFormat=GeoJSON&$skiptoken=a%20b", "$expand=Datastreams/Sensor,Datastreams($filter=a eq '(;';)",
		"$orderby=tolower(name) desc,Datastream/Thing/name,-result asc",
	} {
		for i := range sets {
			f.Add(uint8(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, raw string) {
		set := sets[int(n)%len(sets)]
		o, err := query.ParseOptions(set, raw, now)
		if err != nil {
			asked(t, err)
			return
		}
		link := o.Encode()
		again, err := query.ParseOptions(set, link, now)
		if err != nil {
			t.Fatalf("%q gives the link %q: %v", raw, link, err)
		}
		if again.Encode() != link || again.Top != o.Top || again.Skip != o.Skip || again.Count != o.Count || again.SkipToken != o.SkipToken ||
			!reflect.DeepEqual(again.Select, o.Select) || outline(again.Expand) != outline(o.Expand) || len(again.OrderBy) != len(o.OrderBy) {
			t.Fatalf("%q gives the link %q, that gives %q", raw, link, again.Encode())
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"result gt 5 and phenomenonTime ge 2016-01-01T03:00:00Z", "not (Datastreams/any(d:d/name eq 'x') or Locations/name ne null)",
		"geo.distance(Locations/location,geography'POINT Z(8 51 1)') lt 0.5", "st_relate(location,geography'POLYGON((0 0,1 0,1 1,0 0))','T********')",
		"year(phenomenonTime) mod 4 eq 0 and substring(name,1,2) eq '点'", "phenomenonTime sub duration'P1Y2M3DT4H5M6.7S' lt now()",
		"properties/list/0/k in (1,'a',null,true,-1e-7)", "date(resultTime) ne 2016-01-01 and time(resultTime) lt 12:30",
		"-(id add 1) div 0 eq null", "location/geometry/type eq 'Point'", "fractionalseconds(2016-01-01T00:00:00.5+02:00/2016-02-01T00:00:00Z) eq 0.5",
	} {
		for i := range sets {
			f.Add(uint8(i), s)
		}
	}
	w := newWorld()
	f.Fuzz(func(t *testing.T, n uint8, text string) {
		set := sets[int(n)%len(sets)]
		compiled, err := query.ParseFilter(set, text, now)
		if err != nil {
			asked(t, err)
			return
		}
		bounds := compiled.Bounds()
		for i, e := range w[set] {
			if i > 8 && i < len(w[set])-8 {
				continue
			}
			ok, err := compiled.Match(e)
			if err != nil {
				t.Fatal(err)
			}
			if ok && (bounds.Never || bounds.ID != nil && *bounds.ID != e.id) {
				t.Fatalf("%q matches outside of its bounds", text)
			}
		}
		again, err := query.ParseFilter(set, compiled.String(), now)
		if err != nil || again.String() != compiled.String() {
			t.Fatalf("%q: %v", compiled, err)
		}
	})
}
