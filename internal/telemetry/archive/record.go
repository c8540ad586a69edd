package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// recordWriter and recordReader are the binary form of a record.
type recordWriter struct{ b []byte }

func (w *recordWriter) number(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *recordWriter) text(s string) {
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *recordReader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *recordReader) hash(h *[sha256.Size]byte) {
	if len(r.b) < len(h) {
		r.bad = true
		return
	}
	copy(h[:], r.b)
	r.b = r.b[len(h):]
}

// AppendRecord writes what the store remembers of a file; ReadRecord reads it.
func (f *File) AppendRecord(dst []byte) []byte {
	w := recordWriter{dst}
	w.text(f.Name)
	for _, v := range []uint64{f.First, f.Last, uint64(f.From), uint64(f.To), uint64(f.Size), uint64(len(f.Blocks))} {
		w.number(v)
	}
	w.b = append(append(append(w.b, f.Before[:]...), f.Head[:]...), f.SHA256[:]...)
	for i := range f.Blocks {
		k := &f.Blocks[i]
		for _, v := range []uint64{k.First, uint64(k.Offset), uint64(k.Length), uint64(k.Raw)} {
			w.number(v)
		}
		w.b = append(w.b, k.SHA256[:]...)
	}
	return w.b
}

// ReadRecord reads what AppendRecord wrote.
func ReadRecord(b []byte) (*File, error) {
	r := recordReader{b: b}
	f := &File{Name: r.text()}
	f.First, f.Last = r.number(), r.number()
	f.From, f.To, f.Size = int64(r.number()), int64(r.number()), int64(r.number())
	n := r.number()
	for _, h := range []*[sha256.Size]byte{&f.Before, &f.Head, &f.SHA256} {
		r.hash(h)
	}
	for i := uint64(0); i < n && !r.bad; i++ {
		k := Block{First: r.number(), Offset: int64(r.number()), Length: int(r.number()), Raw: int(r.number())}
		r.hash(&k.SHA256)
		f.Blocks = append(f.Blocks, k)
	}
	if r.bad || len(r.b) != 0 || len(f.Blocks) == 0 || f.Last < f.First {
		return nil, fmt.Errorf("%w: the record of an archive file in the store", ErrDamaged)
	}
	return f, nil
}
