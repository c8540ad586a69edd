// Package ruleeval applies a rule to an input given as JSON and answers in
// JSON: the common form in which rule cases are written, exchanged and
// checked, one object a line with id, rule and input.
//
// It owns the form only: what fields a rule asks for, which numbers fit, how
// the result is named. What the rules compute is in packages quality and
// indices. It refuses what does not fit by naming the field and what is
// expected; also fields that no rule asks for, where one is missing whose
// misspelt name they may be: it would be taken for a missing value.
package ruleeval
