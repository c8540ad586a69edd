// Package gateway receives HJ 212 over TCP, and over UDP where asked to. It owns the connections of the
// loggers, their identity (MN, password, networks), the answers they get, the
// quotas, and the host's side of every dialogue.
//
// A frame goes from the socket to the store and is acknowledged only after the
// store says that it is durable; docs/decisions/0007-receipt.md tells what
// becomes of which frame. Nothing that a device sends closes its connection,
// except silence, a flood of bytes without a single frame, or not reading what
// it is sent.
//
// It refuses to judge values: it knows what a frame is, not what it means. The
// clauses in comments are those of HJ 212-2017.
package gateway
