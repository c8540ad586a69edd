package query_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// filterCase is a filter and the identifiers it finds in newWorld.
type filterCase struct {
	set    sensorthings.Set
	filter string
	want   []sensorthings.ID
}

func ids(list ...sensorthings.ID) []sensorthings.ID { return list }

func runFilters(t *testing.T, cases []filterCase) {
	t.Helper()
	w := newWorld()
	for _, c := range cases {
		if got := w.matching(t, c.set, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s?$filter=%s\n got %v\nwant %v", c.set, c.filter, got, c.want)
		}
	}
}

const (
	things       = sensorthings.Things
	locations    = sensorthings.Locations
	datastreams  = sensorthings.Datastreams
	observations = sensorthings.Observations
)

// Observations 1-10 and 11-20 are Bob's, 21-30 Ann's, each with results 0 to 9
// at 00:00 to 09:00; 31-38 hold "7", "text", true, null, an object, a huge
// number, 2^53+1 and 1e-7 for the hour from 2016-01-02T00:00:00Z.
func TestFilter(t *testing.T) {
	t.Parallel()
	for name, cases := range map[string][]filterCase{
		"request-data/filter": {
			{observations, "result gt 2 and result lt 5", ids(4, 5, 14, 15, 24, 25)},
			{observations, "Datastream/Thing/name eq 'Bob''s' and result eq 1", ids(2, 12)},
			{observations, "Datastream/id eq 1 and result le 1", ids(1, 2)},
			{observations, "Datastream/@iot.id eq 1 and result le 1", ids(1, 2)},
			{observations, "id in (1, 5)", ids(1, 5)},
			{locations, "name eq 'field'", ids(2)},
			{things, "name eq 'bob''s'", nil},
			{things, "name lt 'B'", ids(2)},
		},
		"request-data/filter/json": {
			{things, "properties/depth lt 10", ids(1)},
			{things, "properties/depth lt 7", nil},
			{things, "properties/a/b eq 'x'", ids(1)},
			{things, "properties/a/b ne 'x'", nil},
			{things, "properties/list/0 eq 1", ids(1)},
			{things, "properties/list/1/k eq 2", ids(1)},
			{things, "properties/list/9 eq null", ids(1, 2, 3)},
			{things, "properties/nothing eq null and properties ne null", ids(1)},
			{things, "properties/ok", ids(1)},
			{things, "properties/ok eq true", ids(1)},
			{things, "properties/since lt 2015-06-01T00:00:00Z", ids(1)},
			{things, "properties/depth eq 'deep'", nil},
			{observations, "parameters/flag ne 'bad' and result lt 3", ids(1, 3, 11, 13, 21, 23)},
			{locations, "location/type eq 'Point' or location/geometry/type eq 'Point'", ids(1)},
			{locations, "location/type eq 'Polygon' or location/geometry/type eq 'Polygon'", ids(2)},
			{observations, "result/a/1 eq 2", ids(35)},
			{datastreams, "unitOfMeasurement/definition eq null and unitOfMeasurement/symbol eq '°C'", ids(3)},
		},
		"request-data/filter/null": {
			{observations, "resultTime eq null and Datastream/id eq 1", ids(1, 2, 3, 4, 5, 7, 8, 9, 10)},
			{observations, "resultTime ne null", ids(6, 16, 26)},
			{observations, "null ne resultTime", ids(6, 16, 26)},
			{observations, "result eq null", ids(34)},
			{observations, "not (resultTime gt 2016-01-01T00:00:00Z)", nil},
			{observations, "resultTime gt 2016-01-01T00:00:00Z or result eq 0", ids(1, 6, 11, 16, 21, 26)},
			{observations, "not (resultTime gt 2017-01-01T00:00:00Z and result eq 0) and Datastream/id eq 1", ids(2, 3, 4, 5, 6, 7, 8, 9, 10)},
			{observations, "result eq (1 div 0)", nil},
			{things, "null", nil},
			{things, "null eq null", ids(1, 2, 3)},
			{things, "5 eq null", nil},
			{things, "true", ids(1, 2, 3)},
		},
		"request-data/filter/numbers": {
			{observations, "result eq 3.0", ids(4, 14, 24)},
			{observations, "result gt 8", ids(10, 20, 30, 36, 37)},
			{observations, "not (result gt 8) and id gt 30", ids(38)},
			{observations, "result ne 5 and id gt 30", ids(36, 37, 38)},
			{observations, "result gt '3' and Datastream/id eq 1", ids(5, 6, 7, 8, 9, 10)},
			{observations, "result eq '7'", ids(8, 18, 28, 31)},
			{observations, "result eq 7", ids(8, 18, 28)},
			{observations, "result eq true", ids(33)},
			{observations, "result eq 12345678901234567890", ids(36)},
			{observations, "result gt 12345678901234567889", ids(36)},
			{observations, "result gt 12345678901234567890", nil},
			{observations, "result eq 9007199254740993", ids(37)},
			{observations, "result eq 9007199254740992", nil},
			{observations, "result eq 1e-7", ids(38)},
			{observations, "result eq 0.0000001", ids(38)},
			{observations, "result in (1, 'text', true)", ids(2, 12, 22, 32, 33)},
			{observations, "result lt -5", nil},
			{observations, "-result eq -9", ids(10, 20, 30)},
		},
		"request-data/filter/paths": {
			{things, "Datastreams/id eq null", ids(3)},
			{things, "Datastreams/id ne null", ids(1, 2)},
			{things, "Datastreams/Observations/result ge 100", ids(2)},
			{things, "Datastreams/name eq 'PM10' and Datastreams/Observations/result eq 9", ids(1)},
			{things, "Datastreams/name eq 'PM10' and Datastreams/name eq 'PM2'", nil}, // one and the same
			{things, "Datastreams/any(a: a/name eq 'PM10') and Datastreams/any(b: b/name eq 'PM2')", ids(1)},
			{things, "Datastreams/any(d:d/Observations/any(o:o/result eq 'text'))", ids(2)},
			{things, "not Datastreams/any(d:d/name eq 'T')", ids(1, 3)},
			{things, "Datastreams/any(d:d/name eq Locations/name)", nil},
			{things, "Datastreams/name eq 'T' or name eq 'Lone'", ids(2, 3)},
			{things, "not Datastreams/name eq 'PM10'", ids(1, 2)}, // one that is not
			{things, "Locations/name eq 'field' and Datastreams/name eq 'T'", ids(2)},
			{observations, "Datastream/Thing/Locations/name eq 'A roof' and result eq 9", ids(10, 20)},
			{datastreams, "Thing/Datastreams/name eq 'PM2'", ids(1, 2)},
			{locations, "Things/Datastreams/Thing/name eq 'Ann'", ids(2)},
		},
		"request-data/filter/times": {
			{observations, "phenomenonTime ge 2016-01-01T03:00:00Z and phenomenonTime lt 2016-01-01T05:00:00Z", ids(4, 5, 14, 15, 24, 25)},
			{observations, "phenomenonTime gt 2016-01-01T09:30:00+02:00 and Datastream/id eq 1", ids(9, 10)},
			{observations, "phenomenonTime gt 2016-01-01T01:30:00-0600 and Datastream/id eq 1", ids(9, 10)},
			{observations, "phenomenonTime gt 2016-01-01T23:00:00Z", ids(31, 32, 33, 34, 35, 36, 37, 38)},
			{observations, "phenomenonTime gt 2016-01-02T00:30:00Z or phenomenonTime eq 2016-01-02T00:30:00Z", nil},
			{observations, "phenomenonTime eq 2016-01-02T00:00:00Z/2016-01-02T01:00:00Z and result eq true", ids(33)},
			{observations, "phenomenonTime lt 2016-01-01T01:00:00.000Z/2016-01-01T02:00:00.5Z", ids(1, 11, 21)},
			{observations, "phenomenonTime gt now() sub duration'P1D'", nil},
			{observations, "phenomenonTime lt now() sub duration'P9Y' and result eq 1", ids(2, 12, 22)},
			{observations, "phenomenonTime add duration'PT1H' eq 2016-01-01T01:00:00Z", ids(1, 11, 21)},
			{observations, "resultTime sub phenomenonTime gt duration'PT15S' and id lt 9", ids(6)},
			{datastreams, "phenomenonTime ge 2016-01-01T00:00:00Z", ids(1, 2, 3)},
			{datastreams, "phenomenonTime le 2016-01-01T08:00:00Z", nil},
		},
		"request-data/built-in-filter-operations": {
			{observations, "not result lt 1 and not result gt 1", ids(2, 12, 22)},
			{observations, "result eq 2 and result eq 1 or result eq 1", ids(2, 12, 22)},
			{observations, "result eq 1 or result eq 2 and result eq 3", ids(2, 12, 22)},
			{observations, "(result eq 1 or result eq 2) and result eq 2", ids(3, 13, 23)},
			{observations, "1 add result mul 2 sub -1 eq 4", ids(2, 12, 22)},
			{observations, "12 div (result add 1) mod 4 mul 3 eq 6", ids(2, 6, 12, 16, 22, 26)},
			{observations, "result div 2 eq 1.5", ids(4, 14, 24)},
			{observations, "1 div result gt 0.4 and id lt 31", ids(2, 3, 12, 13, 22, 23)},
			{observations, "not (1 div result gt 0) and id lt 31", nil}, // by zero: no match either way
			{observations, "(0 sub result) mod 4 eq -3 and id lt 11", ids(4, 8)},
			{observations, "result sub 1 sub 1 eq 1", ids(4, 14, 24)},
			{observations, "not not result eq 1", ids(2, 12, 22)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runFilters(t, cases)
		})
	}
}

// Each line is a filter and whether Things(1) or Observations(6) fulfils it.
func TestFilterFunctions(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w[observations][5].props["phenomenonTime"] = quote("2016-01-01T05:00:15.5Z/2016-01-01T06:00:00Z")
	for name, lines := range map[string][]string{
		"substringof":        {"substringof('ob',name)", "not substringof(name,'ob')", "substringof('ob',name) eq true"},
		"contains":           {"contains(name,'ob')"},
		"startswith":         {"startswith(name,'Bob')", "not startswith(name,'bob')", "startswith(@iot.id,'1')", "startswith(id,'1')"},
		"endswith":           {"endswith(name,'''s')", "not endswith(name,'B')"},
		"length":             {"length(name) eq 5", "length(description) eq 6"},
		"indexof":            {"indexof(name,'ob') eq 1", "indexof(description,'one') eq 3", "indexof(name,'zz') eq -1"},
		"substring":          {"substring('Sensor',1) eq 'ensor'", "substring('Sensor',2,4) eq 'nsor'", "substring(description,1,1) eq '点'", "substring(name,99) eq ''", "substring(name,-1,2) eq 'Bo'"},
		"tolower":            {"tolower(name) eq 'bob''s'"},
		"toupper":            {"toupper(name) eq 'BOB''S'"},
		"trim":               {"trim('  a b ') eq 'a b'"},
		"concat":             {"concat(concat(name,', '),properties/owner) eq 'Bob''s, city'", "concat(name,properties/none) eq null"},
		"year":               {"year(properties/since) eq 2015", "year(2016-02-03T04:05:06.7Z) eq 2016", "year(2016-02-03) eq 2016"},
		"month":              {"month(2016-02-03T04:05:06.7Z) eq 2", "month(properties/since) eq 5"},
		"day":                {"day(2016-02-03T23:05:06-02:00) eq 4"},
		"hour":               {"hour(2016-02-03T04:05:06.7Z) eq 4", "hour(04:05:06) eq 4"},
		"minute":             {"minute(2016-02-03T04:05:06.7Z) eq 5"},
		"second":             {"second(2016-02-03T04:05:06.7Z) eq 6"},
		"fractionalseconds":  {"fractionalseconds(2016-02-03T04:05:15.5Z) eq 0.5", "fractionalseconds(1960-02-03T04:05:15.25Z) eq 0.25"},
		"date":               {"date(2016-02-03T04:05:06Z) eq 2016-02-03", "date(2016-02-03T04:05:06Z) ne date(2016-02-04T04:05:06Z)", "date(1960-02-03T04:05:06Z) lt 1960-02-04", "date(1960-02-03T04:05:06Z) ge 1960-02-03"},
		"time":               {"time(2016-02-03T04:05:06Z) eq 04:05:06", "time(2016-02-03T04:05:06Z) eq time(2017-02-03T04:05:06Z)", "time(1960-02-03T04:05:06Z) gt 04:05"},
		"totaloffsetminutes": {"totaloffsetminutes(2016-02-03T04:05:06+02:00) eq 0"},
		"now":                {"now() eq 2026-03-01T12:00:00Z", "properties/since lt now()"},
		"mindatetime":        {"mindatetime() lt properties/since"},
		"maxdatetime":        {"maxdatetime() gt now()"},
		"round":              {"round(2.5) eq 3", "round(-2.5) eq -3", "round(properties/depth) eq 8"},
		"floor":              {"floor(properties/depth) eq 7", "floor(-0.5) eq -1"},
		"ceiling":            {"ceiling(properties/depth) eq 8", "ceiling(-0.5) eq 0"},
		"geo.distance":       {"geo.distance(geography'POINT(0 0)',geography'POINT (3  4)') eq 5", "geo.distance(geography'POINT Z(0 0 9)',geography'LINESTRING(3 -1,3 1)') eq 3", "geo.distance(Locations/location,geography'POINT(8 51)') lt 0.5"},
		"geo.length":         {"geo.length(geography'LINESTRING(0 0,3 4)') eq 5", "geo.length(geography'POINT(1 1)') eq 0", "geo.length(geography'POLYGON((0 0,1 0,1 1,0 0))') eq 0"},
		"geo.intersects":     {"geo.intersects(geography'LINESTRING(0 0,2 2)',geometry'LINESTRING(0 2,2 0)')", "not geo.intersects(geography'POINT(0 0)',geography'POINT(1 1)')"},
		"st_equals":          {"st_equals(geography'LINESTRING(0 0,1 1)',geography'LINESTRING(1 1,0 0)')", "not st_equals(geography'POINT(0 0)',geography'POINT(0 1)')"},
		"st_disjoint":        {"st_disjoint(geography'POINT(0 0)',geography'POINT(0 1)')", "not st_disjoint(geography'POINT(0 0)',geography'POINT(0 0)')"},
		"st_touches":         {"st_touches(geography'POINT(0 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')", "not st_touches(geography'POINT(1 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')", "st_touches(geography'POLYGON((0 0,1 0,1 1,0 1,0 0))',geography'POLYGON((1 0,2 0,2 1,1 1,1 0))')"},
		"st_within":          {"st_within(geography'POINT(1 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')", "not st_within(geography'POINT(0 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')", "not st_within(geography'POINT(1.5 0.5)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0),(1 0.2,1.8 0.2,1.8 1,1 1,1 0.2))')", "st_within(geography'LINESTRING(0.5 0.5,1 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')"},
		"st_overlaps":        {"st_overlaps(geography'POLYGON((0 0,2 0,2 2,0 2,0 0))',geography'POLYGON((1 1,3 1,3 3,1 3,1 1))')"},
		"st_crosses":         {"st_crosses(geography'LINESTRING(0 0,2 2)',geography'LINESTRING(0 2,2 0)')"},
		"st_intersects":      {"st_intersects(geography'POINT(1 1)',geography'MULTIPOINT((0 0),(1 1))')"},
		"st_contains":        {"st_contains(geography'POLYGON((0 0,2 0,2 2,0 2,0 0))',geography'POINT(1 1)')", "not st_contains(geography'POINT(1 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')"},
		"st_relate":          {"st_relate(geography'POINT(1 1)',geography'POLYGON((0 0,2 0,2 2,0 2,0 0))','T*F**F***')", "not st_relate(geography'POINT(1 1)',geography'POINT(5 5)','T********')"},
	} {
		t.Run("request-data/built-in-query-functions/"+name, func(t *testing.T) {
			t.Parallel()
			for _, line := range lines {
				if got := w.matching(t, things, line); !slices.Contains(got, 1) {
					t.Errorf("%s is not true", line)
				}
			}
		})
	}
	t.Run("request-data/built-in-query-functions/of-a-period", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{
			"second(phenomenonTime) eq 15", "fractionalseconds(phenomenonTime) eq 0.5", "date(phenomenonTime) eq date(resultTime)",
			"before(phenomenonTime,2016-01-01T06:00:00Z)", "after(phenomenonTime,2016-01-01T05:00:00Z)", "during(phenomenonTime,2016-01-01T05:00:00Z/2016-01-01T06:00:00Z)",
			"meets(phenomenonTime,2016-01-01T06:00:00Z/2016-01-01T07:00:00Z)", "overlaps(phenomenonTime,2016-01-01T05:30:00Z)", "starts(phenomenonTime,2016-01-01T05:00:15.5Z)",
			"finishes(phenomenonTime,2016-01-01T03:00:00Z/2016-01-01T06:00:00Z)", "not overlaps(phenomenonTime,2016-01-01T06:00:00Z)",
			"not during(2016-01-01T06:00:00Z,phenomenonTime)",
		} {
			if got := w.matching(t, observations, line); !slices.Contains(got, 6) {
				t.Errorf("%s is not true", line)
			}
		}
	})
}

// A fault is 400 and names its place and, where there is one, the near name.
func TestFilterRefusals(t *testing.T) {
	t.Parallel()
	t.Run("request-data/query-status-code", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			text string
			at   int
			says string
		}{
			{"", 0, "expected a value"},
			{"name eq", 7, "the end"},
			{"nme eq 1", 0, "did you mean name?"},
			{"Datastreams/nam eq 'x'", 12, "did you mean name?"},
			{"name EQ 'x'", 5, "lower case: eq"},
			{"name eq 'a' AND name eq 'b'", 12, "lower case: and"},
			{"length(name, 1) eq 1", 0, "takes 1"},
			{"substring(name) eq 'a'", 0, "takes 2 or 3"},
			{"lengthy(name) eq 1", 0, "did you mean length?"},
			{"length(5) eq 1", 7, "must be a text"},
			{"name", 0, "condition"},
			{"length(name) and true", 0, "condition"},
			{"'a", 0, "does not end"},
			{"(name eq 'a'", 12, "expected \")\""},
			{"name eq 'a')", 11, "found \")\""},
			{"eq 1", 0, "before it"},
			{"name eq 'a' b", 12, "operator"},
			{"id eq 1 eq true", 8, "operator"},
			{"name add 1 eq 2", 0, "reckon"},
			{"-'a' eq 'b'", 0, "number or a duration"},
			{"Datastreams", 0, "name a property behind it"},
			{"Datastreams/ eq 1", 13, "before it"},
			{"id/x eq 1", 2, "no members"},
			{"name/x eq 1", 0, "no members"},
			{"properties/ eq 1", 11, "name of a member"},
			{"Datastreams/any(d d/id eq 1)", 15, "any(x: condition)"},
			{"Datastreams/any(d:e/id eq 1)", 18, "no property"},
			{"geo.distance(properties/g,geography'PONT(1 1)') lt 1", 26, "well-known text"},
			{"st_relate(properties/g,geography'POINT(1 1)','xx')", 45, "pattern"},
			{"properties/d lt duration'1D'", 16, "P1D"},
			{"HistoricalLocations/time gt 2016-01-01T09:30:00 02:00", 28, "%2B"},
			{"HistoricalLocations/time gt 2016-13-01T09:30:00Z", 28, "ISO 8601"},
			{"HistoricalLocations/time gt 2016-01-01T24:00:00Z", 28, "ISO 8601"},
			{"HistoricalLocations/time gt 2016-02-30", 28, "date"},
			{"HistoricalLocations/time gt 2016-01-02T00:00:00Z/2016-01-01T00:00:00Z", 28, "before it begins"},
			{"id eq 1x", 6, "no number"},
			{"id eq 1e999", 6, "too large"},
			{"id in ()", 7, "expected a value"},
			{"name eq \"a\"", 8, "unexpected"},
			{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), 100, "deeper"},
			{strings.Repeat("not ", 200) + "true", 396, "deeper"},
			{"true" + strings.Repeat(" and true", 5000), 36864, "more than 4096"},
			{strings.Repeat(" ", 70_000), -1, "longer than"},
		} {
			_, err := query.ParseFilter(things, c.text, now)
			var e *query.Error
			if !errors.As(err, &e) {
				t.Errorf("%.60s: %v", c.text, err)
				continue
			}
			if e.Status != 400 || e.At != c.at || e.Option != "$filter" || !strings.Contains(e.Message, c.says) {
				t.Errorf("%.60s: status %d at %d: %v", c.text, e.Status, e.At, e)
			}
		}
	})
}
