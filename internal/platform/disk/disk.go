package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir makes the names in a folder durable: a file that was renamed has its
// new name after a power failure only then.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// WriteFile replaces a file durably: whatever fails, the old text or the new one
// is there, whole.
func WriteFile(name string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(name))
}

// Size adds up the files in a folder and below, or is that of a file, in bytes.
// What is not there, or vanishes meanwhile, counts nothing.
func Size(path string) (n int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				n += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return n, err
}

// Room tells how much of the file system with dir is used, by whomever, and how
// much is free for this program, in bytes.
func Room(dir string) (used, free int64, err error) {
	var f syscall.Statfs_t
	if err := syscall.Statfs(dir, &f); err != nil {
		return 0, 0, fmt.Errorf("ask for the room in %s: %w", dir, err)
	}
	return int64(f.Blocks-f.Bfree) * f.Bsize, int64(f.Bavail) * f.Bsize, nil
}
