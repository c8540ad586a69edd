// Package hj212 speaks HJ 212, the protocol by which loggers (数采仪) of
// pollution sources report to a host: HJ/T 212-2005, HJ 212-2017 and
// HJ 212-2025.
//
// It has a scanner for byte streams, a parser that allocates nothing when
// reused, a verbose decoder for people, an encoder, SM4, segment assembly and
// both sides of every dialogue. It is pure: no clock, file, network or log.
//
// It refuses nothing that an installed device sends as long as length and CRC
// hold; deviations are named, not punished. Who may send is the caller's
// business.
//
// Section numbers in comments are those of HJ 212-2017 unless said otherwise.
// What is known of HJ 212-2025 was taken from implementations, not from its
// text; see docs/divergences/hj212.md.
package hj212
