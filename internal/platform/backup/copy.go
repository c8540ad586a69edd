package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"plateau/internal/platform/disk"
)

const (
	fileMode = 0o600
	dirMode  = 0o750
	block    = 1 << 20
	workers  = 2 // reading, hashing and writing overlap
)

// source is a file to be copied.
type source struct {
	from string // where it is
	path string // what it is called in the backup, with slashes
	size int64
	want string // SHA-256 it must have; "" = any
	gone bool   // may have vanished meanwhile
}

// maxFaults is how many damaged files one run names.
const maxFaults = 20

// copyAll copies files into dir, hashes them on the way and makes each durable.
// Damaged files are all named, up to maxFaults; any other fault ends it.
func copyAll(ctx context.Context, files []source, dir string, progress func(done, total int64)) ([]File, error) {
	total := int64(0)
	for i := range files {
		total += files[i].size
	}
	if err := room(dir, total); err != nil {
		return nil, err
	}
	var (
		done    atomic.Int64
		next    atomic.Int64
		wg      sync.WaitGroup
		mu      sync.Mutex
		damaged []error
		fatal   error
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := make([]File, len(files))
	for range workers {
		wg.Go(func() {
			buf := make([]byte, block)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) || ctx.Err() != nil {
					return
				}
				f, err := copyFile(ctx, &files[i], dir, buf, func(n int) {
					if v := done.Add(int64(n)); progress != nil {
						progress(v, total)
					}
				})
				out[i] = f
				if err == nil {
					continue
				}
				mu.Lock()
				if errors.Is(err, ErrDamaged) && len(damaged) < maxFaults {
					damaged = append(damaged, err)
				} else if !errors.Is(err, ErrDamaged) && fatal == nil {
					fatal = err
					stop()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(append(damaged, fatal)...); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	kept := out[:0]
	for _, f := range out {
		if f.Path != "" {
			kept = append(kept, f)
		}
	}
	return kept, syncDirs(dir)
}

// ErrDamaged wraps what is said of a file that is not the one of the manifest.
var ErrDamaged = errors.New("damaged file")

func copyFile(ctx context.Context, s *source, dir string, buf []byte, count func(int)) (_ File, err error) {
	in, err := os.Open(s.from)
	if errors.Is(err, fs.ErrNotExist) {
		if s.gone {
			return File{}, nil
		}
		if s.want != "" {
			return File{}, fmt.Errorf("%w: %s is missing", ErrDamaged, s.path)
		}
	}
	if err != nil {
		return File{}, err
	}
	defer in.Close()
	to := filepath.Join(dir, filepath.FromSlash(s.path))
	if err := os.MkdirAll(filepath.Dir(to), dirMode); err != nil {
		return File{}, err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, fileMode)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	h, size := sha256.New(), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return File{}, err
		}
		n, readErr := in.Read(buf)
		h.Write(buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return File{}, fmt.Errorf("write %s: %w", to, err)
		}
		size += int64(n)
		count(n)
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return File{}, fmt.Errorf("read %s: %w", s.from, readErr)
		}
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if s.want != "" && (size != s.size || sum != s.want) {
		return File{}, fmt.Errorf("%w: %s has %d bytes and SHA-256 %s, the manifest says %d and %s", ErrDamaged, s.path, size, sum, s.size, s.want)
	}
	if err := out.Sync(); err != nil {
		return File{}, fmt.Errorf("write %s: %w", to, err)
	}
	return File{Path: s.path, Size: size, SHA256: sum}, nil
}

// syncDirs makes the names in dir and below durable.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return disk.SyncDir(path)
	})
}

// list finds the files below root; path gives each its name in the backup, ""
// leaves it out (of a folder: all that is in it).
func list(root string, gone bool, path func(rel string) string) ([]source, error) {
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if gone && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || p == root {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := path(filepath.ToSlash(rel))
		switch {
		case name == "" && d.IsDir():
			return fs.SkipDir
		case name == "" || !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if gone && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, source{from: p, path: name, size: info.Size(), gone: gone})
		return nil
	})
	return out, err
}
