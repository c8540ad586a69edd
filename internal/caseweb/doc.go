// Package caseweb is the interface of cases for programs: opening one, reading it,
// acting on it.
package caseweb
