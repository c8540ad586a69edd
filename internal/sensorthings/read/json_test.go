package read

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzAppendString wants what encoding/json reads back as the same text.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", `"\/`, "<&>", "\x00\x1f\x7f", "\xff\xfea\xc3", "PM₁₀ 拉萨 བོད་", "\u2028", "\n\r\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendString([]byte("x"), s)
		var got string
		if err := json.Unmarshal(b[1:], &got); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %q: %v", s, b, err)
		}
		// As encoding/json does it: each byte that is no UTF-8 becomes U+FFFD.
		want := strings.ToValidUTF8(s, "\uFFFD")
		if utf8.ValidString(s) && got != want || strings.ReplaceAll(got, "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestFlatten(t *testing.T) {
	t.Parallel()
	const entity = `{"@iot.id":1,"@iot.selfLink":"u","name":"T","properties":{"location":{"type":"Point","coordinates":[1,2]},"Tags":[],"list":[1,{"a":null}]},` +
		`"Things@iot.navigationLink":"u","Locations@iot.count":1,"Locations":[{"name":"L","location":{"type":"Feature","geometry":{"type":"Point","coordinates":[8,49]}}}],` +
		`"Locations@iot.nextLink":"u","Datastreams":[],"FeatureOfInterest":null,"result":{"location":{"type":"Point","coordinates":[3,4]}}}`
	f, err := flatten([]byte(entity), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.cells {
		got = append(got, c.path+"="+string(c.raw))
	}
	want := []string{
		"@iot.id=1", `@iot.selfLink="u"`, `name="T"`, `properties/location/type="Point"`, "properties/location/coordinates/0=1", "properties/location/coordinates/1=2",
		"properties/Tags=[]", "properties/list/0=1", "properties/list/1/a=null", `Locations/0/name="L"`, "FeatureOfInterest=null",
		`result/location/type="Point"`, "result/location/coordinates/0=3", "result/location/coordinates/1=4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if string(f.geometry) != `{"type":"Point","coordinates":[8,49]}` {
		t.Errorf("geometry %s", f.geometry)
	}
	for _, broken := range []string{`{`, `{"a":}`, `[1,`, `{"a":1`} {
		if _, err := flatten([]byte(broken), true); err == nil {
			t.Errorf("%s was taken", broken)
		}
	}
}
