// Package calendar counts working days and working hours.
//
// It owns the form of calendar files, the arithmetic of deadlines over them, and
// which calendar is an area's. Which days are off is read from files and never
// computed: holidays are announced each year, those of the Tibetan calendar by
// each prefecture, with moved weekends or without. What is counted over days of a
// year whose announcement is not loaded is Monday to Friday and said to be
// provisional. Format and arithmetic are described in docs/calendars.md.
//
// It reads no clock and knows no cases, units or registry.
package calendar
