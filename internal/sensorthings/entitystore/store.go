package entitystore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"plateau/internal/platform/lsm"
	"plateau/internal/sensorthings"
)

// Options configure a Store; the zero value is usable.
type Options struct {
	Now     func() time.Time
	Logger  *slog.Logger
	CacheMB int    // block cache; 0 = 64
	MemMB   int    // what a memory table holds before it is written as a file; 0 = 32
	FS      vfs.FS // nil = the disk; tests give others
	NoSync  bool   // tests of logic only
}

// ErrClosed is returned once the store is closing.
var ErrClosed = lsm.ErrClosed

// ErrDegraded wraps the reason why nothing can be made durable at the moment.
var ErrDegraded = errors.New("entitystore: nothing can be written")

// Store keeps entities and observations. It is safe for concurrent use and is a
// sensorthings.Reader.
type Store struct {
	opt  Options
	dir  string
	lock *lsm.Lock

	tree   atomic.Pointer[lsm.Tree] // replaced when the tree had to be opened again
	failed chan struct{}            // wakes who opens it again
	stop   chan struct{}
	done   sync.WaitGroup
	health atomic.Pointer[healthState]

	queue struct {
		sync.Mutex
		more   sync.Cond
		list   []*request
		closed bool
	}

	// write is held by whoever changes the tree: one commit at a time, so that a
	// summary is read and written by one.
	write      sync.Mutex
	nextEntity sensorthings.ID
	nextObs    sensorthings.ID
	features   map[sensorthings.ID]struct{} // known to be there

	mem struct {
		sync.RWMutex
		sums map[sensorthings.ID]*summary // of every Datastream
	}
	generation  atomic.Uint64
	subscribers subscribers
	sweeping    chan struct{}
}

var (
	_ sensorthings.Reader = (*Store)(nil)
	_ sensorthings.Reader = (*Tx)(nil)
)

type healthState struct{ err error }

// Open opens or creates the store in dir. Only one process may have it open.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheMB <= 0 {
		o.CacheMB = 64
	}
	if o.MemMB <= 0 {
		o.MemMB = 32
	}
	s := &Store{opt: o, dir: dir, failed: make(chan struct{}, 1), stop: make(chan struct{}), sweeping: make(chan struct{}, 1)}
	s.queue.more.L = &s.queue
	s.health.Store(&healthState{})
	if o.FS == nil {
		lock, err := lsm.LockDir(dir)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	t, err := s.openTree()
	if err != nil {
		s.lock.Unlock()
		return nil, fmt.Errorf("open the entity store in %s: %w", dir, err)
	}
	s.tree.Store(t)
	s.done.Go(s.commit)
	s.done.Go(s.mend)
	s.done.Go(s.sweep)
	s.wakeSweep()
	return s, nil
}

// openTree opens the tree and reads what is kept in memory.
func (s *Store) openTree() (*lsm.Tree, error) {
	t, err := lsm.Open(s.dir, lsm.Options{
		FS: s.opt.FS, Logger: s.opt.Logger, CacheMB: s.opt.CacheMB, MemMB: s.opt.MemMB, BlockKB: 64,
		OnFail: func() { signal(s.failed) },
	})
	if err != nil {
		return nil, err
	}
	if err := s.load(t); err != nil {
		t.Fail(err)
		t.Bury()
		return nil, err
	}
	return t, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// load reads counters and summaries. Counters never go back: an identifier that
// was told to anyone, in whatever state of the disk, is not given again.
func (s *Store) load(t *lsm.Tree) error {
	v := view{r: t.DB}
	s.nextEntity = max(s.nextEntity, sensorthings.FirstClientID)
	s.nextObs = max(s.nextObs, 1)
	for which, next := range map[byte]*sensorthings.ID{counterEntity: &s.nextEntity, counterObservation: &s.nextObs} {
		if _, err := v.get([]byte{kCounter, which}, func(value []byte) error {
			if len(value) != idLen {
				return errDamaged
			}
			*next = max(*next, idOf(value))
			return nil
		}); err != nil {
			return err
		}
	}
	sums := map[sensorthings.ID]*summary{}
	p := []byte{kSummary}
	if err := v.each(context.Background(), p, p, func(key, value []byte) (bool, error) {
		sum, err := parseSummary(value)
		sums[idOf(key[1:])] = sum
		return true, err
	}); err != nil {
		return err
	}
	s.features = map[sensorthings.ID]struct{}{}
	s.mem.Lock()
	s.mem.sums = sums
	s.mem.Unlock()
	s.generation.Add(1)
	return nil
}

// Close waits for what is being written and closes the tree. A reader must not
// call it.
func (s *Store) Close() error {
	s.queue.Lock()
	already := s.queue.closed
	s.queue.closed = true
	s.queue.more.Broadcast()
	s.queue.Unlock()
	if already {
		return nil
	}
	close(s.stop)
	s.done.Wait()
	s.write.Lock()
	defer s.write.Unlock()
	s.subscribers.close()
	t := s.tree.Load()
	var err error
	if t.Broken() {
		t.Bury()
	} else {
		err = t.Close()
	}
	s.lock.Unlock()
	return err
}

// use returns the tree's instance of the moment, which stays open until its
// Release; ErrClosed once the store is closed.
func (s *Store) use() (*lsm.Tree, error) {
	for {
		t := s.tree.Load()
		if t.Hold() {
			return t, nil
		}
		if s.tree.Load() == t {
			return nil, ErrClosed
		}
	}
}

// Memory returns what the store holds outside of Go's heap; nothing while it
// has no sound tree.
func (s *Store) Memory() lsm.Memory {
	t, err := s.use()
	if err != nil {
		return lsm.Memory{}
	}
	defer t.Release()
	if t.Broken() {
		return lsm.Memory{}
	}
	return t.Memory()
}

func (s *Store) sync() *pebble.WriteOptions {
	if s.opt.NoSync {
		return pebble.NoSync
	}
	return pebble.Sync
}

// Generation changes with every Update that touched anything but observations:
// what callers remember of relations is then to be looked up again.
func (s *Store) Generation() uint64 { return s.generation.Load() }

// remembered is the summary in memory.
func (s *Store) remembered(ds sensorthings.ID) *summary {
	s.mem.RLock()
	defer s.mem.RUnlock()
	return s.mem.sums[ds]
}

// remember puts summaries in their places; nil takes one away.
func (s *Store) remember(changed map[sensorthings.ID]*summary) {
	s.mem.Lock()
	defer s.mem.Unlock()
	for ds, sum := range changed {
		if sum == nil {
			delete(s.mem.sums, ds)
		} else {
			s.mem.sums[ds] = sum
		}
	}
}
