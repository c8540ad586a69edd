// Package dialogue carries the host's commands to loggers: what can be asked,
// with which fields and what it does (acts.go), the exchange step by step
// (service.go), and a log of all dialogues that stays (log.go).
//
// A dialogue is written down before its first frame goes out and again after
// every step, so that after a crash it is known that something was asked and
// that its outcome is not known.
package dialogue
