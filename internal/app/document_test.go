package app

import (
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"plateau/internal/caseweb"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetryweb"
)

// TestDocument: the document of the interface is valid with the operations of all
// modules, has each address below /api/v1 that is served, in words of all languages,
// and "make generate" was run.
func TestDocument(t *testing.T) {
	t.Parallel()
	text := telemetryweb.Document(caseweb.Operations()...)
	have, err := os.ReadFile("../apiclient/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), string(text)); d != "" {
		t.Errorf("the generated client is of another document; run make generate:\n%s", d)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, rt := range Routes() {
		if !strings.HasPrefix(rt.Path, "/api/v1/") {
			continue
		}
		n++
		item := doc.Paths.Value(rt.Path)
		if item == nil || item.GetOperation(rt.Method) == nil {
			t.Errorf("%s %s is served and not described", rt.Method, rt.Path)
		}
	}
	described := 0
	for _, item := range doc.Paths.Map() {
		described += len(item.Operations())
	}
	if n < 30 || described != n {
		t.Errorf("%d addresses, %d operations", n, described)
	}
	for _, l := range i18n.Langs() {
		for _, o := range caseweb.Operations() {
			if !i18n.Default().For(l).Has("api_doc.op_" + o.ID) {
				t.Errorf("%s: operation %s has no words", l, o.ID)
			}
		}
	}
}
