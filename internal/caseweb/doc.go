// Package caseweb is the interface of cases for programs (opening one, reading it,
// acting on it), and the public page of a tracking number.
package caseweb
