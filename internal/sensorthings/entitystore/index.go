package entitystore

import (
	"encoding/binary"
	"fmt"

	"plateau/internal/sensorthings"
)

// place is where an observation's row is.
type place struct {
	ds    sensorthings.ID
	start int64
}

// indexed is an identifier with its place.
type indexed struct {
	id sensorthings.ID
	place
}

// maxIndexed is how many identifiers one index row has at most.
const maxIndexed = 1024

// appendPlaces packs the places of consecutive identifiers: Datastreams as
// differences, starts as differences of differences within a Datastream, in
// milliseconds where all are whole ones.
func appendPlaces(dst []byte, ps []place) []byte {
	unit := int64(1000)
	for i := range ps {
		if s := ps[i].start; s%1000 != 0 || s > 1<<61 || s < -1<<61 {
			unit = 1
			break
		}
	}
	head := uint64(len(ps)) << 1
	if unit == 1000 {
		head |= 1
	}
	dst = binary.AppendUvarint(dst, head)
	var before place
	for i := range ps {
		dst = binary.AppendVarint(dst, ps[i].ds-before.ds)
		before = ps[i]
	}
	before = place{}
	var step int64
	for i := range ps {
		d := (ps[i].start - before.start) / unit
		if unit == 1 {
			d = ps[i].start - before.start
		}
		if i > 0 && ps[i].ds == before.ds {
			dst = binary.AppendVarint(dst, d-step)
			step = d
		} else {
			dst = binary.AppendVarint(dst, d)
			step = 0
		}
		before = ps[i]
	}
	return dst
}

// parsePlaces unpacks a row of the index into ps, which is used again.
func parsePlaces(ps []indexed, key, value []byte) ([]indexed, error) {
	ps = ps[:0]
	r := reader{b: value}
	head := r.uvarint()
	n, unit := head>>1, int64(1)
	if head&1 != 0 {
		unit = 1000
	}
	if len(key) != 1+idLen || n > uint64(len(value)) {
		return nil, fmt.Errorf("%w: key %x", errDamaged, key)
	}
	id, ds := idOf(key[1:]), int64(0)
	for range n {
		ds += r.varint()
		ps = append(ps, indexed{id, place{ds: ds}})
		id++
	}
	var start, step int64
	for i := range ps {
		d := r.varint()
		if i > 0 && ps[i].ds == ps[i-1].ds {
			d += step
			step = d
		} else {
			step = 0
		}
		start += d * unit
		ps[i].start = start
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: key %x", errDamaged, key)
	}
	return ps, nil
}

func appendPlace(dst []byte, p place) []byte { return appendTime(appendID(dst, p.ds), p.start) }

func placeOf(b []byte) (place, error) {
	if len(b) != idLen+timeLen {
		return place{}, errDamaged
	}
	return place{idOf(b), timeOf(b[idLen:])}, nil
}
