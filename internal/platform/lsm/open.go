package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Options say how a tree is opened.
type Options struct {
	FS      vfs.FS // nil = the disk
	Logger  *slog.Logger
	CacheMB int // blocks of files in memory
	MemMB   int // what a memory table holds before it is written as a file
	BlockKB int // in the two lowest levels, where most of the data ends up: more in a block packs better
	OnFail  func()
}

func (o *Options) fs() vfs.FS {
	if o.FS != nil {
		return o.FS
	}
	return vfs.Default
}

// Open opens or creates a tree in dir. OnFail is called once, in a goroutine of
// its own, when the instance has ended; even while Open still runs.
func Open(dir string, o Options) (*Tree, error) {
	t := &Tree{fatal: make(chan struct{}), onFail: o.OnFail}
	t.use.idle = make(chan struct{})
	// The tree takes the memory of its tables out of the cache: the one that is
	// filled, and the one before it, which is being written or waits to be used
	// again. Without room for both nothing would be left for blocks.
	cache := pebble.NewCache(int64(o.CacheMB+2*o.MemMB) << 20)
	defer cache.Unref()
	po := &pebble.Options{
		Cache:                       cache,
		FS:                          logGuard{errorfs.Wrap(ownLock{o.fs()}, t), t},
		Logger:                      &treeLog{t, o.Logger},
		MemTableSize:                uint64(o.MemMB) << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               256 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { t.background(o.Logger, err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				o.Logger.ErrorContext(context.Background(), "damaged data on disk", slog.String("detail", info.String()))
			},
		},
	}
	for i := range po.Levels {
		po.Levels[i].BlockSize = 32 << 10
		po.Levels[i].IndexBlockSize = 64 << 10
		if i >= len(po.Levels)-2 {
			po.Levels[i].BlockSize = o.BlockKB << 10
		}
	}
	po.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionGood })
	var db *pebble.DB
	if err := t.Do(func() (err error) {
		db, err = pebble.Open(dir, po)
		return err
	}); err != nil {
		return nil, err
	}
	t.DB = db
	return t, nil
}

// Memory is what a tree holds outside of Go's heap, in bytes.
type Memory struct {
	Cache  int64  // blocks of files, at most Options.CacheMB
	Tables uint64 // memory tables: one that grows to Options.MemMB, and those being written
}

// Memory returns what the tree holds now.
func (t *Tree) Memory() Memory { return MemoryOf(t.DB.Metrics()) }

// MemoryOf is Memory for who has asked the tree for its figures already.
func MemoryOf(m *pebble.Metrics) Memory {
	return Memory{Cache: m.BlockCache.Size, Tables: m.MemTable.Size + m.MemTable.ZombieSize}
}

var errFenced = errors.New("lsm: this instance of the tree is fenced off")

// MaybeError implements errorfs.Injector: a fenced instance writes nothing.
func (t *Tree) MaybeError(op errorfs.Op) error {
	if t.fenced.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return errFenced
	}
	return nil
}

// String implements errorfs.Injector.
func (t *Tree) String() string { return "fence" }

// ownLock leaves locking the folder to LockDir.
type ownLock struct{ vfs.FS }

func (ownLock) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// treeLog passes the tree's messages on. A fatal fault must not end the
// process: it ends the goroutine that met it, often one of the tree's own
// (which nobody can recover for), and the store opens the tree again.
type treeLog struct {
	t   *Tree
	log *slog.Logger
}

var _ pebble.Logger = (*treeLog)(nil)

func (l *treeLog) Infof(string, ...any) {}

func (l *treeLog) Errorf(format string, args ...any) {
	l.log.WarnContext(context.Background(), "storage tree", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l *treeLog) Fatalf(format string, args ...any) {
	l.t.Fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// background is told of faults outside of commits. A flush or compaction that
// cannot write is tried again at once and for ever by the tree, which burns a
// core and fills memory; so such a fault ends the instance like any other.
// Damage found while reading is different: opening again would not mend it.
func (t *Tree) background(log *slog.Logger, err error) {
	if !t.Broken() {
		log.WarnContext(context.Background(), "storage tree", slog.String("error", err.Error()))
	}
	if pebble.IsCorruptionError(err) {
		return
	}
	t.Fail(err)
	runtime.Goexit()
}

// Probe finds out whether the disk takes a few megabytes durably, before an
// instance of the tree is built on it.
func Probe(dir string, fs vfs.FS) (err error) {
	const size = 4 << 20
	o := Options{FS: fs}
	fs, name := o.fs(), filepath.Join(dir, "probe")
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), fs.Remove(name)) }()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return err
	}
	return f.Sync()
}
