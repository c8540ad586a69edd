// Package people answers who answered for what on any day.
//
// It owns organisations, the posts in them, and who held a post from when to
// when. Responsibility at a time is a question (Service.On), never a column:
// appointments are added and ended, not overwritten, and every act is an audit
// entry in its transaction.
//
// A holder delegates a post until an instant (Service.Delegate); what an account may
// act in at a time is Service.Acting, which package auth asks for every request.
//
// Who may appoint whom stands in the policy (package access, section appoints):
// an act takes the principal and is refused where the policy does not allow it, in
// the area of the post, and for the person themselves.
//
// It refuses to hold anything of a person but the account: a post has a title and
// the phone of its office.
package people
