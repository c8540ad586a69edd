package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// Report tells what Verify found.
type Report struct {
	Groups, Frames, Rows int64
	Unread               int64         // encrypted frames that no known key opens: their rows could not be made again
	Head                 [hashLen]byte // hash of the last group
	Faults               []string      // at most 100
}

// OK reports that nothing was found.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < 100 {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Decode reads the values of a stored frame again.
type Decode func(f StoredFrame) ([]telemetry.Value, error)

// Decoder reads frames as the gateway did; keys are the SM4 keys a logger has
// or had, nil = none are known.
func Decoder(keys func(mn string) [][]byte) Decode {
	return func(f StoredFrame) ([]telemetry.Value, error) {
		seg, err := f.Segment(keys)
		if err != nil {
			return nil, err
		}
		var p hj212.Packet
		if err := p.Parse(seg); err != nil {
			return nil, err
		}
		return telemetry.ValuesOf(&p, nil), nil
	}
}

// Segment is the data segment of the frame as the gateway read it, decrypted with
// the keys its logger has or had where it came encrypted; keys may be nil.
func (f *StoredFrame) Segment(keys func(mn string) [][]byte) ([]byte, error) {
	if !f.Sealed {
		if seg, err := hj212.Segment(f.Raw); err == nil {
			return seg, nil
		}
	}
	// Whatever fault a stored frame has, it was forgiven.
	o := hj212.ScanOptions{Tolerate: func([]byte) hj212.Tolerance { return hj212.Tolerance{BadCRC: true, BadLength: true} }}
	if f.Sealed && keys != nil {
		o.Keys = func([]byte) [][]byte { return keys(f.MN) }
	}
	s := hj212.NewScanner(o)
	s.Feed(append(bytes.Clone(f.Raw), "\r\n"...))
	var got []byte
	err := hj212.ErrNoSegment
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		switch {
		case ev.Err != nil:
			err = ev.Err
		case f.Sealed && !ev.Encrypted: // taken for a plain frame, for want of the key
		default:
			got, err = bytes.Clone(ev.Seg), nil
		}
	}
	return got, err
}

// Verify reads the whole journal: it recomputes the hash chain and makes every
// series row again from its frame, and compares byte for byte.
func (s *Store) Verify(ctx context.Context, decode Decode) (Report, error) {
	var r Report
	e, err := s.use()
	if err != nil {
		return r, err
	}
	defer e.Release()
	snap := e.DB.NewSnapshot()
	defer snap.Close()
	shapes := map[string]uint32{}
	var c chain
	err = s.walkIn(ctx, snap, 1, math.MaxUint64, func(seq uint64, value []byte) (bool, error) {
		content := c.next(&r, seq, value)
		if content == nil {
			return true, nil
		}
		es, err := parseContent(content, true)
		if err != nil {
			r.fault("group %d: %v", seq, err)
			return true, nil
		}
		for i := range es {
			r.Frames++
			if err := s.verifyEntry(snap, &r, shapes, telemetry.Locator{Seq: seq, Index: uint16(i)}, &es[i], r.Head, decode); err != nil {
				return false, err
			}
		}
		return true, ctx.Err()
	})
	if err != nil {
		return r, err
	}
	return r, s.verifyCounts(snap, &r, shapes)
}

func (s *Store) verifyEntry(snap *pebble.Snapshot, r *Report, shapes map[string]uint32, l telemetry.Locator, e *entry, hash [hashLen]byte, decode Decode) error {
	if _, closer, err := snap.Get(indexKey(nil, e.mn, l)); err != nil {
		r.fault("frame %s is not in its logger's index: %v", l, err)
	} else {
		_ = closer.Close()
	}
	if e.verdict != telemetry.Stored && e.verdict != telemetry.Revision || e.outlet == 0 || e.kind == telemetry.KindMessage || e.at == 0 {
		return nil
	}
	vs, err := decode(s.frame(l, e, hash))
	if err != nil && !e.sealed {
		r.fault("frame %s cannot be decoded again: %v", l, err)
		return nil
	}
	if err == nil && len(vs) == 0 {
		return nil
	}
	got, closer, getErr := snap.Get(appendLocator(seriesTime(nil, e.outlet, e.kind, e.at), l))
	if err != nil { // no key opens it: what is there must be believed
		r.Unread++
		if getErr == nil {
			r.Rows++
			s.believeShape(got, shapes)
			_ = closer.Close()
		}
		return nil
	}
	text := shapeText(vs)
	id, ok := shapes[text]
	if !ok {
		id = uint32(len(shapes) + 1)
		shapes[text] = id
	}
	if getErr != nil {
		r.fault("frame %s has no row: %v", l, getErr)
		return nil
	}
	defer closer.Close()
	if row := appendRow(nil, &shape{id: id}, e.rf, e.received/1e6-e.at, vs); !bytes.Equal(got, row) {
		r.fault("the row of frame %s is not what the frame gives", l)
	}
	r.Rows++
	return nil
}

// believeShape gives the shape of a row that cannot be made again its number,
// so that the numbers of later ones follow.
func (s *Store) believeShape(row []byte, shapes map[string]uint32) {
	var rec telemetry.Record
	if s.parseRow(row, &rec) != nil {
		return
	}
	if text := shapeText(rec.Values); shapes[text] == 0 {
		shapes[text] = uint32(len(shapes) + 1)
	}
}

// verifyCounts finds rows and shapes that no frame accounts for.
func (s *Store) verifyCounts(snap *pebble.Snapshot, r *Report, shapes map[string]uint32) error {
	rows := int64(0)
	if err := each(snap, pSeries, func(_, _ []byte) { rows++ }); err != nil {
		return err
	}
	if rows != r.Rows {
		r.fault("%d rows, but the journal gives %d", rows, r.Rows)
	}
	var odd []string
	err := each(snap, pShape, func(k, v []byte) {
		if id := binary.BigEndian.Uint32(k[1:]); shapes[string(v)] != id {
			odd = append(odd, fmt.Sprintf("shape %d is not the one that the journal gives", id))
		}
	})
	sort.Strings(odd)
	for _, o := range odd {
		r.fault("%s", o)
	}
	return err
}

func each(snap *pebble.Snapshot, prefix byte, fn func(k, v []byte)) error {
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		fn(it.Key(), it.Value())
	}
	return it.Error()
}
