// Package entitystore keeps the SensorThings entities that clients made, and
// their observations, in an embedded LSM tree of their own.
//
// It owns identifiers, links, cascades (OGC 18-088, clause 10.4) and durability:
// what it has returned is synced. It checks no request and knows nothing of
// HTTP or of the outlets; the rules of creation live with its callers.
package entitystore
