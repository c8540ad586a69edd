// Package relay sends received frames on to the platforms of higher authorities
// over HJ 212, as a logger would.
//
// It owns the targets (where, in whose name, what), how far each has come in the
// journal, and the frames that a target did not take. A frame leaves the state of
// a target in one of two ways: the target acknowledged it, or it is written down
// among the refused with the reason, from where people send it again. Delivery is
// at least once: what was under way when a connection or the program broke off
// goes out again with the same request number.
//
// It decides nothing about values, changes nothing in a frame but header, length
// and CRC (package hj212 does), and passes nothing that a target asks for on to a
// logger. How the lanes work is told in DESIGN.md beside this file.
package relay
