package auth

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync/atomic"

	"plateau/internal/platform/errs"
)

// maxQueue is how many passwords wait for their turn; further ones are told to
// come again, so that a flood of them is not kept in memory.
const maxQueue = 64

// maxBytes is more than any password that was taken has, in whatever code points
// it is typed.
const maxBytes = 16 * maxPassword

// hasher computes and checks passwords. Each takes 19 MiB and some tens of
// milliseconds of a processor, so it takes half of the processors at most: the
// other half goes on receiving and judging while somebody guesses.
type hasher struct {
	cost     Cost
	decoy    string        // checked where there is no password to check
	queue    chan struct{} // those that wait and those that are worked on
	turns    chan struct{} // those that are worked on
	computed atomic.Int64  // how many were worked on
}

func newHasher(c Cost) *hasher {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	return &hasher{cost: c, decoy: hashPassword(rand.Text(), c), queue: make(chan struct{}, maxQueue+n), turns: make(chan struct{}, n)}
}

// do runs work when it is its turn; errs.Busy when too many wait or ctx ends first.
func (h *hasher) do(ctx context.Context, work func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return errs.New(errs.Busy, "err.busy")
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Busy, "err.busy")
	}
	h.computed.Add(1)
	work()
	return nil
}

// hash returns what is stored of a password.
func (h *hasher) hash(ctx context.Context, password string) (phc string, err error) {
	err = h.do(ctx, func() { phc = hashPassword(prepare(password), h.cost) })
	return phc, err
}

// check reports whether password belongs to phc. It computes a hash in any case,
// so that an account that does not exist, or has no password, takes as long.
func (h *hasher) check(ctx context.Context, phc, password string) (right bool, err error) {
	there := phc != "" && len(password) <= maxBytes
	if !there {
		phc, password = h.decoy, ""
	}
	err = h.do(ctx, func() { right = checkPassword(phc, prepare(password)) && there })
	return right, err
}
