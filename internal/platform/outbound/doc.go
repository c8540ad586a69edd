// Package outbound sends requests and makes connections to addresses that people
// of the installation enter, such as those of webhooks.
//
// It owns the guard against addresses of this machine and of private networks,
// which stands where a connection is made, the signature in the manner of
// Standard Webhooks, what an answer means, and how long to wait before the next
// try. It follows no redirects and takes no proxy. It keeps nothing: who is told
// of what, and whether again, is the caller's.
package outbound
