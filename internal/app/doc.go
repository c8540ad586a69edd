// Package app puts the program together: it opens what the modules need, adapts
// them to each other, mounts the routes, and starts and stops everything in
// order. The program is a value, so tests start it as the commands do.
package app
