package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/auth"
)

// Unregistered is the id of the enterprise that outlets of loggers registered
// by themselves belong to.
const Unregistered = "unregistered"

// unknowns are loggers waiting to be registered by themselves. Those that wait
// together are written together: a transaction and a snapshot for each of
// 50,000 loggers would take hours, for a few hundred of them at a time seconds.
type unknowns struct {
	mu      sync.Mutex
	waiting []*unknown
	active  bool
	running sync.WaitGroup
}

type unknown struct {
	mn, st string
	codes  []string
	err    error
	done   chan struct{}
}

const (
	// unknownBatch bounds how many are written in one transaction.
	unknownBatch = 4000
	// unknownWait bounds one transaction.
	unknownWait = 30 * time.Second
	// unknownFactors bounds what one frame may register.
	unknownFactors = 200
)

// AdoptUnknown registers a logger nobody registered, with an outlet of its own
// named after it under the enterprise Unregistered: st (system code) and codes
// (factor codes as sent) tell medium and factors. It returns when the snapshot
// has the logger; one that is registered already is no error. For trials and
// load tests (serve --adopt-unknown).
func (r *Registry) AdoptUnknown(ctx context.Context, mn, st string, codes []string) error {
	if r.Snapshot().Devices[mn] != nil {
		return nil
	}
	u := &unknown{mn: mn, st: st, codes: codes, done: make(chan struct{})}
	q := &r.unknown
	q.mu.Lock()
	q.waiting = append(q.waiting, u)
	if !q.active {
		q.active = true
		q.running.Go(r.adoptWaiting)
	}
	q.mu.Unlock()
	select {
	case <-u.done:
		return u.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// adoptWaiting registers what waits until nothing does.
func (r *Registry) adoptWaiting() {
	q := &r.unknown
	for {
		q.mu.Lock()
		batch := q.waiting[:min(len(q.waiting), unknownBatch)]
		q.waiting = q.waiting[len(batch):]
		if len(batch) == 0 {
			q.active, q.waiting = false, nil
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		// Those who wait may give up; the work is for all of them.
		ctx, cancel := context.WithTimeout(context.Background(), unknownWait)
		err := r.change(ctx, auth.System, func(c *change) error { return c.adoptUnknown(batch) })
		cancel()
		for _, u := range batch {
			if err != nil {
				u.err = fmt.Errorf("register logger: %w", err)
			}
			close(u.done)
		}
	}
}

// adoptUnknown stages a batch. A logger that cannot be registered gets its own
// error and does not hold up the others.
func (c *change) adoptUnknown(batch []*unknown) error {
	c.action = "adopt"
	if err := c.needUnregistered(); err != nil {
		return err
	}
	for _, u := range batch {
		if c.snapshot().Devices[u.mn] != nil {
			continue // asked for twice, or registered meanwhile
		}
		d := Device{MN: u.mn, From: c.at, AdoptedBy: c.by.ID, AutoAdopted: true}
		if !validMN(u.mn) {
			u.err = (&Snapshot{}).checkDevice(&d)
			continue
		}
		o := Outlet{Enterprise: Unregistered, Name: Name{Zh: u.mn}, Medium: MediumOf(u.st, u.codes)}
		for _, code := range slices.Compact(slices.Sorted(slices.Values(u.codes))) {
			if factorCode.MatchString(code) && len(o.Factors) < unknownFactors {
				o.Factors = append(o.Factors, OutletFactor{Code: code, Order: len(o.Factors) + 1})
			}
		}
		id, err := c.createOutlet(o)
		if err != nil {
			u.err = err
			continue
		}
		d.Outlet = id
		if err := c.startDevice(d); err != nil {
			return err // nothing of it may stay staged without its logger
		}
	}
	return nil
}

// needUnregistered stages the enterprise of outlets whose owner is not known yet.
func (c *change) needUnregistered() error {
	if c.snapshot().Enterprises[Unregistered] != nil {
		return nil
	}
	return c.putEnterprise(Enterprise{ID: Unregistered, Name: Name{Zh: "未登记", Bo: "ཐོ་འགོད་མ་བྱས་པ།", En: "Not registered"}})
}

// MediumOf guesses the medium: section 6.6.1 of HJ 212-2017 table 5 (ST) for
// surface-water sections, else the first letter of the factor codes (HJ 524:
// a gas, w water), because loggers often send a wrong ST.
func MediumOf(st string, codes []string) Medium {
	if st == "21" {
		return Surface
	}
	for _, c := range codes {
		switch {
		case strings.HasPrefix(c, "a"):
			return Gas
		case strings.HasPrefix(c, "w"):
			return Water
		}
	}
	if st == "32" {
		return Water
	}
	return Gas
}
