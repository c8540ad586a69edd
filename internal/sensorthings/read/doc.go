// Package read answers what is asked of SensorThings entities (OGC 18-088,
// clauses 9 and 13): it follows resource paths, filters, orders, pages, selects,
// expands and writes the answer as JSON, data arrays, GeoJSON or CSV.
//
// It works over a sensorthings.Reader alone and knows nothing of HTTP. How much
// it may read is bounded by rows and time, never by the shape of a query; where
// an index of the Reader answers (one Datastream by time, the newest of all, a
// count without a filter) it reads no more than it answers with.
package read
