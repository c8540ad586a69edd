package lsm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Tree is one instance of a tree. When it cannot go on (its log or its manifest
// cannot be written), it is fenced off, so that none of its goroutines can touch
// the folder any more, and another one is to be opened.
type Tree struct {
	DB     *pebble.DB
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

// Broken reports whether the instance has ended.
func (t *Tree) Broken() bool {
	select {
	case <-t.fatal:
		return true
	default:
		return false
	}
}

// Fail ends this instance: from here on it writes nothing.
func (t *Tree) Fail(err error) {
	t.once.Do(func() {
		t.cause.Store(&err)
		t.fenced.Store(true)
		close(t.fatal)
		go t.onFail() // apart: the caller may hold locks of the tree
	})
}

// Err is why it ended, nil while it is sound.
func (t *Tree) Err() error {
	if p := t.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// Hold keeps the instance open until Release; false when it is closing.
func (t *Tree) Hold() bool {
	t.use.Lock()
	defer t.use.Unlock()
	if t.use.retired {
		return false
	}
	t.use.n++
	return true
}

// Release gives back what Hold took.
func (t *Tree) Release() {
	t.use.Lock()
	defer t.use.Unlock()
	if t.use.n--; t.use.n == 0 && t.use.retired {
		close(t.use.idle)
	}
}

// retire lets nobody in any more; the channel closes when the last has left.
func (t *Tree) retire() <-chan struct{} {
	t.use.Lock()
	defer t.use.Unlock()
	if !t.use.retired {
		t.use.retired = true
		if t.use.n == 0 {
			close(t.use.idle)
		}
	}
	return t.use.idle
}

// Try runs fn in a goroutine of its own and returns its outcome, because a tree
// whose disk fails may end the calling goroutine, panic, or never return. An
// error ends the instance.
func (t *Tree) Try(fn func() error) <-chan error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("the tree ended the goroutine")
		defer func() {
			if r := recover(); r != nil {
				err = asError(r)
			}
			if err != nil {
				t.Fail(err)
			}
			result <- t.Err() // the first cause tells more than what followed from it; what an ended instance says does not count
		}()
		err = fn()
	}()
	return result
}

// Do is Try for callers that wait.
func (t *Tree) Do(fn func() error) error {
	select {
	case err := <-t.Try(fn):
		return err
	case <-t.fatal:
		return t.Err()
	}
}

func asError(r any) error {
	if err, ok := r.(error); ok {
		return err
	}
	return fmt.Errorf("%v", r)
}

// Close closes a sound instance once nobody uses it.
func (t *Tree) Close() error {
	<-t.retire()
	return t.Do(t.DB.Close)
}

// Bury gives back what a broken instance holds, as far as that can be done:
// some of its goroutines may be stuck for ever, and then it stays.
func (t *Tree) Bury() {
	idle := t.retire()
	go func() {
		<-idle
		t.Try(t.DB.Close)
	}()
}

// stallAfter is how long a commit may take before it is told.
const stallAfter = 5 * time.Second

// Apply commits a batch and closes it. When the commit takes over 5 s, stalled is
// called meanwhile. After an error the batch stays in the tree's hands, and
// nobody knows whether it is durable.
func (t *Tree) Apply(b *pebble.Batch, o *pebble.WriteOptions, stalled func()) error {
	if t.Broken() {
		return t.Err()
	}
	if !t.Hold() {
		return ErrClosed
	}
	result := t.Try(func() error {
		defer t.Release()
		return t.DB.Apply(b, o)
	})
	stall := time.NewTimer(stallAfter)
	defer stall.Stop()
	for {
		select {
		case err := <-result:
			if err == nil {
				_ = b.Close()
			}
			return err
		case <-t.fatal:
			return t.Err()
		case <-stall.C:
			stalled()
		}
	}
}

// ErrClosed is returned once an instance is closing.
var ErrClosed = errors.New("lsm: closed")
