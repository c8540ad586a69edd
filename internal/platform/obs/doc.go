// Package obs is how the running program is watched: the log, the metrics, and
// whether it is ready.
//
// It owns the form of the log (slog, attributes only, to standard error), the
// Prometheus registry, and the list of reasons why the program is not ready. It
// refuses to watch people: metrics and log lines name things, not who looked.
package obs
