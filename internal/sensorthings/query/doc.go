// Package query compiles SensorThings requests: resource paths, the $-options
// and the language of $filter and $orderby (OGC 18-088 clauses 9.2 and 9.3).
//
// A filter becomes a tree of Go functions over typed values; no text of a
// request reaches a database. The package also tells which rows a filter can
// match at most (Bounds), so that a reader need not look at the others. It reads
// no store itself.
package query
