package sensorthingsweb

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// TestIndexAgreesWithSort holds what is read by index against the same order
// with a key that no index has, over pages of any size.
func TestIndexAgreesWithSort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := sensorthingstest.New()
		for ds := range sensorthings.ID(3) {
			m.Add(sensorthings.Datastreams, ds+1, map[string]string{"name": fmt.Sprintf(`"D%d"`, ds)}, ds%2+1, 1, 1)
		}
		m.Add(sensorthings.Things, 1, map[string]string{"name": `"T"`})
		m.Add(sensorthings.Things, 2, map[string]string{"name": `"U"`})
		n := rapid.IntRange(0, 25).Draw(rt, "observations")
		for i := range n {
			at := sensorthingstest.Begin.UnixMicro() + rapid.Int64Range(0, 6).Draw(rt, "start")*1e6
			long := rapid.Int64Range(-2, 3).Draw(rt, "length")
			m.Observe(sensorthings.Observation{
				ID: sensorthings.ID(i + 1), Datastream: rapid.Int64Range(1, 3).Draw(rt, "datastream"), Feature: rapid.Int64Range(1, 2).Draw(rt, "feature"),
				Phenomenon: sensorthings.Span{Start: at, End: at + max(0, long)*1e6}, Result: []byte(rapid.SampledFrom([]string{"1", "2", `"a"`, "null"}).Draw(rt, "result")),
			})
		}
		h := handlerOver(m, read.Limits{})
		path := rapid.SampledFrom([]string{"/Observations", "/Datastreams(1)/Observations"}).Draw(rt, "path")
		filter := rapid.SampledFrom([]string{
			"", "result eq 1", "phenomenonTime ge 2016-01-01T00:00:02Z", "phenomenonTime lt 2016-01-01T00:00:04Z and result ne 2", "Datastream/Thing/id eq 1",
			"Datastream/id eq 2", "FeatureOfInterest/id eq 1", "Datastream/Thing/id eq 1 and FeatureOfInterest/id eq 2", "id eq 3", "phenomenonTime gt 2016-01-01T00:00:02Z or id lt 5",
		}).Draw(rt, "filter")
		index, sorted := "phenomenonTime", "phenomenonTime,id"
		if desc := rapid.Bool().Draw(rt, "desc"); desc {
			index, sorted = "phenomenonTime desc", "phenomenonTime desc,id desc"
		}
		sorted = strings.Replace(sorted, ",", ",length('x'),", 1)
		rest := fmt.Sprintf("&$top=%d", rapid.IntRange(1, 9).Draw(rt, "top"))
		if filter != "" {
			rest += "&$filter=" + filter
		}
		a, b := ids(t, h, path+"?$orderby="+index+rest), ids(t, h, path+"?$orderby="+sorted+rest)
		if !slices.Equal(a, b) {
			rt.Errorf("%s by %s%s: %v by index, %v sorted", path, index, rest, a, b)
		}
		// Without an order each comes once, in whatever order.
		c := ids(t, h, path+"?"+rest[1:])
		slices.Sort(a)
		slices.Sort(c)
		if !slices.Equal(a, c) {
			rt.Errorf("%s%s: %v without an order, %v with one", path, rest, c, a)
		}
	})
}

func ids(tb testing.TB, h http.Handler, target string) (all []string) {
	tb.Helper()
	for _, v := range follow(tb, h, target) {
		all = append(all, string(v["@iot.id"]))
	}
	return all
}
