package telemetryweb

import (
	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// Actor is who asks, by post. The zero value is nobody and may nothing.
type Actor struct {
	ID     string // of the account
	Post   string // as shown, such as "值班员（示例）"
	Grants access.Grants
}

// Permission is what a route asks for. Who holds it stands in the policy.
type Permission = access.Permission

// Permissions of the pages. The zero value is none of them: a route that does
// not say who may use it is not mounted.
const (
	Open      = access.Open
	View      = Permission("telemetry.view")     // outlets, values
	Frames    = Permission("telemetry.frames")   // frames, those of unknown loggers too
	Devices   = Permission("telemetry.devices")  // loggers, adoption, commands
	ReadList  = Permission("telemetry.registry") // the registry
	EditList  = Permission("telemetry.edit")     // changes of the registry
	AckAlarms = Permission("telemetry.alarms")   // take note of alarms
	SeeLeads  = Permission("telemetry.leads")    // what is odd in judged data
	ReadRules = Permission("telemetry.rules")    // rules and limits
	Shifts    = Permission("telemetry.shifts")   // the record of the duty shifts
	SeeThings = Permission("telemetry.things")   // what clients of SensorThings made
	Hooks     = Permission("telemetry.webhooks") // who is told of events
	Relays    = Permission("telemetry.relay")    // which platforms frames go on to
	Keeps     = Permission("platform.keeping")   // what is kept

	ReadPolicy = Permission("platform.policy") // who may do what
	SeePosts   = Permission("platform.posts")  // who holds which post
)

// allOutlets is no permission: its words say that an outlet is beyond what the
// reader's post reaches.
const allOutlets Permission = "all_outlets"

// May reports whether the actor holds a permission at all; for which objects is
// the call's to ask.
func (a Actor) May(p Permission) bool { return access.Default().Opens(a.Grants, p) }

// Sees reports whether somebody who holds grants may look at an outlet.
func Sees(g access.Grants, o *telemetry.Outlet, areas access.Areas) bool {
	return access.Default().May(g, View, ObjectOf(o), areas)
}

// ObjectOf is what decides who may do something with an outlet; that of none is
// the installation's.
func ObjectOf(o *telemetry.Outlet) access.Object {
	if o == nil {
		return access.Object{}
	}
	return access.Object{Area: o.Area, Organisation: o.Enterprise}
}

func objectOfEnterprise(e *telemetry.Enterprise) access.Object {
	return access.Object{Area: e.Area, Organisation: e.ID}
}

// asks sets who sends the call.
func (c *call) asks(a Actor) {
	c.actor = a
	c.seen = c.scope(View)
}

// scope is what the actor holds a permission for.
func (c *call) scope(p Permission) access.Scope {
	return access.Default().Scope(c.actor.Grants, p, c.snap)
}

// sees reports whether the actor may look at an outlet.
func (c *call) sees(o *telemetry.Outlet) bool { return c.seen.Contains(ObjectOf(o)) }

// seesEnterprise reports whether an enterprise, or an outlet of it, is the
// actor's to look at.
func (c *call) seesEnterprise(e *telemetry.Enterprise) bool {
	return c.seen.Contains(objectOfEnterprise(e))
}

// may reports whether the actor holds a permission for an outlet.
func (c *call) may(p Permission, o *telemetry.Outlet) bool { return c.scope(p).Contains(ObjectOf(o)) }

// must fails unless the actor holds a permission for an outlet; nil stands for
// the installation as a whole.
func (c *call) must(p Permission, o *telemetry.Outlet) error {
	switch {
	case c.may(p, o):
		return nil
	case c.actor.May(p): // of other outlets, not of this one
		return refused(c.l, allOutlets)
	}
	return refused(c.l, p)
}

// logger is the object that a logger stands for: the outlet it serves, or for one
// that is not registered the division its MN begins with.
func (c *call) logger(mn string) access.Object {
	if d := c.snap.Devices[mn]; d != nil {
		return ObjectOf(c.snap.Outlets[d.Outlet])
	}
	return access.Object{Area: areaOf(c, mn)}
}

// mustLogger fails unless the actor holds a permission for a logger.
func (c *call) mustLogger(p Permission, mn string) error {
	if c.scope(p).Contains(c.logger(mn)) {
		return nil
	}
	return refused(c.l, allOutlets)
}

// refused is the error of a lacking permission; the page says which and who gives it.
func refused(l localizer, p Permission) error {
	return errs.New(errs.Forbidden, "problem.forbidden", "permission", l.T("permission."+string(p)))
}

type localizer interface {
	T(key string, args ...any) string
}
