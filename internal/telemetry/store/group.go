package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"plateau/internal/telemetry"
)

// entry is what a group tells of one frame, beside its bytes.
type entry struct {
	mn       uint32
	outlet   telemetry.OutletID
	kind     telemetry.Kind
	at       int64
	rf       bool
	sealed   bool // encrypted when it came
	verdict  telemetry.Verdict
	reason   string
	received int64 // µs
	raw      []byte
}

// Bits beside the verdict in an entry.
const (
	bitRF     = 0x80
	bitSealed = 0x40
)

const (
	groupPlain = 0
	groupZstd  = 1
	hashLen    = sha256.Size
	// Smaller groups are left to the block compression of the tree, which sees
	// many of them at once: measured, it packs groups of 20 to 1000 frames a
	// quarter better. Large ones are packed here, to write less to the log.
	compressFrom = 512 << 10
)

var (
	zEnc, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	zDec, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<28))
)

// appendContent writes the entries: what is said of the frames first, then
// their bytes, so that a reader of the first need not touch the second.
func appendContent(dst []byte, es []entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(es)))
	last := int64(0)
	for i := range es {
		e := &es[i]
		dst = binary.AppendVarint(dst, e.received-last)
		last = e.received
		dst = binary.AppendUvarint(dst, uint64(e.mn))
		dst = binary.AppendUvarint(dst, uint64(e.outlet))
		bits := byte(e.verdict)
		if e.rf {
			bits |= bitRF
		}
		if e.sealed {
			bits |= bitSealed
		}
		dst = append(dst, byte(e.kind), bits)
		dst = binary.AppendVarint(dst, e.at)
		dst = binary.AppendUvarint(dst, uint64(len(e.reason)))
		dst = append(dst, e.reason...)
		dst = binary.AppendUvarint(dst, uint64(len(e.raw)))
	}
	for i := range es {
		dst = append(dst, es[i].raw...)
	}
	return dst
}

var errGroup = errors.New("store: damaged journal group")

// parseContent reads what appendContent wrote; raws point into b.
func parseContent(b []byte, withRaw bool) ([]entry, error) {
	r := reader{b: b}
	n := r.uvarint()
	if n > uint64(len(b)) {
		return nil, errGroup
	}
	es := make([]entry, n)
	lens := make([]uint64, n)
	last := int64(0)
	for i := range es {
		e := &es[i]
		last += r.varint()
		e.received = last
		e.mn = uint32(r.uvarint())
		e.outlet = telemetry.OutletID(r.uvarint())
		e.kind = telemetry.Kind(r.byte())
		bits := r.byte()
		e.verdict, e.rf, e.sealed = telemetry.Verdict(bits&^(bitRF|bitSealed)), bits&bitRF != 0, bits&bitSealed != 0
		e.at = r.varint()
		e.reason = string(r.bytes(r.uvarint()))
		lens[i] = r.uvarint()
	}
	if withRaw {
		for i := range es {
			es[i].raw = r.bytes(lens[i])
		}
	}
	if r.bad {
		return nil, errGroup
	}
	return es, nil
}

// appendGroup writes a group's value: form, hash, content. The hash is over
// the former group's hash and the content before compression, so it does not
// depend on how the group is packed.
func appendGroup(dst, content []byte, prev [hashLen]byte) (value []byte, hash [hashLen]byte) {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(content)
	h.Sum(hash[:0])
	form := byte(groupPlain)
	if len(content) >= compressFrom {
		form = groupZstd
	}
	dst = append(append(dst, form), hash[:]...)
	if form == groupZstd {
		return zEnc.EncodeAll(content, dst), hash
	}
	return append(dst, content...), hash
}

// openGroup returns a group's content and hash.
func openGroup(value []byte) (content []byte, hash [hashLen]byte, err error) {
	if len(value) < 1+hashLen {
		return nil, hash, errGroup
	}
	copy(hash[:], value[1:])
	content = value[1+hashLen:]
	if value[0] == groupZstd {
		if content, err = zDec.DecodeAll(content, nil); err != nil {
			return nil, hash, fmt.Errorf("%w: %w", errGroup, err)
		}
	}
	return content, hash, nil
}

// StoredFrame is a received frame with what was said of it on receipt.
type StoredFrame struct {
	telemetry.Locator
	MN       string
	Outlet   telemetry.OutletID
	Kind     telemetry.Kind
	At       int64 // DataTime, Unix seconds; 0 when there is none
	RF       bool
	Sealed   bool // encrypted when it came; Raw still is
	Received time.Time
	Verdict  telemetry.Verdict
	Reason   string
	Raw      []byte
	Hash     [hashLen]byte // of its group, in the journal's chain
}

// GroupMeta is what a group tells without its frames.
type GroupMeta struct {
	Seq     uint64
	Entries []EntryMeta
}

// EntryMeta is what a reader of the journal needs to know of a frame.
type EntryMeta struct {
	Outlet   telemetry.OutletID
	Kind     telemetry.Kind
	At       int64
	Received int64 // Unix microseconds
	Verdict  telemetry.Verdict
}
