// Package sensorthingstest holds a sensorthings.Reader in memory, for tests of
// what works over a Reader: maps and sorted slices, nothing clever.
package sensorthingstest
