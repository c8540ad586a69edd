// Package accountweb shows people their own account: password, second factor,
// passkeys, sessions, API tokens, notifications; and the accounts of others and the record of
// acts to those whose post it is. Each look at others is recorded before it is
// shown.
//
// It owns these pages' view structs and templates, and nothing else: what is
// right and who may do it is decided by package auth; what somebody is told of, by package notify. A route says whether one
// must be signed in, and whether one must have proved not long ago who one is;
// a route that says neither keeps the program from starting. A token opens none
// of these pages: a program that was lent one must not make itself another. The
// deliveries of notifications are no page of one's own and are open by permission.
package accountweb
