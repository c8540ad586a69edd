package openapi_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/openapi"
)

type apiInner struct {
	A float64 `json:"a" doc:"of it"`
}

type apiThing struct {
	apiInner
	ID    uint32            `json:"id"`
	When  any               `json:"when" api:"time?"`
	Kind  string            `json:"kind,omitempty" api:"a|b"`
	At    time.Time         `json:"at,omitzero"`
	Inner *apiInner         `json:"inner"`
	List  []apiInner        `json:"list"`
	More  map[string]string `json:"more,omitempty"`
	Raw   rawThing          `json:"raw,omitempty"`
	Skip  string            `json:"-"`
}

type rawThing json.RawMessage

func schemas(t *testing.T, strict bool) map[string]any {
	t.Helper()
	text := openapi.Build(openapi.Info{
		Title: "x", Problem: apiInner{}, Strict: strict,
		Raw: map[reflect.Type]openapi.Raw{reflect.TypeFor[rawThing](): {Name: "Raw", Schema: []byte(`{"$schema":"x","properties":{"n":{"$ref":"#/$defs/name"}},"$defs":{"name":{"type":"string"}}}`)}},
	}, []openapi.Op{{Method: "GET", Path: "/x/{id}", ID: "getX", Answer: apiThing{}, Params: []openapi.Param{{Name: "id", In: "path"}}}})
	var doc struct {
		Components struct{ Schemas map[string]any }
		Paths      map[string]map[string]struct {
			Parameters []struct {
				Name     string
				Required bool
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if p := doc.Paths["/x/{id}"]["get"].Parameters; len(p) != 1 || !p[0].Required {
		t.Errorf("parameters %+v", p)
	}
	return doc.Components.Schemas
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	got := schemas(t, false)
	var want map[string]any
	if err := json.Unmarshal([]byte(`{
		"Inner": {"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "format": "double", "description": "of it"}}},
		"Raw": {"properties": {"n": {"$ref": "#/components/schemas/Raw_name"}}},
		"Raw_name": {"type": "string"},
		"Thing": {"type": "object", "required": ["a", "id", "inner", "list", "when"], "properties": {
			"a": {"type": "number", "format": "double", "description": "of it"},
			"id": {"type": "integer", "format": "int64"},
			"when": {"type": ["string", "null"], "format": "date-time"},
			"kind": {"type": "string", "enum": ["a", "b"]},
			"at": {"type": "string", "format": "date-time"},
			"inner": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]},
			"list": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
			"more": {"type": "object", "additionalProperties": {"type": "string"}},
			"raw": {"$ref": "#/components/schemas/Raw"}
		}}
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := schemas(t, true)["Thing"].(map[string]any); s["additionalProperties"] != false {
		t.Error("strict schemas take anything")
	}
}

func TestUndescribable(t *testing.T) {
	t.Parallel()
	type untagged struct{ A int }
	for name, v := range map[string]any{"a field without a tag": untagged{}, "a channel": struct {
		C chan int `json:"c"`
	}{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was described", name)
				}
			}()
			openapi.Build(openapi.Info{Problem: apiInner{}}, []openapi.Op{{Method: "GET", Path: "/", ID: "x", Answer: v}})
		}()
	}
}
