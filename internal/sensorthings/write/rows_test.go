package write

import (
	"fmt"
	"strings"
	"testing"
)

func TestReadTable(t *testing.T) {
	t.Parallel()
	body := ` [ {"Datastream":{"@iot.id":1000000001},"components":["phenomenonTime","result","FeatureOfInterest/id","parameters","x"],"dataArray@iot.count":9,
	 "dataArray":[["2016-01-01T00:00:00Z", 1e-7 ,7,{"a" : [1, "]"]}, 0],["2016-01-01T00:00:00.5Z",null,null,null,[]],
	  ["soon",1,7,null,0],["2016-01-01T00:00:00Z",1],{},[null,1,2,null,1],["2016-01-01T00:00:00Z",1,-1,null,1],["2016-01-01T00:00:00Z",1,2,3,1]]},
	 {"Datastream":{"@iot.id":"1000000002"},"components":["result","phenomenonTime"],"dataArray":[["a\"]","1970-01-01T00:00:01Z"]]}]`
	got, err := readTable([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.groups) != 2 || len(got.rows) != 9 || got.groups[1].first != 8 || got.groups[1].datastream != 1000000002 {
		t.Fatalf("%+v", got.groups)
	}
	o := got.obs[0]
	if string(o.Result) != "1e-7" || o.Feature != 7 || string(o.Parameters) != `{"a":[1,"]"]}` || o.Phenomenon.Start != 1451606400e6 {
		t.Errorf("%+v", o)
	}
	if o := got.obs[8]; string(o.Result) != `"a\"]"` || o.Phenomenon.Start != 1e6 {
		t.Errorf("%+v", o)
	}
	for i, want := range []string{"", "", "phenomenonTime is neither", "2 values, components names 5", "an object", "phenomenonTime is null", "FeatureOfInterest/id", "parameters is a number"} {
		if f := got.rows[i].Fault; !strings.Contains(f, want) || want == "" && f != "" {
			t.Errorf("row %d: %q, want %q", i, f, want)
		}
	}
	for body, want := range map[string]string{
		``: "no JSON array", `{}`: "no JSON array", `[1]`: "[0]: is a number", `[{}]`: "needs Datastream", `[{"MultiDatastream":{"@iot.id":1}}]`: "MultiDatastreams",
		`[{"Datastream":{"@iot.id":1},"components":["result"],"dataArray":[]}]`: "lack phenomenonTime", `[{"Datastream":{"@iot.id":1},"components":["result"]}]`: "needs dataArray",
		`[{"Datastream":{"name":1},"components":["result"],"dataArray":[]}]`: "is no link", `[{"Datastream":{"@iot.id":"x"},"components":[],"dataArray":[]}]`: "whole numbers",
		"[\"\xff\"]": "UTF-8",
	} {
		if _, err := readTable([]byte(body), nil); StatusOf(err) != 400 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func manyRows(n int) []byte {
	var b strings.Builder
	b.WriteString(`[{"Datastream":{"@iot.id":1000000001},"components":["phenomenonTime","result"],"dataArray":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `["2016-01-01T%02d:%02d:%02dZ",%d.%d]`, i/3600%24, i/60%60, i%60, 20+i%7, i%10)
	}
	b.WriteString("]}]")
	return []byte(b.String())
}

func BenchmarkReadTable(b *testing.B) {
	body := manyRows(10_000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readTable(body, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "rows/s")
}
