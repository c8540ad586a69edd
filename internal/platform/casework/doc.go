// Package casework keeps cases: an alarm, a report or an incident that ends in a
// person's answer.
//
// It knows no system. What a case may be, which states and actions it has, who
// takes them, what they ask for and by when, stands in case types: dated files
// (casetypes/). What a case is about is an opaque kind and id. A case is what its
// events make of it; they are only ever added, each holds the hash of the one
// before, and Rebuild gives the same row again.
//
// It refuses to decide what is right: guards look at facts (who acts, what was
// attached, what time it is), never at what somebody says or thinks.
package casework
