// Package rules holds the dated rule files that judge data, and the table of
// limit values: facts and thresholds with the dates they are in force, their
// source, how sure they are, and a hash that every result cites.
//
// One TOML file is one version of one rule; limits.csv has one limit a line.
// Both are embedded and checked when loaded. The package knows no data and
// computes nothing: package quality applies the rules. A rule that changes
// gets a new file beside the old one (NAME@VERSION.toml), never an edit:
// data are judged by the version in force at their own time.
package rules
