// Package notice says which changes of alarms people are told of, in which words
// and where. It owns the reminders of alarms that nobody has taken note of. To
// whom it is told, over which channel and when is package notify's.
//
// Messages are written in the transaction that changes the alarm. How long an
// alarm waits before it is told again, and what is too old to be told, is the
// dated rule notify.alarm.
package notice
