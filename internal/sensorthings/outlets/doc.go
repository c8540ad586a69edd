// Package outlets shows HJ 212 outlets as entities of the SensorThings API
// (OGC 18-088), read-only: an outlet is a Thing, its place a Location and the
// feature of its observations, its logger a Sensor, a factor an
// ObservedProperty, and each factor's real-time records, minute records, judged
// hours and judged days are Datastreams.
//
// It owns the numbers of Datastreams and ObservedProperties, which are given
// once and kept for ever in the telemetry store, and the counts of observations.
// Observations are not stored anew: they are read out of the series and the
// judged rows. What cannot be said in the standard's words stands in
// docs/divergences/sensorthings.md.
package outlets
