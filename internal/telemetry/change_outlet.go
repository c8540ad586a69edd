package telemetry

import (
	"reflect"
	"strconv"

	"plateau/internal/platform/errs"
)

// createOutlet stages a new outlet. Number 0 is chosen; a given number (from an
// export or a prepared region) must be above all that were ever given.
func (c *change) createOutlet(o Outlet) (OutletID, error) {
	top := c.snapshot().lastOutlet
	switch {
	case o.ID == 0:
		o.ID = top + 1
	case c.snapshot().Outlets[o.ID] != nil:
		return 0, taken("id", strconv.Itoa(int(o.ID)))
	case o.ID <= top:
		return 0, errs.InvalidField("id", "err.field.outlet_id", "value", strconv.Itoa(int(o.ID)))
	}
	o = copyOutlet(&o)
	normalise(&o)
	if err := c.snapshot().checkOutlet(&o); err != nil {
		return 0, err
	}
	c.next.s.lastOutlet = o.ID
	c.next.putOutlet(&o)
	c.outlets[o.ID] = true
	object(c, "outlet", o.ID.ref(), nil, &o)
	return o.ID, nil
}

func (id OutletID) ref() string { return strconv.FormatUint(uint64(id), 10) }

func (c *change) updateOutlet(o Outlet) error {
	old := c.snapshot().Outlets[o.ID]
	if old == nil {
		return notFound()
	}
	o = copyOutlet(&o)
	normalise(&o)
	if err := c.snapshot().checkOutlet(&o); err != nil {
		return err
	}
	if reflect.DeepEqual(*old, o) {
		return nil
	}
	c.next.putOutlet(&o)
	c.outlets[o.ID] = true
	object(c, "outlet", o.ID.ref(), old, &o)
	return nil
}

func (c *change) deleteOutlet(id OutletID) error {
	old := c.snapshot().Outlets[id]
	if old == nil {
		return notFound()
	}
	if served := c.snapshot().DevicesOf(id); len(served) > 0 {
		return errs.New(errs.Conflict, "err.registry.outlet_history", "mn", served[0].MN)
	}
	c.next.dropOutlet(id)
	c.outlets[id] = true
	object(c, "outlet", id.ref(), old, nil)
	return nil
}
