// Package backfill knows which records are missing, who lost them, and fetches
// them again.
//
// A record is due when its period has ended, by the intervals of its outlet,
// unless the source was stopped. What has not come after a grace time becomes a
// gap in a ledger that stays: what is missing, who lost it, what was asked of
// the logger, and how the gap was closed. Rule backfill.request holds all
// spans and bounds.
//
// Finding gaps costs no reading in the usual case: the arrivals of the journal
// move a mark along each series; only a series whose mark stands still beyond
// the grace time is read. What was found, and the sign of life that says up to
// when everything was looked at, are written in one transaction, so that a
// restart begins where the last run ended, and knows when the platform itself
// was down.
package backfill
