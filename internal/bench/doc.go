// Package bench measures the program against its own figures: decoding,
// durable ingest, queries. "plateau bench" prints the reports as JSON.
// Runs are repeated and given as median, minimum and maximum, because machines
// are noisy. It judges nothing.
package bench
