package telemetryweb

import (
	"slices"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// Role is what somebody is here for.
type Role string

// Roles of the simple sign-in; full people and roles come behind Sessions.
const (
	Officer         Role = "officer"    // duty officer of a bureau
	EnterpriseStaff Role = "enterprise" // sees the own enterprise only
	Operator        Role = "operator"   // keeps loggers and registry
)

// Actor is who asks, by post.
type Actor struct {
	Role       Role
	ID         string // of the account
	Post       string // as shown, such as "值班员（示例）"
	Enterprise string // of EnterpriseStaff
}

// Permission is what a route asks for; its words are the key "permission."+p.
type Permission string

// Permissions. The zero value is none of them: a route that does not say who may
// use it is not mounted.
const (
	Open      Permission = "open"     // nobody needs to be signed in
	View      Permission = "view"     // outlets, values; enterprises see their own
	Frames    Permission = "frames"   // raw frames of any logger, the interface included
	Devices   Permission = "devices"  // loggers, adoption, commands
	ReadList  Permission = "registry" // the registry
	EditList  Permission = "edit"     // changes of the registry
	AckAlarms Permission = "alarms"   // take note of alarms
	Shifts    Permission = "shifts"   // the record of the duty shifts
	SeeThings Permission = "things"   // what clients of SensorThings made
)

var grants = map[Role][]Permission{
	Officer:         {View, Frames, Devices, ReadList, AckAlarms, Shifts, SeeThings},
	EnterpriseStaff: {View},
	Operator:        {View, Frames, Devices, ReadList, EditList, AckAlarms, Shifts, SeeThings},
}

// May reports whether the actor holds a permission.
func (a Actor) May(p Permission) bool {
	return p == Open || slices.Contains(grants[a.Role], p)
}

// Sees reports whether the actor may look at an outlet.
func (a Actor) Sees(o *telemetry.Outlet) bool {
	return a.May(View) && (a.Role != EnterpriseStaff || a.Enterprise != "" && o.Enterprise == a.Enterprise)
}

// refused is the error of a lacking permission; the page says which and who gives it.
func refused(l localizer, p Permission) error {
	return errs.New(errs.Forbidden, "problem.forbidden", "permission", l.T("permission."+string(p)))
}

type localizer interface {
	T(key string, args ...any) string
}
