// Package simulator is a real HJ 212 logger (数采仪) with a sample region to
// play: it dials a host over TCP, uploads every frame kind of HJ 212-2017
// section 6.8, waits for 9014, re-sends, answers the host's commands, and has
// the faults of installed loggers now and then.
//
// It owns the sample region (region/*.csv, region/waters.json), the series
// that are played (real ones from a folder, or generated from estimates.csv,
// whose figures were estimated from those real ones), the schedule of what
// goes wrong where, and the load generator. All values are a pure function of
// (outlet, factor, time), so that 30 days of history and the live uploads join
// without a seam.
//
// What no real series holds is generated and named so in profile.go: stack
// oxygen, velocity, temperature, pressure, humidity, flow, hydrogen chloride,
// ammonia, total phosphorus, the daily cycle of daily series, and the noise
// within an hour. Values of real series are scaled to the source's limit.
//
// It refuses to speak for anybody real: enterprises and outlets are samples
// (示例). It knows the wire (hj212) and the domain types (telemetry), not the
// gateway, the store or the pages.
package simulator
