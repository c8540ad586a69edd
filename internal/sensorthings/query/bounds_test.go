package query_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plateau/internal/sensorthings/query"
)

func boundsText(b query.Bounds) string {
	var out []string
	if b.Never {
		out = append(out, "never")
	}
	if b.ID != nil {
		out = append(out, fmt.Sprint("id=", *b.ID))
	}
	for _, k := range slices.Sorted(maps.Keys(b.Parent)) {
		out = append(out, fmt.Sprint(k, "=", b.Parent[k]))
	}
	at := func(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.999999") }
	if b.From != nil {
		out = append(out, "from "+at(*b.From))
	}
	if b.To != nil {
		out = append(out, "to "+at(*b.To))
	}
	return strings.Join(out, " ")
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"result gt 5":             "",
		"id eq 7 and result gt 5": "id=7",
		"7 eq @iot.id":            "id=7",
		"id eq '7'":               "id=7",
		"id eq 7 and id eq 8":     "id=8 never",
		"id eq 7.5":               "never",
		"id eq 'x'":               "never",
		"id eq 7 or id eq 8":      "",
		"not (id eq 7)":           "",
		"Datastream/id eq 1 and (result gt 5 and FeatureOfInterest/@iot.id eq 3)": "Datastream=1 FeatureOfInterest=3",
		"Datastream/Thing/id eq 4":                  "Datastream/Thing=4",
		"Datastream/id eq 1 and Datastream/id eq 2": "Datastream=2 never",
		"Datastream/id eq null":                     "",
		"1 eq 2 and result gt 1":                    "never",
		"false":                                     "never",
		"null":                                      "never",
		"phenomenonTime gt 2016-01-01T00:00:00Z":    "from 2016-01-01T00:00:00.000001",
		"phenomenonTime ge 2016-01-01T00:00:00Z and phenomenonTime lt 2016-01-02T00:00:00Z": "from 2016-01-01T00:00:00 to 2016-01-02T00:00:00",
		"2016-01-02T00:00:00Z gt phenomenonTime":                                            "to 2016-01-02T00:00:00",
		"phenomenonTime le 2016-01-02T00:00:00Z":                                            "to 2016-01-02T00:00:00.000001",
		"phenomenonTime eq 2016-01-02T00:00:00Z":                                            "from 2016-01-02T00:00:00 to 2016-01-02T00:00:00.000001",
		"phenomenonTime gt now() sub duration'P1D'":                                         "from 2026-02-28T12:00:00.000001",
		"phenomenonTime gt 2016-01-02T00:00:00Z and phenomenonTime lt 2016-01-01T00:00:00Z": "from 2016-01-02T00:00:00.000001 never to 2016-01-01T00:00:00",
		"during(phenomenonTime,2016-01-01T00:00:00Z/2016-01-02T00:00:00Z)":                  "from 2016-01-01T00:00:00 to 2016-01-02T00:00:00.000001",
	} {
		f, err := query.ParseFilter(observations, filter, now)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(boundsText(f.Bounds()))
		wanted := strings.Fields(want)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %s, want %s", filter, boundsText(f.Bounds()), want)
		}
	}
}

// Whatever matches lies within the bounds.
func TestBoundsKeepWhatMatches(t *testing.T) {
	t.Parallel()
	hour := func(n int) string { return time.Unix(int64(n)*3600, 0).UTC().Format(time.RFC3339) }
	span := rapid.Custom(func(t *rapid.T) string {
		n, long := rapid.IntRange(0, 6).Draw(t, "start"), rapid.IntRange(0, 3).Draw(t, "long")
		if long == 0 {
			return hour(n)
		}
		return hour(n) + "/" + hour(n+long)
	})
	term := rapid.Custom(func(t *rapid.T) string {
		op := rapid.SampledFrom([]string{"eq", "ne", "gt", "ge", "lt", "le", "during", "before", "after", "overlaps", "starts", "meets", "finishes"}).Draw(t, "op")
		c := span.Draw(t, "constant")
		switch {
		case len(op) > 2:
			return op + "(phenomenonTime," + c + ")"
		case rapid.Bool().Draw(t, "turned"):
			return c + " " + op + " phenomenonTime"
		}
		return "phenomenonTime " + op + " " + c
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(term, 1, 3).Draw(t, "terms"), " and ")
		f, err := query.ParseFilter(observations, text, now)
		if err != nil {
			t.Fatal(err)
		}
		phenomenon := span.Draw(t, "row")
		at, _ := query.ParseSpan(phenomenon)
		ok, _ := f.Match(&entity{id: 1, props: map[string]string{"phenomenonTime": quote(phenomenon)}})
		b := f.Bounds()
		if ok && (b.Never || b.From != nil && at.Start < *b.From || b.To != nil && at.Start >= *b.To) {
			t.Fatalf("%s matches %s outside of %s", text, phenomenon, boundsText(b))
		}
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	span := func(s string) query.Value {
		v, err := query.ParseSpan(s)
		if err != nil {
			t.Fatal(err)
		}
		return query.Time(v)
	}
	for _, list := range [][]query.Value{
		{query.Null(), query.JSON([]byte("false")), query.JSON([]byte("true")), query.Number(-1), query.JSON([]byte("1e-7")), query.Number(2), query.JSON([]byte("9007199254740992")), query.JSON([]byte("9007199254740993")), query.JSON([]byte("12345678901234567889")), query.JSON([]byte("12345678901234567890")), query.JSON([]byte("1e300")), query.Text("10"), query.Text("9"), query.JSON([]byte("{}"))},
		{span("2016-01-01T00:00:00Z"), span("2016-01-01T00:00:00Z/2016-01-01T01:00:00Z"), span("2016-01-01T00:00:00Z/2016-01-01T02:00:00Z"), span("2016-01-01T00:30:00Z")},
	} {
		for i, a := range list {
			for j, b := range list {
				if got, want := query.Compare(a, b), i-j; (got < 0) != (want < 0) || (got > 0) != (want > 0) {
					t.Errorf("%d and %d: %d", i, j, got)
				}
			}
		}
	}
	if _, ok := query.JSON([]byte(`{"a":`)).Float(); ok || !query.JSON([]byte(" ")).IsNull() || !query.JSON([]byte(`"`)).IsNull() || !query.JSON([]byte("-")).IsNull() {
		t.Error("broken JSON")
	}
}
