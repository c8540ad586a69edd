package entitystore

import (
	"encoding/binary"

	"plateau/internal/sensorthings"
)

// First bytes of keys; DESIGN.md has the table.
const (
	kEntity    = 'e' // set id → properties, single relations
	kReverse   = 'r' // set id relation other → nothing
	kGenerated = 'g' // location → feature made from it
	kRow       = 'o' // datastream start id → observation
	kEnd       = 'p' // datastream end id → nothing; of observations over a period
	kResult    = 'q' // datastream result-time id → nothing; where it is not the start
	kIndex     = 'i' // first id → (datastream, start) of it and those behind it
	kMoved     = 'v' // id → (datastream, start); of observations that were given others
	kSummary   = 's' // datastream → summary
	kFeature   = 'f' // feature datastream id → start; where it is not the usual one
	kFeatureIn = 'u' // feature datastream → nothing
	kFeatureOf = 'y' // datastream feature → nothing
	kSweep     = 'w' // datastream → range of ids whose index is to be cleaned
	kCounter   = 'n' // which → next identifier
)

const (
	counterEntity = iota
	counterObservation
)

const (
	idLen     = 7
	timeLen   = 9
	minuteLen = 60_000_000 // microseconds
	rowLen    = 1 + idLen + timeLen + idLen
	maxID     = sensorthings.ID(1)<<53 - 1
)

func valid(id sensorthings.ID) bool { return id > 0 && id <= maxID }

func appendID(dst []byte, id sensorthings.ID) []byte {
	return append(dst, byte(id>>48), byte(id>>40), byte(id>>32), byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

func idOf(b []byte) sensorthings.ID {
	_ = b[6]
	return int64(b[0])<<48 | int64(b[1])<<40 | int64(b[2])<<32 | int64(b[3])<<24 | int64(b[4])<<16 | int64(b[5])<<8 | int64(b[6])
}

// appendTime writes Unix microseconds so that they sort as bytes: minutes in
// five, milliseconds of the minute in two, microseconds of the millisecond in two.
// What comes at a regular interval then changes in few bytes, and packs well.
func appendTime(dst []byte, us int64) []byte {
	minute := us / minuteLen
	rest := us - minute*minuteLen
	if rest < 0 {
		minute, rest = minute-1, rest+minuteLen
	}
	m := uint64(minute + 1<<39)
	ms, us := rest/1000, rest%1000
	return append(dst, byte(m>>32), byte(m>>24), byte(m>>16), byte(m>>8), byte(m), byte(ms>>8), byte(ms), byte(us>>8), byte(us))
}

func timeOf(b []byte) int64 {
	_ = b[8]
	m := int64(b[0])<<32 | int64(binary.BigEndian.Uint32(b[1:]))
	return (m-1<<39)*minuteLen + int64(binary.BigEndian.Uint16(b[5:]))*1000 + int64(binary.BigEndian.Uint16(b[7:]))
}

// prefix starts a key of one or two identifiers.
func prefix(dst []byte, kind byte, ids ...sensorthings.ID) []byte {
	dst = append(dst, kind)
	for _, id := range ids {
		dst = appendID(dst, id)
	}
	return dst
}

// timed is a key of datastream, time and identifier.
func timed(dst []byte, kind byte, ds sensorthings.ID, us int64, id sensorthings.ID) []byte {
	return appendID(appendTime(prefix(dst, kind, ds), us), id)
}

func entityKey(s sensorthings.Set, id sensorthings.ID) []byte {
	return appendID([]byte{kEntity, byte(s)}, id)
}

// reverseKey lists other at the end of a relation, which is named by its place in
// the set's list.
func reverseKey(s sensorthings.Set, id sensorthings.ID, relation int, other sensorthings.ID) []byte {
	return appendID(append(appendID([]byte{kReverse, byte(s)}, id), byte(relation)), other)
}

// after is the first key behind all that begin with p.
func after(p []byte) []byte {
	q := append([]byte(nil), p...)
	for i := len(q) - 1; i >= 0; i-- {
		if q[i]++; q[i] != 0 {
			return q[:i+1]
		}
	}
	return nil
}
