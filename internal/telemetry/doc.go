// Package telemetry holds the terms of pollution-source monitoring: outlets,
// loggers, records, limits, and the registry that keeps them.
//
// It owns the registry's tables. It knows nothing of cases or of how frames
// travel (package gateway) and are kept (package store). Terms follow
// HJ 212-2017 and HJ 75-2017.
package telemetry
