// Package store keeps telemetry: the journal of received frames and the series
// made of them, in one embedded LSM tree (docs/decisions/0001).
//
// It owns the rule "store first": a frame's callback runs only after the group
// that holds it is synced, and a record exists only together with its frame.
// It decides whether a record is new, an equal repeat or a revision. It never
// overwrites, never judges and knows nothing of sockets. DESIGN.md beside this
// file tells the formats.
package store
