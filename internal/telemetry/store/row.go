package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/telemetry"
)

// A shape is the list of names of a record. Loggers send the same list again
// and again, so a row holds its number only.
type shape struct {
	id    uint32
	names []name
}

type name struct{ code, suffix string }

func (s *shape) fits(vs []telemetry.Value) bool {
	if len(vs) != len(s.names) {
		return false
	}
	for i := range vs {
		if vs[i].Code != s.names[i].code || vs[i].Suffix != s.names[i].suffix {
			return false
		}
	}
	return true
}

// shapeText is the form in which a shape is kept: every name with its length before it.
func shapeText(vs []telemetry.Value) string {
	var b []byte
	put := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	for i := range vs {
		put(vs[i].Code)
		put(vs[i].Suffix)
	}
	return string(b)
}

func parseShape(id uint32, text []byte) *shape {
	s := &shape{id: id}
	for r := (reader{b: text}); len(r.b) > 0; {
		code := telemetry.Intern(r.bytes(r.uvarint()))
		s.names = append(s.names, name{code, telemetry.Intern(r.bytes(r.uvarint()))})
	}
	return s
}

// Bits of a row's first byte.
const (
	rowRF     = 1 << 0
	rowAllN   = 1 << 1 // every mark is N
	rowNoMark = 1 << 2 // no value has a mark
)

// Numbers carry their scale in three bits; 7 leads to the long forms.
const (
	longForm    = 7
	longText    = 0
	longDecimal = 1
)

// appendRow writes values in the compact form: flags, shape, receive delay in
// seconds, numbers, marks. Equal input gives equal bytes.
func appendRow(dst []byte, sh *shape, rf bool, delay int64, vs []telemetry.Value) []byte {
	flags, marks := byte(0), true
	allN, none := true, true
	for i := range vs {
		allN = allN && vs[i].Flag == "N"
		none = none && vs[i].Flag == ""
	}
	switch {
	case none:
		flags, marks = rowNoMark, false
	case allN:
		flags, marks = rowAllN, false
	}
	if rf {
		flags |= rowRF
	}
	dst = binary.AppendUvarint(append(dst, flags), uint64(sh.id))
	dst = binary.AppendVarint(dst, delay)
	for i := range vs {
		v := &vs[i]
		zig := uint64(v.Dec.Coef)<<1 ^ uint64(v.Dec.Coef>>63)
		switch {
		case v.Text != "" || !v.IsNum:
			dst = binary.AppendUvarint(dst, longText<<3|longForm)
			dst = binary.AppendUvarint(dst, uint64(len(v.Text)))
			dst = append(dst, v.Text...)
		case v.Dec.Scale < longForm && zig < 1<<60:
			dst = binary.AppendUvarint(dst, zig<<3|uint64(v.Dec.Scale))
		default:
			dst = binary.AppendUvarint(dst, longDecimal<<3|longForm)
			dst = binary.AppendUvarint(append(dst, v.Dec.Scale), zig)
		}
	}
	if !marks {
		return dst
	}
	for i := 0; i < len(vs); { // runs of equal marks
		n := 1
		for i+n < len(vs) && vs[i+n].Flag == vs[i].Flag {
			n++
		}
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = binary.AppendUvarint(dst, uint64(len(vs[i].Flag)))
		dst = append(dst, vs[i].Flag...)
		i += n
	}
	return dst
}

// ErrDamaged is what reading data wraps that are on the disk and cannot be read:
// trying again does not help, and other rows may be whole.
var ErrDamaged = errors.New("store: damaged data")

var errRow = fmt.Errorf("%w: row", ErrDamaged)

// damaged tells damage found by the tree from its other errors.
func damaged(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// reader takes a row apart; after a fault every further read gives zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// parseRow reads a row into rec.Values (reused), rec.RF and rec.Received.
func (s *Store) parseRow(row []byte, rec *telemetry.Record) error {
	r := reader{b: row}
	flags := r.byte()
	id := r.uvarint()
	rec.Received = (rec.At + r.varint()) * 1e6
	rec.RF = flags&rowRF != 0
	sh := s.shapeByID(uint32(id))
	if sh == nil || r.bad {
		return fmt.Errorf("%w: shape %d", errRow, id)
	}
	rec.Values = rec.Values[:0]
	for _, n := range sh.names {
		head := r.uvarint()
		if head&7 != longForm {
			zig := head >> 3
			rec.Values = append(rec.Values, telemetry.Value{Code: n.code, Suffix: n.suffix, IsNum: true, Dec: telemetry.Decimal{Coef: int64(zig>>1) ^ -int64(zig&1), Scale: uint8(head & 7)}})
			continue
		}
		if head>>3 == longText {
			rec.Values = append(rec.Values, telemetry.NewValue(n.code, n.suffix, r.bytes(r.uvarint())))
			continue
		}
		scale := r.byte()
		zig := r.uvarint()
		rec.Values = append(rec.Values, telemetry.Value{Code: n.code, Suffix: n.suffix, IsNum: true, Dec: telemetry.Decimal{Coef: int64(zig>>1) ^ -int64(zig&1), Scale: scale}})
	}
	switch {
	case flags&rowAllN != 0:
		for i := range rec.Values {
			rec.Values[i].Flag = "N"
		}
	case flags&rowNoMark == 0:
		for i := 0; i < len(rec.Values) && !r.bad; {
			n := int(r.uvarint())
			mark := telemetry.Intern(r.bytes(r.uvarint()))
			for ; n > 0 && i < len(rec.Values); n-- {
				rec.Values[i].Flag = mark
				i++
			}
		}
	}
	if r.bad {
		return errRow
	}
	return nil
}
