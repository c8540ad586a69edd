package telemetry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// change is what one act does to the registry. It is staged on the next
// snapshot first, so that every check sees what the same act did before; write
// then puts the differences into the database.
type change struct {
	last   *Snapshot
	next   *editor
	by     auth.Principal
	at     time.Time
	action string // overrides create, update, delete in the log

	areas, enterprises map[string]bool
	outlets            map[OutletID]bool
	devices            []deviceOp
	log                []LogEntry
	with               func(ctx context.Context, tx *db.Tx) error // written in the same transaction; nil = nothing
}

// deviceOp is a step in a logger's periods, in the order they happened.
type deviceOp struct {
	op       string // start, end, update, remove (never happened)
	old, new Device
}

func newChange(last *Snapshot, by auth.Principal, at time.Time) *change {
	return &change{
		last: last, next: edit(last, at), by: by, at: at,
		areas: map[string]bool{}, enterprises: map[string]bool{}, outlets: map[OutletID]bool{},
	}
}

// snapshot is the registry as staged so far.
func (c *change) snapshot() *Snapshot { return &c.next.s }

func (c *change) empty() bool { return len(c.log) == 0 }

// note adds a log entry; old or new is nil when there was or is nothing.
func (c *change) note(action, kind, ref string, old, after any) {
	c.log = append(c.log, LogEntry{
		ID: uuid.Must(uuid.NewV7()).String(), At: c.at, By: c.by.ID, Post: c.by.Post.Zh,
		Action: cmp.Or(c.action, action), Kind: kind, Ref: ref, Old: document(old), New: document(after),
	})
}

func document(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("telemetry: log entry of %T: %v", v, err)) // plain data, checked to hold no NaN
	}
	return string(b)
}

func action[T any](old, after *T) string {
	switch {
	case old == nil:
		return "create"
	case after == nil:
		return "delete"
	}
	return "update"
}

// object notes a change from old to new, either of which may be missing.
func object[T any](c *change, kind, ref string, old, after *T) {
	var o, n any
	if old != nil {
		o = old
	}
	if after != nil {
		n = after
	}
	c.note(action(old, after), kind, ref, o, n)
}

// inUse says that something cannot go because another thing needs it.
func inUse(by string) error { return errs.New(errs.Conflict, "err.registry.in_use", "by", by) }

func (c *change) putEnterprise(e Enterprise) error {
	trim(&e.ID, &e.Name.Zh, &e.Name.Bo, &e.Name.En, &e.Area, &e.Permit)
	if err := c.snapshot().checkEnterprise(e); err != nil {
		return err
	}
	old := c.snapshot().Enterprises[e.ID]
	if old != nil && *old == e {
		return nil
	}
	c.next.putEnterprise(e)
	c.enterprises[e.ID] = true
	object(c, "enterprise", e.ID, old, &e)
	return nil
}

func (c *change) deleteEnterprise(id string) error {
	old := c.snapshot().Enterprises[id]
	if old == nil {
		return notFound()
	}
	for _, o := range c.snapshot().Outlets {
		if o.Enterprise == id {
			return inUse(o.Name.Zh)
		}
	}
	c.next.dropEnterprise(id)
	c.enterprises[id] = true
	object(c, "enterprise", id, old, nil)
	return nil
}
