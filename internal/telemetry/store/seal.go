package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/telemetry/archive"
)

// SealOptions say what goes into one archive file.
type SealOptions struct {
	Place     archive.Place
	Stage     string    // folder in which the file is written first
	Before    time.Time // only groups whose frames were all received before
	MaxBytes  int64     // packed bytes after which a file is full; 0 = 64 MB
	MaxGroups int       // groups after which it is full; 0 = 16384
	Partial   bool      // write one that is not full too
}

const (
	archiveBytes  = 64 << 20
	archiveGroups = 1 << 14
)

// Seal moves the oldest groups of the journal into one archive file and returns
// it, nil when there is nothing to be moved yet. They leave the journal, in one
// synced commit with the record of the file, only after it is durable in its
// place and was read back; rows and index stay. The last group and those that a
// reader has not come past are never moved. A chain that does not hold is not
// sealed. One call runs at a time.
func (s *Store) Seal(ctx context.Context, o SealOptions) (*archive.File, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = archiveBytes
	}
	if o.MaxGroups <= 0 {
		o.MaxGroups = archiveGroups
	}
	s.sealing.Lock()
	defer s.sealing.Unlock()
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	defer e.Release()
	first, before, err := unsealed(e.DB)
	if err != nil {
		return nil, err
	}
	last, err := s.passed(e)
	if err != nil || last < first {
		return nil, err
	}
	file, path, err := s.writeArchive(ctx, e, first, last, before, o)
	if err != nil || path == "" {
		return nil, err
	}
	defer func() { _ = os.Remove(path) }()
	if err := o.Place.Put(ctx, file.Name, path); err != nil {
		return nil, fmt.Errorf("put %s into %s: %w", file.Name, o.Place, err)
	}
	if err := archive.ReadBack(ctx, o.Place, &file); err != nil {
		return nil, err
	}
	if e.Broken() {
		return nil, fmt.Errorf("%w: %w", ErrDegraded, e.Err())
	}
	b := e.DB.NewBatch()
	if err := errors.Join(
		b.Set(archiveKey(nil, file.Last), file.AppendRecord(nil), nil),
		b.DeleteRange(journalKey(nil, file.First), journalKey(nil, file.Last+1), nil),
	); err != nil {
		return nil, err
	}
	if err := e.Do(func() error { return b.Commit(s.sync()) }); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDegraded, err) // the file lies there; the next try writes it again
	}
	return &file, b.Close()
}

// unsealed returns the first group that is in no archive, and the chain hash of
// the one before it.
func unsealed(r pebble.Reader) (first uint64, before [hashLen]byte, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{pArchive}, UpperBound: []byte{pArchive + 1}})
	if err != nil {
		return 0, before, err
	}
	defer it.Close()
	if !it.Last() {
		return 1, before, it.Error()
	}
	f, err := archive.ReadRecord(it.Value())
	if err != nil {
		return 0, before, err
	}
	return f.Last + 1, f.Head, nil
}

// passed is the last group that every reader has come past; never the last of all.
func (s *Store) passed(e *lsm.Tree) (uint64, error) {
	tail := s.Tail()
	if tail == 0 {
		return 0, nil
	}
	last := tail - 1
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{pCursor}, UpperBound: []byte{pCursor + 1}})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		last = min(last, binary.BigEndian.Uint64(it.Value()))
	}
	return last, it.Error()
}

// writeArchive writes the groups from first on, at most to last, into a file of
// the stage; path is "" when there are too few.
func (s *Store) writeArchive(ctx context.Context, e *lsm.Tree, first, last uint64, before [hashLen]byte, o SealOptions) (file archive.File, path string, err error) {
	w, err := archive.Create(o.Stage, first, before)
	if err != nil {
		return file, "", fmt.Errorf("write archive file: %w", err)
	}
	var r Report
	r.Head = before
	c, n, full := chain{last: first - 1}, 0, false
	err = s.walk(ctx, e.DB, first, last, func(seq uint64, value []byte) (bool, error) {
		content := c.next(&r, seq, value)
		if !r.OK() {
			return false, fmt.Errorf("not sealed: %s", r.Faults[0])
		}
		es, err := parseContent(content, false)
		if err != nil || len(es) == 0 {
			return false, fmt.Errorf("not sealed: group %d: %w", seq, errors.Join(err, errGroup))
		}
		from, to := es[0].received, es[0].received
		for i := range es {
			from, to = min(from, es[i].received), max(to, es[i].received)
		}
		if to >= o.Before.UnixMicro() {
			return false, nil
		}
		n++
		if err := w.Add(value, r.Head, from, to); err != nil {
			return false, fmt.Errorf("write archive file: %w", err)
		}
		full = n >= o.MaxGroups || w.Written() >= o.MaxBytes
		return !full, nil
	})
	if err != nil || n == 0 || !full && !o.Partial {
		w.Abort()
		return file, "", err
	}
	return w.Close()
}

// Sealed lists the archive files, the earliest first.
func (s *Store) Sealed(ctx context.Context) ([]*archive.File, error) {
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	defer e.Release()
	return s.sealed(ctx, e.DB)
}

func (s *Store) sealed(ctx context.Context, r pebble.Reader) ([]*archive.File, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{pArchive}, UpperBound: []byte{pArchive + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []*archive.File
	for it.First(); it.Valid() && ctx.Err() == nil; it.Next() {
		f, err := archive.ReadRecord(it.Value())
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, errors.Join(it.Error(), ctx.Err())
}

// archived returns the file that holds a group, nil when none does.
func archived(r pebble.Reader, seq uint64) (*archive.File, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: archiveKey(nil, seq), UpperBound: []byte{pArchive + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if !it.First() {
		return nil, it.Error()
	}
	f, err := archive.ReadRecord(it.Value())
	if err != nil || f.First > seq {
		return nil, err
	}
	return f, nil
}

// walk calls fn with the groups of [from, to] in order, those in archives first,
// until it returns false or an error. What is read is one state of the tree. The
// value is valid during the call only.
func (s *Store) walk(ctx context.Context, db interface {
	NewSnapshot() *pebble.Snapshot
}, from, to uint64, fn func(seq uint64, value []byte) (bool, error),
) error {
	snap := db.NewSnapshot()
	defer snap.Close()
	return s.walkIn(ctx, snap, from, to, fn)
}

func (s *Store) walkIn(ctx context.Context, snap *pebble.Snapshot, from, to uint64, fn func(seq uint64, value []byte) (bool, error)) error {
	for from = max(from, 1); from <= to; {
		f, err := archived(snap, from)
		if err != nil {
			return err
		}
		if f == nil {
			break
		}
		for ; from <= min(f.Last, to); from++ {
			v, err := s.opt.Archive.Group(ctx, f, from)
			if err != nil {
				return fmt.Errorf("group %d: %w", from, err)
			}
			if on, err := fn(from, v); err != nil || !on {
				return err
			}
		}
	}
	if from > to {
		return nil
	}
	o := &pebble.IterOptions{LowerBound: journalKey(nil, from), UpperBound: []byte{pJournal + 1}}
	if to+1 > to {
		o.UpperBound = journalKey(nil, to+1)
	}
	it, err := snap.NewIter(o)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if on, err := fn(binary.BigEndian.Uint64(it.Key()[1:]), it.Value()); err != nil || !on {
			return err
		}
	}
	return it.Error()
}

// content returns the entries of a group, from the journal or its archive.
func (s *Store) content(seq uint64, withRaw bool) (es []entry, hash [hashLen]byte, err error) {
	es, hash, err = s.local(seq, withRaw)
	if !errors.Is(err, ErrNotFound) {
		return es, hash, err
	}
	e, err := s.use()
	if err != nil {
		return nil, hash, err
	}
	defer e.Release()
	f, err := archived(e.DB, seq)
	if err != nil {
		return nil, hash, err
	}
	if f == nil {
		return nil, hash, ErrNotFound
	}
	v, err := s.opt.Archive.Group(context.Background(), f, seq)
	if err != nil {
		return nil, hash, err
	}
	return groupOf(v, withRaw)
}

// local returns the entries of a group of the journal itself, ErrNotFound for
// one that was sealed.
func (s *Store) local(seq uint64, withRaw bool) (es []entry, hash [hashLen]byte, err error) {
	e, err := s.use()
	if err != nil {
		return nil, hash, err
	}
	defer e.Release()
	v, closer, err := e.DB.Get(journalKey(nil, seq))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, hash, ErrNotFound
	}
	if err != nil {
		return nil, hash, err
	}
	defer closer.Close()
	return groupOf(v, withRaw)
}

func groupOf(v []byte, withRaw bool) (es []entry, hash [hashLen]byte, err error) {
	content, hash, err := openGroup(v)
	if err != nil {
		return nil, hash, err
	}
	if v[0] == groupPlain {
		content = bytes.Clone(content)
	}
	es, err = parseContent(content, withRaw)
	return es, hash, err
}
