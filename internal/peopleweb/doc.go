// Package peopleweb is the pages of organisations, posts and who holds them: who
// answered for what on a day, and the forms of those who may appoint.
//
// It owns no data and decides nothing: what somebody may do is package people's to
// say, by the policy. It names people by the login of their account only.
package peopleweb
