package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// Marks at the beginning and the end of a file.
const (
	magic    = "PLATARC1"
	endMagic = "PLATEND1"

	headerLen  = 8 + 8 + sha256.Size
	entryLen   = 8 + 8 + 4 + 4 + sha256.Size
	trailerLen = 8 + 4 + 8 + 8 + 8 + sha256.Size + 8

	// BlockSize is about how much of groups stands in one block; reading one
	// frame fetches one block.
	BlockSize = 1 << 20
	maxBlock  = 1 << 28
)

// Block is a stretch of groups packed together.
type Block struct {
	First  uint64 // sequence of its first group
	Offset int64
	Length int // packed
	Raw    int // unpacked
	SHA256 [sha256.Size]byte
}

// File describes one archive file.
type File struct {
	Name        string
	First, Last uint64            // sequences of its first and last group
	From, To    int64             // first and last time of receipt, Unix microseconds
	Before      [sha256.Size]byte // chain hash of the group before the first
	Head        [sha256.Size]byte // chain hash of the last group
	Size        int64
	SHA256      [sha256.Size]byte // of the whole file
	Blocks      []Block
}

var (
	packer, _   = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	unpacker, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
)

// ErrDamaged wraps what is said of a file that is not as it was written.
var ErrDamaged = errors.New("damaged archive")

// Writer writes a file into a folder under a temporary name.
type Writer struct {
	f    *os.File
	out  *bufio.Writer
	sum  hash.Hash
	file File
	off  int64
	raw  []byte // of the block being filled
	from uint64 // its first sequence
}

// Create begins a file that will hold the groups from first on; before is the
// chain hash of the group before it.
func Create(dir string, first uint64, before [sha256.Size]byte) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "sealing-*")
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, sum: sha256.New(), file: File{First: first, Last: first - 1, Before: before}}
	w.out = bufio.NewWriterSize(io.MultiWriter(f, w.sum), 1<<20)
	head := binary.BigEndian.AppendUint64([]byte(magic), first)
	return w, w.write(append(head, before[:]...))
}

func (w *Writer) write(p []byte) error {
	w.off += int64(len(p))
	_, err := w.out.Write(p)
	return err
}

// Add appends the next group: its value as it stands in the journal, its chain
// hash, and the first and last time of receipt in it (Unix microseconds).
func (w *Writer) Add(value []byte, head [sha256.Size]byte, from, to int64) error {
	f := &w.file
	if f.Last < f.First || from < f.From {
		f.From = from
	}
	if f.Last < f.First || to > f.To {
		f.To = to
	}
	f.Last++
	f.Head = head
	if len(w.raw) == 0 {
		w.from = f.Last
	}
	w.raw = binary.BigEndian.AppendUint32(w.raw, uint32(len(value)))
	w.raw = append(w.raw, value...)
	if len(w.raw) < BlockSize {
		return nil
	}
	return w.flush()
}

// Written is how many packed bytes are in the file.
func (w *Writer) Written() int64 { return w.off }

func (w *Writer) flush() error {
	if len(w.raw) == 0 {
		return nil
	}
	packed := packer.EncodeAll(w.raw, nil)
	w.file.Blocks = append(w.file.Blocks, Block{First: w.from, Offset: w.off, Length: len(packed), Raw: len(w.raw), SHA256: sha256.Sum256(packed)})
	w.raw = w.raw[:0]
	return w.write(packed)
}

// Close ends the file, makes it durable under its name and returns what it is
// and where it lies.
func (w *Writer) Close() (File, string, error) {
	f := &w.file
	path, err := w.finish()
	if err != nil {
		w.Abort()
		return *f, "", fmt.Errorf("write archive file: %w", err)
	}
	return *f, path, nil
}

func (w *Writer) finish() (string, error) {
	if err := w.flush(); err != nil {
		return "", err
	}
	f := &w.file
	index := w.off
	var b []byte
	for _, k := range f.Blocks {
		b = binary.BigEndian.AppendUint64(b, k.First)
		b = binary.BigEndian.AppendUint64(b, uint64(k.Offset))
		b = binary.BigEndian.AppendUint32(b, uint32(k.Length))
		b = binary.BigEndian.AppendUint32(b, uint32(k.Raw))
		b = append(b, k.SHA256[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(index))
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Blocks)))
	b = binary.BigEndian.AppendUint64(b, f.Last)
	b = binary.BigEndian.AppendUint64(b, uint64(f.From))
	b = binary.BigEndian.AppendUint64(b, uint64(f.To))
	b = append(append(b, f.Head[:]...), endMagic...)
	if err := errors.Join(w.write(b), w.out.Flush(), w.f.Sync(), w.f.Close()); err != nil {
		return "", err
	}
	f.Size = w.off
	w.sum.Sum(f.SHA256[:0])
	f.Name = fmt.Sprintf("%012d-%012d-%s.plar", f.First, f.Last, hex.EncodeToString(f.SHA256[:8]))
	path := filepath.Join(filepath.Dir(w.f.Name()), f.Name)
	return path, os.Rename(w.f.Name(), path)
}

// Abort throws the file away.
func (w *Writer) Abort() {
	_ = w.f.Close()
	_ = os.Remove(w.f.Name())
}

// Parse reads what a whole file says of itself and checks all of it: marks,
// index, and every block's hash.
func Parse(b []byte) (File, error) {
	f := File{Size: int64(len(b)), SHA256: sha256.Sum256(b)}
	if len(b) < headerLen+trailerLen || string(b[:8]) != magic || string(b[len(b)-8:]) != endMagic {
		return f, fmt.Errorf("%w: it does not begin or end as one does", ErrDamaged)
	}
	f.First = binary.BigEndian.Uint64(b[8:])
	copy(f.Before[:], b[16:])
	t := b[len(b)-trailerLen:]
	index, n := binary.BigEndian.Uint64(t), uint64(binary.BigEndian.Uint32(t[8:]))
	f.Last, f.From, f.To = binary.BigEndian.Uint64(t[12:]), int64(binary.BigEndian.Uint64(t[20:])), int64(binary.BigEndian.Uint64(t[28:]))
	copy(f.Head[:], t[36:])
	if index < headerLen || index > uint64(len(b)) || index+n*entryLen+trailerLen != uint64(len(b)) {
		return f, fmt.Errorf("%w: its index of %d blocks at byte %d does not fit %d bytes", ErrDamaged, n, index, len(b))
	}
	if f.Last < f.First {
		return f, fmt.Errorf("%w: it ends with group %d before it begins with %d", ErrDamaged, f.Last, f.First)
	}
	next := int64(headerLen)
	for e := b[index : len(b)-trailerLen]; len(e) > 0; e = e[entryLen:] {
		k := Block{
			First: binary.BigEndian.Uint64(e), Offset: int64(binary.BigEndian.Uint64(e[8:])),
			Length: int(binary.BigEndian.Uint32(e[16:])), Raw: int(binary.BigEndian.Uint32(e[20:])),
		}
		copy(k.SHA256[:], e[24:])
		last := len(f.Blocks) - 1
		if k.Offset != next || int64(k.Length) > int64(index)-next || k.First > f.Last || last >= 0 && k.First <= f.Blocks[last].First {
			return f, fmt.Errorf("%w: its blocks do not follow each other at byte %d", ErrDamaged, next)
		}
		next += int64(k.Length)
		if sha256.Sum256(b[k.Offset:next]) != k.SHA256 {
			return f, fmt.Errorf("%w: the block at byte %d is not what was written", ErrDamaged, k.Offset)
		}
		f.Blocks = append(f.Blocks, k)
	}
	if next != int64(index) || len(f.Blocks) == 0 || f.Blocks[0].First != f.First {
		return f, fmt.Errorf("%w: its blocks do not fill it", ErrDamaged)
	}
	return f, nil
}

// open unpacks a block that was fetched and returns its groups' values.
func (k *Block) open(packed []byte) ([][]byte, error) {
	if sha256.Sum256(packed) != k.SHA256 {
		return nil, fmt.Errorf("%w: the block at byte %d is not what was written", ErrDamaged, k.Offset)
	}
	raw, err := unpacker.DecodeAll(packed, nil) // no hash stands for Raw, so it asks for no memory
	if err != nil {
		return nil, fmt.Errorf("%w: the block at byte %d: %w", ErrDamaged, k.Offset, err)
	}
	if len(raw) != k.Raw {
		return nil, fmt.Errorf("%w: the block at byte %d holds %d bytes, not %d", ErrDamaged, k.Offset, len(raw), k.Raw)
	}
	var out [][]byte
	for r := bytes.NewBuffer(raw); r.Len() > 0; {
		head := r.Next(4)
		if len(head) < 4 {
			return nil, fmt.Errorf("%w: the block at byte %d ends in a group", ErrDamaged, k.Offset)
		}
		n := int(binary.BigEndian.Uint32(head))
		if n > r.Len() {
			return nil, fmt.Errorf("%w: the block at byte %d ends in a group", ErrDamaged, k.Offset)
		}
		out = append(out, r.Next(n))
	}
	return out, nil
}
