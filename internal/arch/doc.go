// Package arch holds tests of the repository's own shape: package comments and
// the direction of imports. It has no code.
package arch
