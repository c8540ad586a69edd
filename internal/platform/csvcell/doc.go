// Package csvcell keeps spreadsheet programs from running texts in CSV files as
// formulas: names come from people and loggers.
package csvcell
