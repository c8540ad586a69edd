package lsm

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock is the lock of a folder.
type Lock struct{ f *os.File }

// LockDir makes a folder and holds a lock of our own: the tree may be opened
// again while an earlier, broken instance still lives in this process.
func LockDir(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "PLATEAU-LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the data folder %s is in use by another process: %w", dir, err)
	}
	return &Lock{f}, nil
}

// Unlock gives it back; a nil Lock is none.
func (l *Lock) Unlock() {
	if l == nil {
		return
	}
	// Closing alone would not do: a child process between fork and exec still
	// holds a copy of the descriptor, and with it the lock.
	_ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN)
	_ = l.f.Close()
}
