// Package alarm joins what the judgement finds into episodes: one alarm with a
// cause, a start, an end and an extent, instead of one message a value
// (emission-data rules, sections 9 and 9.1).
//
// Derive is a pure function of judged hours and days, the registry's entry of
// the outlet, the times the platform itself was down, and the clock: the same
// input gives the same episodes, whatever the order of arrival. Service keeps
// them in the relational database, derives those of an outlet anew when late
// data, a correction or the registry changes its hours, and watches what can
// only be seen live (links, clocks, forecasts). What people did with an alarm
// (acknowledged it, called it false) stays with it through that.
//
// The package owns episodes and what people said of them. It judges no value
// itself: whether a value is valid or over its limit is quality's verdict, and
// every threshold is in a dated rule file (rules/alarm.*.toml). It refuses to
// conclude from missing data: they never end an episode.
package alarm
