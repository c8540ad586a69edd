// Package testkit holds what tests of several packages need: the folder of
// shared real data, golden files, databases and a browser.
package testkit
