// Package calendars holds the calendar files of the program: days off and days
// worked that were announced, as docs/calendars.md describes them. They are
// embedded and checked by a test. Files of an installation take their place;
// package internal/platform/calendar reads both.
package calendars

import "embed"

// Files has a file CODE.csv for each area with a calendar, and national.csv.
//
//go:embed *.csv
var Files embed.FS
