// Package proof holds no code. Its tests calculate what the judgement
// calculates once more by another route, and hold both against each other.
//
// A real series goes the program's whole way: frames over a socket, gateway,
// journal, series, judgement. The same source file goes into an empty SQLite
// database, where SQL written from the reference of emission-data rules, not
// from the program, works out validity, means, folding, totals, verdicts and
// rates. Means may differ by 1e-9 of their size, because the two sum in
// different orders; counts, marks and verdicts may not differ at all. Every
// test counts what it compared and fails when that is less than the source
// holds: a check that compares nothing proves nothing.
//
// Most sources have no marks and another time axis than a logger would send.
// What a test adds to them (marks, losses, oxygen, dates) it derives from the
// row number by a rule written at its head, and both routes get the same.
package proof
