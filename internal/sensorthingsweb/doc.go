// Package sensorthingsweb is the HTTP side of the SensorThings API (OGC 18-088):
// addresses, methods, headers, errors. What is read is worked out by
// sensorthings/read.
//
// It parses the address and the query itself: net/http would clean paths that
// may hold quotes and slashes, and net/url drops every option with a ";".
package sensorthingsweb
