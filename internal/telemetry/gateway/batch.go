package gateway

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Bounds of a batch: what one read brings goes to the store in one call.
const (
	batchFrames = 128
	batchBytes  = 64 << 10
)

// batch is the frames of one read on their way to the store, with room for
// their bytes, values and answers, reused from read to read. Its answers go
// out together when the last of its frames is durable: one write for many.
type batch struct {
	c       *conn
	entries []*entry
	n       int
	submit  []*store.Frame
	raw     []byte
	values  []telemetry.Value
	acks    []byte
	left    atomic.Int32
	failed  atomic.Bool
	weight  int64 // bytes reserved of Gateway.flight
}

// entry is one frame of a batch.
type entry struct {
	b        *batch
	frame    store.Frame
	src      *source // nil for strangers
	from, to int     // its answer in acks; empty when none
	failed   bool
	exchange *exchange
	reply    reply
	after    func() // called when the answer is out; nil = nothing follows
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch(c *conn) *batch {
	b := batches.Get().(*batch)
	b.c = c
	return b
}

func (b *batch) full(more int) bool {
	return b.n == batchFrames || b.n > 0 && len(b.raw)+more > batchBytes
}

// add returns the next entry with a copy of raw in it.
func (b *batch) add(raw []byte) *entry {
	if b.n == len(b.entries) {
		e := &entry{b: b}
		e.frame.Done = e.done
		b.entries = append(b.entries, e)
	}
	e := b.entries[b.n]
	b.n++
	from := len(b.raw)
	b.raw = append(b.raw, raw...) // growing leaves earlier frames in the array they point to
	e.frame.Raw = b.raw[from:len(b.raw):len(b.raw)]
	e.from, e.to = len(b.acks), len(b.acks)
	return e
}

// valuesOf converts the items of p into the batch's memory.
func (b *batch) valuesOf(p *hj212.Packet) []telemetry.Value {
	from := len(b.values)
	if cap(b.values)-from < len(p.Items) { // earlier frames keep the old memory until they are done
		b.values, from = make([]telemetry.Value, 0, max(2*cap(b.values), 4*len(p.Items))), 0
	}
	out := telemetry.ValuesOf(p, b.values[from:])
	b.values = b.values[:from+len(out)]
	return slices.Clip(out)
}

// done is called by the store for each frame, after its group was synced or failed.
func (e *entry) done(res store.Result) {
	b := e.b
	g := b.c.g
	switch {
	case res.Err != nil:
		e.failed = true
		b.failed.Store(true)
		g.stats.unstored.Add(1)
		if g.storeBad.CompareAndSwap(false, true) {
			g.log.WarnContext(context.Background(), "frames are received but not acknowledged", slog.String("error", res.Err.Error()))
		}
	default:
		g.count(res, e)
		if g.storeBad.Load() && g.storeBad.CompareAndSwap(true, false) {
			g.log.InfoContext(context.Background(), "frames are acknowledged again")
		}
	}
	if e.exchange != nil {
		e.exchange.deliver(e.reply, e.frame.Raw, res)
	}
	if b.left.Add(-1) == 0 {
		b.finish()
	}
}

// count files a result under the verdict the store gave.
func (g *Gateway) count(res store.Result, e *entry) {
	s := &g.stats
	src := e.src
	if src != nil && e.to > e.from {
		src.acked.Add(1)
	}
	switch {
	case res.Repeat:
		s.repeats.Add(1)
		if src != nil {
			src.repeats.Add(1)
		}
	case res.Verdict == telemetry.Stored:
		s.stored.Add(1)
		if src != nil {
			src.stored.Add(1)
		}
	case res.Verdict == telemetry.Revision:
		s.revisions.Add(1)
		if src != nil {
			src.revisions.Add(1)
		}
	case res.Verdict == telemetry.Quarantined:
		s.quarantined.Add(1)
		if src != nil {
			src.quarantined.Add(1)
		}
	}
}

// finish sends the answers of what is durable and gives the batch back.
func (b *batch) finish() {
	c := b.c
	defer func() { <-c.slots }()
	if !b.failed.Load() {
		c.send(b.acks)
	} else {
		for _, e := range b.entries[:b.n] {
			if !e.failed {
				c.send(b.acks[e.from:e.to])
			}
		}
	}
	for _, e := range b.entries[:b.n] {
		if e.after != nil && !e.failed {
			e.after()
		}
	}
	if b.weight > 0 {
		c.g.flight.Release(b.weight)
	}
	b.reset()
}

func (b *batch) reset() {
	for _, e := range b.entries[:b.n] {
		done := e.frame.Done
		*e = entry{b: b}
		e.frame.Done = done
	}
	clear(b.submit)
	b.c, b.n = nil, 0
	b.submit, b.raw, b.values, b.acks = b.submit[:0], b.raw[:0], b.values[:0], b.acks[:0]
	b.failed.Store(false)
	batches.Put(b)
}

// flush hands the batch to the store. It waits while too much is under way:
// the peer then feels it by TCP.
func (c *conn) flush(hard context.Context) {
	b := c.batch
	if b == nil || b.n == 0 {
		return
	}
	c.batch = nil
	for _, e := range b.entries[:b.n] {
		b.submit = append(b.submit, &e.frame)
	}
	b.left.Store(int32(b.n))
	b.weight = 0
	select {
	case c.slots <- struct{}{}:
	case <-hard.Done(): // stopping, and the store does not answer
		b.reset()
		return
	}
	weight := int64(len(b.raw)) + 1
	err := c.g.flight.Acquire(hard, weight)
	if err == nil {
		b.weight = weight
		err = c.g.o.Store.SubmitBatch(hard, b.submit)
	}
	if err != nil {
		for _, f := range b.submit {
			f.Done(store.Result{Err: err})
		}
	}
}
