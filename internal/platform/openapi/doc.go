// Package openapi writes an OpenAPI 3.1 document from declarations that stand
// beside the routes: an operation names its parameters, the Go types of its
// bodies and the errors it can answer with. Schemas are made from those types
// (JSON Schema 2020-12), so that a field cannot be answered without standing in
// the document.
//
// It knows no module and serves nothing.
package openapi
