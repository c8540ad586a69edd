// Package quality judges what the loggers report: which hours and days are
// valid, their means, the folding to reference oxygen, the comparison with the
// limit in force, and the state of each outlet.
//
// It owns the derived layer (hour and day rows) and nothing below it: records
// are read, never written, and every derived row can be thrown away and built
// again from the journal to the same bytes. Minutes → hours → days is a
// cascade of dirty periods: a late frame recomputes its hour and its day only.
// A change of the registry or of the rules recomputes the outlets, and of these
// the days, that it concerns.
//
// Rules are dated data (package rules); the functions here take values and
// return values with a trace of every step. Nothing is rounded before it is
// judged. It refuses to guess: a missing mark is not N unless the outlet says
// so, a missing hour counts as expected, an unknown oxygen folds nothing. Rules
// that ask for nothing but their input (Rules) can be applied without the engine.
//
// Standards: HJ 75-2017, HJ 76-2017 annex B, HJ 356-2019 chapters 6 and 7,
// GB/T 8170-2008 section 4.3.
package quality
