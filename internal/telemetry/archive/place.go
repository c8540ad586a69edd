package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"plateau/internal/platform/disk"
)

// Place is where archive files lie. It is safe for concurrent use.
type Place interface {
	// Put makes the file at path durable there under name; one of that name is
	// replaced.
	Put(ctx context.Context, name, path string) error
	// Read fills p from offset on. A file that is not there is fs.ErrNotExist.
	Read(ctx context.Context, name string, offset int64, p []byte) error
	// String names the place for people, without secrets.
	String() string
}

// Folder is a place on a file system.
type Folder string

// String returns the folder's path.
func (d Folder) String() string { return string(d) }

// Put copies the file, syncs it and gives it its name.
func (d Folder) Put(_ context.Context, name, path string) (err error) {
	if err := os.MkdirAll(string(d), 0o750); err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(string(d), "incoming-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), filepath.Join(string(d), name)); err != nil {
		return err
	}
	return disk.SyncDir(string(d))
}

// Read implements Place.
func (d Folder) Read(_ context.Context, name string, offset int64, p []byte) error {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(p, offset)
	return err
}

// fetch reads from the first of the places that has the file.
func fetch(ctx context.Context, places []Place, name string, offset int64, p []byte) error {
	if len(places) == 0 {
		return fmt.Errorf("archive file %s: no place for archives is set (keeping.archive)", name)
	}
	var faults []error
	for _, place := range places {
		err := place.Read(ctx, name, offset, p)
		if err == nil {
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("not in %s: %w", place, fs.ErrNotExist)
		} else {
			err = fmt.Errorf("%s cannot be read: %w", place, err)
		}
		faults = append(faults, err)
	}
	return fmt.Errorf("archive file %s: %w", name, errors.Join(faults...))
}
