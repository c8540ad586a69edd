// Package audit keeps who did what: an entry in the transaction of each act.
//
// The entries of a writing process are a chain: each holds the hash of the one
// before, so that none can be changed, left out or put in between without every
// later hash telling. There is a chain for each process, because one head for all
// would queue every write behind it; the head is a row of the database, locked by
// the transaction that appends, so an entry is there if and only if the act is.
//
// What may be personal (the address somebody came from, what was changed) is not
// in the chain but beside it, and the chain holds a salted commitment to it
// (SHA-256). Erase drops it; the chain still verifies, and an entry of its own
// says that it was dropped, by whom and why.
//
// It refuses to decide what is an act: modules say so. It never records what
// people look for or read in public, and holds nothing of what they say.
package audit
