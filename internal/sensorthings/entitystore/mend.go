package entitystore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"plateau/internal/platform/lsm"
)

const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

var errStalled = errors.New("a commit has been waiting for the disk for seconds")

// Health is nil while changes can be made durable, else ErrDegraded with the reason.
// A tree that broke counts at once, also before mend has taken notice.
func (s *Store) Health() error {
	if _, err := s.sound(); err != nil {
		return err
	}
	if h := s.health.Load(); h.err != nil {
		return fmt.Errorf("%w: %w", ErrDegraded, h.err)
	}
	return nil
}

func (s *Store) setHealth(err error) {
	was := s.health.Swap(&healthState{err})
	switch {
	case err != nil && was.err == nil:
		s.opt.Logger.ErrorContext(context.Background(), "entity store degraded: nothing is written", slog.String("error", err.Error()))
	case err == nil && was.err != nil:
		s.opt.Logger.InfoContext(context.Background(), "entity store recovered")
	}
}

// mend opens the tree again after a fault, once the disk takes data again.
func (s *Store) mend() {
	var pause time.Duration
	for {
		select {
		case <-s.stop:
			return
		case <-s.failed:
		}
		old := s.tree.Load()
		if !old.Broken() {
			continue // an instance that failed while it was opened
		}
		cause := old.Err()
		for pause = 0; cause != nil; {
			s.setHealth(cause)
			pause = min(max(2*pause, firstPause), longPause)
			select {
			case <-s.stop:
				return
			case <-time.After(pause):
			}
			cause = s.reopen(old)
		}
		s.setHealth(nil)
		s.wakeSweep()
	}
}

func (s *Store) reopen(old *lsm.Tree) error {
	if err := lsm.Probe(s.dir, s.opt.FS); err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	t, err := s.openTree()
	if err != nil {
		return err
	}
	s.tree.Store(t)
	old.Bury()
	if t.Broken() { // its signal may have come before it was stored
		signal(s.failed)
	}
	return nil
}

// sound returns the tree to write to; who writes holds write.
func (s *Store) sound() (*lsm.Tree, error) {
	t := s.tree.Load()
	if t.Broken() {
		return nil, fmt.Errorf("%w: %w", ErrDegraded, t.Err())
	}
	return t, nil
}
