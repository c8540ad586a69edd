// Package devicecheck plays the host against one logger for a limited time and
// tells, clause by clause of HJ 212-2017, what held, what did not, and what
// could not be tried.
package devicecheck
