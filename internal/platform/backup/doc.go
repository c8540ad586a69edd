// Package backup copies a data folder to a folder of its own and back.
//
// It owns the form of a backup: plain files, and a manifest with the size and
// the SHA-256 of each, written last. A backup under way has another name, so
// one that was broken off never looks complete. What may change while it is
// copied (the LSM trees, the database) is given by functions that make a
// consistent copy at one instant; it knows nothing of what is in them.
//
// It refuses to write into a folder that holds something, and to restore a file
// that is not the one of the manifest.
package backup
