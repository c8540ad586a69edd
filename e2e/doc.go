// Package e2e walks the real program with a real browser and real sockets.
// Its tests carry the build tag e2e: they need the built binary (bin/plateau)
// and Chromium. "make test" runs them.
package e2e
