package entitystore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"plateau/internal/sensorthings"
)

// Bits of a row's first byte.
const (
	bitDecimal     = 1 << iota // result as coefficient and scale, else JSON text
	bitPeriod                  // the phenomenon has an end of its own
	bitResultSame              // result time is the start of the phenomenon
	bitResultOther             // result time is another
	bitValid
	bitQuality
	bitParameters
	bitFeature // the feature is not the Datastream's usual one
)

var errDamaged = errors.New("entitystore: damaged row")

// appendRow writes what the key does not tell of an observation; strange means
// that its feature is not the usual one.
func appendRow(dst []byte, o *sensorthings.Observation, strange bool) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var bits byte
	if c, scale, ok := parseDecimal(o.Result); ok {
		bits |= bitDecimal
		dst = binary.AppendUvarint(dst, zigzag(c)<<3|uint64(scale))
	} else {
		dst = appendText(dst, o.Result)
	}
	if !o.Phenomenon.Instant() {
		bits |= bitPeriod
		dst = binary.AppendVarint(dst, o.Phenomenon.End-o.Phenomenon.Start)
	}
	switch {
	case o.HasResultTime && o.ResultTime == o.Phenomenon.Start:
		bits |= bitResultSame
	case o.HasResultTime:
		bits |= bitResultOther
		dst = binary.AppendVarint(dst, o.ResultTime-o.Phenomenon.Start)
	}
	if o.HasValid {
		bits |= bitValid
		dst = binary.AppendVarint(dst, o.Valid.Start-o.Phenomenon.Start)
		dst = binary.AppendVarint(dst, o.Valid.End-o.Valid.Start)
	}
	if o.Quality != nil {
		bits |= bitQuality
		dst = appendText(dst, o.Quality)
	}
	if o.Parameters != nil {
		bits |= bitParameters
		dst = appendText(dst, o.Parameters)
	}
	if strange {
		bits |= bitFeature
		dst = binary.AppendUvarint(dst, uint64(o.Feature))
	}
	dst[at] = bits
	return dst
}

func appendText(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// parseRow reads a row. Texts point into value; a number's text is written to
// text, which is returned to be used again. usual is the Datastream's feature.
func parseRow(o *sensorthings.Observation, key, value, text []byte, usual sensorthings.ID) ([]byte, error) {
	if len(key) != rowLen || len(value) == 0 {
		return text, fmt.Errorf("%w: key %x", errDamaged, key)
	}
	r := reader{b: value[1:]}
	bits := value[0]
	*o = sensorthings.Observation{Datastream: idOf(key[1:]), ID: idOf(key[1+idLen+timeLen:]), Feature: usual}
	start := timeOf(key[1+idLen:])
	o.Phenomenon = sensorthings.Span{Start: start, End: start}
	if bits&bitDecimal != 0 {
		u := r.uvarint()
		text = formatDecimal(text[:0], unzigzag(u>>3), uint(u&7))
		o.Result = text
	} else {
		o.Result = r.text()
	}
	if bits&bitPeriod != 0 {
		o.Phenomenon.End = start + r.varint()
	}
	switch {
	case bits&bitResultSame != 0:
		o.HasResultTime, o.ResultTime = true, start
	case bits&bitResultOther != 0:
		o.HasResultTime, o.ResultTime = true, start+r.varint()
	}
	if bits&bitValid != 0 {
		o.HasValid = true
		o.Valid.Start = start + r.varint()
		o.Valid.End = o.Valid.Start + r.varint()
	}
	if bits&bitQuality != 0 {
		o.Quality = r.text()
	}
	if bits&bitParameters != 0 {
		o.Parameters = r.text()
	}
	if bits&bitFeature != 0 {
		o.Feature = int64(r.uvarint())
	}
	if r.bad || len(r.b) != 0 {
		return text, fmt.Errorf("%w: key %x", errDamaged, key)
	}
	return text, nil
}

// reader reads varints and texts; bad tells that the bytes ended early.
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

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

func (r *reader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

// appendEntity writes properties and single relations.
func appendEntity(dst []byte, e *sensorthings.Entity) []byte {
	list := e.Set.Properties()
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for i, p := range list {
		if i >= len(e.Properties) || e.Properties[i] == nil || p.Computed {
			dst = append(dst, 0)
			continue
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(e.Properties[i]))+1), e.Properties[i]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.One)))
	for _, id := range e.One {
		dst = binary.AppendUvarint(dst, uint64(id))
	}
	return dst
}

// parseEntity reads what appendEntity wrote; nothing points into value.
func parseEntity(s sensorthings.Set, id sensorthings.ID, value []byte) (*sensorthings.Entity, error) {
	e := &sensorthings.Entity{Set: s, ID: id}
	r := reader{b: append([]byte(nil), value...)}
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		return nil, fmt.Errorf("%w: %s(%d)", errDamaged, s, id)
	}
	e.Properties = make([]json.RawMessage, max(int(n), len(s.Properties())))
	for i := range n {
		size := r.uvarint()
		if size == 0 {
			continue
		}
		if size-1 > uint64(len(r.b)) {
			r.bad = true
			break
		}
		e.Properties[i] = r.b[: size-1 : size-1]
		r.b = r.b[size-1:]
	}
	n = r.uvarint()
	if r.bad || n > uint64(len(r.b)) {
		return nil, fmt.Errorf("%w: %s(%d)", errDamaged, s, id)
	}
	for range n {
		e.One = append(e.One, int64(r.uvarint()))
	}
	if r.bad {
		return nil, fmt.Errorf("%w: %s(%d)", errDamaged, s, id)
	}
	return e, nil
}
