package telemetry

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// deviceView is a logger as the log shows it: whether there is a password and
// keys, never which.
type deviceView struct {
	MN              string     `json:"mn"`
	Outlet          OutletID   `json:"outlet"`
	PasswordSet     bool       `json:"password_set"`
	PasswordChanged bool       `json:"password_changed,omitempty"`
	PasswordTwo     bool       `json:"password_two,omitempty"` // a second one is accepted
	Keys            int        `json:"keys,omitempty"`
	KeysChanged     bool       `json:"keys_changed,omitempty"`
	Networks        string     `json:"networks,omitempty"`
	From            *time.Time `json:"from,omitempty"`
	To              *time.Time `json:"to,omitempty"`
	AcceptBadCRC    bool       `json:"accept_bad_crc,omitempty"`
	AcceptBadLength bool       `json:"accept_bad_length,omitempty"`
	AutoAdopted     bool       `json:"auto_adopted,omitempty"`
}

func viewOf(d *Device, before *Device) *deviceView {
	v := &deviceView{
		MN: d.MN, Outlet: d.Outlet, PasswordSet: d.Password != "", PasswordTwo: d.PasswordOther != "", Keys: len(d.Keys), Networks: NetworksText(d.Networks),
		AcceptBadCRC: d.AcceptBadCRC, AcceptBadLength: d.AcceptBadLength, AutoAdopted: d.AutoAdopted,
	}
	if !d.From.IsZero() {
		v.From = &d.From
	}
	if !d.To.IsZero() {
		v.To = &d.To
	}
	if before != nil {
		v.PasswordChanged = before.Password != d.Password
		v.KeysChanged = !reflect.DeepEqual(before.Keys, d.Keys)
	}
	return v
}

// NetworksText writes networks as ParseNetworks reads them.
func NetworksText(networks []netip.Prefix) string {
	var out []string
	for _, p := range networks {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}

func keysText(d *Device) string {
	var out []string
	for _, k := range d.Keys {
		out = append(out, hex.EncodeToString(k))
	}
	return strings.Join(out, " ")
}

// startDevice stages the beginning of a logger's service.
func (c *change) startDevice(d Device) error {
	d.From, d.To = instant(d.From), time.Time{}
	d.Networks, d.Keys = orNil(d.Networks), orNil(d.Keys)
	if err := c.snapshot().checkDevice(&d); err != nil {
		return err
	}
	if now := c.snapshot().Devices[d.MN]; now != nil {
		return errs.New(errs.Conflict, "err.registry.mn_serves", "mn", d.MN, "outlet", c.snapshot().outletName(now.Outlet))
	}
	if now := c.snapshot().DeviceOf(d.Outlet); now != nil {
		return errs.New(errs.Conflict, "err.registry.outlet_served", "mn", now.MN, "outlet", c.snapshot().outletName(d.Outlet))
	}
	c.next.putDevice(d)
	c.devices = append(c.devices, deviceOp{op: "start", new: d})
	c.note("create", "device", d.MN, nil, viewOf(&d, nil))
	return nil
}

func (s *Snapshot) outletName(id OutletID) string {
	if o := s.Outlets[id]; o != nil {
		return o.Name.Zh
	}
	return strconv.Itoa(int(id))
}

// stopDevice stages the end of a logger's service; its period stays known.
func (c *change) stopDevice(mn string) error {
	old := c.snapshot().Devices[mn]
	if old == nil {
		return notFound()
	}
	before := *old
	c.next.endDevice(mn, c.at)
	after := before
	after.To = c.at
	c.devices = append(c.devices, deviceOp{op: "end", old: before, new: after})
	c.note("end", "device", mn, viewOf(&before, nil), viewOf(&after, &before))
	return nil
}

// updateDevice stages new settings of a serving logger. Its outlet and its
// period are not settings: those change by Adopt and EndDevice.
func (c *change) updateDevice(d Device) error {
	old := c.snapshot().Devices[d.MN]
	if old == nil {
		return notFound()
	}
	before := *old
	d.Outlet, d.From, d.To, d.AdoptedBy, d.AutoAdopted = before.Outlet, before.From, before.To, before.AdoptedBy, before.AutoAdopted
	d.Networks, d.Keys = orNil(d.Networks), orNil(d.Keys)
	if err := c.snapshot().checkDevice(&d); err != nil {
		return err
	}
	if reflect.DeepEqual(before, d) {
		return nil
	}
	c.next.putDevice(d)
	c.devices = append(c.devices, deviceOp{op: "update", old: before, new: d})
	c.note("update", "device", d.MN, viewOf(&before, nil), viewOf(&d, &before))
	return nil
}

// OfferPassword lets a logger use pw beside its present password, from before
// it is told. A logger whose password is not checked goes on unchecked.
func (r *Registry) OfferPassword(ctx context.Context, mn, pw string, by auth.Principal) error {
	return r.editDevice(ctx, mn, by, func(d *Device, now time.Time) {
		if d.Password != "" && d.Password != pw {
			d.PasswordOther, d.PasswordSince = pw, now
		}
	})
}

// SettlePassword makes pw the password of a logger that was offered it; the
// former one stays accepted until DropPassword.
func (r *Registry) SettlePassword(ctx context.Context, mn, pw string, by auth.Principal) error {
	return r.editDevice(ctx, mn, by, func(d *Device, now time.Time) {
		if d.PasswordOther == pw && pw != "" {
			d.Password, d.PasswordOther, d.PasswordSince = pw, d.Password, now
		}
	})
}

// DropPassword ends the acceptance of a logger's second password.
func (r *Registry) DropPassword(ctx context.Context, mn string, by auth.Principal) error {
	return r.editDevice(ctx, mn, by, func(d *Device, _ time.Time) { d.PasswordOther, d.PasswordSince = "", time.Time{} })
}

// maxKeys is how many SM4 keys of a logger are kept: what it sends again may be
// sealed with an earlier one.
const maxKeys = 4

// AddKey puts an SM4 key before those that frames of a logger are opened by.
func (r *Registry) AddKey(ctx context.Context, mn string, key []byte, by auth.Principal) error {
	return r.editDevice(ctx, mn, by, func(d *Device, _ time.Time) {
		keys := [][]byte{key}
		for _, k := range d.Keys {
			if len(keys) < maxKeys && !bytes.Equal(k, key) {
				keys = append(keys, k)
			}
		}
		d.Keys = keys
	})
}

// editDevice changes a serving logger as it is at that moment.
func (r *Registry) editDevice(ctx context.Context, mn string, by auth.Principal, fn func(d *Device, now time.Time)) error {
	return r.change(ctx, by, func(c *change) error {
		d := c.snapshot().Devices[mn]
		if d == nil {
			return notFound()
		}
		mine := *d
		fn(&mine, c.at)
		return c.updateDevice(mine)
	})
}
