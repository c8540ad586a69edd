package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/disk"
)

const (
	sweepEvery = time.Hour
	// stray is how long what has no row stays: a request that is under way may still
	// write it.
	stray = 24 * time.Hour
)

// Run removes what is not needed, once an hour, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		if n, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "files that nothing refers to", slog.Any("error", err))
		} else if n > 0 {
			s.Logger.InfoContext(ctx, "files that nothing refers to were removed", slog.Int("files", n))
		}
		timer.Reset(sweepEvery)
	}
}

// Sweep removes files that nothing has referred to for the time of Options.Unused,
// and what broken-off writing left behind.
func (s *Service) Sweep(ctx context.Context) (removed int, err error) {
	before := db.Micros(s.Now().Add(-s.Unused))
	sums, err := s.sums(ctx, `SELECT f.sha256 FROM evidence_files f WHERE NOT EXISTS (SELECT 1 FROM evidence_refs r WHERE r.sha256 = f.sha256)
		AND NOT EXISTS (SELECT 1 FROM evidence_uploads u WHERE u.sha256 = f.sha256 AND u.at > $1)`, before)
	if err != nil {
		return 0, err
	}
	for _, sum := range sums {
		gone, err := s.remove(ctx, sum, before)
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	return removed, s.clear(ctx)
}

// sums are the SHA-256 that a query gives.
func (s *Service) sums(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := s.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var sum string
		if err := rows.Scan(&sum); err != nil {
			return nil, err
		}
		out = append(out, sum)
	}
	return out, rows.Err()
}

// remove takes a file away, rows first, unless something refers to it by now.
func (s *Service) remove(ctx context.Context, sum string, before int64) (gone bool, err error) {
	s.named.Lock()
	defer s.named.Unlock()
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		var used int
		if err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM evidence_refs WHERE sha256 = $1) + (SELECT count(*) FROM evidence_uploads WHERE sha256 = $1 AND at > $2)`, sum, before).Scan(&used); err != nil || used > 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM evidence_uploads WHERE sha256 = $1`, sum); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM evidence_files WHERE sha256 = $1`, sum)
		gone = err == nil
		return err
	})
	if err != nil || !gone {
		return false, err
	}
	return true, s.unlink(sum)
}

func (s *Service) unlink(sum string) (err error) {
	for _, path := range []string{s.path(sum), s.drawn(sum, Thumb), s.drawn(sum, Web)} {
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, disk.SyncDir(filepath.Dir(s.path(sum))))
}

// clear removes what writing that was broken off left: incoming files, and files
// that have no row.
func (s *Service) clear(ctx context.Context) error {
	old := func(d fs.DirEntry) bool {
		info, err := d.Info()
		return err == nil && s.Now().Sub(info.ModTime()) > stray
	}
	list, err := os.ReadDir(s.incoming())
	if err != nil {
		return err
	}
	for _, d := range list {
		if !d.IsDir() && old(d) {
			if err := os.Remove(filepath.Join(s.incoming(), d.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := s.clearUploads(); err != nil {
		return err
	}
	known, err := s.known(ctx)
	if err != nil {
		return err
	}
	return s.each(func(path, sum string, d fs.DirEntry) error {
		if known[sum] || !old(d) {
			return nil
		}
		s.named.Lock()
		defer s.named.Unlock()
		if _, err := s.Get(ctx, sum); err == nil { // came meanwhile
			return nil
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// each calls fn with all files that have a name, and the SHA-256 in it.
func (s *Service) each(fn func(path, sum string, d fs.DirEntry) error) error {
	return filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && path == s.incoming():
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		sum, _, _ := strings.Cut(d.Name(), ".")
		if !isSum(sum) {
			return nil
		}
		return fn(path, sum, d)
	})
}

func (s *Service) known(ctx context.Context) (map[string]bool, error) {
	sums, err := s.sums(ctx, `SELECT sha256 FROM evidence_files`)
	out := map[string]bool{}
	for _, sum := range sums {
		out[sum] = true
	}
	return out, err
}

// Checked is what Check found.
type Checked struct {
	Files  int
	Bytes  int64
	Faults []string // a line for each, the first of them
	Bad    int      // files that are damaged or lost
}

// mostFaults bounds what is told one by one.
const mostFaults = 20

// Check reads every file that a row speaks of in a data folder and compares its bytes
// with its name. It changes nothing. When ctx ends it returns what it saw, with the
// error of ctx.
func Check(ctx context.Context, q db.Querier, data string) (c Checked, err error) {
	s := &Service{dir: filepath.Join(data, Dir)}
	rows, err := q.Query(ctx, `SELECT sha256, size FROM evidence_files ORDER BY added_at, sha256`)
	if err != nil {
		return c, fmt.Errorf("list evidence: %w", err)
	}
	type file struct {
		sum  string
		size int64
	}
	var all []file
	defer rows.Close()
	for rows.Next() {
		var f file
		if err := rows.Scan(&f.sum, &f.size); err != nil {
			return c, err
		}
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		c.Files++
		c.Bytes += f.size
		if fault := damage(s.path(f.sum), f.sum); fault != "" {
			if c.Bad++; c.Bad <= mostFaults {
				c.Faults = append(c.Faults, fault)
			}
		}
	}
	return c, nil
}

// damage says what is wrong with a file; "" when nothing is.
func damage(path, want string) string {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path + " is missing"
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err.Error()
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Sprintf("%s has other bytes than its name says: their SHA-256 is %s", path, got)
	}
	return ""
}

// Named is the SHA-256 that a file of a data folder is called by, "" for others. path
// is inside the data folder, with slashes.
func Named(path string) string {
	if rest, ok := strings.CutPrefix(path, Dir+"/"); ok {
		if sum := rest[strings.LastIndexByte(rest, '/')+1:]; isSum(sum) {
			return sum
		}
	}
	return ""
}
