package query_test

import (
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2016-01-01T04:00:00Z":                                "2016-01-01T04:00:00Z",
		"2016-01-01T04:00:00+02:00":                           "2016-01-01T02:00:00Z",
		"2010-12-23T10:20:00-0700":                            "2010-12-23T17:20:00Z",
		"2016-01-01T04:00:00+02":                              "2016-01-01T02:00:00Z",
		"2016-01-01T04:00Z":                                   "2016-01-01T04:00:00Z",
		"2016-01-01T04:00:00.000Z":                            "2016-01-01T04:00:00Z",
		"2016-01-01T04:00:00.5Z":                              "2016-01-01T04:00:00.5Z",
		"2016-01-01T04:00:00.123456789Z":                      "2016-01-01T04:00:00.123456Z",
		"1916-01-01t04:00:00.25z":                             "1916-01-01T04:00:00.25Z",
		"2016-02-29T00:00:00Z/2016-03-01T00:00:00Z":           "2016-02-29T00:00:00Z/2016-03-01T00:00:00Z",
		"2016-02-29T00:00:00Z/2016-02-29T01:00:00+01:00":      "2016-02-29T00:00:00Z",
		"2016-02-29T00:00:00+00:00/2016-02-29T00:00:00.0001Z": "2016-02-29T00:00:00Z/2016-02-29T00:00:00.0001Z",
	} {
		s, err := query.ParseSpan(in)
		if err != nil || query.FormatSpan(s) != want {
			t.Errorf("%s: %s %v", in, query.FormatSpan(s), err)
		}
	}
	for _, in := range []string{
		"", "2016", "2016-01-01", "2016-01-01T04:00:00", "2016-01-01T24:00:00Z", "2016-01-01T23:59:60Z", "2015-02-29T00:00:00Z",
		"2016-1-1T04:00:00Z", "2016-01-01 04:00:00Z", "2016-01-01T04:00:00Zx", "0000-01-01T00:00:00Z", "2016-01-01T04:00:00 02:00",
		"2016-01-02T00:00:00Z/2016-01-01T00:00:00Z", "2016-01-02T00:00:00Z/", "2016-01-02T00:00:00Z/P1D", "9999-12-31T23:59:59-02:00",
	} {
		if s, err := query.ParseSpan(in); err == nil {
			t.Errorf("%q is read as %s", in, query.FormatSpan(s))
		}
	}
}

// The table of section 7.5: what each comparison says of every arrangement of an
// instant and a period. The columns are gt ge lt le eq.
func TestFilterPeriods(t *testing.T) {
	t.Parallel()
	const (
		t0, t1, t2, t3 = "2016-01-01T00:00:00Z", "2016-01-01T01:00:00Z", "2016-01-01T02:00:00Z", "2016-01-01T03:00:00Z"
	)
	for _, c := range []struct{ x, y, want string }{
		{t1, t1, "-g-l="},
		{t1, t2, "--<l-"},
		{t2, t1, ">g---"},
		{t1 + "/" + t2, t0, ">g---"},
		{t1 + "/" + t2, t1, "-g---"},
		{t1 + "/" + t3, t2, "-----"},
		{t1 + "/" + t2, t2, "--<l-"},
		{t1 + "/" + t2, t3, "--<l-"},
		{t0, t1 + "/" + t2, "--<l-"},
		{t1, t1 + "/" + t2, "---l-"},
		{t2, t1 + "/" + t3, "-----"},
		{t2, t1 + "/" + t2, ">g---"},
		{t3, t1 + "/" + t2, ">g---"},
		{t0 + "/" + t1, t2 + "/" + t3, "--<l-"},
		{t0 + "/" + t1, t1 + "/" + t2, "--<l-"},
		{t0 + "/" + t2, t1 + "/" + t3, "---l-"},
		{t0 + "/" + t1, t0 + "/" + t1, "-g-l="},
		{t1 + "/" + t2, t0 + "/" + t1, ">g---"},
		{t1 + "/" + t3, t0 + "/" + t2, "-g---"},
		{t0 + "/" + t3, t1 + "/" + t2, "-----"},
		{t1 + "/" + t2, t0 + "/" + t3, "-----"},
		{t0 + "/" + t2, t0 + "/" + t1, "-g---"},
	} {
		row := &entity{id: 1, props: map[string]string{"phenomenonTime": quote(c.x)}}
		got := ""
		for i, op := range []string{"gt", "ge", "lt", "le", "eq"} {
			ok := match(t, row, "phenomenonTime "+op+" "+c.y)
			if ok {
				got += string(">g<l="[i])
			} else {
				got += "-"
			}
			mirror := map[string]string{"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq"}[op]
			if match(t, row, c.y+" "+mirror+" phenomenonTime") != ok {
				t.Errorf("%s %s %s differs when turned round", c.x, op, c.y)
			}
			if match(t, row, "not (phenomenonTime "+op+" "+c.y+")") == ok {
				t.Errorf("not %s %s %s is no opposite", c.x, op, c.y)
			}
		}
		if got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.x, c.y, got, c.want)
		}
		if match(t, row, "phenomenonTime ne "+c.y) == match(t, row, "phenomenonTime eq "+c.y) {
			t.Errorf("ne is no opposite of eq for %s and %s", c.x, c.y)
		}
	}
}

func match(t *testing.T, row query.Row, filter string) bool {
	t.Helper()
	f, err := query.ParseFilter(sensorthings.Observations, filter, now)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	ok, err := f.Match(row)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}
