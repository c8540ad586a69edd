package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/backup"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files reads all files below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = string(text)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// options are those of a data folder with a tree, a database and a report.
func options(t *testing.T) backup.Options {
	t.Helper()
	data := t.TempDir()
	write(t, filepath.Join(data, "telemetry", "000001.sst"), "live, never copied itself")
	write(t, filepath.Join(data, "telemetry", "MANIFEST-1"), "live")
	write(t, filepath.Join(data, "plateau.db"), "live")
	write(t, filepath.Join(data, "plateau.db-wal"), "live")
	write(t, filepath.Join(data, "control.sock"), "")
	write(t, filepath.Join(data, "reports", "r.csv"), "report")
	locked := false
	return backup.Options{
		Data: data, To: filepath.Join(t.TempDir(), "b"), Now: time.Now, DBName: "plateau.db", Skip: []string{"control.sock"},
		Manifest: backup.Manifest{Running: true, Database: "sqlite", Journal: backup.Journal{Sequence: 7, Hash: "00"}},
		Trees: []backup.Tree{{Name: "telemetry", Copy: func(dir string) error {
			if !locked {
				t.Error("a tree is copied while the database can change")
			}
			write(t, filepath.Join(dir, "000001.sst"), strings.Repeat("tree", 1<<20))
			return nil
		}}},
		Database: func(_ context.Context, path string, while func() error) error {
			locked = true
			defer func() { locked = false }()
			if err := while(); err != nil {
				return err
			}
			write(t, path, "database")
			return nil
		},
	}
}

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	o := options(t)
	made, err := backup.Make(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"telemetry/000001.sst": strings.Repeat("tree", 1<<20), "plateau.db": "database", "reports/r.csv": "report"}
	data := filepath.Join(t.TempDir(), "new", "data")
	m, err := backup.Restore(t.Context(), o.To, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, files(t, data)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(made, m); d != "" || m.Bytes != 4<<20+8+6 || !m.Running || m.Journal.Sequence != 7 {
		t.Errorf("%+v\n%s", m, d)
	}
	if _, err := os.Stat(filepath.Join(o.Data, backup.StageName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stage is left: %v", err)
	}
	if _, err := backup.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "holds something already") {
		t.Errorf("over a backup: %v", err)
	}
	if _, err := backup.Restore(t.Context(), o.To, data, nil); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("over data: %v", err)
	}
	if d := cmp.Diff(want, files(t, data)); d != "" {
		t.Errorf("a refused restore changed the folder: %s", d)
	}
}

// TestDamage: each damaged or missing file is named, and nothing is left behind.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(t *testing.T, dir string)
		want []string
	}{
		"a bit and a file": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "telemetry", "000001.sst"), strings.Repeat("tree", 1<<20-1)+"tref")
			_ = os.Remove(filepath.Join(dir, "reports", "r.csv"))
		}, []string{"telemetry/000001.sst has 4194304 bytes and SHA-256", "reports/r.csv is missing"}},
		"shorter":     {func(t *testing.T, dir string) { t.Helper(); write(t, filepath.Join(dir, "plateau.db"), "data") }, []string{"plateau.db has 4 bytes"}},
		"no manifest": {func(_ *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "manifest.json")) }, []string{"no complete backup", "broken off"}},
		"half a manifest": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "manifest.json"), `{"format":1,"files":[`)
		}, []string{"manifest.json is damaged"}},
		"another form": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "manifest.json"), `{"format":9}`)
		}, []string{"has form 9"}},
		"a way out": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "manifest.json"), `{"format":1,"files":[{"path":"../x"}]}`)
		}, []string{`"../x" that cannot be in it`}},
		"one file twice": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "manifest.json"), `{"format":1,"files":[{"path":"x"},{"path":"x"}]}`)
		}, []string{`"x" that cannot be in it`}},
		"the manifest own": {func(t *testing.T, dir string) {
			t.Helper()
			write(t, filepath.Join(dir, "manifest.json"), `{"format":1,"files":[{"path":"manifest.json"}]}`)
		}, []string{"cannot be in it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			if _, err := backup.Make(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			c.harm(t, o.To)
			data := t.TempDir()
			_, err := backup.Restore(t.Context(), o.To, data, nil)
			if err == nil {
				t.Fatal("restored")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
			if left := files(t, data); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestBrokenOff: a backup that is told to stop leaves nothing; one that was
// killed leaves what no restore takes and the next backup clears.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	o := options(t)
	ctx, stop := context.WithCancel(t.Context())
	o.Progress = func(int64, int64) { stop() }
	if _, err := backup.Make(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for _, dir := range []string{o.To, o.To + ".partial", filepath.Join(o.Data, backup.StageName)} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	write(t, filepath.Join(o.To+".partial", "backup-under-way"), "")
	write(t, filepath.Join(o.To+".partial", "telemetry", "000001.sst"), "half")
	write(t, filepath.Join(o.Data, backup.StageName, "telemetry", "x"), "left")
	if _, err := backup.Restore(t.Context(), o.To+".partial", t.TempDir(), nil); !errors.Is(err, backup.ErrNoBackup) {
		t.Errorf("half a backup: %v", err)
	}
	o.Progress = nil
	m, err := backup.Make(t.Context(), o)
	if err != nil || len(m.Files) != 3 {
		t.Errorf("%+v, %v", m, err)
	}
	// A folder of somebody else's is not cleared.
	o.To = filepath.Join(t.TempDir(), "b")
	write(t, filepath.Join(o.To+".partial", "photo.jpg"), "dear")
	if _, err := backup.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("%v", err)
	}
	if len(files(t, o.To+".partial")) != 1 {
		t.Error("somebody's folder was cleared")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.To = filepath.Join(o.Data, "b")
	if _, err := backup.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "inside the data folder") {
		t.Errorf("%v", err)
	}
	// A tree that nobody registered would be copied while it changes.
	o = options(t)
	write(t, filepath.Join(o.Data, "other", "MANIFEST-000001"), "live")
	if _, err := backup.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "other is written to while the server runs") {
		t.Errorf("%v", err)
	}
	o.Manifest.Running = false
	if _, err := backup.Make(t.Context(), o); err != nil {
		t.Errorf("stopped: %v", err)
	}
	o = options(t)
	o.Trees[0].Copy = func(string) error { return errors.New("the disk is full") }
	if _, err := backup.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "copy telemetry: the disk is full") {
		t.Errorf("%v", err)
	}
	data := t.TempDir()
	write(t, filepath.Join(data, backup.IncompleteName), "")
	if err := backup.Restored(data); err == nil {
		t.Error("a broken-off restore is taken for a whole one")
	}
}
