// Package apiclient is a client of the JSON interface, generated from its
// OpenAPI document: for tests, and as an example of what a generator makes of
// the document. Nothing in it is written by hand but this file.
//
// "make generate" writes it anew; a difference fails the checks.
package apiclient

//go:generate go run ../tools/openapi openapi.json
//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.json
