// Package archive keeps stretches of the journal in immutable files, in a folder
// or in an S3-compatible store.
//
// It owns the form of the files (docs/archive.md), the places they lie in, and a
// bounded cache of the blocks that were fetched. What a group is, and which
// stretches are archived, the telemetry store knows.
//
// It refuses to hand out a block that is not the one that was written.
package archive
