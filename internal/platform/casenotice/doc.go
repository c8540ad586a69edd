// Package casenotice tells people of cases: whom an event names (casework.Body.Tell:
// the unit, an office, a level above, who reported it), in the transaction of the event.
//
// It owns who is meant by those words: who holds which posts where (the dated rule
// notify.case names the posts of offices and of who heads them). It says of a case what
// it is called, its number, what was done and by when something is due; never what
// somebody wrote and never who reported it. Who reported without an account is told
// nothing: the page of the tracking number is theirs.
package casenotice
