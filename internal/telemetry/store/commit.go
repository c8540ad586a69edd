package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/platform/lsm"
	"plateau/internal/telemetry"
)

// state is what the preparing goroutine knows without asking the tree. Readers
// take its lock; the preparing goroutine holds it while it changes anything.
type state struct {
	sync.RWMutex
	seq    uint64 // of the last prepared group
	hash   [hashLen]byte
	run    uint64 // first sequence of the running receive clock; 0 = none yet
	minute int64  // latest minute of receipt in that run; it has a mark in the tree

	names    map[string]uint32
	byID     []string                 // MN by id-1
	shapes   []*shape                 // by id-1
	view     atomic.Pointer[[]*shape] // the same for readers without the lock
	shapeIDs map[string]*shape
	series   map[uint64]*series
	whole    bool                         // series has all that are in the tree
	messages map[msgKey]telemetry.Locator // recent; the tree has all
	msgOrder []msgKey
}

type msgKey struct {
	mn   uint32
	hash uint64
}

// series is one outlet's records of one kind.
type series struct {
	last  int64 // the latest DataTime, durable or on its way
	shape *shape
	// Frames of the group being prepared, by their place in it.
	group  uint64
	frames []int32
	latest []latestPart // what the record at last is made of
}

// latestPart is a part of a series' latest record, in the form of the tree.
type latestPart struct {
	loc telemetry.Locator
	row []byte
}

// setLatest keeps the row of a part when it belongs to the latest record.
func (sr *series) setLatest(at int64, loc telemetry.Locator, row []byte) {
	switch {
	case at < sr.last:
		return
	case at > sr.last:
		sr.last, sr.latest = at, sr.latest[:0]
	}
	if n := len(sr.latest); n < cap(sr.latest) {
		sr.latest = sr.latest[:n+1] // its row's memory serves again
	} else {
		sr.latest = append(sr.latest, latestPart{})
	}
	part := &sr.latest[len(sr.latest)-1]
	part.loc, part.row = loc, append(part.row[:0], row...)
}

func seriesID(o telemetry.OutletID, k telemetry.Kind) uint64 { return uint64(o)<<8 | uint64(k) }

const maxMessages = 1 << 16

func (st *state) reset() {
	st.seq, st.hash, st.run, st.minute = 0, [hashLen]byte{}, 0, math.MinInt64
	st.names, st.byID = map[string]uint32{}, nil
	st.shapes, st.shapeIDs = nil, map[string]*shape{}
	st.series, st.whole = map[uint64]*series{}, false
	st.messages, st.msgOrder = map[msgKey]telemetry.Locator{}, nil
}

func (st *state) addName(mn string, id uint32) {
	for uint32(len(st.byID)) < id {
		st.byID = append(st.byID, "")
	}
	st.byID[id-1], st.names[mn] = mn, id
}

func (st *state) addShape(id uint32, text string) *shape {
	sh := parseShape(id, []byte(text))
	for uint32(len(st.shapes)) < id {
		st.shapes = append(st.shapes, nil)
	}
	st.shapes[id-1], st.shapeIDs[text] = sh, sh
	st.showShapes()
	return sh
}

// showShapes publishes the table; entries that exist never change.
func (st *state) showShapes() {
	view := slices.Clip(st.shapes)
	st.view.Store(&view)
}

func (s *Store) shapeByID(id uint32) *shape {
	view := s.state.view.Load()
	if view == nil || id == 0 || id > uint32(len(*view)) {
		return nil
	}
	return (*view)[id-1]
}

// group is a prepared batch on its way to the disk.
type group struct {
	engine  *lsm.Tree
	batch   *pebble.Batch
	frames  []*Frame
	results []Result
	seq     uint64
	entries int
	raw     int64
	written chan struct{} // closed after the outcome is in err
	err     error
}

// prepare turns queued frames into groups. While one is written, the next is
// prepared: the two halves use both cores.
func (s *Store) prepare() {
	defer close(s.prepared)
	var (
		p   preparer
		buf []*Frame
	)
	p.s = s
	for {
		buf = s.take(buf)
		if s.engine.Load().Broken() {
			s.refuse(buf, s.engine.Load().Err())
			if !p.reopen() {
				return
			}
			continue
		}
		if len(buf) == 0 {
			return
		}
		g, err := p.group(buf)
		if err != nil {
			s.refuse(buf, err)
			p.again(err)
			continue
		}
		p.inFlight = g
		s.prepared <- g
	}
}

func (s *Store) refuse(frames []*Frame, err error) {
	for _, f := range frames {
		if f.Done != nil {
			f.Done(Result{Err: fmt.Errorf("%w: %w", ErrDegraded, err)})
		}
	}
}

// write commits prepared groups, in order.
func (s *Store) write() {
	for g := range s.prepared {
		began := s.opt.Now()
		g.err = s.apply(g)
		s.stats.lastSync.Store(int64(s.opt.Now().Sub(began)))
		if g.err == nil {
			s.stats.frames.Add(int64(g.entries))
			s.stats.repeats.Add(int64(len(g.frames) - g.entries))
			s.stats.rawBytes.Add(g.raw)
			if g.entries > 0 {
				s.stats.groups.Add(1)
				s.setTail(g.seq)
			}
			if !g.engine.Broken() {
				s.setHealth(nil)
			}
		} else {
			s.setHealth(g.err)
		}
		close(g.written)
		if g.err != nil {
			s.refuse(g.frames, g.err)
			continue
		}
		for i, f := range g.frames {
			if f.Done != nil {
				f.Done(g.results[i])
			}
		}
	}
}

var errStalled = errors.New("a commit has been waiting for the disk for seconds")

// sync is how batches are written.
func (s *Store) sync() *pebble.WriteOptions {
	if s.opt.NoSync {
		return pebble.NoSync
	}
	return pebble.Sync
}

// apply commits one batch.
func (s *Store) apply(g *group) error {
	if g.batch == nil || g.batch.Empty() {
		return nil
	}
	return g.engine.Apply(g.batch, s.sync(), func() { s.setHealth(errStalled) })
}

// preparer holds what preparing reuses between groups.
type preparer struct {
	s        *Store
	inFlight *group
	entries  []entry
	content  []byte
	key, row []byte
	value    []byte
	pause    time.Duration // before the tree is opened again
	groups   int64         // committed when it was opened last
}

// settle waits for the group before this one; its failure ends this one too,
// because its sequence and hash build on it.
func (p *preparer) settle() error {
	if p.inFlight == nil {
		return nil
	}
	<-p.inFlight.written
	err := p.inFlight.err
	p.inFlight = nil
	return err
}

// again makes ready for the next group after one could not be prepared: what
// it changed in memory is read from the tree again.
func (p *preparer) again(cause error) {
	p.awaitWritten()
	e := p.s.engine.Load()
	if e.Broken() {
		return
	}
	if err := p.s.load(e); err != nil {
		e.Fail(fmt.Errorf("%w; and the state could not be read again: %w", cause, err))
	}
}

func (p *preparer) awaitWritten() {
	if p.inFlight != nil {
		<-p.inFlight.written
		p.inFlight = nil
	}
}

const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// reopen opens the tree anew until that succeeds, and goes on from what is
// durable. Frames that come meanwhile are refused, so that nobody waits for an
// answer. It reports false when the store is closing.
func (p *preparer) reopen() bool {
	s := p.s
	p.awaitWritten()
	old := s.engine.Load()
	cause := old.Err()
	s.setHealth(cause)
	if n := s.stats.groups.Load(); n > p.groups { // the last instance worked for a while
		p.pause, p.groups = 0, n
	}
	for {
		p.pause = min(max(2*p.pause, firstPause), longPause)
		if !s.refuseFor(p.pause, cause) {
			return false
		}
		e, err := s.openAgain()
		if err != nil {
			cause = err
			s.setHealth(err)
			continue
		}
		s.engine.Store(e)
		old.Bury()
		s.setHealth(nil)
		return true
	}
}

func (s *Store) openAgain() (*lsm.Tree, error) {
	if err := lsm.Probe(s.dir, s.opt.FS); err != nil {
		return nil, err
	}
	e, err := s.openEngine()
	if err != nil {
		return nil, err
	}
	if err := s.load(e); err != nil {
		e.Fail(err)
		e.Bury()
		return nil, err
	}
	return e, nil
}

// group prepares frames as the next journal group.
func (p *preparer) group(frames []*Frame) (*group, error) {
	s := p.s
	e := s.engine.Load()
	if e.Broken() {
		return nil, e.Err()
	}
	if p.inFlight != nil { // do not build on a group that has failed already
		select {
		case <-p.inFlight.written:
			if err := p.settle(); err != nil {
				return nil, err
			}
		default:
		}
	}
	st := &s.state
	g := &group{
		engine: e, batch: e.DB.NewBatchWithSize(256 * len(frames)), frames: append([]*Frame(nil), frames...),
		results: make([]Result, len(frames)), written: make(chan struct{}),
	}
	st.Lock()
	defer st.Unlock()
	g.seq = st.seq + 1
	p.entries = p.entries[:0]
	for i, f := range frames {
		if err := p.frame(g, i, f); err != nil {
			return nil, err
		}
	}
	g.entries = len(p.entries)
	if g.entries == 0 {
		return g, p.waitRepeats()
	}
	p.content = appendContent(p.content[:0], p.entries)
	var hash [hashLen]byte
	p.value, hash = appendGroup(p.value[:0], p.content, st.hash)
	p.key = journalKey(p.key[:0], g.seq)
	if err := g.batch.Set(p.key, p.value, nil); err != nil {
		return nil, err
	}
	if err := p.mark(g); err != nil {
		return nil, err
	}
	st.seq, st.hash = g.seq, hash
	return g, nil
}

// clockSlack is how many minutes a frame may have waited for its group behind
// others received later. Beyond that the receive clock was set back.
const clockSlack = 2

// mark keeps the index of receive times. While the clock goes on, it is one run
// of marks that grow with the sequence; a clock set back begins another run, so
// that within each run a time leads to its place.
func (p *preparer) mark(g *group) error {
	st := &p.s.state
	first, last := p.entries[0].received, p.entries[0].received
	for i := range p.entries {
		first, last = min(first, p.entries[i].received), max(last, p.entries[i].received)
	}
	if st.run == 0 || minuteOf(first) < st.minute-clockSlack {
		st.run, st.minute = g.seq, math.MinInt64
	}
	if minuteOf(last) <= st.minute {
		return nil
	}
	st.minute = minuteOf(last)
	p.key = clockKey(p.key[:0], st.run, st.minute)
	p.row = binary.BigEndian.AppendUint64(p.row[:0], g.seq)
	return g.batch.Set(p.key, p.row, nil)
}

// waitRepeats: a group of repeats only writes nothing, but what it repeats may
// still be on its way; the answer must wait for that.
func (p *preparer) waitRepeats() error {
	p.s.state.Unlock()
	defer p.s.state.Lock()
	return p.settle()
}

// frame files one frame: decides repeat or revision, adds row and index.
func (p *preparer) frame(g *group, i int, f *Frame) error {
	st := &p.s.state
	id, ok := st.names[f.MN]
	if !ok {
		id = uint32(len(st.byID) + 1)
		st.addName(f.MN, id)
		p.row = binary.BigEndian.AppendUint32(p.row[:0], id)
		if err := g.batch.Set(append(append(p.key[:0], pName), f.MN...), p.row, nil); err != nil {
			return err
		}
	}
	loc := telemetry.Locator{Seq: g.seq, Index: uint16(len(p.entries))}
	verdict := f.Verdict
	record := verdict == telemetry.Stored && f.Outlet != 0 && f.Kind != telemetry.KindMessage && f.At != 0 && len(f.Values) > 0
	switch {
	case record:
		v, first, err := p.compare(g, f)
		if err != nil {
			return err
		}
		if !first.IsZero() {
			g.results[i] = Result{Locator: first, Verdict: verdict, Repeat: true}
			return nil
		}
		verdict = v
	case f.Key != "":
		k := msgKey{id, xxhash.Sum64String(f.Key)}
		first, found, err := p.message(k)
		if err != nil {
			return err
		}
		if found {
			g.results[i] = Result{Locator: first, Verdict: verdict, Repeat: true}
			return nil
		}
		p.remember(k, loc)
		p.key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(append(p.key[:0], pMessage), k.mn), k.hash)
		p.row = appendLocator(p.row[:0], loc)
		if err := g.batch.Set(p.key, p.row, nil); err != nil {
			return err
		}
	}
	received := f.Received.UnixMicro()
	if record {
		if err := p.series(g, i, f, loc, received); err != nil {
			return err
		}
	}
	p.key = indexKey(p.key[:0], id, loc)
	if err := g.batch.Set(p.key, []byte{byte(verdict)}, nil); err != nil {
		return err
	}
	en := entry{mn: id, kind: f.Kind, at: f.At, rf: f.RF, sealed: f.Sealed, verdict: verdict, reason: f.Reason, received: received, raw: f.Raw}
	if record || f.Verdict == telemetry.Stored {
		en.outlet = f.Outlet
	}
	p.entries = append(p.entries, en)
	g.raw += int64(len(f.Raw))
	g.results[i] = Result{Locator: loc, Verdict: verdict}
	return nil
}

// series writes the row of a record.
func (p *preparer) series(g *group, i int, f *Frame, loc telemetry.Locator, received int64) error {
	st := &p.s.state
	sr := st.series[seriesID(f.Outlet, f.Kind)]
	if sr == nil {
		sr = &series{last: math.MinInt64}
		st.series[seriesID(f.Outlet, f.Kind)] = sr
	}
	if sr.shape == nil || !sr.shape.fits(f.Values) {
		text := shapeText(f.Values)
		sh := st.shapeIDs[text]
		if sh == nil {
			sh = st.addShape(uint32(len(st.shapes)+1), text)
			p.key = binary.BigEndian.AppendUint32(append(p.key[:0], pShape), sh.id)
			if err := g.batch.Set(p.key, []byte(text), nil); err != nil {
				return err
			}
		}
		sr.shape = sh
	}
	p.row = appendRow(p.row[:0], sr.shape, f.RF, received/1e6-f.At, f.Values)
	p.key = appendLocator(seriesTime(p.key[:0], f.Outlet, f.Kind, f.At), loc)
	sr.setLatest(f.At, loc, p.row)
	if sr.group != g.seq {
		sr.group, sr.frames = g.seq, sr.frames[:0]
	}
	sr.frames = append(sr.frames, int32(i))
	return g.batch.Set(p.key, p.row, nil)
}

// compare tells whether a record is new (Stored), differs from what is there
// (Revision) or is a repeat (first is then not zero): equal to what is there, or
// the very frame of an earlier revision sent once more. A record later than all
// others of its series needs no look at the tree.
func (p *preparer) compare(g *group, f *Frame) (v telemetry.Verdict, first telemetry.Locator, err error) {
	st := &p.s.state
	sr := st.series[seriesID(f.Outlet, f.Kind)]
	if sr == nil || f.At > sr.last {
		return telemetry.Stored, telemetry.Locator{}, nil
	}
	rec, found, err := p.stored(g, sr, f)
	if err != nil || !found {
		return telemetry.Stored, telemetry.Locator{}, err
	}
	equal := true
	v = telemetry.Stored
	for i := range f.Values {
		old, ok := rec.Find(f.Values[i].Code, f.Values[i].Suffix)
		switch {
		case !ok:
			equal = false
		case !same(old, &f.Values[i]):
			equal, v = false, telemetry.Revision
		}
	}
	switch {
	case equal:
		first = rec.Parts[0]
	case v == telemetry.Revision:
		first, err = p.sameFrame(g, sr, rec.Parts, f)
	}
	return v, first, err
}

// maxSought bounds for how many parts at each end of a record sameFrame reads the
// journal. A logger whose clock stands still makes every record a revision of
// one, and reading them all for each would hold up everybody.
const maxSought = 16

// sameFrame finds the part of a record that came in the very bytes of f, among
// the first and the last maxSought parts that are not sealed. The request number is among the bytes:
// a logger that sends an old value anew, with a number of its own, does mean it.
func (p *preparer) sameFrame(g *group, sr *series, parts []telemetry.Locator, f *Frame) (telemetry.Locator, error) {
	if sr.group == g.seq {
		for _, i := range sr.frames {
			if g.frames[i].At == f.At && bytes.Equal(g.frames[i].Raw, f.Raw) {
				return g.results[i].Locator, nil
			}
		}
	}
	p.s.state.Unlock()
	defer p.s.state.Lock()
	for i, l := range parts {
		if l.Seq == g.seq || i >= maxSought && i < len(parts)-maxSought {
			continue
		}
		es, _, err := p.s.local(l.Seq, true)
		if errors.Is(err, ErrNotFound) {
			continue // sealed: receiving waits for no archive
		}
		if err != nil {
			return telemetry.Locator{}, err
		}
		if int(l.Index) < len(es) && bytes.Equal(es[l.Index].raw, f.Raw) {
			return l, nil
		}
	}
	return telemetry.Locator{}, nil
}

func same(a, b *telemetry.Value) bool {
	return a.Flag == b.Flag && a.IsNum == b.IsNum && a.Dec == b.Dec && a.Text == b.Text
}

// stored returns what is known of f's outlet, kind and time: in the tree, in
// the group on its way, and in this one.
func (p *preparer) stored(g *group, sr *series, f *Frame) (rec telemetry.Record, found bool, err error) {
	s := p.s
	s.state.Unlock()
	err = p.settle()
	if err == nil {
		err = s.records(f.Outlet, f.Kind, f.At, f.At+1, math.MaxUint64, func(r *telemetry.Record) bool {
			rec, found = *r, true
			rec.Values = append([]telemetry.Value(nil), r.Values...)
			rec.Parts = append([]telemetry.Locator(nil), r.Parts...)
			return false
		})
	}
	s.state.Lock()
	if err != nil || sr.group != g.seq {
		return rec, found, err
	}
	for _, i := range sr.frames { // earlier frames of this very group
		if other := g.frames[i]; other.At == f.At {
			merge(&rec, other.Values, g.results[i].Locator)
			found = true
		}
	}
	return rec, found, nil
}

// message finds the first message of that identity.
func (p *preparer) message(k msgKey) (first telemetry.Locator, found bool, err error) {
	if l, ok := p.s.state.messages[k]; ok {
		return l, true, nil
	}
	key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{pMessage}, k.mn), k.hash)
	v, closer, err := p.s.engine.Load().DB.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return telemetry.Locator{}, false, nil
	}
	if err != nil {
		return telemetry.Locator{}, false, err
	}
	defer closer.Close()
	return locatorOf(v), true, nil
}

func (p *preparer) remember(k msgKey, l telemetry.Locator) {
	st := &p.s.state
	if len(st.msgOrder) >= maxMessages {
		for _, old := range st.msgOrder[:maxMessages/4] {
			delete(st.messages, old)
		}
		st.msgOrder = append(st.msgOrder[:0], st.msgOrder[maxMessages/4:]...)
	}
	st.messages[k] = l
	st.msgOrder = append(st.msgOrder, k)
}
