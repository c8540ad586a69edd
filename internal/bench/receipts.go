package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"plateau/internal/telemetry/store"
)

// receipts waits for what is handed to a store and keeps the last fault.
type receipts struct {
	s     *store.Store
	open  sync.WaitGroup
	fault atomic.Pointer[error]
}

// done takes one receipt.
func (r *receipts) done(got store.Result) {
	if got.Err != nil {
		r.fault.Store(&got.Err)
	}
	r.open.Done()
}

// submit hands frames over.
func (r *receipts) submit(ctx context.Context, batch ...*store.Frame) error {
	done := r.done
	for _, f := range batch {
		f.Done = done
	}
	r.open.Add(len(batch))
	err := r.s.SubmitBatch(ctx, batch)
	if err != nil { // none was taken
		r.open.Add(-len(batch))
	}
	return err
}

// wait returns when all that was handed over is durable, or why it is not.
func (r *receipts) wait() error {
	r.open.Wait()
	err := r.s.Health()
	if fault := r.fault.Load(); fault != nil {
		err = errors.Join(err, *fault)
	}
	return err
}
