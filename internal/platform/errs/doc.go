// Package errs says what kind of failure an error is and what a person reads
// about it.
//
// It owns the kinds and the error value that carries a kind, a catalogue key
// with its arguments and, for forms, the fields to mend. It refuses to be a
// place for texts: keys are translated at the edge (package httpd), and the
// wrapped cause stays inside the program and its log.
//
// An error without a kind is Internal, so what nobody classified is never shown.
package errs
