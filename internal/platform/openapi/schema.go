package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

type builder struct {
	info    Info
	schemas object
	names   map[reflect.Type]string
}

// raw takes in a schema that is kept by hand.
func (b *builder) raw(t reflect.Type, r Raw) {
	text := strings.ReplaceAll(string(r.Schema), `"#/$defs/`, `"#/components/schemas/`+r.Name+"_")
	var schema object
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		panic(fmt.Sprintf("openapi: schema %s: %v", r.Name, err))
	}
	defs, _ := schema["$defs"].(object)
	for name, def := range defs {
		b.schemas[r.Name+"_"+name] = def
	}
	delete(schema, "$defs")
	delete(schema, "$schema")
	b.schemas[r.Name], b.names[t] = schema, r.Name
}

// schema is the schema of a type, a reference where it is a named struct.
//
// Fields are read by their json tag; omitempty and omitzero make them optional,
// doc describes them, and api says what the type does not: "time", "date",
// "number", "integer", "string", "object", "any", with "?" behind it where the
// value may be null, or the words a string may be, with bars between them.
func (b *builder) schema(t reflect.Type) object {
	if name, ok := b.names[t]; ok {
		return object{"$ref": "#/components/schemas/" + name}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(b.schema(t.Elem()))
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number", "format": "double"}
	case reflect.Slice:
		return object{"type": "array", "items": b.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": b.schema(t.Elem())}
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		return b.structure(t)
	default:
		panic("openapi: no schema for " + t.String())
	}
}

// Name is how a type is called in the document.
func Name(t reflect.Type) string {
	name := strings.TrimPrefix(t.Name(), "api")
	return strings.ToUpper(name[:1]) + name[1:]
}

func (b *builder) structure(t reflect.Type) object {
	name := Name(t)
	if _, taken := b.schemas[name]; taken {
		panic("openapi: two types are called " + name)
	}
	b.names[t] = name
	properties, required := object{}, []string{}
	b.fields(t, properties, &required)
	slices.Sort(required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if b.info.Strict {
		schema["additionalProperties"] = false
	}
	b.schemas[name] = schema
	return object{"$ref": "#/components/schemas/" + name}
}

func (b *builder) fields(t reflect.Type, properties object, required *[]string) {
	for f := range Fields(t) {
		s := b.schema(f.Type)
		if a := f.Tag.Get("api"); a != "" {
			s = override(a)
		}
		if d := f.Tag.Get("doc"); d != "" {
			s = maps.Clone(s)
			s["description"] = d
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = s
		if !strings.Contains(opts, "omit") {
			*required = append(*required, name)
		}
	}
}

// Fields are the fields of a struct that stand in its JSON, those of embedded
// structs among them.
func Fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) { walk(t, yield) }
}

func walk(t reflect.Type, yield func(reflect.StructField) bool) bool {
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		switch {
		case tag == "-":
		case f.Anonymous && tag == "":
			if !walk(f.Type, yield) {
				return false
			}
		case tag == "":
			panic("openapi: field " + t.Name() + "." + f.Name + " has no json tag")
		case !yield(f):
			return false
		}
	}
	return true
}

func override(tag string) object {
	kind, null := strings.CutSuffix(tag, "?")
	var s object
	switch kind {
	case "time":
		s = object{"type": "string", "format": "date-time"}
	case "date":
		s = object{"type": "string", "format": "date"}
	case "number":
		s = object{"type": "number", "format": "double"}
	case "integer":
		s = object{"type": "integer", "format": "int64"}
	case "string", "object", "boolean":
		s = object{"type": kind}
	case "any":
		return object{}
	default:
		s = object{"type": "string", "enum": strings.Split(kind, "|")}
	}
	if null {
		return nullable(s)
	}
	return s
}

func nullable(s object) object {
	if kind, ok := s["type"].(string); ok {
		s = maps.Clone(s)
		s["type"] = []string{kind, "null"}
		return s
	}
	return object{"anyOf": []any{s, object{"type": "null"}}}
}
