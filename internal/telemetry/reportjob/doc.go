// Package reportjob makes large reports in the background: a job is asked for,
// waits, is worked on outlet by outlet with rests between them, so that
// reception and judgement go first, and leaves one file that can be fetched for
// some days. Jobs survive a restart: what was under way begins anew.
//
// One job is worked on at a time, and everybody has at most one that waits or
// runs. How long files are kept and how much the work rests is the dated rule
// report.size.
package reportjob
