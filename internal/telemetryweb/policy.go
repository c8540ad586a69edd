package telemetryweb

import (
	"net/http"
	"slices"
	"strings"

	"plateau/internal/platform/access"
	"plateau/internal/telemetry"
	"plateau/internal/web"
)

// policyRoutes are the pages of who may do what, and of who sees an outlet.
func policyRoutes() []route {
	return []route{
		{"GET", "/policy", ReadPolicy, (*Handler).policyPage},
		{"GET", "/policy/routes", ReadPolicy, (*Handler).policyAddresses},
		{"GET", "/policy/{permission}", ReadPolicy, (*Handler).policyPermission},
		{"GET", "/outlets/{id}/access", View, (*Handler).outletAccess},
	}
}

// policyLine is a permission or a role with what stands behind it.
type policyLine struct {
	Code string
	Text string
	Href string
	Note string   // what it is about, or where a post of it sits
	List []string // who holds it, or what it holds, with the reach
}

type policySystem struct {
	Code        string
	Text        string
	Permissions []policyLine
	Roles       []policyLine
}

type policyView struct {
	Tabs     []web.Tab
	Systems  []policySystem
	Accounts []policyLine
}

func (c *call) permission(p Permission) string { return c.l.T("permission." + string(p)) }

func (c *call) role(role string) string { return c.l.T("role." + role) }

// reaching is something with how far it reaches.
func (c *call) reaching(what string, r access.Reach) string {
	return c.l.T("policy.reaching", "what", what, "reach", c.l.T("policy.reach_"+string(r)))
}

func (h *Handler) policyPage(c *call) error {
	p := access.Default()
	v := &policyView{Tabs: c.registryTabs("policy")}
	for _, sys := range p.Systems() {
		s := policySystem{Code: sys, Text: c.l.T("policy.system_" + sys)}
		for _, perm := range p.Permissions(sys) {
			line := policyLine{Code: string(perm), Text: c.permission(perm), Href: c.path("/policy/" + string(perm)), Note: c.l.T("policy.about_object")}
			if p.OfInstallation(perm) {
				line.Note = c.l.T("policy.about_installation")
			}
			for _, role := range p.Roles(sys) {
				if r := p.Reach(role, perm); r != "" {
					line.List = append(line.List, c.reaching(c.role(role), r))
				}
			}
			s.Permissions = append(s.Permissions, line)
		}
		for _, role := range p.Roles(sys) {
			line := policyLine{Code: role, Text: c.role(role)}
			if level := p.SeatOf(role); level != "" {
				line.Note = c.l.T("policy.seat_" + level)
			}
			for _, perm := range p.Permissions(sys) {
				if r := p.Reach(role, perm); r != "" {
					line.List = append(line.List, c.reaching(c.permission(perm), r))
				}
			}
			s.Roles = append(s.Roles, line)
		}
		v.Systems = append(v.Systems, s)
	}
	for _, kind := range p.Accounts() {
		line := policyLine{Code: kind}
		for _, g := range p.Account(kind, "", "") {
			line.List = append(line.List, c.role(g.Role))
		}
		v.Accounts = append(v.Accounts, line)
	}
	return h.render(c, http.StatusOK, "policy.html", &web.Page{Title: c.l.T("policy.title"), Module: "registry", Wide: true, Data: v})
}

// addressLine is an address of the program with what opens it.
type addressLine struct {
	Method, Path string
	Text, Href   string
}

func (c *call) addressLine(rt access.Route) addressLine {
	a := addressLine{Method: rt.Method, Path: rt.Path, Text: c.permission(rt.May)}
	if rt.May != Open {
		a.Href = c.path("/policy/" + string(rt.May))
	}
	return a
}

func (h *Handler) policyAddresses(c *call) error {
	v := make([]addressLine, 0, len(h.Addresses))
	for _, rt := range h.Addresses {
		v = append(v, c.addressLine(rt))
	}
	return h.render(c, http.StatusOK, "policy_routes.html", &web.Page{Title: c.l.T("policy.routes"), Module: "registry", Wide: true, Crumbs: []web.Crumb{{Text: c.l.T("policy.title"), Path: "/policy"}}, Data: v})
}

type permissionView struct {
	Code   string
	About  string
	Who    []whoLine
	Routes []addressLine
}

// policyPermission tells who holds a permission, and what it opens.
func (h *Handler) policyPermission(c *call) error {
	p, perm := access.Default(), Permission(c.r.PathValue("permission"))
	if perm == Open || !p.Known(perm) {
		return notFound()
	}
	v := &permissionView{Code: string(perm), About: c.l.T("policy.about_object")}
	if p.OfInstallation(perm) {
		v.About = c.l.T("policy.about_installation")
	}
	sys, _, _ := strings.Cut(string(perm), ".")
	for _, role := range p.Roles(sys) {
		if r := p.Reach(role, perm); r != "" {
			v.Who = append(v.Who, whoLine{Role: c.role(role), Why: c.l.T("policy.reach_" + string(r))})
		}
	}
	for _, rt := range h.Addresses {
		if rt.May == perm {
			v.Routes = append(v.Routes, c.addressLine(rt))
		}
	}
	return h.render(c, http.StatusOK, "policy_permission.html", &web.Page{
		Title: c.l.T("policy.permission_title", "permission", c.permission(perm)), Module: "registry", Crumbs: []web.Crumb{{Text: c.l.T("policy.title"), Path: "/policy"}}, Data: v,
	})
}

// whoLine is a role that opens something, and why.
type whoLine struct {
	Role string
	Why  string
	What []string
}

type outletAccessView struct {
	Head   outletHead
	You    []string // why the reader sees it
	Who    []whoLine
	Public string // address of its page for residents; "" = there is none
}

// outletAccess tells who sees an outlet, and why: from the policy, by role. It
// names no people.
func (h *Handler) outletAccess(c *call) error {
	o, err := h.find(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := &outletAccessView{}
	if v.Head, err = h.head(c, o, "access"); err != nil {
		return err
	}
	p := access.Default()
	sys, _, _ := strings.Cut(string(View), ".")
	for _, role := range p.Roles(sys) {
		for _, reach := range []access.Reach{access.InArea, access.OfOrganisation, access.Anywhere} {
			line := whoLine{Role: c.role(role), Why: c.because(reach, o)}
			for _, perm := range []Permission{View, Frames, Devices, AckAlarms, ReadList, EditList} {
				if p.Reach(role, perm) == reach {
					line.What = append(line.What, c.permission(perm))
				}
			}
			if line.What != nil {
				v.Who = append(v.Who, line)
			}
		}
	}
	for _, g := range c.actor.Grants {
		if p.May(access.Grants{g}, View, ObjectOf(o), c.snap) {
			v.You = append(v.You, c.l.T("who.you", "role", c.role(g.Role), "why", c.held(g, p.Reach(g.Role, View))))
		}
	}
	if h.Public {
		v.Public = c.path("/public" + outletPath(o.ID))
	}
	return h.render(c, http.StatusOK, "outlet_access.html", &web.Page{
		Title: c.l.T("who.title", "name", v.Head.Name.Text), Module: "outlets", Crumbs: h.crumbs(c, o), Data: v,
	})
}

// because says for what a role must be held to reach an outlet.
func (c *call) because(r access.Reach, o *telemetry.Outlet) string {
	switch r {
	case access.InArea:
		return c.l.T("who.in_area", "areas", c.areasAbove(o.Area))
	case access.OfOrganisation:
		return c.l.T("who.of_organisation", "organisation", c.enterpriseName(o.Enterprise))
	case access.Anywhere:
	}
	return c.l.T("policy.reach_any")
}

// held says for what the reader holds a role.
func (c *call) held(g access.Grant, r access.Reach) string {
	switch {
	case r == access.OfOrganisation:
		return c.l.T("who.held_organisation", "organisation", c.enterpriseName(g.Organisation))
	case g.Area != "":
		return c.l.T("who.held_area", "area", c.area(g.Area).Text)
	}
	return c.l.T("who.held_all")
}

// areasAbove names an area and those above it.
func (c *call) areasAbove(code string) string {
	var names []string
	for a := c.snap.Areas[code]; a != nil && len(names) < 6; a = c.snap.Areas[a.Parent] {
		names = append(names, c.name(a.Name).Text)
	}
	if names == nil {
		return c.l.T("overview.no_area")
	}
	slices.Reverse(names)
	return strings.Join(names, " / ")
}

func (c *call) enterpriseName(id string) string {
	if e := c.snap.Enterprises[id]; e != nil {
		return c.name(e.Name).Text
	}
	return id
}
