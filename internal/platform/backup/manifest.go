package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"plateau/internal/platform/disk"
)

// ManifestName is the file that makes a folder a backup.
const ManifestName = "manifest.json"

// Format is the version of the manifest's form.
const Format = 1

// Manifest says what a backup holds.
type Manifest struct {
	Format   int       `json:"format"`
	Program  string    `json:"program,omitempty"` // version that made it
	Began    time.Time `json:"began"`             // what was acknowledged before is in it
	Ended    time.Time `json:"ended"`
	Running  bool      `json:"running"`  // made from a running server
	Database string    `json:"database"` // "sqlite": in it; "postgres": to be dumped apart
	Schema   int64     `json:"schema"`   // version of the database's tables; 0 = unknown
	Journal  Journal   `json:"journal"`
	Bytes    int64     `json:"bytes"`
	Files    []File    `json:"files"` // sorted by path
}

// Journal is how far the journal reached when the backup began.
type Journal struct {
	Sequence uint64 `json:"sequence"` // of the last group; 0 = none
	Hash     string `json:"hash"`     // of that group, hexadecimal
}

// File is one file of a backup.
type File struct {
	Path   string `json:"path"` // with slashes, inside the backup
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ErrNoBackup wraps what is said of a folder that is no complete backup.
var ErrNoBackup = errors.New("no complete backup")

// Read reads the manifest of the backup in dir.
func Read(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, ManifestName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, fmt.Errorf("%s is %w: it has no %s, which is written last; it was broken off, or it is another folder", dir, ErrNoBackup, ManifestName)
	case err != nil:
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s is %w: %s is damaged: %w", dir, ErrNoBackup, ManifestName, err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("%s has form %d, this program reads %d; take the version %q that made it", dir, m.Format, Format, m.Program)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		// Another spelling of a name would be the same file twice; "." is the folder.
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || path.Clean(f.Path) != f.Path || f.Path == "." || f.Path == ManifestName || seen[f.Path] || f.Size < 0 {
			return m, fmt.Errorf("%s is %w: %s names a file %q that cannot be in it", dir, ErrNoBackup, ManifestName, f.Path)
		}
		seen[f.Path] = true
	}
	return m, nil
}

// write makes the manifest durable under its name.
func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(dir, ManifestName), append(text, '\n'), fileMode)
}
