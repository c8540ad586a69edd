package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// engine is one instance of the tree. When the tree cannot go on (its log or
// its manifest cannot be written), it is fenced off, so that none of its
// goroutines can touch the folder any more, and another one is opened.
type engine struct {
	db     *pebble.DB
	fenced atomic.Bool
	fatal  chan struct{} // closed on the first fatal fault
	onFail func()
	once   sync.Once
	cause  atomic.Pointer[error]

	use struct {
		sync.Mutex
		n       int
		retired bool
		idle    chan struct{} // closed once retired and no longer in use
	}
}

func (e *engine) broken() bool {
	select {
	case <-e.fatal:
		return true
	default:
		return false
	}
}

// fail ends this instance: from here on it writes nothing.
func (e *engine) fail(err error) {
	e.once.Do(func() {
		e.cause.Store(&err)
		e.fenced.Store(true)
		close(e.fatal)
		go e.onFail() // apart: the caller may hold locks of the tree
	})
}

func (e *engine) err() error {
	if p := e.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// hold keeps the instance open until release; false when it is closing.
func (e *engine) hold() bool {
	e.use.Lock()
	defer e.use.Unlock()
	if e.use.retired {
		return false
	}
	e.use.n++
	return true
}

func (e *engine) release() {
	e.use.Lock()
	defer e.use.Unlock()
	if e.use.n--; e.use.n == 0 && e.use.retired {
		close(e.use.idle)
	}
}

// retire lets nobody in any more; the channel closes when the last has left.
func (e *engine) retire() <-chan struct{} {
	e.use.Lock()
	defer e.use.Unlock()
	if !e.use.retired {
		e.use.retired = true
		if e.use.n == 0 {
			close(e.use.idle)
		}
	}
	return e.use.idle
}

// try runs fn in a goroutine of its own and returns its outcome, because a tree
// whose disk fails may end the calling goroutine, panic, or never return. An
// error ends the instance.
func (e *engine) try(fn func() error) <-chan error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("the tree ended the goroutine")
		defer func() {
			if r := recover(); r != nil {
				err = asError(r)
			}
			if err != nil {
				e.fail(err)
				err = e.err() // the first cause tells more than what followed from it
			}
			result <- err
		}()
		err = fn()
	}()
	return result
}

// do is try for callers that wait.
func (e *engine) do(fn func() error) error {
	select {
	case err := <-e.try(fn):
		return err
	case <-e.fatal:
		return e.err()
	}
}

func asError(r any) error {
	if err, ok := r.(error); ok {
		return err
	}
	return fmt.Errorf("%v", r)
}

// close closes a sound instance once nobody uses it.
func (e *engine) close() error {
	<-e.retire()
	return e.do(e.db.Close)
}

// bury gives back what a broken instance holds, as far as that can be done:
// some of its goroutines may be stuck for ever, and then it stays.
func (e *engine) bury() {
	idle := e.retire()
	go func() {
		<-idle
		e.try(e.db.Close)
	}()
}

var errFenced = errors.New("store: this instance of the tree is fenced off")

// MaybeError implements errorfs.Injector: a fenced instance writes nothing.
func (e *engine) MaybeError(op errorfs.Op) error {
	if e.fenced.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return errFenced
	}
	return nil
}

// String implements errorfs.Injector.
func (e *engine) String() string { return "fence" }

// ownLock leaves locking the folder to the Store.
type ownLock struct{ vfs.FS }

func (ownLock) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// engineLog passes the tree's messages on. A fatal fault must not end the
// process: it ends the goroutine that met it, often one of the tree's own
// (which nobody can recover for), and the store opens the tree again.
type engineLog struct {
	e   *engine
	log *slog.Logger
}

func (l *engineLog) Infof(string, ...any) {}

func (l *engineLog) Errorf(format string, args ...any) {
	l.log.WarnContext(context.Background(), "storage tree", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l *engineLog) Fatalf(format string, args ...any) {
	l.e.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// background is told of faults outside of commits. A flush or compaction that
// cannot write is tried again at once and for ever by the tree, which burns a
// core and fills memory; so such a fault ends the instance like any other.
// Damage found while reading is different: opening again would not mend it.
func (s *Store) background(e *engine, err error) {
	if !e.broken() {
		s.opt.Logger.WarnContext(context.Background(), "storage tree", slog.String("error", err.Error()))
	}
	if pebble.IsCorruptionError(err) {
		return
	}
	e.fail(err)
	runtime.Goexit()
}

func (s *Store) fs() vfs.FS {
	if s.opt.FS != nil {
		return s.opt.FS
	}
	return vfs.Default
}

// probe finds out whether the disk takes a few megabytes durably, before an
// instance of the tree is built on it.
func (s *Store) probe() (err error) {
	const size = 4 << 20
	fs, name := s.fs(), filepath.Join(s.dir, "probe")
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

func (s *Store) openEngine() (*engine, error) {
	e := &engine{fatal: make(chan struct{}), onFail: s.wake}
	e.use.idle = make(chan struct{})
	cache := pebble.NewCache(int64(s.opt.CacheMB) << 20)
	defer cache.Unref()
	o := &pebble.Options{
		Cache:                       cache,
		FS:                          errorfs.Wrap(ownLock{s.fs()}, e),
		Logger:                      &engineLog{e, s.opt.Logger},
		MemTableSize:                uint64(s.opt.memTable()),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               256 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.background(e, err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.opt.Logger.ErrorContext(context.Background(), "damaged data on disk", slog.String("detail", info.String()))
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
		o.Levels[i].IndexBlockSize = 64 << 10
		if i >= len(o.Levels)-2 { // where most of the data ends up: more in a block packs better
			o.Levels[i].BlockSize = 256 << 10
		}
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionGood })
	var db *pebble.DB
	if err := e.do(func() (err error) {
		db, err = pebble.Open(s.dir, o)
		return err
	}); err != nil {
		return nil, err
	}
	e.db = db
	return e, nil
}
