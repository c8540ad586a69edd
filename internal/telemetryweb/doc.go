// Package telemetryweb shows pollution-source monitoring to people: overview,
// outlets, how a value came about, loggers, the frame inspector, and the JSON
// interface beside them.
//
// It owns the pages' view structs and templates. It decides nothing: states,
// means and limits come from package quality, frames from store. Every route
// names who may call it; the rest of the permission (an enterprise sees its own
// outlets only) is decided in access.go.
package telemetryweb
