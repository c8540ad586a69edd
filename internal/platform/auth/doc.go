// Package auth answers who is asking and whether they may.
//
// It owns users, sessions and API tokens, and one narrow seam for everything
// else: a request carries a Principal, and a route declares which roles may use
// it (Require). A route that declares nothing is refused; see Mux.
//
// Sign-in is simple on purpose: a login name and a password (argon2id), a
// session in the database behind an HttpOnly, SameSite=Lax cookie, and bearer
// tokens for programs. Sessions and tokens are kept as SHA-256 hashes, so a copy
// of the database opens no door.
//
// It refuses to decide about single objects: a module asks Principal.Area and
// Principal.Enterprise itself, because only it knows where an object belongs.
// It never records what people look at.
package auth
