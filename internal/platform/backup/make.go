package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/disk"
)

// Tree is a folder of the data folder that is written to all the time.
type Tree struct {
	Name string
	Copy func(dir string) error // makes a consistent copy, best by hard links; dir does not exist yet
}

// Options say what to copy where.
type Options struct {
	Data string // the data folder
	To   string // the backup; must not exist
	// Trees of a running server; a stopped one needs none, its files stand still.
	Trees []Tree
	// Database writes a copy of the database file to path; while runs when no
	// one can write to it and before the copy is taken. nil = it is elsewhere.
	Database func(ctx context.Context, path string, while func() error) error
	DBName   string   // what the copy is called in the backup
	Skip     []string // paths in the data folder, with slashes, that are not to be taken
	Manifest Manifest // what the caller knows
	Now      func() time.Time
	Progress func(done, total int64) // bytes; may be nil; called from several goroutines
}

// StageName is the folder in the data folder for the hard links of a backup
// under way. What stands there at the start of a server is left over.
const StageName = "backup-stage"

// partialMark tells a broken-off backup from a folder of somebody else's.
const partialMark = "backup-under-way"

// Make makes the backup and returns its manifest. Broken off at any point it
// leaves at most To.partial, which the next one to the same place removes.
func Make(ctx context.Context, o Options) (m Manifest, err error) {
	if o.To, err = destination(&o); err != nil {
		return m, err
	}
	m = o.Manifest
	m.Format, m.Began = Format, o.Now().UTC()
	partial := o.To + ".partial"
	if err := clearPartial(partial); err != nil {
		return m, err
	}
	if err := os.MkdirAll(partial, dirMode); err != nil {
		return m, fmt.Errorf("make the backup's folder: %w", err)
	}
	stage := filepath.Join(o.Data, StageName)
	defer func() {
		err = errors.Join(err, os.RemoveAll(stage))
		if err != nil {
			_ = os.RemoveAll(partial) // what is left of it is refused anyway
		}
	}()
	if err := os.WriteFile(filepath.Join(partial, partialMark), nil, fileMode); err != nil {
		return m, err
	}
	files, err := o.sources(ctx, stage)
	if err != nil {
		return m, err
	}
	if m.Files, err = copyAll(ctx, files, partial, o.Progress); err != nil {
		return m, err
	}
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for _, f := range m.Files {
		m.Bytes += f.Size
	}
	m.Ended = o.Now().UTC()
	if err := os.Remove(filepath.Join(partial, partialMark)); err != nil {
		return m, err
	}
	if err := m.write(partial); err != nil {
		return m, err
	}
	if err := os.Rename(partial, o.To); err != nil {
		return m, err
	}
	return m, disk.SyncDir(filepath.Dir(o.To))
}

// destination checks where the backup is to go.
func destination(o *Options) (string, error) {
	to, err := filepath.Abs(o.To)
	if err != nil {
		return "", err
	}
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(data, to); err == nil && filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is inside the data folder %s; name a folder outside, best on another disk", to, data)
	}
	switch entries, err := os.ReadDir(to); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", fmt.Errorf("%s holds something already; name a folder that is not there yet", to)
	}
	return to, nil
}

// clearPartial removes what a broken-off backup left.
func clearPartial(partial string) error {
	entries, err := os.ReadDir(partial)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	ours := slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == partialMark || e.Name() == ManifestName || e.Name() == ManifestName+".tmp"
	})
	if !ours {
		return fmt.Errorf("%s is in the way and no broken-off backup; name another folder", partial)
	}
	return os.RemoveAll(partial)
}

// sources makes the consistent copies and lists everything that is to be copied.
func (o *Options) sources(ctx context.Context, stage string) ([]source, error) {
	if err := os.RemoveAll(stage); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(stage, dirMode); err != nil {
		return nil, err
	}
	trees := func() error {
		for _, t := range o.Trees {
			if err := t.Copy(filepath.Join(stage, t.Name)); err != nil {
				return fmt.Errorf("copy %s: %w", t.Name, err)
			}
		}
		return nil
	}
	// The database stands still while the trees are copied: nothing in them then
	// names what the database's copy does not have yet.
	if o.Database == nil {
		if err := trees(); err != nil {
			return nil, err
		}
	} else if err := o.Database(ctx, filepath.Join(stage, o.DBName), trees); err != nil {
		return nil, fmt.Errorf("copy the database: %w", err)
	}
	files, err := list(stage, false, func(rel string) string { return rel })
	if err != nil {
		return nil, err
	}
	skip := append([]string{StageName, IncompleteName, o.DBName, o.DBName + "-wal", o.DBName + "-shm"}, o.Skip...)
	for _, t := range o.Trees {
		skip = append(skip, t.Name)
	}
	rest, err := list(o.Data, true, func(rel string) string {
		if slices.ContainsFunc(skip, func(s string) bool { return rel == s || strings.HasPrefix(rel, s+"/") }) || filepath.Base(rel) == "PLATEAU-LOCK" {
			return ""
		}
		return rel
	})
	if err != nil {
		return nil, err
	}
	for i := range rest {
		if name, ok := strings.CutPrefix(filepath.Base(rest[i].path), "MANIFEST-"); ok && o.Manifest.Running {
			return nil, fmt.Errorf("%s is written to while the server runs, and nobody said how to copy it (MANIFEST-%s); stop the server first", filepath.Dir(rest[i].path), name)
		}
	}
	return append(files, rest...), nil
}

// room refuses what cannot fit before anything is written.
func room(dir string, need int64) error {
	_, free, err := disk.Room(dir)
	if err != nil {
		return nil //nolint:nilerr // a file system that does not tell is tried
	}
	if free < need {
		return fmt.Errorf("%d MB are needed in %s, %d MB are free", need>>20+1, dir, free>>20)
	}
	return nil
}
