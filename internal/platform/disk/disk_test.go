package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"plateau/internal/platform/disk"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "12345", "b": "longer than before"} {
		if err := disk.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.WriteFile(filepath.Join(dir, "b"), []byte("678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "b")); err != nil || string(text) != "678" {
		t.Errorf("%q, %v", text, err)
	}
	for path, want := range map[string]int64{dir: 8, filepath.Join(dir, "a"): 5, filepath.Join(dir, "none"): 0} {
		if n, err := disk.Size(path); err != nil || n != want {
			t.Errorf("%s: %d bytes, want %d, %v", path, n, want, err)
		}
	}
	if used, free, err := disk.Room(dir); err != nil || used <= 0 || free <= 0 {
		t.Errorf("%d, %d, %v", used, free, err)
	}
	none := filepath.Join(dir, "none")
	if _, _, err := disk.Room(none); err == nil {
		t.Error("room in a folder that is not there")
	}
	if err := disk.SyncDir(none); err == nil {
		t.Error("a folder that is not there was synced")
	}
	if err := disk.WriteFile(filepath.Join(none, "a"), nil, 0o600); err == nil {
		t.Error("written into a folder that is not there")
	}
}
