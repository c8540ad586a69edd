package entitystore

import (
	"encoding/binary"
	"fmt"

	"plateau/internal/sensorthings"
)

// summary is what is kept of a Datastream's observations, in memory and in a
// row that is written with each change. Its values are replaced, never changed.
type summary struct {
	change uint64 // grows with each change, so that no two states have equal rows

	count   int64
	results int64 // with a result time
	same    int64 // of these: result time is the start
	periods int64 // with an end of their own
	strange int64 // with another feature than the usual one

	first, last       int64 // earliest start, latest end; meaningful with count
	resFirst, resLast int64 // meaningful with results
	minID, maxID      sensorthings.ID

	hasFeature bool // the usual one is known
	feature    sensorthings.ID

	// In memory only.
	row        []byte          // as it is written
	latest     latest          // the last row, where it is known
	lastFarOff sensorthings.ID // the unusual feature whose pairs were written last
}

// latest is the row of a Datastream's last observation; key nil = not known.
type latest struct{ key, value []byte }

func (s *summary) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, s.change)
	for _, v := range []int64{s.count, s.results, s.same, s.periods, s.strange, s.first, s.last - s.first, s.resFirst, s.resLast - s.resFirst, s.minID, s.maxID - s.minID} {
		dst = binary.AppendVarint(dst, v)
	}
	if s.hasFeature {
		dst = binary.AppendUvarint(append(dst, 1), uint64(s.feature))
	} else {
		dst = append(dst, 0)
	}
	return dst
}

func parseSummary(row []byte) (*summary, error) {
	r := reader{b: row}
	s := &summary{row: append([]byte(nil), row...)}
	s.change = r.uvarint()
	for _, v := range []*int64{&s.count, &s.results, &s.same, &s.periods, &s.strange, &s.first, &s.last, &s.resFirst, &s.resLast, &s.minID, &s.maxID} {
		*v = r.varint()
	}
	s.last += s.first
	s.resLast += s.resFirst
	s.maxID += s.minID
	if len(r.b) > 0 {
		s.hasFeature = r.b[0] == 1
		if r.b = r.b[1:]; s.hasFeature {
			s.feature = int64(r.uvarint())
		}
	} else {
		r.bad = true
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: summary", errDamaged)
	}
	return s, nil
}

// add widens the summary by an observation.
func (s *summary) add(o *sensorthings.Observation, strange bool) {
	end := max(o.Phenomenon.End, o.Phenomenon.Start)
	if s.count == 0 {
		s.first, s.last = o.Phenomenon.Start, end
	} else {
		s.first, s.last = min(s.first, o.Phenomenon.Start), max(s.last, end)
	}
	if s.minID == 0 {
		s.minID = o.ID
	}
	s.minID, s.maxID = min(s.minID, o.ID), max(s.maxID, o.ID)
	s.count++
	if !o.Phenomenon.Instant() {
		s.periods++
	}
	if strange {
		s.strange++
	}
	if !o.HasResultTime {
		return
	}
	if s.results == 0 {
		s.resFirst, s.resLast = o.ResultTime, o.ResultTime
	} else {
		s.resFirst, s.resLast = min(s.resFirst, o.ResultTime), max(s.resLast, o.ResultTime)
	}
	s.results++
	if o.ResultTime == o.Phenomenon.Start {
		s.same++
	}
}

// sub takes an observation away. It reports whether an extreme may have gone
// with it, so that they are to be looked up again.
func (s *summary) sub(o *sensorthings.Observation, strange bool) (extreme bool) {
	s.count--
	if !o.Phenomenon.Instant() {
		s.periods--
	}
	if strange {
		s.strange--
	}
	end := max(o.Phenomenon.End, o.Phenomenon.Start)
	extreme = o.Phenomenon.Start == s.first || end == s.last
	if o.HasResultTime {
		s.results--
		if o.ResultTime == o.Phenomenon.Start {
			s.same--
		}
		extreme = extreme || o.ResultTime == s.resFirst || o.ResultTime == s.resLast
	}
	return extreme
}

func (s *summary) public() sensorthings.Summary {
	if s == nil || s.count == 0 {
		return sensorthings.Summary{}
	}
	p := sensorthings.Summary{Count: s.count, Phenomenon: sensorthings.Span{Start: s.first, End: s.last}}
	if s.results > 0 {
		p.HasResult, p.Result = true, sensorthings.Span{Start: s.resFirst, End: s.resLast}
	}
	return p
}
