// Package handover keeps the record of the duty shifts: when a shift begins and
// ends (the dated rule report.shift), what the post on duty noted, who handed
// the shift over and which post took it over. Entries are only added; what was
// handed over is kept as it was known then, because data that come later must
// not change what somebody signed. It knows posts, not people.
package handover
