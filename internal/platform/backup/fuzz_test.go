package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"plateau/internal/platform/backup"
)

// FuzzRead reads any manifest: refused with a reason, or of the known form with
// files that all lie inside of the backup, each once.
func FuzzRead(f *testing.F) {
	const sound = `{"format":1,"program":"0.1.0","began":"2026-11-01T00:00:00Z","ended":"2026-11-01T00:01:00Z","database":"sqlite","journal":{"sequence":7,"hash":"00"},"files":[{"path":"telemetry/1.sst","size":3,"sha256":"ab"}]}`
	f.Add([]byte(sound))
	f.Add([]byte(sound[:len(sound)-3]))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`{"format":1,"files":[{"path":"../../etc/passwd","size":1}]}`))
	f.Add([]byte(`{"format":1,"files":[{"path":"a","size":1},{"path":"a","size":1}]}`))
	f.Add([]byte(`{"format":1,"files":[{"path":"","size":-9223372036854775808}]}`))
	f.Add([]byte(`{"format":1,"files":[{"path":"a/./b","size":1},{"path":"a//b","size":1}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, backup.ManifestName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := backup.Read(dir)
		if err != nil {
			if err.Error() == "" || errors.Is(err, os.ErrNotExist) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, file := range m.Files {
			path := filepath.Join(dir, filepath.FromSlash(file.Path))
			if rel, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(rel) || seen[path] || path == dir || filepath.Base(path) == backup.ManifestName && filepath.Dir(path) == dir || file.Size < 0 {
				t.Errorf("%q: %+v was taken", text, file)
			}
			seen[path] = true
		}
	})
}
