package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/telemetry"
)

// ErrNotFound is returned for a frame that is not there.
var ErrNotFound = errors.New("store: not found")

// use returns the tree's instance of the moment, which stays open until its
// release; ErrClosed once the store is closed.
func (s *Store) use() (*lsm.Tree, error) {
	for {
		e := s.engine.Load()
		if e.Hold() {
			return e, nil
		}
		if s.engine.Load() == e {
			return nil, ErrClosed
		}
	}
}

// merge adds a part's values to rec: a later value of the same name goes before.
func merge(rec *telemetry.Record, vs []telemetry.Value, part telemetry.Locator) {
	for i := range vs {
		old, ok := rec.Find(vs[i].Code, vs[i].Suffix)
		if !ok {
			rec.Values = append(rec.Values, vs[i])
			continue
		}
		if !same(old, &vs[i]) {
			rec.Revised = true
			*old = vs[i]
		}
	}
	rec.Parts = append(rec.Parts, part)
}

// Records calls fn with the records of [from, to), Unix seconds of DataTime, in
// order, parts united, until it returns false. The record is reused: copy what
// is kept.
func (s *Store) Records(o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	return s.records(o, k, from, to, math.MaxUint64, fn)
}

// records leaves out what groups behind last hold.
func (s *Store) records(o telemetry.OutletID, k telemetry.Kind, from, to int64, last uint64, fn func(*telemetry.Record) bool) error {
	if to <= from {
		return nil
	}
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	if s.ended(o, k, from) {
		return nil
	}
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: seriesTime(nil, o, k, from), UpperBound: seriesTime(nil, o, k, to)})
	if err != nil {
		return err
	}
	defer it.Close()
	var rec, part telemetry.Record
	open := false
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()
		if len(key) != seriesKeyLen {
			return fmt.Errorf("%w: key %x", errRow, key)
		}
		at := atOf(key[6:])
		if binary.BigEndian.Uint64(key[14:]) > last {
			continue
		}
		if open && at != rec.At {
			if !fn(&rec) {
				return damaged(it.Error())
			}
			open = false
		}
		if !open {
			rec = telemetry.Record{Outlet: o, Kind: k, At: at, Values: rec.Values[:0], Parts: append(rec.Parts[:0], locatorOf(key[14:]))}
			if err := s.parseRow(it.Value(), &rec); err != nil {
				return err
			}
			open = true
			continue
		}
		part.At = at
		if err := s.parseRow(it.Value(), &part); err != nil {
			return err
		}
		merge(&rec, part.Values, locatorOf(key[14:]))
		rec.RF, rec.Received = part.RF, part.Received
	}
	if open {
		fn(&rec)
	}
	return damaged(it.Error())
}

// Parts returns every part and revision of a record separately, in order of arrival.
func (s *Store) Parts(o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error) {
	return s.parts(o, k, at, math.MaxUint64)
}

func (s *Store) parts(o telemetry.OutletID, k telemetry.Kind, at int64, last uint64) ([]telemetry.Record, error) {
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	defer e.Release()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: seriesTime(nil, o, k, at), UpperBound: seriesTime(nil, o, k, at+1)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []telemetry.Record
	for it.First(); it.Valid(); it.Next() {
		loc := locatorOf(it.Key()[14:])
		if loc.Seq > last {
			break
		}
		rec := telemetry.Record{Outlet: o, Kind: k, At: at, Parts: []telemetry.Locator{loc}}
		if err := s.parseRow(it.Value(), &rec); err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, it.Error()
}

// Before returns the latest record with DataTime before t.
func (s *Store) Before(o telemetry.OutletID, k telemetry.Kind, t int64) (telemetry.Record, bool, error) {
	e, err := s.use()
	if err != nil {
		return telemetry.Record{}, false, err
	}
	defer e.Release()
	if s.ended(o, k, math.MinInt64) {
		return telemetry.Record{}, false, nil
	}
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: seriesPrefix(nil, o, k), UpperBound: seriesTime(nil, o, k, t)})
	if err != nil {
		return telemetry.Record{}, false, err
	}
	ok := it.Last()
	var at int64
	if ok {
		at = atOf(it.Key()[6:])
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil || !ok {
		return telemetry.Record{}, false, err
	}
	var out telemetry.Record
	err = s.records(o, k, at, at+1, math.MaxUint64, func(r *telemetry.Record) bool { out = *r; return false })
	return out, err == nil, err
}

// LastAt returns the DataTime (Unix seconds) of the latest record of a kind,
// from memory.
func (s *Store) LastAt(o telemetry.OutletID, k telemetry.Kind) (int64, bool) {
	s.state.RLock()
	defer s.state.RUnlock()
	sr := s.state.series[seriesID(o, k)]
	if sr == nil {
		return 0, false
	}
	return sr.last, true
}

// ended reports whether memory knows that a series has no record at from or
// later. Most outlets never send some of the kinds that are asked for at each
// pass, and the tree would read a block of somebody else's to find that out.
func (s *Store) ended(o telemetry.OutletID, k telemetry.Kind, from int64) bool {
	s.state.RLock()
	defer s.state.RUnlock()
	if !s.state.whole {
		return false
	}
	sr := s.state.series[seriesID(o, k)]
	return sr == nil || sr.last < from
}

// Latest returns the latest record of a kind, from memory.
func (s *Store) Latest(o telemetry.OutletID, k telemetry.Kind) (rec telemetry.Record, ok bool) {
	s.state.RLock()
	defer s.state.RUnlock()
	sr := s.state.series[seriesID(o, k)]
	return rec, sr != nil && s.latest(o, k, sr, &rec, nil)
}

// EachLatest calls fn with the latest record of a kind of every outlet that has
// one, in no order, until it returns false. The record is reused; fn must not
// call the store.
func (s *Store) EachLatest(k telemetry.Kind, fn func(*telemetry.Record) bool) {
	var rec, part telemetry.Record
	s.state.RLock()
	defer s.state.RUnlock()
	for id, sr := range s.state.series {
		if telemetry.Kind(id&0xFF) == k && s.latest(telemetry.OutletID(id>>8), k, sr, &rec, &part) && !fn(&rec) {
			return
		}
	}
}

// latest reads a series' latest record into rec; part is scratch.
func (s *Store) latest(o telemetry.OutletID, k telemetry.Kind, sr *series, rec, part *telemetry.Record) bool {
	if part == nil {
		part = &telemetry.Record{}
	}
	for i := range sr.latest {
		p := &sr.latest[i]
		if i == 0 {
			*rec = telemetry.Record{Outlet: o, Kind: k, At: sr.last, Values: rec.Values[:0], Parts: append(rec.Parts[:0], p.loc)}
			if s.parseRow(p.row, rec) != nil {
				return false
			}
			continue
		}
		part.At = sr.last
		if s.parseRow(p.row, part) != nil {
			return false
		}
		merge(rec, part.Values, p.loc)
		rec.RF, rec.Received = part.RF, part.Received
	}
	return len(sr.latest) > 0
}

func (s *Store) frame(l telemetry.Locator, e *entry, hash [hashLen]byte) StoredFrame {
	s.state.RLock()
	mn := ""
	if e.mn > 0 && e.mn <= uint32(len(s.state.byID)) {
		mn = s.state.byID[e.mn-1]
	}
	s.state.RUnlock()
	return StoredFrame{
		Locator: l, MN: mn, Outlet: e.outlet, Kind: e.kind, At: e.at, RF: e.rf, Sealed: e.sealed,
		Received: time.UnixMicro(e.received).UTC(), Verdict: e.verdict, Reason: e.reason, Raw: e.raw, Hash: hash,
	}
}

// FrameAt returns a frame by its locator, or ErrNotFound.
func (s *Store) FrameAt(l telemetry.Locator) (StoredFrame, error) {
	es, hash, err := s.content(l.Seq, true)
	if err != nil {
		return StoredFrame{}, err
	}
	if int(l.Index) >= len(es) {
		return StoredFrame{}, ErrNotFound
	}
	return s.frame(l, &es[l.Index], hash), nil
}

// run is a stretch of the journal in which the receive clock was not set back.
type run struct{ begin, end uint64 } // from the first sequence that can matter to before end

// runs returns the stretches of the journal that may hold frames received at or
// after from (zero: any).
func runs(e *lsm.Tree, from time.Time) ([]run, error) {
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{pClock}, UpperBound: []byte{pClock + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []run
	for ok := it.First(); ok; {
		start := binary.BigEndian.Uint64(it.Key()[1:])
		r := run{start, math.MaxUint64}
		// The groups before the mark of a minute hold earlier frames only.
		if !from.IsZero() && it.SeekLT(clockKey(nil, start, minuteOf(from.UnixMicro())+1)) && binary.BigEndian.Uint64(it.Key()[1:]) == start {
			r.begin = binary.BigEndian.Uint64(it.Value())
		}
		if ok = it.SeekGE(clockKey(nil, start+1, math.MinInt64)); ok {
			r.end = binary.BigEndian.Uint64(it.Key()[1:])
		}
		out = append(out, r)
	}
	return out, it.Error()
}

// Frames lists what came from mn in [from, to) of receipt (zero times: open),
// in order of arrival, at most limit, beginning behind cursor ("" = at the
// start). next is the cursor of the following page, "" when this is the last.
func (s *Store) Frames(mn string, from, to time.Time, cursor string, limit int) (page []StoredFrame, next string, err error) {
	l := listing{s: s, from: from, to: to, limit: limit}
	behind := telemetry.Locator{}
	if cursor != "" {
		if behind, err = ParseLocator(cursor); err != nil {
			return nil, "", fmt.Errorf("cursor %q: %w", cursor, err)
		}
	}
	s.state.RLock()
	id, ok := s.state.names[mn]
	s.state.RUnlock()
	if !ok {
		return nil, "", nil
	}
	e, err := s.use()
	if err != nil {
		return nil, "", err
	}
	defer e.Release()
	stretches := []run{{0, math.MaxUint64}}
	if !from.IsZero() || !to.IsZero() {
		if stretches, err = runs(e, from); err != nil {
			return nil, "", err
		}
	}
	prefix := binary.BigEndian.AppendUint32([]byte{pIndex}, id)
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, "", err
	}
	defer it.Close()
	for _, r := range stretches {
		lower := indexKey(nil, id, telemetry.Locator{Seq: r.begin})
		if k := append(indexKey(nil, id, behind), 0); cursor != "" && bytes.Compare(k, lower) > 0 {
			lower = k
		}
		more, err := l.stretch(it, lower, r.end)
		if err != nil {
			return nil, "", err
		}
		if more {
			return l.page, l.page[limit-1].String(), nil
		}
	}
	return l.page, "", it.Error()
}

// listing is a page of frames being filled.
type listing struct {
	s        *Store
	from, to time.Time
	limit    int
	page     []StoredFrame
	group    []entry // of sequence seq
	hash     [hashLen]byte
	seq      uint64
}

// stretch takes the frames from the index key lower to before the sequence end,
// all of one run of the receive clock; more reports that the page is full and
// that another frame follows.
func (l *listing) stretch(it *pebble.Iterator, lower []byte, end uint64) (more bool, err error) {
	late := uint64(math.MaxUint64) // the first group after which nothing can be early enough
	for ok := it.SeekGE(lower); ok; ok = it.Next() {
		at := locatorOf(it.Key()[5:])
		if at.Seq >= end || at.Seq > late {
			break
		}
		f, err := l.frame(at)
		if err != nil {
			return false, err
		}
		if !l.to.IsZero() && !f.Received.Before(l.to) {
			if minuteOf(f.Received.UnixMicro())-clockSlack > minuteOf(l.to.UnixMicro()) {
				late = min(late, at.Seq)
			}
			continue
		}
		if !l.from.IsZero() && f.Received.Before(l.from) {
			continue
		}
		if len(l.page) == l.limit {
			return true, nil
		}
		l.page = append(l.page, f)
	}
	return false, it.Error()
}

// frame reads a frame; those of one group stand together, so it is opened once.
func (l *listing) frame(at telemetry.Locator) (StoredFrame, error) {
	if at.Seq != l.seq || l.group == nil {
		var err error
		if l.group, l.hash, err = l.s.content(at.Seq, true); err != nil {
			return StoredFrame{}, err
		}
		l.seq = at.Seq
	}
	if int(at.Index) >= len(l.group) {
		return StoredFrame{}, errGroup
	}
	return l.s.frame(at, &l.group[at.Index], l.hash), nil
}

// LastFrames returns the last n frames from mn, the latest first.
func (s *Store) LastFrames(mn string, n int) ([]StoredFrame, error) {
	s.state.RLock()
	id, ok := s.state.names[mn]
	s.state.RUnlock()
	if !ok {
		return nil, nil
	}
	prefix := binary.BigEndian.AppendUint32([]byte{pIndex}, id)
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	defer e.Release()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []StoredFrame
	for it.Last(); it.Valid() && len(out) < n; it.Prev() {
		f, err := s.FrameAt(locatorOf(it.Key()[5:]))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, it.Error()
}

// ParseLocator reads "seq-index".
func ParseLocator(text string) (telemetry.Locator, error) {
	a, b, ok := strings.Cut(text, "-")
	seq, err1 := strconv.ParseUint(a, 10, 64)
	idx, err2 := strconv.ParseUint(b, 10, 16)
	if !ok || err1 != nil || err2 != nil {
		return telemetry.Locator{}, errors.New(`a locator is written "sequence-index"`)
	}
	return telemetry.Locator{Seq: seq, Index: uint16(idx)}, nil
}

// Groups calls fn with each group behind seq, without the frames' bytes, until
// it returns false.
func (s *Store) Groups(seq uint64, fn func(GroupMeta) bool) error {
	tail := s.Tail()
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	return s.walk(context.Background(), e.DB, seq+1, tail, func(seq uint64, value []byte) (bool, error) {
		content, _, err := openGroup(value)
		if err != nil {
			return false, err
		}
		es, err := parseContent(content, false)
		if err != nil {
			return false, err
		}
		m := GroupMeta{Seq: seq, Entries: make([]EntryMeta, len(es))}
		for i := range es {
			m.Entries[i] = EntryMeta{es[i].outlet, es[i].kind, es[i].at, es[i].received, es[i].verdict}
		}
		return fn(m), nil
	})
}

// Group is what one commit made durable: its frames in order of arrival.
type Group struct {
	Seq    uint64
	Frames []StoredFrame
}

// Read returns the groups behind seq up to last, in order, those that are sealed
// from their archive: as many as hold about most frames, one at the least where
// there is one. Errors of an archive are those of package archive.
func (s *Store) Read(ctx context.Context, seq, last uint64, most int) (out []Group, err error) {
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	defer e.Release()
	n := 0
	err = s.walk(ctx, e.DB, seq+1, min(last, s.Tail()), func(seq uint64, value []byte) (bool, error) {
		es, hash, err := groupOf(value, true)
		if err != nil {
			return false, err
		}
		g := Group{Seq: seq, Frames: make([]StoredFrame, len(es))}
		for i := range es {
			g.Frames[i] = s.frame(telemetry.Locator{Seq: seq, Index: uint16(i)}, &es[i], hash)
		}
		out, n = append(out, g), n+len(es)
		return n < most, nil
	})
	return out, err
}

// Derived is a row of a projection: table, outlet, time and its bytes.
type Derived struct {
	Table  byte
	Outlet telemetry.OutletID
	At     int64
	Value  []byte // nil deletes the row
}

// PutDerived writes rows of a projection together with its reader's cursor
// ("" = none) and returns once they are durable. The reader goes on in memory
// from the cursor it wrote: were rows lost with a failing disk that the program
// outlives, nobody would make them again. While the store is degraded it fails
// with ErrDegraded.
func (s *Store) PutDerived(rows []Derived, cursor string, seq uint64) error {
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	if e.Broken() {
		return fmt.Errorf("%w: %w", ErrDegraded, e.Err())
	}
	b := e.DB.NewBatch()
	for i := range rows {
		key := derivedKey(rows[i].Table, rows[i].Outlet, rows[i].At)
		var err error
		if rows[i].Value == nil {
			err = b.Delete(key, nil)
		} else {
			err = b.Set(key, rows[i].Value, nil)
		}
		if err != nil {
			return err
		}
	}
	if cursor != "" {
		if err := b.Set(append([]byte{pCursor}, cursor...), binary.BigEndian.AppendUint64(nil, seq), nil); err != nil {
			return err
		}
	}
	if err := e.Do(func() error { return b.Commit(s.sync()) }); err != nil {
		return fmt.Errorf("%w: %w", ErrDegraded, err) // the batch may still be in the tree's hands
	}
	return b.Close()
}

// Derived calls fn with the rows of [from, to) in order until it returns
// false; v is valid during the call only.
func (s *Store) Derived(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error {
	if to <= from {
		return nil
	}
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: derivedKey(table, o, from), UpperBound: derivedKey(table, o, to)})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if !fn(atOf(it.Key()[6:]), it.Value()) {
			break
		}
	}
	return it.Error()
}

// Cursor returns how far a reader has come, 0 at the start.
func (s *Store) Cursor(name string) (uint64, error) {
	e, err := s.use()
	if err != nil {
		return 0, err
	}
	defer e.Release()
	v, closer, err := e.DB.Get(append([]byte{pCursor}, name...))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	return binary.BigEndian.Uint64(v), nil
}

// Compact rewrites everything once, as the tree does by itself in time.
func (s *Store) Compact(ctx context.Context) error {
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	var outcome error // of the work; it need not mean that the tree has failed
	err = e.Do(func() error {
		if outcome = e.DB.Flush(); outcome == nil {
			outcome = e.DB.Compact(ctx, []byte{0}, []byte{0xFF}, true)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return outcome
}
