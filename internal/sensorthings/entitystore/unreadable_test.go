package entitystore

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"plateau/internal/platform/lsm/lsmtest"
	"plateau/internal/sensorthings"
	"plateau/internal/testkit"
)

// TestUnreadable lets one read after another fail, and all from one after another
// on, while the earliest observation is deleted and everything is listed by
// identifier: an error, or the truth. Under the race detector, where each try is many times as dear, it is every
// fifth read.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, "db", Options{FS: disk, CacheMB: 1, MemMB: 1})
	_, ds := stream(t, s)
	const n = 40
	big := fmt.Sprintf(`"%x"`, make([]byte, 20_000))
	var ids []sensorthings.ID
	for i := range n {
		o := observation(ds, t0+int64(i)*1e6, big)
		o.HasResultTime, o.ResultTime = true, o.Phenomenon.Start
		ids = append(ids, add(t, s, o)...)
		if i%10 == 0 {
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	failed, step := 0, int64(1)
	if testkit.Race {
		step = 5
	}
	for k, lasting := int64(1), false; ; lasting = !lasting {
		j := lsmtest.Read.At(0)
		j.Lasting = lasting
		j.Healed.Store(true)
		s := open(t, "db", Options{FS: errorfs.Wrap(clonedDisk(t, disk), j), CacheMB: 1, MemMB: 1})
		j.K = k
		j.Healed.Store(false)
		listed := 0
		listErr := s.Observations(t.Context(), all(0, sensorthings.ByID), func(*sensorthings.Observation) bool { listed++; return true })
		if listErr == nil && listed != n {
			t.Errorf("read %d: %d of %d listed without an error", k, listed, n)
		}
		deleteErr := s.Update(t.Context(), func(x *Tx) error { return x.Delete(sensorthings.Observations, ids[0]) })
		j.Healed.Store(true)
		verified(t, s)
		if sum, err := s.Summary(t.Context(), ds); err != nil || deleteErr == nil && sum.Count != n-1 || deleteErr != nil && sum.Count != n {
			t.Errorf("read %d: %+v, %v after %v", k, sum, err, deleteErr)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if j.Injected.Load() == 0 {
			break
		}
		if listErr != nil || deleteErr != nil {
			failed++
		}
		if lasting {
			k += step
		}
	}
	t.Logf("%d reads that failed were told", failed)
	if failed == 0 {
		t.Error("no read failed")
	}
}

// clonedDisk is a copy of a disk, so that each try begins alike.
func clonedDisk(t *testing.T, from vfs.FS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if ok, err := vfs.Clone(from, to, "db", "db"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return to
}
