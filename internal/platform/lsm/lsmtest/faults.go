package lsmtest

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// All reports whether sweeps are to try every occurrence instead of a sample.
func All() bool { return os.Getenv("PLATEAU_TEST_FAULTS") != "" }

// Access is a kind of access to the disk that is made to fail.
type Access struct {
	Name    string
	of      func(errorfs.OpKind) bool
	fault   error
	lasting bool
}

// Read is one of Accesses.
var Read = Access{"read", func(k errorfs.OpKind) bool { return k == errorfs.OpFileRead || k == errorfs.OpFileReadAt }, syscall.EIO, false}

// Accesses are those that a store must outlast.
var Accesses = []Access{
	{"write", func(k errorfs.OpKind) bool { return k == errorfs.OpFileWrite || k == errorfs.OpFileWriteAt }, syscall.EIO, false},
	{"sync", func(k errorfs.OpKind) bool {
		return k == errorfs.OpFileSync || k == errorfs.OpFileSyncData || k == errorfs.OpFileSyncTo
	}, syscall.EIO, false},
	{"create", func(k errorfs.OpKind) bool { return k == errorfs.OpCreate || k == errorfs.OpReuseForWrite }, syscall.EIO, false},
	{"rename", func(k errorfs.OpKind) bool { return k == errorfs.OpRename || k == errorfs.OpLink }, syscall.EIO, false},
	{"remove", func(k errorfs.OpKind) bool { return k == errorfs.OpRemove }, syscall.EIO, false},
	Read,
	{"disk full from then on", func(k errorfs.OpKind) bool {
		return k.ReadOrWrite() == errorfs.OpIsWrite && k != errorfs.OpFileClose && k != errorfs.OpRemove
	}, syscall.ENOSPC, true},
}

// Calm counts the accesses and lets none fail.
func (a Access) Calm() *Injector { return &Injector{of: a.of} }

// At lets the k-th access fail, or every one from it on where the fault lasts,
// until it is healed.
func (a Access) At(k int64) *Injector {
	return &Injector{K: k, Lasting: a.lasting, of: a.of, fault: a.fault}
}

// Injector is an errorfs.Injector.
type Injector struct {
	K       int64
	Lasting bool
	Cut     func() // called once, before the first fault; nil = nothing

	Seen, Injected atomic.Int64
	Healed         atomic.Bool

	of    func(errorfs.OpKind) bool
	fault error
	once  sync.Once
}

// MaybeError implements errorfs.Injector.
func (j *Injector) MaybeError(op errorfs.Op) error {
	if !j.of(op.Kind) || j.Healed.Load() {
		return nil
	}
	n := j.Seen.Add(1)
	if j.fault == nil || n != j.K && (!j.Lasting || n < j.K) {
		return nil
	}
	if j.Cut != nil {
		j.once.Do(j.Cut)
	}
	j.Injected.Add(1)
	return j.fault
}

// String implements errorfs.Injector.
func (*Injector) String() string { return "(sweep)" }
