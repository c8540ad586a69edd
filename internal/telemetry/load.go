package telemetry

import (
	"cmp"
	"context"
	"slices"

	"plateau/internal/platform/auth"
)

// LoadInput is a prepared region, such as the demonstration's.
type LoadInput struct {
	Areas       []Area // parents before children
	Enterprises []Enterprise
	Outlets     []Outlet // with their numbers
	Devices     []Device
}

// Load adds what is missing of a prepared region, all in one transaction, and
// leaves alone what is there: loading twice changes nothing, and what people
// changed since stays changed.
func (r *Registry) Load(ctx context.Context, in LoadInput, by auth.Principal) error {
	return r.change(ctx, by, func(c *change) error {
		c.action = "load"
		for _, a := range in.Areas {
			if c.snapshot().Areas[a.Code] == nil {
				if err := c.putArea(a); err != nil {
					return err
				}
			}
		}
		for _, e := range in.Enterprises {
			if c.snapshot().Enterprises[e.ID] == nil {
				if err := c.putEnterprise(e); err != nil {
					return err
				}
			}
		}
		fresh := map[OutletID]bool{}
		top := c.snapshot().lastOutlet
		byNumber := slices.SortedFunc(slices.Values(in.Outlets), func(a, b Outlet) int { return cmp.Compare(a.ID, b.ID) })
		for _, o := range byNumber {
			if o.ID != 0 && (c.snapshot().Outlets[o.ID] != nil || o.ID <= top) {
				continue // there, or was there and was removed
			}
			id, err := c.createOutlet(o)
			if err != nil {
				return err
			}
			fresh[id] = true
		}
		for _, d := range in.Devices {
			if fresh[d.Outlet] {
				if err := c.startDevice(d); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
