// Package sensorthings holds the data model of the OGC SensorThings API 1.1
// (OGC 18-088, clause 8): entity sets, their properties and relations, and the
// interface through which everything is read.
//
// It owns the names and the identifiers. It stores nothing, parses no query and
// knows nothing of HTTP: query compiles options, entitystore keeps what clients
// made, outlets shows HJ 212 outlets as entities that nobody can change.
package sensorthings
