// Package auth answers who is asking.
//
// It owns users, sessions and API tokens, and one narrow seam for everything
// else: a request carries a Principal (Middleware, From).
//
// Sign-in is simple on purpose: a login name and a password (argon2id), a
// session in the database behind an HttpOnly, SameSite=Lax cookie, and bearer
// tokens for programs. Sessions and tokens are kept as SHA-256 hashes, so a copy
// of the database opens no door.
//
// Somebody with posts acts in one of them (Posts): the principal of each request is
// worked out from the appointments in force then, so one that ends ends what it
// opened.
//
// It refuses to decide who may what: Principal.Grants says what somebody holds,
// and package access answers for what objects.
// Acts on accounts go into the record in their transactions (note), looks at the
// accounts of others before they are shown (Look).
package auth
