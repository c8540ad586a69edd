// Package doctor looks at an installation from outside, running or not, and says
// what is in order, what is doubtful and what is wrong, each with its remedy. It
// changes nothing.
package doctor
