// Package keeping looks after what is stored for years: it seals old groups of
// the journal into archive files and drops what the rules allow to be dropped.
//
// It owns when that happens. How a group is sealed so that nothing is lost, the
// telemetry store knows; how long which kind of data is kept, the rule
// keeping.retention says.
package keeping
