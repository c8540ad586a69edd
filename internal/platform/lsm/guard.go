package lsm

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logGuard keeps faults of the write-ahead log from the tree. Pebble 2.1 panics
// when a log cannot be closed, created or entered in its folder while it changes
// to the next one, and does so without the lock that its deferred calls give
// back: the runtime then ends the process, which nobody can recover from. So such
// a fault ends the instance instead, and the tree is told that all is well; what
// an ended instance answers does not count (Try), so nothing that depended on it
// is ever reported as durable.
type logGuard struct {
	vfs.FS
	t *Tree
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// isMarker reports whether a file's name says which of the others is in force.
func isMarker(name string) bool { return strings.HasPrefix(filepath.Base(name), "marker.") }

// Create implements vfs.FS. Pebble makes a marker durable together with the name
// of the manifest it points to; a power failure in between may keep the one
// without the other, and the tree would never open again. So what a marker may
// name is durable before there is the marker.
func (g logGuard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if isMarker(name) {
		if err := g.syncDir(filepath.Dir(name)); err != nil {
			g.t.Fail(err)
			return nil, err
		}
	}
	f, err := g.FS.Create(name, c)
	return g.guard(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (g logGuard) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, to, c)
	return g.guard(to, f, err)
}

// OpenDir implements vfs.FS.
func (g logGuard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guarded{f, g.t}, nil
}

func (g logGuard) syncDir(name string) (err error) {
	d, err := g.FS.OpenDir(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

func (g logGuard) guard(name string, f vfs.File, err error) (vfs.File, error) {
	switch {
	case !isLog(name):
		return f, err
	case err == nil:
		return guarded{f, g.t}, nil
	}
	g.t.Fail(err)
	return vfs.NewMem().Create("nowhere", vfs.WriteCategoryUnspecified)
}

// guarded is a log, or a folder that is synced for one.
type guarded struct {
	vfs.File
	t *Tree
}

func (f guarded) note(err error) {
	if err != nil {
		f.t.Fail(err)
	}
}

// Write implements vfs.File.
func (f guarded) Write(p []byte) (int, error) {
	_, err := f.File.Write(p)
	f.note(err)
	return len(p), nil
}

// Sync implements vfs.File.
func (f guarded) Sync() error { f.note(f.File.Sync()); return nil }

// SyncData implements vfs.File.
func (f guarded) SyncData() error { f.note(f.File.SyncData()); return nil }

// SyncTo implements vfs.File.
func (f guarded) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	f.note(err)
	return full, nil
}

// Close implements vfs.File.
func (f guarded) Close() error { f.note(f.File.Close()); return nil }
