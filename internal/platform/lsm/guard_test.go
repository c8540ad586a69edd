package lsm_test

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/platform/lsm"
	"plateau/internal/testkit"
)

// TestPowerFailureWhileCreated: whatever a power failure keeps of a tree that is
// being made, the tree opens again. Each change of the disk is such a moment, and
// at each the parts that were not synced are kept or lost in many ways.
func TestPowerFailureWhileCreated(t *testing.T) {
	t.Parallel()
	ways := 24
	if testkit.Race {
		ways = 3
	}
	options := func(fs vfs.FS) lsm.Options {
		return lsm.Options{FS: fs, Logger: slog.New(slog.DiscardHandler), CacheMB: 1, MemMB: 1, BlockKB: 64, OnFail: func() {}}
	}
	disk := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(1, 2))
	var left []*vfs.MemFS
	watch := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			for range ways {
				left = append(left, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng}))
			}
		}
		return nil
	})
	tree, err := lsm.Open("db", options(errorfs.Wrap(disk, watch)))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.DB.Set([]byte("k"), []byte("v"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if len(left) < 10*ways {
		t.Fatalf("%d disks only: the test shows nothing", len(left))
	}
	for i, disk := range left {
		tree, err := lsm.Open("db", options(disk))
		if err != nil {
			t.Errorf("change %d: %v", i/ways, err)
			continue
		}
		if err := tree.Close(); err != nil {
			t.Errorf("change %d: %v", i/ways, err)
		}
	}
}
