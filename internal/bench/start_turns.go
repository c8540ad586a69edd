package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"plateau/internal/app"
	"plateau/internal/platform/disk"
)

// readyAtMost ends the wait for a start that asks for far more than it may.
const readyAtMost = 2 * time.Minute

// ready starts the program on a folder, waits until it says that it is ready,
// stops it, and returns how long the first took, in seconds.
func ready(ctx context.Context, c *Config, data string) (took float64, err error) {
	began := c.Now()
	cmd := exec.CommandContext(ctx, c.Program, "serve", "--data", data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0")
	var printed, log syncBuffer
	cmd.Stdout, cmd.Stderr = &printed, &log
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for took == 0 {
		if line := httpLine.FindSubmatch(printed.bytes()); line != nil && answers(ctx, "http://"+string(line[1])+"/readyz") {
			took = c.Now().Sub(began).Seconds()
			break
		}
		select {
		case err := <-ended:
			return 0, errors.Join(fmt.Errorf("bench: the server ended: %s", log.bytes()), err)
		case <-time.After(2 * time.Millisecond):
		}
		if c.Now().Sub(began) > readyAtMost {
			return 0, errors.Join(fmt.Errorf("bench: not ready after %s: %s", readyAtMost, log.bytes()), cmd.Process.Kill(), <-ended)
		}
	}
	return took, errors.Join(cmd.Process.Signal(syscall.SIGTERM), <-ended)
}

// answers tells whether a page is there.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// copies holds the folder that is copied, and the speeds in MB/s.
type copies struct {
	c         *Config
	dir, data string
	size      float64 // bytes of a backup

	copied, backedUp, restored, filesRestored []float64
}

// once makes a backup, restores it, and copies its files plainly, in one order
// or another.
func (t *copies) once(ctx context.Context) error {
	backup, restored, plain := filepath.Join(t.dir, "backup"), filepath.Join(t.dir, "restored"), filepath.Join(t.dir, "plain")
	defer func() {
		for _, dir := range []string{backup, restored, plain} {
			_ = os.RemoveAll(dir)
		}
	}()
	o := app.Options{Flags: map[string]string{"data": t.data}}
	save := func() error {
		took, err := t.timed(t.data, func() error {
			_, err := app.Backup(ctx, o, backup, nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		size, err := disk.Size(backup)
		t.size = float64(size)
		t.backedUp = append(t.backedUp, t.size/1e6/took.Seconds())
		return err
	}
	bring := func() error {
		o := app.Options{Flags: map[string]string{"data": restored}}
		var files time.Duration
		took, err := t.timed(backup, func() error {
			r, err := app.Restore(ctx, o, backup, nil, nil)
			if err == nil && !r.OK() {
				err = fmt.Errorf("found: %q %q", r.Journal.Faults, r.Faults)
			}
			files = r.Copied
			return err
		})
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		t.restored = append(t.restored, t.size/1e6/took.Seconds())
		t.filesRestored = append(t.filesRestored, t.size/1e6/files.Seconds())
		return nil
	}
	same := func() error {
		took, err := t.timed(backup, func() error { return plainCopy(backup, plain) })
		t.copied = append(t.copied, t.size/1e6/took.Seconds())
		return err
	}
	turns := []func() error{bring, same}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	for _, turn := range append([]func() error{save}, turns...) {
		if err := turn(); err != nil {
			return err
		}
	}
	return nil
}

// timed does work on a folder of which nothing is in memory.
func (t *copies) timed(from string, work func() error) (time.Duration, error) {
	if err := forget(from); err != nil {
		return 0, err
	}
	began := t.c.Now()
	err := work()
	return t.c.Now().Sub(began), err
}

// forget drops the files of a folder from the memory of the system.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		// What is not yet on the disk would stay.
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

// plainCopy copies a folder file by file, each synced, and the folders last.
func plainCopy(from, to string) error {
	buf := make([]byte, 1<<20)
	var folders []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			folders = append(folders, target)
			return os.Mkdir(target, 0o750)
		}
		return plainFile(path, target, buf)
	})
	for _, dir := range folders {
		err = errors.Join(err, disk.SyncDir(dir))
	}
	return err
}

func plainFile(from, to string, buf []byte) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	// Hidden behind plain readers and writers, the file system cannot make a
	// copy that shares the blocks.
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, buf)
	return errors.Join(err, out.Sync(), out.Close(), in.Close())
}
