// Package access answers who may do what, where.
//
// It owns the policy: a file (policy.toml) that lists the systems, the
// permissions of each, and its roles with how far each permission of a role
// reaches. Nothing is allowed that does not stand there. There are two questions:
// Policy.May about one object, and Policy.Scope for a list of them; Policy.Opens
// is for an address, before it is known which object is asked for.
//
// It refuses to know modules and objects: a module names its permissions, says of
// an object only in which area and of which organisation it is, and gives the
// tree of areas. It reads no database and has no clock.
//
// See docs/decisions/0016-permission.md.
package access
