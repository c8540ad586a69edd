package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrUnreachable wraps why an archived group cannot be read at the moment.
var ErrUnreachable = errors.New("the archive cannot be read")

// Reader reads groups from archive files and keeps the blocks used last. It is
// safe for concurrent use.
type Reader struct {
	places []Place
	limit  int // bytes of unpacked blocks kept

	mu    sync.Mutex
	kept  map[key][][]byte
	order []key // the one used longest ago first
	bytes int
}

type key struct {
	name  string
	first uint64
}

// DefaultCache is how many bytes of blocks a Reader keeps.
const DefaultCache = 32 << 20

// NewReader reads from the first of the places that has a file; cache is in
// bytes, 0 = DefaultCache.
func NewReader(cache int, places ...Place) *Reader {
	if cache <= 0 {
		cache = DefaultCache
	}
	return &Reader{places: places, limit: cache, kept: map[key][][]byte{}}
}

// fetchTime bounds one fetch: a page must not hang on a store that is silent.
const fetchTime = 20 * time.Second

// Group returns a group's value as it stood in the journal; it must not be
// changed. The error wraps ErrUnreachable or ErrDamaged.
func (r *Reader) Group(ctx context.Context, f *File, seq uint64) ([]byte, error) {
	i, found := slices.BinarySearchFunc(f.Blocks, seq, func(b Block, seq uint64) int {
		switch {
		case b.First < seq:
			return -1
		case b.First > seq:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 || seq > f.Last {
		return nil, fmt.Errorf("%w: %s has no group %d", ErrDamaged, f.Name, seq)
	}
	b := &f.Blocks[i]
	groups, err := r.block(ctx, f, b)
	if err != nil {
		return nil, err
	}
	if n := seq - b.First; n < uint64(len(groups)) {
		return groups[n], nil
	}
	return nil, fmt.Errorf("%w: %s has no group %d", ErrDamaged, f.Name, seq)
}

func (r *Reader) block(ctx context.Context, f *File, b *Block) ([][]byte, error) {
	k := key{f.Name, b.First}
	r.mu.Lock()
	groups, ok := r.kept[k]
	if ok {
		i := slices.Index(r.order, k)
		r.order = append(slices.Delete(r.order, i, i+1), k)
	}
	r.mu.Unlock()
	if ok {
		return groups, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	packed := make([]byte, b.Length)
	if err := fetch(ctx, r.places, f.Name, b.Offset, packed); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	groups, err := b.open(packed)
	if err != nil {
		return nil, fmt.Errorf("archive file %s: %w", f.Name, err)
	}
	r.keep(k, groups)
	return groups, nil
}

func (r *Reader) keep(k key, groups [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.kept[k]; ok {
		return // somebody else fetched it too
	}
	r.kept[k], r.order, r.bytes = groups, append(r.order, k), r.bytes+size(groups)
	for r.bytes > r.limit && len(r.order) > 1 {
		r.bytes -= size(r.kept[r.order[0]])
		delete(r.kept, r.order[0])
		r.order = r.order[1:]
	}
}

func size(groups [][]byte) int {
	n := 0
	for _, g := range groups {
		n += len(g) + 4
	}
	return n
}

// ReadBack reads a whole file from a place and checks that it is f, byte for byte.
func ReadBack(ctx context.Context, p Place, f *File) error {
	b := make([]byte, f.Size)
	if err := p.Read(ctx, f.Name, 0, b); err != nil {
		return fmt.Errorf("read %s back from %s: %w", f.Name, p, err)
	}
	got, err := Parse(b)
	if err == nil && (got.SHA256 != f.SHA256 || got.First != f.First || got.Last != f.Last || got.Head != f.Head) {
		err = fmt.Errorf("%w: its SHA-256 is %x, written was %x", ErrDamaged, got.SHA256, f.SHA256)
	}
	if err != nil {
		return fmt.Errorf("read %s back from %s: %w", f.Name, p, err)
	}
	for i := range got.Blocks {
		k := &got.Blocks[i]
		if _, err := k.open(b[k.Offset : k.Offset+int64(k.Length)]); err != nil {
			return fmt.Errorf("read %s back from %s: %w", f.Name, p, err)
		}
	}
	return nil
}
