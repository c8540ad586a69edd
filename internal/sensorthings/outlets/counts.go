package outlets

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// A body is what is counted of one outlet and level. Most of it lies before
// upTo and is counted once; what comes for that later is added part by part. The
// rest is short and is read again when something came.
//
// So every count is exact and costs no walk through history but the first one.
type body struct {
	upTo   int64 // Unix seconds
	before map[key]*tally
	rest   map[key]*tally // nil = to be read
	restTo int64          // of judged ones: what began before was over when the rest was read
}

// tally is what is known of one Datastream's observations.
type tally struct {
	n             int64
	first, last   int64 // starts, Unix seconds
	heard, heardN int64 // first and last receipt, Unix microseconds
}

func (t *tally) add(at, received int64) {
	if t.n == 0 {
		t.first, t.last, t.heard, t.heardN = at, at, received, received
	}
	t.n++
	t.first, t.last = min(t.first, at), max(t.last, at)
	t.heard, t.heardN = min(t.heard, received), max(t.heardN, received)
}

func (t *tally) join(u *tally) {
	switch {
	case u == nil || u.n == 0:
	case t.n == 0:
		*t = *u
	default:
		t.n += u.n
		t.first, t.last = min(t.first, u.first), max(t.last, u.last)
		t.heard, t.heardN = min(t.heard, u.heard), max(t.heardN, u.heardN)
	}
}

func of(m map[key]*tally, k key) *tally {
	t := m[k]
	if t == nil {
		t = &tally{}
		m[k] = t
	}
	return t
}

type bodyKey struct {
	outlet telemetry.OutletID
	level  level
}

// counts keeps the bodies. What is counted of records is what the journal held
// up to group seq.
type counts struct {
	s      *Source
	mu     sync.Mutex
	seq    uint64
	bodies map[bodyKey]*body
	warm   sync.Once
}

// How far the rest reaches: it is cut again once it is longer.
const (
	restLeast, restMost             = 2 * hourSeconds, 12 * hourSeconds // records, before the latest
	restJudgedLeast, restJudgedMost = 2 * daySeconds, 4 * daySeconds    // hours and days, before now
)

func (c *counts) start(s *Source) { c.s, c.bodies = s, map[bodyKey]*body{} }

// Summary implements sensorthings.Reader. The first question has everything
// counted in the background, so that later ones need not wait for it.
func (r *reader) Summary(ctx context.Context, datastream sensorthings.ID) (sensorthings.Summary, error) {
	v, err := r.view()
	if err != nil {
		return sensorthings.Summary{}, err
	}
	se, o := v.series(datastream)
	if se == nil {
		return sensorthings.Summary{}, nil
	}
	r.s.counts.warm.Do(func() { go r.s.counts.all(context.WithoutCancel(ctx)) })
	t, err := r.s.counts.of(se)
	if err != nil || t.n == 0 {
		return sensorthings.Summary{}, err
	}
	sum := sensorthings.Summary{Count: t.n, Phenomenon: sensorthings.Span{Start: t.first * micro, End: t.last * micro}}
	switch se.level {
	case minute:
		// With the reporting interval changed, an earlier record may reach further;
		// by no more than one interval, and never beyond the next record.
		sum.Phenomenon.End += int64(max(1, o.IntervalAt(time.Unix(t.last, 0)).Minute)) * 60 * micro
	case hour:
		sum.Phenomenon.End += hourSeconds * micro
	case day:
		sum.Phenomenon.End += daySeconds * micro
	case realtime:
	}
	if !se.level.judged() {
		sum.Result, sum.HasResult = sensorthings.Span{Start: t.heard, End: t.heardN}, true
	}
	return sum, nil
}

// all counts what has not been counted, one body after the other.
func (c *counts) all(ctx context.Context) {
	began := c.s.o.Now()
	n := 0
	for _, se := range c.s.numbers.list.Load().all {
		if _, err := c.of(se); err != nil {
			c.s.o.Logger.WarnContext(ctx, "observations of outlets were not counted", slog.Uint64("outlet", uint64(se.outlet)), slog.String("error", err.Error()))
			return
		}
		n++
	}
	c.s.o.Logger.DebugContext(ctx, "observations of outlets counted", slog.Int("datastreams", n), slog.Duration("took", c.s.o.Now().Sub(began)))
}

// of returns what is counted of a Datastream, up to now.
func (c *counts) of(se *series) (tally, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.catchUp(); err != nil {
		return tally{}, err
	}
	b, err := c.body(bodyKey{se.outlet, se.level})
	if err != nil {
		return tally{}, err
	}
	var t tally
	t.join(b.before[se.key])
	t.join(b.rest[se.key])
	return t, nil
}

// judged forgets what was judged anew: since holds the earliest hour by outlet.
func (c *counts) judged(since map[telemetry.OutletID]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for o, from := range since {
		for _, l := range []level{hour, day} {
			k := bodyKey{o, l}
			switch b := c.bodies[k]; {
			case b == nil:
			case quality.DayStart(from) < b.upTo:
				delete(c.bodies, k)
			default:
				b.rest = nil
			}
		}
	}
}

type arrival struct {
	bodyKey
	at int64
}

// catchUp takes in what the journal holds behind seq. Where it fails, what was
// passed by would be counted never: everything is counted anew then.
func (c *counts) catchUp() error {
	old, raw := c.seq, false
	for k := range c.bodies {
		raw = raw || !k.level.judged()
	}
	if !raw { // nothing counted that could have changed
		c.seq = c.s.o.Store.Tail()
		return nil
	}
	late := map[arrival]bool{}
	err := c.s.o.Store.Groups(old, func(g store.GroupMeta) bool {
		c.seq = g.Seq
		for i := range g.Entries {
			x := &g.Entries[i]
			k := bodyKey{x.Outlet, realtime}
			switch x.Kind {
			case telemetry.KindRealtime:
			case telemetry.KindMinute:
				k.level = minute
			default:
				continue
			}
			b := c.bodies[k]
			if b == nil || x.Verdict != telemetry.Stored && x.Verdict != telemetry.Revision {
				continue
			}
			if x.At >= b.upTo {
				b.rest = nil
			} else {
				late[arrival{k, x.At}] = true
			}
		}
		return true
	})
	if err != nil {
		clear(c.bodies)
		return err
	}
	for a := range late {
		if b := c.bodies[a.bodyKey]; b != nil {
			if err := c.late(b, a, old); err != nil {
				clear(c.bodies)
				return err
			}
		}
	}
	return nil
}

// late adds what came behind group old for an instant that was counted.
func (c *counts) late(b *body, a arrival, old uint64) error {
	parts, err := c.s.o.Store.Parts(a.outlet, a.level.kind(), a.at)
	if err != nil {
		return err
	}
	was, is := map[key]int64{}, map[key]int64{} // receipt
	for i := range parts {
		seq := parts[i].Parts[0].Seq
		c.names(a.bodyKey, &parts[i], func(k key) {
			if seq <= old {
				was[k] = parts[i].Received
			}
			if seq <= c.seq {
				is[k] = parts[i].Received
			}
		})
	}
	for k, received := range is {
		earlier, counted := was[k]
		switch t := of(b.before, k); {
		case !counted:
			t.add(a.at, received)
		case received != earlier && (earlier == t.heard || earlier == t.heardN): // the first or last receipt is another now
			delete(c.bodies, a.bodyKey)
			return nil
		default:
			t.heard, t.heardN = min(t.heard, received), max(t.heardN, received)
		}
	}
	return nil
}

// names calls fn with the series that a record belongs to.
func (c *counts) names(b bodyKey, r *telemetry.Record, fn func(key)) {
	if !identified(r.At) {
		return
	}
	suffix := suffixMean
	if b.level == realtime {
		suffix = suffixReal
	}
	for i := range r.Values {
		if r.Values[i].Suffix == suffix {
			fn(key{b.outlet, quality.Code2017(r.Values[i].Code), b.level, suffix})
		}
	}
}

// body brings a body up to date.
func (c *counts) body(k bodyKey) (*body, error) {
	b := c.bodies[k]
	now := c.s.o.Now().Unix()
	end := int64(math.MinInt64) // where the rest should begin
	least, most := int64(restLeast), int64(restMost)
	if k.level.judged() {
		least, most = restJudgedLeast, restJudgedMost
		end = quality.DayStart(now - least)
	} else if last, ok := c.s.o.Store.LastAt(k.outlet, k.level.kind()); ok {
		end = last - least
	}
	if b == nil {
		b = &body{upTo: math.MinInt64, before: map[key]*tally{}}
	}
	if b.upTo == math.MinInt64 && end > 0 || end-b.upTo > most-least {
		more := map[key]*tally{} // apart, so that nothing is counted twice where it fails
		if err := c.read(k, max(b.upTo, 0), end, more); err != nil {
			return nil, err
		}
		for k, t := range more {
			of(b.before, k).join(t)
		}
		b.upTo, b.rest = end, nil
	}
	closed := int64(1 << 32)
	if k.level.judged() {
		closed = c.s.closed(k.level)
	}
	if b.rest == nil || b.restTo != closed {
		rest := map[key]*tally{}
		if err := c.read(k, max(b.upTo, 0), closed, rest); err != nil {
			return nil, err
		}
		b.rest, b.restTo = rest, closed
	}
	c.bodies[k] = b
	return b, nil
}

// read counts what begins in [from, to) into m, and numbers series met for the
// first time.
func (c *counts) read(b bodyKey, from, to int64, m map[key]*tally) error {
	var bad, err error
	switch b.level {
	case hour, day:
		err = c.s.eachJudged(b, from, to, func(at int64, keys []key) {
			for _, k := range keys {
				of(m, k).add(at, 0)
			}
		})
	case realtime, minute:
		err = c.s.o.Store.RecordsAt(c.seq, b.outlet, b.level.kind(), from, to, func(r *telemetry.Record) bool {
			if len(r.Parts) == 1 {
				c.names(b, r, func(k key) { of(m, k).add(r.At, r.Received) })
				return true
			}
			bad = c.split(b, r.At, m)
			return bad == nil
		})
	}
	if bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	return c.found(m)
}

// split counts a record of several parts: each figure was received with the last
// part that holds it.
func (c *counts) split(b bodyKey, at int64, m map[key]*tally) error {
	parts, err := c.s.o.Store.Parts(b.outlet, b.level.kind(), at)
	if err != nil {
		return err
	}
	received := map[key]int64{}
	for i := range parts {
		if parts[i].Parts[0].Seq <= c.seq {
			c.names(b, &parts[i], func(k key) { received[k] = parts[i].Received })
		}
	}
	for k, at2 := range received {
		of(m, k).add(at, at2)
	}
	return nil
}

func (c *counts) found(m map[key]*tally) error {
	list := c.s.numbers.list.Load()
	var keys []key
	for k := range m {
		if list.byKey[k] == nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	snap := c.s.o.Registry.Snapshot()
	sortKeys(keys)
	return c.s.numbers.give(c.s.o.Store, c.s.bounded(snap, keys))
}
