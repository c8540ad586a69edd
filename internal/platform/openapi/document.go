package openapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// Op is one operation.
type Op struct {
	Method, Path string
	ID           string // operationId
	Tag          string
	Summary      string
	Text         string // what else there is to say
	Params       []Param
	Body         any // zero value of the JSON body's type; nil = none
	Status       int // of success; 0 = 200
	Answer       any // zero value of the JSON answer's type; nil = none
	Lines        any // zero value of a line's type, where it is also answered as NDJSON
	OnlyLines    bool
	Also         map[int]any // further answers of success, by status
	Tagged       bool        // has an ETag and answers If-None-Match
	Match        bool        // answers If-Match with 412
	Public       bool        // without a token
}

// Param is a parameter in the query, the path or a header.
type Param struct {
	Name   string
	In     string // query (also ""), path, header; those of the path are required
	Text   string
	Type   string // string (also ""), integer, number, boolean
	Format string // such as date-time
	Enum   []string
}

// Info heads a document.
type Info struct {
	Title, Version, Text string
	Problem              any               // zero value of the type of errors
	Tags                 map[string]string // what the tags mean
	TagOrder             []string
	// Raw are schemas that are kept by hand, by the type that stands for them.
	Raw map[reflect.Type]Raw
	// Strict refuses members that are not declared; for tests.
	Strict bool
}

// Raw is a schema that is kept by hand; $defs of it become components of their
// own, named by Name and the name there.
type Raw struct {
	Name   string
	Schema []byte
}

type object = map[string]any

// Build writes the document. It panics on what cannot be described: the
// declarations are part of the program.
func Build(info Info, ops []Op) []byte {
	b := &builder{info: info, schemas: object{}, names: map[reflect.Type]string{}}
	for t, r := range info.Raw {
		b.raw(t, r)
	}
	paths := object{}
	for i := range ops {
		op := &ops[i]
		item, _ := paths[op.Path].(object)
		if item == nil {
			item = object{}
			paths[op.Path] = item
		}
		item[strings.ToLower(op.Method)] = b.operation(op)
	}
	tags := make([]any, 0, len(info.TagOrder))
	for _, t := range info.TagOrder {
		tags = append(tags, object{"name": t, "description": info.Tags[t]})
	}
	problem := object{"description": "what went wrong and what to do (RFC 9457)", "content": object{"application/problem+json": object{"schema": b.schema(reflect.TypeOf(info.Problem))}}}
	doc := object{
		"openapi": "3.1.0",
		"info":    object{"title": info.Title, "version": info.Version, "description": info.Text},
		"servers": []any{object{"url": "/"}},
		"tags":    tags, "paths": paths,
		"components": object{
			"schemas":         b.schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "an API token of an account; what it may do is what the account may"}},
			"responses":       object{"Problem": problem, "NotModified": object{"description": "what the client has is still right"}},
		},
		"security": []any{object{"token": []string{}}},
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		panic(err)
	}
	return append(out, '\n')
}

func (b *builder) operation(op *Op) object {
	o := object{"operationId": op.ID, "summary": op.Summary, "tags": []string{op.Tag}}
	if op.Text != "" {
		o["description"] = op.Text
	}
	if op.Public {
		o["security"] = []any{}
	}
	var params []any
	for _, p := range op.Params {
		params = append(params, parameter(p))
	}
	if op.Tagged {
		params = append(params, parameter(Param{Name: "If-None-Match", In: "header", Text: "ETag of what the client has: 304 when it is still right"}))
	}
	if op.Match {
		params = append(params, parameter(Param{Name: "If-Match", In: "header", Text: "ETag of what is to be changed: 412 when it is another one by now"}))
	}
	if len(params) > 0 {
		o["parameters"] = params
	}
	if op.Body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": b.schema(reflect.TypeOf(op.Body))}}}
	}
	status := op.Status
	if status == 0 {
		status = http.StatusOK
	}
	answers := object{"default": object{"$ref": "#/components/responses/Problem"}, strconv.Itoa(status): b.answer(op, status, op.Answer)}
	for s, a := range op.Also {
		answers[strconv.Itoa(s)] = b.answer(op, s, a)
	}
	if op.Tagged {
		answers["304"] = object{"$ref": "#/components/responses/NotModified"}
	}
	o["responses"] = answers
	return o
}

func (b *builder) answer(op *Op, status int, body any) object {
	a := object{"description": http.StatusText(status)}
	content := object{}
	if body != nil && !op.OnlyLines {
		content["application/json"] = object{"schema": b.schema(reflect.TypeOf(body))}
	}
	if op.Lines != nil {
		// One document a line; the schema is that of a line.
		content["application/x-ndjson"] = object{"schema": b.schema(reflect.TypeOf(op.Lines))}
	}
	if len(content) > 0 {
		a["content"] = content
	}
	if op.Tagged {
		a["headers"] = object{"ETag": object{"schema": object{"type": "string"}}}
	}
	return a
}

func parameter(p Param) object {
	schema := object{"type": "string"}
	if p.Type != "" {
		schema["type"] = p.Type
	}
	if p.Format != "" {
		schema["format"] = p.Format
	}
	if len(p.Enum) > 0 {
		schema["enum"] = p.Enum
	}
	in := p.In
	if in == "" {
		in = "query"
	}
	o := object{"name": p.Name, "in": in, "description": p.Text, "schema": schema}
	if in == "path" {
		o["required"] = true
	}
	return o
}
