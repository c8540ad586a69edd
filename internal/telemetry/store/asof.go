package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/telemetry"
)

// RecordsAt is Records as it was when group seq was the last: later parts and
// revisions are not in it.
func (s *Store) RecordsAt(seq uint64, o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	return s.records(o, k, from, to, seq, fn)
}

// PartsAt is Parts as it was when group seq was the last.
func (s *Store) PartsAt(seq uint64, o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error) {
	return s.parts(o, k, at, seq)
}

// SequenceAt is the sequence of the last group that was there at an instant, 0
// when there was none: every frame of it and of those before was received at or
// before t. Where the receive clock was set back, an instant came twice; its
// second time counts, so that what was in the journal before stays in.
func (s *Store) SequenceAt(t time.Time) (uint64, error) {
	tail := s.Tail()
	e, err := s.use()
	if err != nil {
		return 0, err
	}
	defer e.Release()
	us := t.UnixMicro()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{pClock}, UpperBound: []byte{pClock + 1}})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	end := tail + 1 // of the run looked at
	for ok := it.Last(); ok; ok = it.SeekLT(clockKey(nil, end, math.MinInt64)) {
		start := binary.BigEndian.Uint64(it.Key()[1:])
		if start >= end { // of a group whose commit is under way
			end = min(end, start)
			continue
		}
		seq, err := s.lastIn(e, it, run{start, end}, us)
		if err != nil {
			return 0, err
		}
		if seq >= start {
			return min(seq, tail), nil
		}
		end = start
	}
	return 0, it.Error()
}

// lastIn finds the last group of a run before the first frame received after
// us; one before the run when that is its first group. it walks over the marks.
func (s *Store) lastIn(e *lsm.Tree, it *pebble.Iterator, r run, us int64) (uint64, error) {
	from, to := r.begin, r.end
	mark := func(ok bool) (uint64, bool) {
		if !ok || binary.BigEndian.Uint64(it.Key()[1:]) != r.begin {
			return 0, false
		}
		return binary.BigEndian.Uint64(it.Value()), true
	}
	// The groups before the mark of the minute hold earlier frames only, and the
	// one that the next mark names holds a later one.
	if seq, ok := mark(it.SeekLT(clockKey(nil, r.begin, minuteOf(us)+1))); ok {
		from = seq
	}
	if seq, ok := mark(it.SeekGE(clockKey(nil, r.begin, minuteOf(us)+1))); ok {
		to = min(to, seq)
	}
	found := to - 1
	err := s.walk(context.Background(), e.DB, from, to-1, func(seq uint64, value []byte) (bool, error) {
		content, _, err := openGroup(value)
		if err != nil {
			return false, err
		}
		es, err := parseContent(content, false)
		if err != nil {
			return false, err
		}
		for i := range es {
			if es[i].received > us {
				found = seq - 1
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return 0, fmt.Errorf("look for the group of an instant: %w", err)
	}
	return found, nil
}
