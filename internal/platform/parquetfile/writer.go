package parquetfile

import (
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// groupRows is how many rows a group has: a group is in memory until it is
// complete.
const groupRows = 8192

// bufRows is how many rows are handed on at one time.
const bufRows = 512

// Writer writes rows of T.
type Writer[T any] struct {
	w   *parquet.GenericWriter[T]
	buf []T
}

// New begins a file in w. The file names plateau in version, and part, as what
// made it, and holds about as its metadata.
func New[T any](w io.Writer, version, part string, about map[string]string) *Writer[T] {
	o := []parquet.WriterOption{parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("plateau", version, part)}
	for _, k := range slices.Sorted(maps.Keys(about)) {
		o = append(o, parquet.KeyValueMetadata(k, about[k]))
	}
	return &Writer[T]{w: parquet.NewGenericWriter[T](w, o...)}
}

// Write adds a row.
func (s *Writer[T]) Write(r *T) error {
	if s.buf = append(s.buf, *r); len(s.buf) < bufRows {
		return nil
	}
	return s.flush()
}

func (s *Writer[T]) flush() error {
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// Close completes the file; what it is written to stays open.
func (s *Writer[T]) Close() error { return errors.Join(s.flush(), s.w.Close()) }
