// Package lsm opens an embedded LSM tree (pebble) such that a failing disk ends
// neither the process nor what is durable.
//
// It owns the life of one instance of a tree: who uses it, how a fault ends it,
// the fence that keeps an ended instance from the folder, the lock of the folder
// and the probe before another instance is opened. It knows nothing of what is
// kept in the tree; when to open it again is for the stores on top of it.
package lsm
