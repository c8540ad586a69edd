//go:build !race

package testkit

// Race reports whether the race detector is on, under which large amounts take
// too long.
const Race = false
