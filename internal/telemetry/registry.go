package telemetry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Registry keeps areas, enterprises, outlets and loggers in the relational
// database and gives readers an immutable Snapshot. It is safe for concurrent
// use; changes happen one after the other, reading never waits.
//
// A change is checked as a whole, written in one transaction together with its
// log entries, and then shown by a new snapshot. Errors are errs.Invalid (with
// the fields to mend), errs.NotFound, errs.Conflict or errs.Busy.
type Registry struct {
	db   *db.DB
	now  func() time.Time
	snap atomic.Pointer[Snapshot]

	mu    sync.Mutex // held by a change
	stale bool       // a commit's outcome is unknown: read everything again

	unknown unknowns
}

// Open reads the registry from a migrated database.
func Open(ctx context.Context, d *db.DB, now func() time.Time) (*Registry, error) {
	r := &Registry{db: d, now: now}
	s, err := loadSnapshot(ctx, d, now())
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	s.Version = 1
	r.snap.Store(s)
	return r, nil
}

// Close waits until adoptions under way are written.
func (r *Registry) Close() { r.unknown.running.Wait() }

// Snapshot returns the registry as it is now. It costs one atomic load, but on a
// day from which on other area codes are in force.
func (r *Registry) Snapshot() *Snapshot {
	s := r.snap.Load()
	if s.areasUntil.IsZero() || !s.turns(r.now()) {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, now := r.snap.Load(), r.now(); s.turns(now) {
		r.snap.Store(edit(s, now).done())
	}
	return r.snap.Load()
}

// Reload reads everything again, for changes made past this program.
func (r *Registry) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx)
}

func (r *Registry) reload(ctx context.Context) error {
	s, err := loadSnapshot(ctx, r.db, r.now())
	if err != nil {
		return fmt.Errorf("read registry: %w", err)
	}
	s.Version = r.snap.Load().Version + 1
	r.snap.Store(s)
	r.stale = false
	return nil
}

// change runs fn on a staged change, writes it, and shows it. When fn or the
// database fails, nothing has changed.
func (r *Registry) change(ctx context.Context, by auth.Principal, fn func(c *change) error) error {
	if !by.Known() {
		return errs.New(errs.Unauthenticated, "err.unauthenticated")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale {
		if err := r.reload(ctx); err != nil {
			return err
		}
	}
	c := newChange(r.snap.Load(), by, instant(r.now()))
	if err := fn(c); err != nil {
		return err
	}
	write := c.write
	if c.empty() {
		if c.with == nil {
			return nil
		}
		write = c.together
	}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error { return write(ctx, tx) }); err != nil {
		// A lost connection may hide a commit that did happen.
		r.stale = true
		return fmt.Errorf("write registry: %w", err)
	}
	r.snap.Store(c.next.done())
	return nil
}

// instant is t as the database keeps it, so that a snapshot made by changes
// equals one that was read.
func instant(t time.Time) time.Time { return db.Time(db.Micros(t)) }

// PutArea adds an area, or a version of one: with the code and first day of one
// that is there it changes that, with a later day it ends the version before. The
// codes it replaces end the day before.
func (r *Registry) PutArea(ctx context.Context, a Area, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.putArea(a) })
}

// DeleteArea removes an area with all its versions, as if it had never been;
// errs.Conflict while something lies in it.
func (r *Registry) DeleteArea(ctx context.Context, code string, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.deleteArea(code) })
}

// CreateEnterprise adds an enterprise and returns it; an empty ID is chosen.
// errs.Conflict when the ID is taken.
func (r *Registry) CreateEnterprise(ctx context.Context, e Enterprise, by auth.Principal) (Enterprise, error) {
	err := r.change(ctx, by, func(c *change) error {
		if e.ID == "" {
			e.ID = newEnterpriseID()
		}
		if c.snapshot().Enterprises[e.ID] != nil {
			return taken("id", e.ID)
		}
		return c.putEnterprise(e)
	})
	return e, err
}

// UpdateEnterprise changes an enterprise.
func (r *Registry) UpdateEnterprise(ctx context.Context, e Enterprise, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error {
		if c.snapshot().Enterprises[e.ID] == nil {
			return notFound()
		}
		return c.putEnterprise(e)
	})
}

// DeleteEnterprise removes an enterprise; errs.Conflict while it has outlets.
func (r *Registry) DeleteEnterprise(ctx context.Context, id string, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.deleteEnterprise(id) })
}

// CreateOutlet adds an outlet with everything that belongs to it and returns
// its number, which is always a new one.
func (r *Registry) CreateOutlet(ctx context.Context, o Outlet, by auth.Principal) (OutletID, error) {
	var id OutletID
	err := r.change(ctx, by, func(c *change) error {
		o.ID = 0
		var err error
		id, err = c.createOutlet(o)
		return err
	})
	return id, err
}

// UpdateOutlet replaces an outlet with everything that belongs to it but its
// marks and corrections, which stay.
func (r *Registry) UpdateOutlet(ctx context.Context, o Outlet, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error {
		if old := c.snapshot().Outlets[o.ID]; old != nil { // set by acts of their own, see EditOutletWith
			o.Marks, o.Corrections = old.Marks, old.Corrections
		}
		return c.updateOutlet(o)
	})
}

// EditOutlet changes part of an outlet: fn gets a copy of its own as it is at
// that moment, so that two people who change different parts both succeed.
func (r *Registry) EditOutlet(ctx context.Context, id OutletID, by auth.Principal, fn func(o *Outlet) error) error {
	return r.change(ctx, by, func(c *change) error {
		o := c.snapshot().Outlets[id]
		if o == nil {
			return notFound()
		}
		mine := copyOutlet(o)
		if err := fn(&mine); err != nil {
			return err
		}
		mine.ID = id
		return c.updateOutlet(mine)
	})
}

// EditOutletWith is EditOutlet with something outside of the registry that is
// written in the same transaction, also where the outlet stays as it is. An error
// of with comes back as it is.
func (r *Registry) EditOutletWith(ctx context.Context, id OutletID, by auth.Principal, fn func(o *Outlet) error, with func(ctx context.Context, tx *db.Tx) error) error {
	var refused error
	err := r.change(ctx, by, func(c *change) error {
		o := c.snapshot().Outlets[id]
		if o == nil {
			return notFound()
		}
		mine := copyOutlet(o)
		if err := fn(&mine); err != nil {
			return err
		}
		mine.ID = id
		c.with = func(ctx context.Context, tx *db.Tx) error {
			refused = with(ctx, tx)
			return refused
		}
		return c.updateOutlet(mine)
	})
	if refused != nil {
		return refused
	}
	return err
}

// DeleteOutlet removes an outlet that no logger ever served; errs.Conflict
// otherwise, because its history would lose its name. Its number is not given
// again.
func (r *Registry) DeleteOutlet(ctx context.Context, id OutletID, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.deleteOutlet(id) })
}

// LogEntry tells who changed what, when.
type LogEntry struct {
	ID     string
	At     time.Time
	By     string // user id
	Post   string // the post they held then
	Action string // create, update, delete, adopt, unadopt, end, import, load
	Kind   string // area, enterprise, outlet, device
	Ref    string // the object's id
	Old    string // JSON; "" when there was nothing
	New    string // JSON; "" when nothing is left
}

// Log returns the last changes, newest first: of one object (kind and ref), of
// one kind (ref empty) or all (both empty).
func (r *Registry) Log(ctx context.Context, kind, ref string, limit int) ([]LogEntry, error) {
	return r.logRows(ctx, `($1 = '' OR kind = $1) AND ($2 = '' OR ref = $2) ORDER BY id DESC LIMIT $3`, kind, ref, limit)
}

// LogBetween returns the changes from one row of the log to another, oldest first,
// as an entry of the record of acts names them.
func (r *Registry) LogBetween(ctx context.Context, first, last string, limit int) ([]LogEntry, error) {
	return r.logRows(ctx, `id >= $1 AND id <= $2 ORDER BY id LIMIT $3`, first, last, limit)
}

func (r *Registry) logRows(ctx context.Context, which string, args ...any) ([]LogEntry, error) {
	rows, err := r.db.Query(ctx, `SELECT id, at, by_id, by_post, action, kind, ref, coalesce(old, ''), coalesce(new, '') FROM registry_log WHERE `+which, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []LogEntry
	for rows.Next() {
		var e LogEntry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.By, &e.Post, &e.Action, &e.Kind, &e.Ref, &e.Old, &e.New); err != nil {
			return nil, err
		}
		e.At = db.Time(at)
		all = append(all, e)
	}
	return all, rows.Err()
}
