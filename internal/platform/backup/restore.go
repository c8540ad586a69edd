package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plateau/internal/platform/disk"
)

// IncompleteName is in a data folder while it is restored; a server does not
// start with such a folder.
const IncompleteName = "restore-under-way"

// Restored reports an error when a restore into the data folder was broken off.
func Restored(data string) error {
	if _, err := os.Stat(filepath.Join(data, IncompleteName)); err == nil {
		return fmt.Errorf("a restore into %s was broken off; empty the folder and restore again", data)
	}
	return nil
}

// Restore copies the backup in from to the folder data, which must be empty or
// not there, and checks every file on the way. When it fails, what it wrote is
// removed. progress (may be nil) gets bytes.
func Restore(ctx context.Context, from, data string, progress func(done, total int64)) (m Manifest, err error) {
	if m, err = Read(from); err != nil {
		return m, err
	}
	switch entries, err := os.ReadDir(data); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return m, err
	case len(entries) > 0:
		return m, fmt.Errorf("%s is not empty (%s); nothing is overwritten, name another folder", data, entries[0].Name())
	}
	if err := os.MkdirAll(data, dirMode); err != nil {
		return m, fmt.Errorf("make the data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, empty(data))
		}
	}()
	mark := filepath.Join(data, IncompleteName)
	if err := os.WriteFile(mark, nil, fileMode); err != nil {
		return m, err
	}
	if err := disk.SyncDir(data); err != nil {
		return m, err
	}
	files := make([]source, len(m.Files))
	for i, f := range m.Files {
		files[i] = source{from: filepath.Join(from, filepath.FromSlash(f.Path)), path: f.Path, size: f.Size, want: f.SHA256}
	}
	if _, err := copyAll(ctx, files, data, progress); err != nil {
		return m, err
	}
	if err := os.Remove(mark); err != nil {
		return m, err
	}
	return m, disk.SyncDir(data)
}

// empty removes what is in a folder; the folder itself may be a mount point.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
