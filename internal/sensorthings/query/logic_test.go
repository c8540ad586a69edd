package query_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// The plain meaning of a filter, against which the compiled one is held: for
// some choice of a row for every variable, missing rows for empty relations,
// the whole is true in three-valued logic.

type truth int

const (
	isFalse truth = iota - 1
	isUnknown
	isTrue
)

// choice is a row for each path of relations; nil is the missing one.
type choice map[string]*entity

type formula struct {
	text string
	of   func(choice) truth
}

var paths = []string{"properties/x", "Locations/properties/x", "Datastreams/properties/x", "Datastreams/Observations/result", "Datastreams/Sensor/properties/x"}

// valueAt is the JSON text at a path, "" when it is missing.
func valueAt(c choice, path string) string {
	i := strings.LastIndex(strings.TrimSuffix(path, "/x"), "/")
	relations := ""
	if i >= 0 {
		relations = path[:i]
	}
	row := c[relations]
	if relations == "Datastreams/Sensor" && c["Datastreams"] != nil {
		row = c["Datastreams"].one["Sensor"]
	}
	if row == nil {
		return ""
	}
	if strings.HasSuffix(path, "result") {
		return strings.TrimSuffix(row.props["result"], "null")
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(row.props["properties"], `{"x":`), "}"), "null")
}

func genFormula(t *rapid.T, depth int) formula {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind = kind % 2
	}
	switch kind {
	case 0: // is null, or is not
		path, want := rapid.SampledFrom(paths).Draw(t, "path"), rapid.Bool().Draw(t, "null")
		op := map[bool]string{true: "eq", false: "ne"}[want]
		return formula{path + " " + op + " null", func(c choice) truth { return truthIf((valueAt(c, path) == "") == want) }}
	case 1:
		path, op, k := rapid.SampledFrom(paths).Draw(t, "path"), rapid.SampledFrom([]string{"eq", "ne", "lt", "ge"}).Draw(t, "op"), rapid.IntRange(0, 2).Draw(t, "k")
		return formula{fmt.Sprintf("%s %s %d", path, op, k), func(c choice) truth {
			v := valueAt(c, path)
			if len(v) != 1 { // missing, or a text
				return isUnknown
			}
			x := int(v[0] - '0')
			return truthIf(map[string]bool{"eq": x == k, "ne": x != k, "lt": x < k, "ge": x >= k}[op])
		}}
	case 2:
		a := genFormula(t, depth-1)
		return formula{"not (" + a.text + ")", func(c choice) truth { return -a.of(c) }}
	}
	word := []string{"and", "or"}[kind%2]
	parts := []formula{genFormula(t, depth-1), genFormula(t, depth-1)}
	if rapid.Bool().Draw(t, "third") {
		parts = append(parts, genFormula(t, depth-1))
	}
	var texts []string
	for _, p := range parts {
		texts = append(texts, "("+p.text+")")
	}
	return formula{strings.Join(texts, " "+word+" "), func(c choice) truth {
		out := parts[0].of(c)
		for _, p := range parts[1:] {
			if word == "and" {
				out = min(out, p.of(c))
			} else {
				out = max(out, p.of(c))
			}
		}
		return out
	}}
}

func truthIf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// holds tries every choice.
func holds(thing *entity, f formula) bool {
	orMissing := func(list []*entity) []*entity {
		if len(list) == 0 {
			return []*entity{nil}
		}
		return list
	}
	for _, l := range orMissing(thing.many["Locations"]) {
		for _, d := range orMissing(thing.many["Datastreams"]) {
			below := []*entity{nil}
			if d != nil {
				below = orMissing(d.many["Observations"])
			}
			for _, o := range below {
				if f.of(choice{"": thing, "Locations": l, "Datastreams": d, "Datastreams/Observations": o}) == isTrue {
					return true
				}
			}
		}
	}
	return false
}

func TestFilterLogic(t *testing.T) {
	t.Parallel()
	t.Run("request-data/filter/three-valued", func(t *testing.T) {
		t.Parallel()
		value := rapid.SampledFrom([]string{"0", "1", "2", "null", `"text"`})
		rapid.Check(t, func(t *rapid.T) {
			fresh := func() *entity {
				return &entity{id: 1, props: map[string]string{"properties": `{"x":` + value.Draw(t, "x") + `}`, "result": value.Draw(t, "result")}, one: map[string]*entity{}, many: map[string][]*entity{}}
			}
			thing := fresh()
			for range rapid.IntRange(0, 2).Draw(t, "locations") {
				thing.many["Locations"] = append(thing.many["Locations"], fresh())
			}
			for range rapid.IntRange(0, 2).Draw(t, "datastreams") {
				d := fresh()
				if rapid.Bool().Draw(t, "sensor") {
					d.one["Sensor"] = fresh()
				}
				for range rapid.IntRange(0, 2).Draw(t, "observations") {
					d.many["Observations"] = append(d.many["Observations"], fresh())
				}
				thing.many["Datastreams"] = append(thing.many["Datastreams"], d)
			}
			f := genFormula(t, 3)
			compiled, err := query.ParseFilter(sensorthings.Things, f.text, now)
			if err != nil {
				t.Fatalf("%s: %v", f.text, err)
			}
			got, err := compiled.Match(thing)
			if err != nil {
				t.Fatal(err)
			}
			if want := holds(thing, f); got != want {
				t.Fatalf("%s: %v, want %v", f.text, got, want)
			}
		})
	})
}
