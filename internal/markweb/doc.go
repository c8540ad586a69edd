// Package markweb serves the pages of marks and corrections of outlets' data: the
// list and the day of an outlet, marking a period or correcting a value with what
// it would change, one mark with its review, the queue of the regulator, and the
// list as CSV.
//
// It decides nothing: what fits and who may says package mark, what a mark would
// change says the judgement.
package markweb
