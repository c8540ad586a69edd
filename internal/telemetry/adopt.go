package telemetry

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// AdoptInput says which outlet a logger serves and how it is let in.
type AdoptInput struct {
	Outlet OutletID // an outlet that exists; 0 = New
	New    *Outlet  // an outlet made by the same act; without an enterprise it is Unregistered's

	Password string // "" = not checked
	Networks []netip.Prefix
	Keys     [][]byte

	AcceptBadCRC, AcceptBadLength bool
}

// Adoption is what Adopt did.
type Adoption struct {
	MN       string
	Outlet   OutletID
	Created  bool   // the outlet is new; it is in service since At
	Replaced string // MN of the logger that served the outlet until now; "" = none
	At       time.Time
}

// UndoWindow is how long Unadopt takes an adoption back.
const UndoWindow = 30 * time.Minute

// Adopt lets a logger serve an outlet from now on. A logger that served the
// outlet before ends its service at the same moment; its period and the
// outlet's history stay. errs.Conflict when the logger serves another outlet.
func (r *Registry) Adopt(ctx context.Context, mn string, in AdoptInput, by auth.Principal) (Adoption, error) {
	done := Adoption{MN: mn}
	err := r.change(ctx, by, func(c *change) error {
		c.action, done.At, done.Outlet = "adopt", c.at, in.Outlet
		if in.Outlet == 0 {
			if in.New == nil {
				return errs.InvalidField("outlet", "err.field.required")
			}
			o := *in.New
			o.ID, o.Since = 0, c.at
			if o.Enterprise == "" {
				if err := c.needUnregistered(); err != nil {
					return err
				}
				o.Enterprise = Unregistered
			}
			id, err := c.createOutlet(o)
			if err != nil {
				return err
			}
			done.Outlet, done.Created = id, true
		}
		if former := c.snapshot().DeviceOf(done.Outlet); former != nil && former.MN != mn {
			done.Replaced = former.MN
			if err := c.stopDevice(former.MN); err != nil {
				return err
			}
		}
		return c.startDevice(Device{
			MN: mn, Outlet: done.Outlet, Password: in.Password, Networks: in.Networks, Keys: in.Keys,
			From: c.at, AcceptBadCRC: in.AcceptBadCRC, AcceptBadLength: in.AcceptBadLength, AdoptedBy: by.ID,
		})
	})
	return done, err
}

// Unadopt takes back what Adopt did within UndoWindow: the logger serves no
// longer, the one it replaced serves again as if it had never ended, and an
// outlet that the adoption made is removed. What was received meanwhile stays
// in the journal. errs.Conflict when it is too late or things have moved on.
func (r *Registry) Unadopt(ctx context.Context, a Adoption, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error {
		c.action = "unadopt"
		d := c.snapshot().Devices[a.MN]
		if d == nil || d.Outlet != a.Outlet || !d.From.Equal(a.At) {
			return errs.New(errs.Conflict, "err.registry.adoption_gone", "mn", a.MN)
		}
		if c.at.Sub(d.From) > UndoWindow {
			return errs.New(errs.Conflict, "err.registry.undo_late", "mn", a.MN, "minutes", int(UndoWindow.Minutes()))
		}
		if err := c.stopDevice(a.MN); err != nil {
			return err
		}
		if former := c.formerOf(a); former != nil {
			if err := c.resumeDevice(*former); err != nil {
				return err
			}
		}
		if o := c.snapshot().Outlets[a.Outlet]; o != nil && c.madeBy(a) {
			c.next.dropPast(a.Outlet)
			c.devices = append(c.devices, deviceOp{op: "forget", new: Device{Outlet: a.Outlet}})
			return c.deleteOutlet(a.Outlet)
		}
		return nil
	})
}

// formerOf finds the logger whose service ended by adoption a.
func (c *change) formerOf(a Adoption) *Device {
	for _, d := range slices.Backward(c.snapshot().Past) {
		if d.Outlet == a.Outlet && d.MN != a.MN && d.To.Equal(a.At) {
			return &d
		}
	}
	return nil
}

// madeBy reports whether adoption a made its outlet: it is in service since that
// very moment and had no other logger.
func (c *change) madeBy(a Adoption) bool {
	if o := c.snapshot().Outlets[a.Outlet]; !o.Since.Equal(a.At) {
		return false
	}
	for _, d := range c.snapshot().DevicesOf(a.Outlet) {
		if d.MN != a.MN || !d.From.Equal(a.At) {
			return false
		}
	}
	return true
}

// resumeDevice lets an ended period go on.
func (c *change) resumeDevice(ended Device) error {
	if now := c.snapshot().Devices[ended.MN]; now != nil {
		return errs.New(errs.Conflict, "err.registry.mn_serves", "mn", ended.MN, "outlet", c.snapshot().outletName(now.Outlet))
	}
	again := ended
	again.To = time.Time{}
	c.next.ownPast()
	past := &c.next.s.Past
	*past = slices.DeleteFunc(*past, func(d Device) bool {
		return d.MN == ended.MN && d.Outlet == ended.Outlet && d.To.Equal(ended.To)
	})
	c.next.putDevice(again)
	c.devices = append(c.devices, deviceOp{op: "resume", old: ended, new: again})
	c.note("update", "device", ended.MN, viewOf(&ended, nil), viewOf(&again, &ended))
	return nil
}

// UpdateDevice changes password, networks, keys and tolerances of a serving
// logger. An empty password and no keys mean "none", so a form that does not
// show them must bring the old ones.
func (r *Registry) UpdateDevice(ctx context.Context, d Device, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.updateDevice(d) })
}

// EndDevice ends a logger's service now; from then on it is unknown.
func (r *Registry) EndDevice(ctx context.Context, mn string, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error { return c.stopDevice(mn) })
}
