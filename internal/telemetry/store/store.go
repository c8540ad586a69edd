package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"plateau/internal/platform/lsm"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
)

// Options configure a Store; the zero value is usable.
type Options struct {
	Now      func() time.Time // nil = wall clock
	Logger   *slog.Logger
	MaxBatch int             // frames in a group; 0 = 4096
	MaxQueue int             // frames waiting; 0 = 65536; Submit waits when it is full
	CacheMB  int             // block cache; 0 = 64
	FS       vfs.FS          // nil = the disk; tests give others
	MemMB    int             // what a memory table holds before it is written as a file; 0 = 64
	Archive  *archive.Reader // reads sealed groups; nil = there is no place to read from
	NoSync   bool            // tests of logic only: acknowledged is then not durable
}

// ErrClosed is returned once the store is closing.
var ErrClosed = lsm.ErrClosed

// ErrDegraded wraps the reason why nothing can be made durable at the moment.
var ErrDegraded = errors.New("store: nothing can be written")

// Frame is one received frame on its way into the journal.
type Frame struct {
	MN       string
	Outlet   telemetry.OutletID // 0 = none
	Kind     telemetry.Kind
	At       int64 // DataTime, Unix seconds; 0 when there is none
	RF       bool
	Sealed   bool // encrypted: Raw needs a key of its logger to be read
	Received time.Time
	Raw      []byte            // without line end; unchanged until Done
	Verdict  telemetry.Verdict // proposed: Stored, Quarantined or Refused
	Reason   string            // error name of a refused frame, cause of a quarantined one
	Values   []telemetry.Value // of a Stored record with outlet and DataTime; unchanged until Done
	Key      string            // identity of anything else, so that an equal repeat adds nothing; "" = never a repeat
	Done     func(Result)      // called once, after the sync or the failure; must not block
}

// Result is what became of a frame.
type Result struct {
	Err     error
	Locator telemetry.Locator
	Verdict telemetry.Verdict
	Repeat  bool // equal to what was there: nothing was written, Locator is the first one's
}

// Store keeps journal and series. It is safe for concurrent use.
type Store struct {
	opt  Options
	dir  string
	lock *lsm.Lock

	queue struct {
		sync.Mutex
		more, room sync.Cond
		frames     []*Frame
		bytes      int // of their raw data
		closed     bool
	}
	prepared chan *group
	sealing  sync.Mutex
	done     sync.WaitGroup
	opened   time.Time     // of the ticks by which small groups are gathered
	taken    time.Duration // tick of the last group; of the preparing goroutine

	engine atomic.Pointer[lsm.Tree] // replaced when the tree had to be opened again

	health atomic.Pointer[healthState]
	state  state // of the preparing goroutine and, behind its lock, of readers
	stats  counters
	tail   struct {
		sync.Mutex
		seq     uint64
		changed chan struct{}
	}
}

type healthState struct{ err error }

type counters struct {
	frames, repeats, groups, rawBytes atomic.Int64
	lastSync                          atomic.Int64 // ns
}

// Stats are counters since the start, and sizes now.
type Stats struct {
	Frames, Repeats, Groups, RawBytes int64
	Queue                             int
	LastSync                          time.Duration
	DiskBytes                         uint64
	Memory                            lsm.Memory
	Tail                              uint64
}

// Open opens or creates the store in dir. Only one process may have it open.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 4096
	}
	o.MaxBatch = min(o.MaxBatch, math.MaxUint16) // the index of a locator has 16 bits
	if o.MaxQueue <= 0 {
		o.MaxQueue = 1 << 16
	}
	if o.Archive == nil {
		o.Archive = archive.NewReader(0)
	}
	if o.CacheMB <= 0 {
		o.CacheMB = 64
	}
	if o.MemMB <= 0 {
		o.MemMB = 64
	}
	s := &Store{opt: o, dir: dir, opened: wallClock(), prepared: make(chan *group, 1)}
	s.queue.more.L, s.queue.room.L = &s.queue, &s.queue
	s.tail.changed = make(chan struct{})
	if o.FS == nil {
		lock, err := lsm.LockDir(dir)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	e, err := s.openEngine()
	if err == nil {
		s.engine.Store(e)
		if err = s.load(e); err != nil {
			_ = e.DB.Close()
		}
	}
	if err != nil {
		s.lock.Unlock()
		return nil, fmt.Errorf("open store in %s: %w", dir, err)
	}
	s.health.Store(&healthState{})
	s.done.Go(s.prepare)
	s.done.Go(s.write)
	return s, nil
}

func (s *Store) openEngine() (*lsm.Tree, error) {
	return lsm.Open(s.dir, lsm.Options{
		FS: s.opt.FS, Logger: s.opt.Logger, CacheMB: s.opt.CacheMB, MemMB: s.opt.MemMB, BlockKB: 256, OnFail: s.wake,
	})
}

// Close commits what is queued, waits for readers and closes the tree. A reader
// must not call it.
func (s *Store) Close() error {
	s.queue.Lock()
	already := s.queue.closed
	s.queue.closed = true
	s.queue.more.Broadcast()
	s.queue.room.Broadcast()
	s.queue.Unlock()
	if already {
		return nil
	}
	s.done.Wait()
	e := s.engine.Load()
	var err error
	if e.Broken() {
		e.Bury()
	} else {
		err = e.Close()
	}
	s.lock.Unlock()
	return err
}

// Submit queues one frame. It waits while the queue is full and fails with
// ErrClosed or the context's error; Done is then not called.
func (s *Store) Submit(ctx context.Context, f *Frame) error {
	return s.SubmitBatch(ctx, []*Frame{f})
}

// maxQueueBytes bounds the memory of waiting frames, which may be large.
const maxQueueBytes = 64 << 20

// SubmitBatch queues frames in order, as Submit does each: all of them or none.
func (s *Store) SubmitBatch(ctx context.Context, fs []*Frame) error {
	if len(fs) == 0 {
		return nil
	}
	size := 0
	for _, f := range fs {
		size += len(f.Raw)
	}
	q := &s.queue
	q.Lock()
	defer q.Unlock()
	for (len(q.frames) >= s.opt.MaxQueue || q.bytes >= maxQueueBytes) && !q.closed {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		stop := context.AfterFunc(ctx, func() {
			q.Lock() // else the call could fall between the look at ctx and the wait
			defer q.Unlock()
			q.room.Broadcast()
		})
		q.room.Wait()
		stop()
	}
	if q.closed {
		return ErrClosed
	}
	if len(q.frames) == 0 {
		q.more.Signal()
	}
	q.frames, q.bytes = append(q.frames, fs...), q.bytes+size
	return nil
}

// wallClock measures spans, whatever clock the options give.
var wallClock = time.Now //nolint:forbidigo // see above

// A sync costs as much for one frame as for a thousand. Where many loggers send
// a little each, frames are gathered for a moment: syncs follow each other in
// gatherSpan at the least, unless gatherEnough frames wait. A frame that comes
// after a pause does not wait.
const (
	gatherSpan   = 4 * time.Millisecond
	gatherEnough = 32
)

// gather waits while it pays. The queue is locked.
func (s *Store) gather() {
	q := &s.queue
	for len(q.frames) < gatherEnough && !q.closed {
		wait := s.taken + gatherSpan - time.Since(s.opened)
		if wait <= 0 || s.opt.NoSync {
			break
		}
		q.Unlock()
		time.Sleep(min(wait, gatherSpan/4))
		q.Lock()
	}
	s.taken = time.Since(s.opened)
}

// take waits for frames; none when the tree has failed, or when the store is
// closing and the queue is empty.
func (s *Store) take(buf []*Frame) []*Frame {
	q := &s.queue
	q.Lock()
	defer q.Unlock()
	for len(q.frames) == 0 && !q.closed && !s.engine.Load().Broken() {
		q.more.Wait()
	}
	if len(q.frames) > 0 {
		s.gather()
	}
	return s.pull(buf[:0], s.opt.MaxBatch)
}

// pull moves up to n frames from the queue to buf. The queue is locked.
func (s *Store) pull(buf []*Frame, n int) []*Frame {
	q := &s.queue
	n = min(len(q.frames), n)
	for _, f := range q.frames[:n] {
		q.bytes -= len(f.Raw)
	}
	buf = append(buf, q.frames[:n]...)
	rest := copy(q.frames, q.frames[n:])
	clear(q.frames[rest:])
	q.frames = q.frames[:rest]
	q.room.Broadcast()
	return buf
}

// wake lets the preparing goroutine see that the tree has failed.
func (s *Store) wake() {
	s.queue.Lock()
	defer s.queue.Unlock()
	s.queue.more.Broadcast()
}

// refuseFor refuses what is queued for a while; false when the store is closing.
func (s *Store) refuseFor(d time.Duration, cause error) bool {
	q := &s.queue
	over := false
	timer := time.AfterFunc(d, func() {
		q.Lock()
		defer q.Unlock()
		over = true
		q.more.Broadcast()
	})
	defer timer.Stop()
	for {
		q.Lock()
		for len(q.frames) == 0 && !q.closed && !over {
			q.more.Wait()
		}
		frames := s.pull(nil, len(q.frames))
		ended, closed := over, q.closed
		q.Unlock()
		s.refuse(frames, cause)
		if ended || closed {
			return !closed
		}
	}
}

// Health is nil while frames can be made durable, else ErrDegraded with the reason.
func (s *Store) Health() error {
	if h := s.health.Load(); h != nil && h.err != nil {
		return fmt.Errorf("%w: %w", ErrDegraded, h.err)
	}
	return nil
}

func (s *Store) setHealth(err error) {
	was := s.health.Swap(&healthState{err})
	switch {
	case err != nil && (was == nil || was.err == nil):
		s.opt.Logger.ErrorContext(context.Background(), "store degraded: frames are not acknowledged", slog.String("error", err.Error()))
	case err == nil && was != nil && was.err != nil:
		s.opt.Logger.InfoContext(context.Background(), "store recovered")
	}
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	st := Stats{
		Frames: s.stats.frames.Load(), Repeats: s.stats.repeats.Load(), Groups: s.stats.groups.Load(),
		RawBytes: s.stats.rawBytes.Load(), LastSync: time.Duration(s.stats.lastSync.Load()), Tail: s.Tail(),
	}
	s.queue.Lock()
	st.Queue = len(s.queue.frames)
	s.queue.Unlock()
	if e, err := s.use(); err == nil {
		if !e.Broken() {
			m := e.DB.Metrics()
			st.DiskBytes, st.Memory = m.DiskSpaceUsage(), lsm.MemoryOf(m)
		}
		e.Release()
	}
	return st
}

// Tail is the sequence of the last durable group, 0 when there is none.
func (s *Store) Tail() uint64 {
	s.tail.Lock()
	defer s.tail.Unlock()
	return s.tail.seq
}

func (s *Store) setTail(seq uint64) {
	s.tail.Lock()
	defer s.tail.Unlock()
	s.tail.seq = seq
	close(s.tail.changed)
	s.tail.changed = make(chan struct{})
}

// Wait returns when a group behind seq is durable, or with the context's error.
func (s *Store) Wait(ctx context.Context, seq uint64) error {
	for {
		s.tail.Lock()
		tail, changed := s.tail.seq, s.tail.changed
		s.tail.Unlock()
		if tail > seq {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load rebuilds what is kept in memory from the tree.
func (s *Store) load(e *lsm.Tree) error {
	st := &s.state
	st.Lock()
	defer st.Unlock()
	st.reset()
	it, err := e.DB.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.SeekGE([]byte{pName}); it.Valid() && it.Key()[0] == pName; it.Next() {
		st.addName(string(it.Key()[1:]), binary.BigEndian.Uint32(it.Value()))
	}
	for it.SeekGE([]byte{pShape}); it.Valid() && it.Key()[0] == pShape; it.Next() {
		st.addShape(binary.BigEndian.Uint32(it.Key()[1:]), string(it.Value()))
	}
	if it.SeekLT([]byte{pClock + 1}); it.Valid() && it.Key()[0] == pClock {
		st.run, st.minute = binary.BigEndian.Uint64(it.Key()[1:]), atOf(it.Key()[9:])
	}
	seq := uint64(0)
	if it.SeekLT([]byte{pJournal + 1}); it.Valid() && it.Key()[0] == pJournal {
		seq = binary.BigEndian.Uint64(it.Key()[1:])
		if _, st.hash, err = openGroup(it.Value()); err != nil {
			return fmt.Errorf("journal group %d: %w", seq, err)
		}
	}
	st.seq = seq
	for it.SeekGE([]byte{pSeries}); it.Valid() && it.Key()[0] == pSeries; {
		prefix := append([]byte(nil), it.Key()[:6]...)
		it.SeekLT(after(prefix))
		at := atOf(it.Key()[6:])
		sr := &series{last: math.MinInt64}
		outlet, kind := telemetry.OutletID(binary.BigEndian.Uint32(prefix[1:])), telemetry.Kind(prefix[5])
		for it.SeekGE(seriesTime(nil, outlet, kind, at)); it.Valid() && bytes.HasPrefix(it.Key(), prefix); it.Next() {
			sr.setLatest(at, locatorOf(it.Key()[14:]), it.Value())
		}
		st.series[seriesID(outlet, kind)] = sr
	}
	if err := it.Error(); err != nil {
		return err
	}
	st.whole = true
	s.setTail(seq)
	return nil
}
