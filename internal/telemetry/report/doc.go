// Package report makes the tables of reports out of judged rows: day, month,
// quarter and year of an outlet in the order of columns of the official forms,
// lists of outlets with sums for enterprises and areas, completeness, and the
// comparison of outlets. It reads rows and returns tables; nothing is judged,
// rounded or put into words here.
//
// Order of columns and units are the dated rule report.layout, because the
// official layout is not certain in every detail. Amounts that were measured,
// that were substituted, and their sum are kept apart everywhere, and sums
// never mix units.
package report
