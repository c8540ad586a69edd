package lsm_test

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
)

// TestCacheBesideTables: blocks stay in memory however full the memory tables
// are; the tree would take the tables' memory out of a cache of CacheMB alone.
func TestCacheBesideTables(t *testing.T) {
	t.Parallel()
	const cacheMB, memMB, rows = 4, 4, 12_000
	tree, err := lsm.Open(t.TempDir(), lsm.Options{Logger: slog.New(slog.DiscardHandler), CacheMB: cacheMB, MemMB: memMB, BlockKB: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	key := func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
	rng, value := rand.New(rand.NewPCG(1, 2)), make([]byte, 2000)
	for i := range rows { // several tables
		binary.BigEndian.PutUint64(value, rng.Uint64())
		if err := tree.DB.Set(key(i), value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.DB.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range rows / 6 { // both tables are taken again
		if err := tree.DB.Set(key(1<<40+i), value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rows {
		_, done, err := tree.DB.Get(key(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := done.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m := tree.Memory()
	if m.Tables < memMB<<20 {
		t.Errorf("the tables take %d bytes: the test shows nothing", m.Tables)
	}
	if m.Cache < cacheMB<<20*3/4 || m.Cache > 2*cacheMB<<20 {
		t.Errorf("%d bytes of blocks are in memory, the cache has %d", m.Cache, cacheMB<<20)
	}
}
