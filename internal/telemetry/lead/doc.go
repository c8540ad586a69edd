// Package lead looks for what is odd in judged data and says so with its
// evidence: a lead (线索) is a reason to look, never a verdict.
//
// A detector is a pure function over the judged hours and days of one outlet in a
// window, with thresholds from a dated rule (lead.ID). What it returns explains
// itself: in which hours it shows, which figures led to it and what they were held
// against, what else would explain it, what to look at next. Measures are counts,
// shares, medians and ratios, because a reader can check them by hand; there are
// no p-values, since hours of one outlet are not independent draws.
//
// The service runs the detectors over calendar months as days close, keeps what
// they found, looks again when data were judged anew, and keeps what people said
// of it. It ranks leads by the strength of their evidence; it ranks neither
// enterprises nor people, and it refuses to conclude anything.
//
// Detectors are named in the emission-data rules, sections 9.1 and 9.2.
package lead
