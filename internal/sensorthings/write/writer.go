package write

import (
	"context"
	"sync"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/query"
)

// Options configure a Writer.
type Options struct {
	Store   *entitystore.Store
	Outlets sensorthings.Reader // knows what stands for outlets; nil = there are none
	Now     func() time.Time    // nil = the system clock
}

// Writer changes entities by the rules. It is safe for concurrent use, and all
// changes of a store go through one Writer.
type Writer struct {
	store   *entitystore.Store
	outlets sensorthings.Reader
	now     func() time.Time

	// Structure changes under the lock alone, so that what plain observations
	// were checked against still holds when they are stored.
	mu    sync.RWMutex
	known known
}

// New makes a Writer.
func New(o Options) *Writer {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	return &Writer{store: o.Store, outlets: o.Outlets, now: o.Now}
}

// Update runs fn in one transaction: all that it wrote is durable when Update
// returns nil, nothing of it otherwise. A refusal is a *query.Error.
func (w *Writer) Update(ctx context.Context, fn func(*Session) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.update(ctx, fn)
}

func (w *Writer) update(ctx context.Context, fn func(*Session) error) error {
	return w.store.Update(ctx, func(tx *entitystore.Tx) error { return fn(&Session{w: w, tx: tx}) })
}

// Made is what a write made or changed.
type Made struct {
	Ref
	Observation *sensorthings.Observation // of a plain Observation; nil = read it
}

// Post is Session.Post in a transaction of its own. An Observation that only
// links to what is there takes a short way, many at a time.
func (w *Writer) Post(ctx context.Context, p *query.Path, body []byte) (m Made, err error) {
	if m, done, err := w.postPlain(ctx, p, body); done {
		return m, err
	}
	err = w.Update(ctx, func(s *Session) (err error) {
		m.Ref, err = s.Post(ctx, p, body)
		return err
	})
	return m, err
}

// Patch is Session.Patch in a transaction of its own.
func (w *Writer) Patch(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	return w.run(ctx, func(s *Session) (Ref, error) { return s.Patch(ctx, p, body) })
}

// Put is Session.Put in a transaction of its own.
func (w *Writer) Put(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	return w.run(ctx, func(s *Session) (Ref, error) { return s.Put(ctx, p, body) })
}

// JSONPatch is Session.JSONPatch in a transaction of its own.
func (w *Writer) JSONPatch(ctx context.Context, p *query.Path, body []byte) (Ref, error) {
	return w.run(ctx, func(s *Session) (Ref, error) { return s.JSONPatch(ctx, p, body) })
}

// Delete is Session.Delete in a transaction of its own.
func (w *Writer) Delete(ctx context.Context, p *query.Path) (Ref, error) {
	return w.run(ctx, func(s *Session) (Ref, error) { return s.Delete(ctx, p) })
}

func (w *Writer) run(ctx context.Context, fn func(*Session) (Ref, error)) (r Ref, err error) {
	err = w.Update(ctx, func(s *Session) (err error) {
		r, err = fn(s)
		return err
	})
	return r, err
}
