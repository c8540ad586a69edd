package query_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

func parse(t *testing.T, s sensorthings.Set, raw string) *query.Options {
	t.Helper()
	o, err := query.ParseOptions(s, raw, now)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return o
}

// outline writes what was expanded, one level in each pair of parentheses.
func outline(list []query.Expand) string {
	var out []string
	for _, e := range list {
		s := e.Relation.Name
		if e.Options.Top >= 0 {
			s += "^"
		}
		if e.Options.Filter != nil {
			s += "?" + e.Options.Filter.String()
		}
		if inner := outline(e.Options.Expand); inner != "" {
			s += "(" + inner + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	t.Run("request-data/top", func(t *testing.T) {
		t.Parallel()
		if o := parse(t, things, "%24top=0"); o.Top != 0 || o.Skip != -1 {
			t.Error(o)
		}
		if o := parse(t, things, "$top=9223372036854775807"); o.Top != 1<<63-1 {
			t.Error(o)
		}
	})
	t.Run("request-data/skip", func(t *testing.T) {
		t.Parallel()
		if o := parse(t, things, "$skip=7&$top=10"); o.Skip != 7 || o.Top != 10 {
			t.Error(o)
		}
	})
	t.Run("request-data/count", func(t *testing.T) {
		t.Parallel()
		if !parse(t, things, "$count=true").Count || parse(t, things, "$count=false").Count || parse(t, things, "").Count {
			t.Error("count")
		}
	})
	t.Run("request-data/orderby", func(t *testing.T) {
		t.Parallel()
		o := parse(t, observations, "$orderby=phenomenonTime+desc,%20id asc, Datastream/name, result mul 2,parameters/flag,tolower(Datastream/name) desc")
		var got []string
		for _, k := range o.OrderBy {
			s := k.Key.String() + "|" + k.Simple
			if k.Desc {
				s += "|desc"
			}
			got = append(got, s)
		}
		want := []string{"phenomenonTime|phenomenonTime|desc", "id|@iot.id", "Datastream/name|", "result mul 2|", "parameters/flag|", "tolower(Datastream/name)||desc"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		w := newWorld()
		v, err := o.OrderBy[3].Key.Eval(w[observations][4])
		if f, ok := v.Float(); err != nil || !ok || f != 8 {
			t.Error(v, err)
		}
		v, err = o.OrderBy[5].Key.Eval(w[observations][4])
		if s, _ := v.Str(); err != nil || s != "pm10" {
			t.Error(v, err)
		}
	})
	t.Run("request-data/select", func(t *testing.T) {
		t.Parallel()
		o := parse(t, datastreams, "$select=id,+name , Observations,unitOfMeasurement/name,@iot.selfLink,@iot.id")
		var got []string
		for _, s := range o.Select {
			n := strings.Join(append([]string{s.Name}, s.Path...), "/")
			if s.Relation {
				n += "*"
			}
			got = append(got, n)
		}
		if want := []string{"@iot.id", "name", "Observations*", "unitOfMeasurement/name", "@iot.selfLink", "@iot.id"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
	t.Run("request-data/expand", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			set       sensorthings.Set
			raw, want string
		}{
			{things, "$expand=Locations,Datastreams($select=name;$expand=Observations($orderby=phenomenonTime desc;$top=1))", "Locations Datastreams(Observations^)"},
			{datastreams, "$expand=Thing/Locations,Observations($filter=result eq 1)", "Thing(Locations) Observations?result eq 1"},
			{datastreams, "$expand=Thing,Thing/Locations", "Thing(Locations)"},
			{things, "$expand=Datastreams/Sensor,Datastreams/ObservedProperty", "Datastreams(Sensor ObservedProperty)"},
			{things, "$expand=Datastreams($top=1;$expand=Sensor),Datastreams/ObservedProperty,Datastreams($expand=Sensor($expand=Datastreams))", "Datastreams^(Sensor(Datastreams) ObservedProperty)"},
			{things, "$expand=Datastreams/Observations($top=1)", "Datastreams(Observations^)"},
			{things, "$expand= Datastreams ( $top=1 ; $filter=name eq 'a;b)c,d(' ; ) , Locations()", "Datastreams^?name eq 'a;b)c,d(' Locations"},
			{things, "$expand=Datastreams($filter=Observations/result%20gt%201%3B$top=1)", "Datastreams^?Observations/result gt 1"},
			{things, "$expand=Datastreams(%24top%3D1)", "Datastreams^"},
			{locations, "$expand=Things($top=100;$expand=Datastreams($top=10;$expand=Observations($orderby=phenomenonTime desc;$top=1)))", "Things^(Datastreams^(Observations^))"},
			{datastreams, "$expand=Sensor,ObservedProperty,Thing,Thing/Locations,Observations($select=@iot.id;$orderby=phenomenonTime desc;$top=1),Observations/FeatureOfInterest($select=feature)", "Sensor ObservedProperty Thing(Locations) Observations^(FeatureOfInterest)"},
		} {
			if got := outline(parse(t, c.set, c.raw).Expand); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.raw, got, c.want)
			}
		}
	})
	t.Run("request-data/filter", func(t *testing.T) {
		t.Parallel()
		o := parse(t, datastreams, "access_token=x&_=1&$filter=concat(unitOfMeasurement/symbol,'%25;%26')+eq+'a%2Bb'&")
		if got := o.Filter.String(); got != "concat(unitOfMeasurement/symbol,'%;&') eq 'a+b'" {
			t.Error(got)
		}
	})
	t.Run("request-data/pagination", func(t *testing.T) {
		t.Parallel()
		raw := "$filter=name%20eq%20'a;b+%26%20%2B'&$expand=Datastreams($top=2;$select=id,name;$expand=Observations($filter=result%20gt%201;$orderby=phenomenonTime%20desc))&$count=true&$orderby=name desc,id&$select=name,Datastreams&$top=2&$skip=2"
		o := parse(t, things, raw)
		next := o.Next(4, "")
		if strings.ContainsAny(next, " +;#\"<>") {
			t.Errorf("not encoded: %s", next)
		}
		n := parse(t, things, next)
		if n.Skip != 4 || n.Top != 2 || n.Encode() != next {
			t.Errorf("%s\n%s", next, n.Encode())
		}
		plain, _ := url.QueryUnescape(next)
		want := "$filter=name eq 'a;b & +'&$count=true&$orderby=name desc,id&$skip=4&$top=2&$select=name,Datastreams&$expand=Datastreams($top=2;$select=@iot.id,name;$expand=Observations($filter=result gt 1;$orderby=phenomenonTime desc))"
		if plain != want {
			t.Errorf("\n got %s\nwant %s", plain, want)
		}
		token := parse(t, things, o.Next(4, "k 1&2"))
		if token.SkipToken != "k 1&2" || token.Skip != -1 {
			t.Error(token.SkipToken, token.Skip)
		}
		inner := o.Expand[0].Options.Next(2, "")
		if got, _ := url.QueryUnescape(inner); got != "$skip=2&$top=2&$select=@iot.id,name&$expand=Observations($filter=result gt 1;$orderby=phenomenonTime desc)" {
			t.Error(got)
		}
	})
	t.Run("data-array/data-array", func(t *testing.T) {
		t.Parallel()
		if o := parse(t, observations, "$resultFormat=dataArray&$select=id,result"); o.ResultFormat != "dataArray" {
			t.Error(o.ResultFormat)
		}
	})
}

func TestOptionsRefusals(t *testing.T) {
	t.Parallel()
	t.Run("request-data/query-status-code", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			set    sensorthings.Set
			raw    string
			status int
			option string
			at     int
			says   string
		}{
			{things, "$foo=1", 501, "$foo", -1, "unknown option"},
			{things, "$Top=1", 501, "$Top", -1, "did you mean $top?"},
			{things, "$search=x", 501, "$search", -1, "unknown option"},
			{things, "filter=1", 400, "", -1, "$filter"},
			{things, "$top=1&%24top=2", 400, "$top", -1, "twice"},
			{things, "$top=-1", 400, "$top", 0, "-1"},
			{things, "$top=9223372036854775808", 400, "$top", 0, "whole number"},
			{things, "$top=", 400, "$top", 0, "whole number"},
			{things, "$top=+1", 400, "$top", 0, "whole number"},
			{things, "$skip=x", 400, "$skip", 0, "whole number"},
			{things, "$count=1", 400, "$count", 0, "true or false"},
			{things, "$select=nam", 400, "$select", 0, "did you mean name?"},
			{things, "$select=name,,id", 400, "$select", 5, "expected"},
			{things, "$select=name/x", 400, "$select", 0, "no members"},
			{things, "$orderby=nam", 400, "$orderby", 0, "did you mean name?"},
			{things, "$orderby=name up", 400, "$orderby", 5, "asc, desc"},
			{things, "$orderby=Datastreams/name", 400, "$orderby", 0, "several values"},
			{things, "$orderby=", 400, "$orderby", 0, "expected a value"},
			{things, "$expand=Nonsense", 400, "$expand", 0, "no relation"},
			{things, "$expand=Datastreams/Thing/Location", 400, "$expand", 18, "did you mean Locations?"},
			{things, "$expand=Datastreams(", 400, "$expand", 11, "not closed"},
			{things, "$expand=Datastreams)", 400, "$expand", 11, "without"},
			{things, "$expand=Datastreams(top=1)", 400, "$expand", 12, "$option=value"},
			{things, "$expand=Datastreams($top=1)x", 400, "$expand", 20, "behind the parentheses"},
			{things, "$expand=Datastreams($resultFormat=CSV)", 400, "$expand", 12, "does not go into"},
			{things, "$expand=Datastreams($foo=1)", 501, "$expand", -1, "unknown option"},
			{things, "$expand=Datastreams($filter=name eq 'a' and nam eq 1)", 400, "$expand", 36, "did you mean name?"},
			{things, "$expand=Datastreams($top=1),Datastreams($top=2)", 400, "$expand", -1, "twice"},
			{things, "$resultFormat=XML", 400, "$resultFormat", 0, "dataArray"},
			{things, "$resultFormat=dataArray", 400, "$resultFormat", -1, "Observations"},
			{observations, "$resultFormat=dataArray&$expand=Datastream", 400, "$resultFormat", -1, "$expand"},
			{things, "$filter=%zz", 400, "$filter", -1, "percent"},
			{things, "$filter=" + strings.Repeat("x", 70_000), 400, "$filter", -1, "longer"},
			{things, "$expand=" + strings.Repeat("Datastreams/Thing/", 20) + "Locations", 400, "$expand", -2, "deeper"},
			{things, "$expand=" + strings.Repeat("Datastreams($expand=Thing($expand=", 20) + "Locations" + strings.Repeat("))", 20), 400, "$expand", -2, "deeper"},
			{things, "$expand=" + wide(), 400, "$expand", -2, "relations"},
		} {
			_, err := query.ParseOptions(c.set, c.raw, now)
			var e *query.Error
			if !errors.As(err, &e) {
				t.Errorf("%.80s: %v", c.raw, err)
				continue
			}
			if e.Status != c.status || e.Option != c.option || e.At != c.at && c.at != -2 || !strings.Contains(e.Message, c.says) {
				t.Errorf("%.80s: %d at %d: %v", c.raw, e.Status, e.At, e)
			}
		}
	})
}

// wide expands many different relations.
func wide() string {
	var items []string
	path := ""
	for range 6 {
		for _, end := range []string{"Thing", "Sensor", "ObservedProperty", "Observations", "Thing/Locations", "Thing/HistoricalLocations", "Sensor/Datastreams", "ObservedProperty/Datastreams", "Observations/FeatureOfInterest", "Observations/Datastream"} {
			items = append(items, "Datastreams/"+path+end)
		}
		path += "Thing/Datastreams/"
	}
	return strings.Join(items, ",")
}
