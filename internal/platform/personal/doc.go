// Package personal knows which personal data the program keeps: what for, on what
// basis, who sees it, for how long.
//
// It owns the register (personal.toml), which declares every column of every table
// as personal, by kind, or as not personal; a test fails for one that is in
// neither, so that a new column is a decision. The page of the register and the
// job that erases what is over read the same figures.
//
// It refuses to judge the law: an article stands there with whether somebody has
// compared it with the text in force.
package personal
