// Package disk asks and orders what a file system does beside reading and
// writing: making names durable, adding up a folder, telling the room left.
package disk
