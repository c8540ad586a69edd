package accountweb

import (
	"net/http"
	"slices"
	"strings"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// accountsRoutes are the pages of the accounts of all, for those who keep them.
func accountsRoutes() []route {
	return []route{
		{"GET", "/accounts", keepsAccounts, (*Handler).accounts},
		{"GET", "/accounts/{id}", keepsAccounts, (*Handler).accountOf},
		{"POST", "/accounts/{id}/close", keepsAccountsFresh, (*Handler).closeAccount},
		{"POST", "/accounts/{id}/open", keepsAccountsFresh, (*Handler).openAccount},
		{"POST", "/accounts/{id}/link", keepsAccountsFresh, (*Handler).linkAccount},
	}
}

type accountsView struct {
	Kind  web.Field
	State web.Field
	Path  string
	Any   bool // something is filtered
	Rows  []auth.Account
	Pager web.Pager
}

// accounts lists accounts. The list is a look at each of those on the page.
func (h *Handler) accounts(c *call) error {
	all, err := h.Auth.Accounts(c.ctx())
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	kind, state := q.Get("kind"), q.Get("state") // no search by name: an address holds nothing personal
	all = slices.DeleteFunc(all, func(a auth.Account) bool {
		return state == "open" && a.Disabled || state == "closed" && !a.Disabled || kind != "" && kind != string(a.Role)
	})
	table := web.Table{Path: c.path("/accounts"), Query: q}
	from, to, pager := table.Cut(len(all), 0)
	v := &accountsView{
		Path: table.Path, Rows: all[from:to], Pager: pager, Any: kind != "" || state != "",
		Kind: web.Field{Name: "kind", Kind: "select", Label: c.l.T("accounts.kind"), Width: "medium", Options: []web.Option{{Text: c.l.T("accounts.state_all")}}},
		State: web.Field{Name: "state", Kind: "select", Label: c.l.T("accounts.state"), Width: "short", Options: []web.Option{
			{Value: "", Text: c.l.T("accounts.state_all"), Selected: state == ""},
			{Value: "open", Text: c.l.T("accounts.state_open"), Selected: state == "open"},
			{Value: "closed", Text: c.l.T("accounts.state_closed"), Selected: state == "closed"},
		}},
	}
	for _, k := range access.Default().Accounts() {
		v.Kind.Options = append(v.Kind.Options, web.Option{Value: k, Text: k, Selected: k == kind})
	}
	var seen []string
	for _, a := range v.Rows {
		seen = append(seen, a.ID)
	}
	if err := h.Auth.Look(c.ctx(), "account.list", "account", "", seen, ""); err != nil {
		return err
	}
	return h.render(c, http.StatusOK, "accounts.html", &web.Page{Title: c.l.T("accounts.title"), Crumbs: c.crumbs(), Data: v})
}

type accountOfView struct {
	auth.Account
	Own  bool
	Link string // that sets the password; shown once
	Mine []string
	Keys []tokenRow // of a service
}

func (h *Handler) accountOf(c *call) error { return h.accountPage(c, "") }

// accountPage shows one account, and a link that was just made for it.
func (h *Handler) accountPage(c *call, link string) error {
	a, err := h.Auth.Account(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := h.Auth.Look(c.ctx(), "account.view", "account", a.ID, []string{a.ID}, ""); err != nil {
		return err
	}
	v := &accountOfView{Account: a, Own: a.ID == c.who.ID, Link: link}
	for _, g := range access.Default().Account(string(a.Role), "", "") {
		v.Mine = append(v.Mine, c.l.T("role."+g.Role))
	}
	if !a.ForPerson() {
		keys, err := h.Auth.Tokens(c.ctx(), a.ID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			v.Keys = append(v.Keys, tokenRow{k, c.words(k.Only)})
		}
	}
	p := &web.Page{
		Title: c.l.T("accounts.one_title", "login", a.Login), Private: link != "", Data: v,
		Crumbs: append(c.crumbs(), web.Crumb{Text: c.l.T("accounts.title"), Path: "/accounts"}),
	}
	return h.render(c, http.StatusOK, "accounts_one.html", p)
}

func (h *Handler) closeAccount(c *call) error { return h.setAccount(c, true, "account_closed") }

func (h *Handler) openAccount(c *call) error { return h.setAccount(c, false, "account_opened") }

func (h *Handler) setAccount(c *call, closed bool, done string) error {
	id := c.r.PathValue("id")
	if err := h.Auth.CloseOther(c.ctx(), c.who, id, closed); err != nil {
		return err
	}
	return c.done("/accounts/"+id, done)
}

// linkAccount answers with the page itself and not with a redirect: the link is
// shown once, and is kept nowhere from where a second request could take it.
func (h *Handler) linkAccount(c *call) error {
	a, err := h.Auth.Account(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if a.Disabled {
		return errs.New(errs.Conflict, "err.accounts.closed")
	}
	key, err := h.Auth.MakeLink(c.ctx(), a.ID)
	if err != nil {
		return err
	}
	return h.accountPage(c, h.base(c)+auth.LinkPath+key)
}

// base is where people reach the program, for links.
func (h *Handler) base(c *call) string {
	if h.BaseURL != "" {
		return strings.TrimSuffix(h.BaseURL, "/")
	}
	scheme := "http"
	if c.r.TLS != nil || c.r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.r.Host
}

// more lists the pages beyond one's own account that who asks may open.
func (c *call) more() []web.Link {
	var out []web.Link
	for _, l := range []struct {
		may access.Permission
		web.Link
	}{
		{"platform.accounts", web.Link{Key: "accounts.title", Path: "/accounts"}},
		{"platform.accounts", web.Link{Key: "corrections.title", Path: "/corrections"}},
		{"platform.record", web.Link{Key: "record.title", Path: "/audit"}},
	} {
		if access.Default().Opens(c.who.Grants(), l.may) {
			out = append(out, l.Link)
		}
	}
	return append(out, web.Link{Key: "personal.title", Path: PersonalPath})
}
