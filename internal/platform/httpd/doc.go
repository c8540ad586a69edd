// Package httpd is the edge of the program for browsers and API clients.
//
// It owns the server with its timeouts and its graceful stop, and everything a
// request passes before it reaches a handler: one log line, recovery, security
// headers, the check for cross-origin writes, compression. Problem is the only
// place that turns an error into an answer: problem+json (RFC 9457) for
// programs, a page for people, with a number that is also in the log and never
// with what the program is made of.
//
// It refuses to know modules, people and texts: texts come through Edge.
package httpd
