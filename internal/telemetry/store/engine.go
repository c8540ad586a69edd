package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// engine is one instance of the tree. When the tree cannot go on (its log
// cannot be written), it is fenced off, so that none of its goroutines can
// touch the folder any more, and another one is opened.
type engine struct {
	db     *pebble.DB
	fenced atomic.Bool
	fatal  chan struct{} // closed on the first fatal fault
	once   sync.Once
	cause  atomic.Pointer[error]
}

func (e *engine) broken() bool {
	select {
	case <-e.fatal:
		return true
	default:
		return false
	}
}

func (e *engine) fail(err error) {
	e.once.Do(func() {
		e.cause.Store(&err)
		close(e.fatal)
	})
}

func (e *engine) err() error {
	if p := e.cause.Load(); p != nil {
		return *p
	}
	return nil
}

func (e *engine) close() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("close the tree: %v", r)
		}
	}()
	return e.db.Close()
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
// process: it ends the goroutine that met it, and the store opens the tree again.
type engineLog struct {
	e   *engine
	log *slog.Logger
}

func (l *engineLog) Infof(string, ...any) {}

func (l *engineLog) Errorf(format string, args ...any) {
	l.log.WarnContext(context.Background(), "storage tree", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l *engineLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.e.fail(err)
	panic(fatalFault{err})
}

type fatalFault struct{ error }

func (s *Store) openEngine() (_ *engine, err error) {
	e := &engine{fatal: make(chan struct{})}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open the tree: %v", r)
		}
	}()
	fs := s.opt.FS
	if fs == nil {
		fs = vfs.Default
	}
	cache := pebble.NewCache(int64(s.opt.CacheMB) << 20)
	defer cache.Unref()
	o := &pebble.Options{
		Cache:                       cache,
		FS:                          errorfs.Wrap(ownLock{fs}, e),
		Logger:                      &engineLog{e, s.opt.Logger},
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               256 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				s.opt.Logger.WarnContext(context.Background(), "storage tree", slog.String("error", err.Error()))
				s.setHealth(err)
			},
			FlushEnd: func(info pebble.FlushInfo) {
				if info.Err == nil && !e.broken() {
					s.setHealth(nil)
				}
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
		o.Levels[i].IndexBlockSize = 64 << 10
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	if e.db, err = pebble.Open(s.dir, o); err != nil {
		return nil, err
	}
	return e, nil
}
