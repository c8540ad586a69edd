package read

import (
	"container/heap"
	"math"

	"plateau/internal/sensorthings"
)

// merged reads the Observations of many Datastreams in the order of time. What
// is known of a Datastream without reading it says when its turn may come at the
// earliest; until then it is not opened.
func (e *env) merged(p *plan, sc sensorthings.Scan, fn func(item) (bool, error)) error {
	m := &merge{desc: sc.Order == sensorthings.ByTimeDesc}
	add := func(r *entityRow) (bool, error) {
		sum, err := e.summary(r.e.ID)
		if err != nil || sum.Count == 0 || sum.Phenomenon.End < sc.From || sum.Phenomenon.Start >= sc.To {
			return true, err
		}
		m.streams = append(m.streams, &stream{datastream: r.e.ID, at: earliest(sum, sc), chunk: firstChunk})
		return true, nil
	}
	var err error
	if p.through != nil {
		err = e.related(*p.through, 0, add)
	} else {
		err = e.entities(sensorthings.Datastreams, 0, add)
	}
	if err != nil {
		return err
	}
	heap.Init(m)
	for m.Len() > 0 {
		st := m.streams[0]
		if len(st.rows) > 0 {
			o := &st.rows[0]
			if more, err := fn(item{env: e, o: o}); err != nil || !more {
				return err
			}
			st.rows = st.rows[1:]
		}
		if len(st.rows) == 0 {
			if err := e.fill(st, sc); err != nil {
				return err
			}
		}
		if len(st.rows) == 0 {
			heap.Pop(m)
			continue
		}
		st.at = sensorthings.Mark{Start: st.rows[0].Phenomenon.Start, ID: st.rows[0].ID}
		heap.Fix(m, 0)
	}
	return nil
}

// earliest is a place before the first row of a Datastream in a scan, as close
// to it as can be told.
func earliest(sum sensorthings.Summary, sc sensorthings.Scan) sensorthings.Mark {
	if sc.Order == sensorthings.ByTimeDesc {
		// The latest end is not before the latest start.
		return sensorthings.Mark{Start: min(sum.Phenomenon.End, sc.To), ID: math.MaxInt64}
	}
	return sensorthings.Mark{Start: max(sum.Phenomenon.Start, sc.From)}
}

// Rows that are read ahead of a Datastream: few at first, because of most only
// the newest is wanted.
const (
	firstChunk = 4
	lastChunk  = 1024
)

// fill reads the next rows of a Datastream.
func (e *env) fill(st *stream, sc sensorthings.Scan) error {
	if st.ended {
		return nil
	}
	sc.Datastream = st.datastream
	if st.last != nil {
		sc.After = st.last
	}
	st.rows = make([]sensorthings.Observation, 0, st.chunk)
	err := e.observations(sc, func(o *sensorthings.Observation) (bool, error) {
		st.rows = append(st.rows, *item{o: o}.keep().o)
		return len(st.rows) < st.chunk, nil
	})
	st.ended = len(st.rows) < st.chunk
	if n := len(st.rows); n > 0 {
		st.last = &sensorthings.Mark{Start: st.rows[n-1].Phenomenon.Start, ID: st.rows[n-1].ID}
	}
	st.chunk = min(2*st.chunk, lastChunk)
	return err
}

// stream is one Datastream in a merge.
type stream struct {
	datastream sensorthings.ID
	at         sensorthings.Mark // of its next row, or a bound of it while it is not open
	rows       []sensorthings.Observation
	last       *sensorthings.Mark // of what was read; nil = not opened
	chunk      int
	ended      bool
}

// merge is a heap of streams, the next row on top.
type merge struct {
	desc    bool
	streams []*stream
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (m *merge) Len() int { return len(m.streams) }

// Less orders by time, then identifier.
func (m *merge) Less(i, j int) bool {
	a, b := m.streams[i].at, m.streams[j].at
	if m.desc {
		a, b = b, a
	}
	return a.Start < b.Start || a.Start == b.Start && a.ID < b.ID
}

// Swap swaps two.
func (m *merge) Swap(i, j int) { m.streams[i], m.streams[j] = m.streams[j], m.streams[i] }

// Push adds a stream.
func (m *merge) Push(x any) { m.streams = append(m.streams, x.(*stream)) }

// Pop takes a stream off.
func (m *merge) Pop() any {
	last := m.streams[len(m.streams)-1]
	m.streams = m.streams[:len(m.streams)-1]
	return last
}
