// Package relayweb is the pages of platforms that received frames go on to: a list
// with how each does, a page for each with what it did not take, and the forms of
// those who keep them.
//
// It owns no data: what is allowed and what is sent is package relay's. It shows
// no password and no key, only whether there is one.
package relayweb
