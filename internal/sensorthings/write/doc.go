// Package write changes SensorThings entities by the rules of OGC 18-088: what
// a new entity needs (clause 10.2), deep insert and links, the generated
// FeatureOfInterest and the history of Locations, merge, replacement and JSON
// Patch (10.3), deletion (10.4), data arrays (13).
//
// It owns these rules and the messages for who breaks them. It knows nothing of
// HTTP; a request arrives as a parsed path and a body. What stands for an HJ 212
// outlet is never changed here: such a write is refused with status 409.
package write
