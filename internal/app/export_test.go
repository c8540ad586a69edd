package app

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestExportParquet exports from a running server while loggers send, and from
// the stopped one, which then has no fewer rows.
func TestExportParquet(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	a, end := serving(t, dir)
	defer end()
	l := load{acked: map[string]map[string]bool{}, start: time.Now().Add(-24 * time.Hour).Truncate(time.Hour)}
	enough := make(chan struct{})
	l.begin(200, enough)
	var wg sync.WaitGroup
	for n := range loggers {
		wg.Go(func() { l.run(a.hjAddr, n) })
	}
	<-enough
	o := Options{Flags: map[string]string{"data": dir}, Version: "test"}
	rows := func(e Exported) (n int64) {
		for _, x := range e.Tables {
			if x.Name == "records/kind=minute" {
				n = x.Rows
			}
		}
		return n
	}
	first, err := ExportParquet(t.Context(), o, Export{To: to, Kinds: []string{"minute"}, Until: time.Now().AddDate(0, 2, 0)}, nil)
	if err != nil || !first.Running || rows(first) < 200 {
		t.Errorf("%+v, %v", first, err)
	}
	if _, err := ExportParquet(t.Context(), o, Export{To: filepath.Join(dir, "lake")}, nil); err == nil || !strings.Contains(err.Error(), "inside the data folder") {
		t.Errorf("%v", err)
	}
	for end := time.Now().Add(30 * time.Second); a.engine.Backlog().Frames == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was judged")
		}
	}
	if err := os.Remove(filepath.Join(dir, ControlName)); err != nil {
		t.Fatal(err)
	}
	if _, err := ExportParquet(t.Context(), o, Export{To: to}, nil); err == nil || !strings.Contains(err.Error(), "restore a backup to another folder") {
		t.Errorf("no socket: %v", err)
	}
	end()
	wg.Wait()
	second, err := ExportParquet(t.Context(), o, Export{To: to}, nil)
	if err != nil || second.Running || rows(second) < rows(first) || len(second.Tables) < 2 {
		t.Errorf("%+v, %v", second, err)
	}
}
