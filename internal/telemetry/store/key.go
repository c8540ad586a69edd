package store

import (
	"encoding/binary"

	"plateau/internal/telemetry"
)

// Prefixes of the keys. Numbers are big-endian, so keys sort by them.
const (
	pJournal = 'j' // seq8 -> group
	pSeries  = 's' // outlet4 kind1 at8 seq8 idx2 -> row
	pIndex   = 'd' // mn4 seq8 idx2 -> verdict
	pName    = 'm' // MN -> mn4
	pShape   = 'f' // shape4 -> names
	pClock   = 't' // run8 minute8 -> first seq8 that holds a frame received in that minute or later
	pMessage = 'k' // mn4 hash8 -> locator
	pDerived = 'x' // table1 outlet4 at8 -> value
	pCursor  = 'c' // name -> seq8
	pArchive = 'a' // last seq8 -> record of the archive file that ends there
)

// at keeps the order of times before 1970 too.
func atBits(at int64) uint64 { return uint64(at) ^ 1<<63 }
func atOf(b []byte) int64    { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }

func journalKey(dst []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, pJournal), seq)
}

func archiveKey(dst []byte, last uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, pArchive), last)
}

func seriesPrefix(dst []byte, o telemetry.OutletID, k telemetry.Kind) []byte {
	return append(binary.BigEndian.AppendUint32(append(dst, pSeries), uint32(o)), byte(k))
}

func seriesTime(dst []byte, o telemetry.OutletID, k telemetry.Kind, at int64) []byte {
	return binary.BigEndian.AppendUint64(seriesPrefix(dst, o, k), atBits(at))
}

// clockKey is the mark of a minute of receipt in the run that began with a sequence.
func clockKey(dst []byte, run uint64, minute int64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, pClock), run)
	return binary.BigEndian.AppendUint64(dst, atBits(minute))
}

// minuteOf returns the minute that a time in microseconds falls in.
func minuteOf(us int64) int64 {
	m := us / 60e6
	if us < 0 && us%60e6 != 0 {
		m--
	}
	return m
}

const seriesKeyLen = 1 + 4 + 1 + 8 + 8 + 2

func appendLocator(dst []byte, l telemetry.Locator) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(dst, l.Seq), l.Index)
}

func locatorOf(b []byte) telemetry.Locator {
	return telemetry.Locator{Seq: binary.BigEndian.Uint64(b), Index: binary.BigEndian.Uint16(b[8:])}
}

func indexKey(dst []byte, mn uint32, l telemetry.Locator) []byte {
	return appendLocator(binary.BigEndian.AppendUint32(append(dst, pIndex), mn), l)
}

func derivedKey(table byte, o telemetry.OutletID, at int64) []byte {
	key := binary.BigEndian.AppendUint32([]byte{pDerived, table}, uint32(o))
	return binary.BigEndian.AppendUint64(key, atBits(at))
}

// after returns the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
