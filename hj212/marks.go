package hj212

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes of one value each.
const (
	each01 = 0x0101010101010101
	high   = 0x80 * each01
)

// gather brings the high bits of eight bytes together in the highest byte.
const gather = 0x0002040810204081

// separators has one bit for each byte of w, set for ',' '-' ';' '=' and a few
// others: '+', '<', some beyond ASCII. Without their bits 4 and 7 all of these
// lie from 0x2B to 0x2D and no other ASCII does, so one range test of eight
// bytes at once is enough; no sum carries into the next byte.
func separators(w uint64) uint64 {
	w &= 0x6F * each01
	from := w + (0x80-0x2B)*each01   // high bit: 0x2B or above
	beyond := w + (0x80-0x2E)*each01 // high bit: beyond 0x2D
	return (from ^ beyond) & high * gather >> 56
}

// aboveBlank marks (with the high bit) the bytes of w that without their bit 7
// are above ' '.
func aboveBlank(w uint64) uint64 { return w&(0x7F*each01) + (0x80-0x21)*each01 }

// stretch is how much of a segment is marked at once: nearly every whole one,
// and little enough to stay in the nearest cache.
const stretch = 1024

// marks has one bit for each byte of a stretch, the lowest first: set where the
// byte is a separator or looks like one (see separators).
type marks struct {
	bits  [stretch/64 + 1]uint64 // and a word that may be looked into
	from  int                    // where the stretch begins in the segment
	to    int                    // where it ends
	plain bool                   // no byte of it is a blank or control character
}

// set marks the stretch of seg that begins at from.
func (m *marks) set(seg []byte, from int) {
	m.from, m.to = from, min(len(seg), from+stretch)
	b := seg[from:m.to]
	above := uint64(high) // stays where all bytes are above ' '
	n := 0
	for ; len(b) >= 64; n++ {
		stops, a := separators64((*[64]byte)(b))
		m.bits[n&15] = stops
		above &= a
		b = b[64:]
	}
	var stops uint64
	if len(b) > 0 { // the rest as the end of the last 64 bytes
		var short [64]byte // its zeros count as blanks: looked at more closely then
		last := &short
		if m.to >= 64 {
			last = (*[64]byte)(seg[m.to-64:])
		} else {
			copy(short[64-len(b):], b)
		}
		var a uint64
		stops, a = separators64(last)
		stops >>= 64 - len(b)
		above &= a
	}
	m.bits[n] = stops
	if n++; n < len(m.bits) {
		m.bits[n] = 0 // of an earlier stretch
	}
	m.plain = above&high == high
}

// separators64 is separators for 64 bytes, and aboveBlank for eight times eight.
func separators64(b *[64]byte) (stops, above uint64) {
	w0, w1 := binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])
	w2, w3 := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	stops = separators(w0) | separators(w1)<<8 | separators(w2)<<16 | separators(w3)<<24
	above = aboveBlank(w0) & aboveBlank(w1) & aboveBlank(w2) & aboveBlank(w3)
	w0, w1 = binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint64(b[40:])
	w2, w3 = binary.LittleEndian.Uint64(b[48:]), binary.LittleEndian.Uint64(b[56:])
	stops |= separators(w0)<<32 | separators(w1)<<40 | separators(w2)<<48 | separators(w3)<<56
	above &= aboveBlank(w0) & aboveBlank(w1) & aboveBlank(w2) & aboveBlank(w3)
	return stops, above
}

// add marks a place of the stretch.
func (m *marks) add(at int) {
	at -= m.from
	m.bits[at>>6&15] |= 1 << (at & 63)
}

// at returns the marks of the 64 bytes that begin at place i of the segment,
// which lies in the stretch.
func (m *marks) at(i int) uint64 {
	i -= m.from
	q := i >> 6 & 15
	return m.bits[q]>>(i&63) | m.bits[q+1]<<1<<(63-i&63)
}

// first is the place of the first mark in w, 64 when there is none.
func first(w uint64) int { return bits.TrailingZeros64(w) }
